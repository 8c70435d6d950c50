"""Remembers which files of a landing folder were put into the lake, so that a run does not read them again.

A file is recognized by what the file system says of it (device, inode, size, times of change). The register is only a
shortcut: if it is lost or damaged, files are read again, recognized by their content, and remembered anew.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

SETTLED_S = 2.0
"""A file changed less than this ago is not remembered: its next change might have the same timestamp."""


class Register:
    """File → SHA-256 of the content it had when it was put into the lake; kept as a text that `write` stores."""

    def __init__(self, text: str, write: Callable[[str], None]) -> None:
        self._write = write
        self._known: dict[str, str] = {}
        self._met: dict[str, str] = {}
        with suppress(ValueError, TypeError, AttributeError, RecursionError):
            self._known |= {file: sha256 for file, sha256 in json.loads(text).items() if isinstance(sha256, str)}

    def content_of(self, file: Path) -> str | None:
        """Return the SHA-256 of a file that did not change since it was remembered."""
        identity = _identity(file)
        if identity in self._known:
            self._met[identity] = self._known[identity]
        return self._met.get(identity)

    def remember(self, file: Path, content_sha256: str, is_settled: bool = False) -> None:
        """Remember a file that was put into the lake just now, if it has settled."""
        status = file.stat()
        if is_settled or time.time() - max(status.st_mtime, status.st_ctime) > SETTLED_S:
            self._met[_identity(file)] = content_sha256

    def save(self) -> None:
        """Write the files met since the register was opened; others are gone from the landing folder."""
        if self._met != self._known:
            self._write(json.dumps(self._met))


def _identity(file: Path) -> str:
    status = file.stat()
    parts = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return "-".join(map(str, parts))
