"""A lake in a folder, local or shared: files are written beside their place, synced and renamed.

A writer drafts the metadata of a batch first (`_<sha256>.<draft>`) and names it last. So a batch that has only a draft
is one whose writer was killed: it does not exist and is stored again. One that has neither was damaged.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from analytics_platform.lake.durable import drafted, make_folder, sync, writing
from analytics_platform.lake.lake import Lake

_DRAFT = "[0-9a-f]" * 32


class FolderLake(Lake):
    """The lake below the folder `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def exists(self) -> bool:
        """Tell whether anything was ever stored."""
        return self.root.is_dir()

    def old_drafts(self, age_s: float) -> list[str]:
        """Name the files that writers left that were killed more than so many seconds ago."""
        return [str(path) for path in self._drafts(age_s)]

    def drop_drafts(self, age_s: float) -> None:
        """Delete what `old_drafts` names."""
        for path in self._drafts(age_s):
            path.unlink(missing_ok=True)

    def _drafts(self, age_s: float) -> Iterator[Path]:
        found = self.root.glob("*/.incoming-*")
        return (path for path in found if path.exists() and time.time() - path.stat().st_mtime > age_s)

    @contextmanager
    def _incoming(self, source: str) -> Iterator[Path]:
        with writing(self.root):
            make_folder(self.root / source)
            path = self.root / source / f".incoming-{uuid.uuid4().hex}"
            try:
                yield path
            finally:
                path.unlink(missing_ok=True)

    def _store(self, incoming: Path, file: Path) -> None:
        with incoming.open("rb") as reader:
            os.fsync(reader.fileno())
        incoming.rename(file)

    @contextmanager
    def _drafted(self, file: Path, text: str) -> Iterator[None]:
        with writing(self.root):
            make_folder(file.parent)
            with drafted(file, text):
                yield

    def _read(self, file: Path) -> str | None:
        return file.read_text(encoding="utf-8") if file.exists() else None

    def _delete(self, file: Path) -> None:
        with writing(self.root):
            for path in (file, *file.parent.glob(f"{file.stem}.{_DRAFT}")):  # drafts of it that a kill left
                path.unlink(missing_ok=True)
            if file.parent.exists():
                sync(file.parent)

    def _files(self, source: str) -> Mapping[str, Path]:
        folder = self.root / source
        return {path.name: path for path in folder.iterdir()} if folder.exists() else {}

    def _is_unfinished(self, file: Path, metadata: Path) -> bool:
        # In this order: a writer renames its draft at any time.
        return any(metadata.parent.glob(f"{metadata.stem}.*")) or metadata.exists()
