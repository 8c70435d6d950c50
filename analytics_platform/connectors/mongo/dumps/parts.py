"""A dump as chunks of bytes, and what of it could not be read."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO

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


class DamagedError(Exception):
    """The compressed stream breaks off; everything before was read."""


def read_chunks(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the content in chunks of at most a mebibyte. Raises `DamagedError` after the last that can be read."""
    # Where the stream can be read in pieces: one that breaks off keeps what it gave before.
    read: Callable[[int], bytes] = getattr(stream, "read1", stream.read)
    try:
        while chunk := read(CHUNK_BYTES):
            yield chunk
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DamagedError(str(error)) from error


def rest_of(offset: int, begun: bytes, chunks: Iterator[bytes], reason: str) -> MalformedRecord:
    """Return all that is left of a dump as one record; `begun` is what of it was read already."""
    raw, size = begun[:SHOWN_BYTES], len(begun)
    with suppress(DamagedError):
        for chunk in chunks:
            raw += chunk[: SHOWN_BYTES - len(raw)]
            size += len(chunk)
    return MalformedRecord(offset, raw, size, reason)
