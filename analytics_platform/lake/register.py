"""Remembers which files of a landing folder were put into the lake, so that a run does not read them again.

A file is recognized by what the file system says of it (device, inode, size, times of change). The register is only a
shortcut: if it is lost, in whole or in part, files are read again and recognized by their content.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

SETTLED_S = 2.0
"""A file changed less than this ago is not remembered: its next change might have the same timestamp."""


class Register:
    """File → SHA-256 of the content it had when it was put into the lake; kept in the file `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, str] = json.loads(path.read_text("utf-8")) if path.exists() else {}
        self._met: dict[str, str] = {}

    def content_of(self, file: Path) -> str | None:
        """Return the SHA-256 of a file that did not change since it was remembered."""
        identity = _identity(file)
        if identity in self._known:
            self._met[identity] = self._known[identity]
        return self._met.get(identity)

    def remember(self, file: Path, content_sha256: str) -> None:
        """Remember a file that was put into the lake just now, if it has settled."""
        status = file.stat()
        if time.time() - max(status.st_mtime, status.st_ctime) > SETTLED_S:
            self._met[_identity(file)] = content_sha256

    def save(self) -> None:
        """Write the files met since the register was opened; others are gone from the landing folder."""
        if self._met == self._known:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        draft.write_text(json.dumps(self._met), "utf-8")
        draft.rename(self._path)


def _identity(file: Path) -> str:
    status = file.stat()
    parts = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return "-".join(map(str, parts))
