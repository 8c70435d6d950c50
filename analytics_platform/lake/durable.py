"""Writes that survive a crash of the machine: once a call returns, name and content are on the disk."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def sync(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, so that their names are durable too."""
    if not folder.exists():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync(folder.parent)


@contextmanager
def drafted(path: Path, text: str) -> Iterator[None]:
    """Write a small file whole or not at all, at the end of a `with` block; until then its draft stands beside it."""
    draft = path.with_suffix(f".{uuid.uuid4().hex}")
    try:
        with draft.open("w", encoding="utf-8") as writer:
            writer.write(text)
            writer.flush()
            os.fsync(writer.fileno())
        yield
        draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)
    sync(path.parent)


def write_durably(path: Path, text: str) -> None:
    """Write a small file whole or not at all."""
    with drafted(path, text):
        pass
