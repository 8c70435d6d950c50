"""Writes that survive a crash of the machine: once a call returns, name and content are on the disk."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from analytics_platform.errors import UserError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class LakeUnwritableError(UserError):
    """The lake has no room for what was to be stored, or may not be written; nothing of it was stored."""


class FolderInPlaceError(LakeUnwritableError):
    """A folder stands where a file is to be stored."""


class LakeUnreachableError(UserError):
    """The lake cannot be used now: no fault of what is read from it or stored in it."""


@contextmanager
def writing(folder: Path, what: str = "the lake", setting: str = "LAKE_URL") -> Iterator[None]:
    """Raise `LakeUnwritableError` for what the system refuses below `folder`, a part of the lake or of another place.

    An error of another file, such as the one that is copied, goes on as it is.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise LakeUnwritableError(f"The disk of {what} {folder} is full: make room and run again.") from error
        if isinstance(error, IsADirectoryError):
            place = error.filename2 or error.filename
            raise FolderInPlaceError(f"{place} is a folder in place of a file: move it away and run again.") from error
        if error.filename is None or not Path(os.fsdecode(error.filename)).is_relative_to(folder):
            raise
        closed = Path(os.fsdecode(error.filename))
        closed = closed if closed.exists() else closed.parent  # a temporary file, which could not be made
        raise LakeUnwritableError(
            f"{what[0].upper()}{what[1:]} {folder} cannot be written ({error.strerror}): correct the rights of "
            f"{closed} or of its folder, or {setting}, and run again."
        ) from error


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
