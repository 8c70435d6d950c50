"""A dump as a stream of bytes, and what of it could not be read."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

CHUNK_BYTES = 1 << 20

SHOWN_BYTES = 1 << 20
"""So many bytes of a malformed record are kept: the file has them all, from its offset on."""

CUT_SHORT = "document: cut short"
IMPOSSIBLE_LENGTH = "document: impossible length"
NOT_TERMINATED = "document: does not end where its length says"
ARCHIVE = "document: a mongodump archive, dump again without --archive"
NOT_EXTENDED_JSON = "document: not Extended JSON"
TOO_LARGE = "document: too large"
DAMAGED_GZIP = "document: damaged gzip"

DUMP_REASONS = (CUT_SHORT, IMPOSSIBLE_LENGTH, NOT_TERMINATED, ARCHIVE, NOT_EXTENDED_JSON, TOO_LARGE, DAMAGED_GZIP)
"""Every reason for which a part of a dump is malformed."""


@dataclass(frozen=True, slots=True)
class MalformedRecord:
    """A part of a dump that is no document: the offset of its first byte in the (decompressed) file, its bytes.

    `size` counts all of them, `raw` has the first mebibyte.
    """

    offset: int
    raw: bytes
    size: int
    reason: str


class _Source(io.RawIOBase):
    """The bytes of a stream, `waiting` ones first; they end where its compression is damaged."""

    def __init__(self, stream: BinaryIO) -> None:
        # Read in pieces, a stream that breaks off gives what comes before.
        self._read: Callable[[int], bytes] = getattr(stream, "read1", stream.read)
        self.waiting = b""
        self.damaged = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self.waiting:
            try:
                self.waiting = self._read(len(buffer))
            except (EOFError, gzip.BadGzipFile, zlib.error):
                self.damaged = True
        chunk, self.waiting = self.waiting[: len(buffer)], self.waiting[len(buffer) :]
        buffer[: len(chunk)] = chunk
        return len(chunk)


class Dump(io.BufferedReader):
    """The content of a dump, up to where its compression is damaged."""

    def __init__(self, stream: BinaryIO) -> None:
        self._source = _Source(stream)
        super().__init__(self._source, CHUNK_BYTES)

    @property
    def damaged(self) -> bool:
        """Whether the end that was reached is that of a damaged file."""
        return self._source.damaged

    def head(self) -> bytes:
        """Return the first mebibyte, before anything is read; it can be read afterwards."""
        head = b""
        while len(head) < CHUNK_BYTES and (chunk := self._source.read(CHUNK_BYTES)):
            head += chunk
        self._source.waiting = head
        return head

    def rest(self, offset: int, begun: bytes, reason: str) -> MalformedRecord:
        """Return all that is left as one record, which begins at `offset`; `begun` was read of it already."""
        raw, size = begun[:SHOWN_BYTES], len(begun)
        while chunk := self.read1(CHUNK_BYTES):
            raw += chunk[: SHOWN_BYTES - len(raw)]
            size += len(chunk)
        return MalformedRecord(offset, raw, size, reason)
