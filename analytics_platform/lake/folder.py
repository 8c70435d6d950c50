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

from analytics_platform.lake.codec import Place
from analytics_platform.lake.durable import LakeUnreachableError, drafted, make_folder, sync, writing
from analytics_platform.lake.lake import Lake

_DRAFT = "[0-9a-f]" * 32


class FolderLake(Lake):
    """The lake below the folder `root`."""

    root: Path

    def __init__(self, root: Path) -> None:
        self.root = root

    def exists(self) -> bool:
        """Tell whether anything was ever stored."""
        return self.root.is_dir()

    def old_drafts(self, age_s: float) -> list[str]:
        """Name what killed writers left that is older than `age_s` seconds."""
        return [str(path) for path in self._drafts(age_s)]

    def drop_drafts(self, age_s: float) -> None:
        """Delete what `old_drafts` names."""
        for path in self._drafts(age_s):
            path.unlink(missing_ok=True)

    def _drafts(self, age_s: float) -> Iterator[Path]:
        found = self.root.glob("*/.incoming-*")
        return (path for path in found if path.is_file() and time.time() - path.stat().st_mtime > age_s)

    @contextmanager
    def _incoming(self, source: str) -> Iterator[Path]:
        with writing(self.root):
            make_folder(self.root / source)
            path = self.root / source / f".incoming-{uuid.uuid4().hex}"
            try:
                yield path
            finally:
                path.unlink(missing_ok=True)

    def _store(self, incoming: Path, name: str) -> None:
        with incoming.open("rb") as reader:
            os.fsync(reader.fileno())
        incoming.rename(self.root / name)

    @contextmanager
    def _drafted(self, name: str, text: str) -> Iterator[None]:
        path = self.root / name
        with writing(self.root):
            make_folder(path.parent)
            with drafted(path, text):
                yield

    def read(self, name: str) -> str | None:
        """Read a small file below the root, if it is there. Raises `OSError` if it must not be read."""
        path = self.root / name
        if not os.path.lexists(path):
            return None
        if not (path.is_file() or path.is_dir()):  # a link to nothing, or a named pipe: to read it waits for a writer
            raise ValueError(f"{path} is no file")
        return path.read_text(encoding="utf-8")

    def delete(self, name: str) -> None:
        """Delete a file below the root, if it is there, with drafts of it that a kill left."""
        path = self.root / name
        with writing(self.root):
            for each in (path, *path.parent.glob(f"{path.stem}.{_DRAFT}")):
                each.unlink(missing_ok=True)
            if path.parent.exists():
                sync(path.parent)

    def _files(self, source: str) -> Mapping[str, Path]:
        folder = self.root / source
        try:
            return {path.name: path for path in folder.iterdir()} if folder.exists() else {}
        except PermissionError as error:
            raise LakeUnreachableError(f"The lake's folder {folder} cannot be read: correct its rights.") from error
        except NotADirectoryError as error:
            words = f"{folder} is a file in place of a folder of the lake: move it away and run again."
            raise LakeUnreachableError(words) from error

    def _is_unfinished(self, file: Place, metadata: str) -> bool:
        path = self.root / metadata
        # In this order: a writer renames its draft at any time.
        return any(path.parent.glob(f"{path.stem}.*")) or path.exists()
