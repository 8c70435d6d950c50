"""Remembers which files of a landing folder were put into the lake, so that a run does not read them again.

A file is recognized by what the file system says of it (device, inode, size, times of change). The register is only a
shortcut: if it is lost or damaged, files are read again, recognized by their content, and remembered anew.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from analytics_platform.lake.codec import LakeError
from analytics_platform.lake.durable import make_folder, write_durably, writing

SETTLED_S = 2.0
"""A file changed less than this ago is not remembered: its next change might have the same timestamp."""


class Register:
    """File → SHA-256 of the content it had when it was put into the lake; kept in the file `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, str] = {}
        self._met: dict[str, str] = {}
        try:
            self._known |= json.loads(path.read_text("utf-8"))
        except (FileNotFoundError, ValueError, TypeError):
            pass
        except OSError as error:
            raise LakeError(
                f"{path} cannot be read ({error.strerror}): let the platform's user read it, or delete it, it is "
                "written anew."
            ) from error

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
        if self._met == self._known:
            return
        with writing(self._path.parent):
            make_folder(self._path.parent)
            write_durably(self._path, json.dumps(self._met))


def _identity(file: Path) -> str:
    status = file.stat()
    parts = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return "-".join(map(str, parts))
