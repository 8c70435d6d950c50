"""A batch of the lake: what is known of it, and its content, verified while it is read."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from analytics_platform.errors import count
from analytics_platform.lake.codec import LakeError, Place, open_decoded

CHUNK_BYTES = 1 << 20


def remedy(source: str) -> str:
    """Say what to do about a batch of a source that is damaged."""
    return (
        f"put it back from a backup, or, if it came as a file, drop that into LANDING_DIR/{source} again and run "
        "`analytics-platform materialize`"
    )


def not_a_file(path: Path) -> str:
    """Say what stands in place of a file, and whether it has to be moved away before one can be put there."""
    return f"is {'a folder, which is to be moved away first' if path.is_dir() else 'a named pipe or the like'}"


class _HashedFile(io.RawIOBase):
    """The bytes of an open, unbuffered `file`. What is read from its start on is hashed on the way."""

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._hashed = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        place = self._file.tell()
        count = self._file.readinto(buffer) or 0
        if place == self._hashed:
            self._digest.update(memoryview(buffer)[:count])
            self._hashed += count
        return count

    def sha256(self) -> str:
        """Return the hash of the whole file. What was not read in order, as in Parquet files, is read now."""
        self.seek(self._hashed)
        chunk = bytearray(1 << 20)
        while self.readinto(chunk):
            pass
        return self._digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """That a person took a batch back out of the tables: why, who (`decided_by`), and when."""

    reason: str
    decided_by: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class Batch:
    """One immutable batch. `name` is the input's name as people know it, `arrived_at` when it was put into the lake.

    Of a batch whose metadata file is damaged or gone these are unknown: `fault` says what is wrong, and what to do.
    `replaces` has the SHA-256 of each content before a person was erased from it. One with a `withdrawal` is loaded
    only when asked for.
    """

    batch_id: str
    source: str
    name: str
    content_sha256: str
    path: Place
    arrived_at: dt.datetime
    size: int
    fault: str = ""
    replaces: tuple[str, ...] = ()
    withdrawal: Withdrawal | None = None

    @property
    def damage(self) -> str:
        """Say what is wrong with its files, as far as that is seen without reading them, and what to do; or nothing."""
        try:
            size = self.size if self.fault else self.path.stat().st_size
        except OSError as error:
            return self._damaged(f"cannot be read ({error.strerror})")
        if not self.fault and isinstance(self.path, Path) and not self.path.is_file():
            return self._damaged(not_a_file(self.path))  # to open a named pipe would wait for ever
        return self.fault if size == self.size else self._damaged(f"has {count(size, 'byte')} instead of {self.size:,}")

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open the decompressed content for the length of a `with` block.

        Raises `LakeError` for a file that is missing or damaged: for its size at the start of the block, for its
        SHA-256 at the end, and in place of an error that the damage led to.
        """
        if damage := self.damage:
            raise LakeError(damage)
        try:
            file = self.path.open("rb", buffering=0)
        except OSError as error:
            raise LakeError(self._damaged(f"cannot be read ({error.strerror})")) from error
        with file:
            hashed = _HashedFile(file)
            try:
                yield open_decoded(Path(self.path.name), cast(BinaryIO, io.BufferedReader(hashed, CHUNK_BYTES)))
            except Exception:
                self._verify(hashed)
                raise
            self._verify(hashed)

    def _verify(self, hashed: _HashedFile) -> None:
        if hashed.sha256() != self.content_sha256:
            raise LakeError(self._damaged("is damaged, its SHA-256 is not what it was"))

    def _damaged(self, what: str) -> str:
        return f"its file {self.path} {what}: {remedy(self.source)}"


def batch_id_of(source: str, content_sha256: str) -> str:
    """Return the stable id of a batch: 16 hex digits over its source and content."""
    return hashlib.sha256(f"{source}:{content_sha256}".encode()).hexdigest()[:16]
