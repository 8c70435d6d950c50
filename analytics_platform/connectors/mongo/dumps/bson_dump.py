"""What mongodump writes: one BSON document after the other, each beginning with its length."""

from __future__ import annotations

from collections.abc import Iterator

from analytics_platform.connectors.mongo.collection import SMALLEST_DOCUMENT, length_at
from analytics_platform.connectors.mongo.dumps.parts import (
    ARCHIVE,
    CUT_SHORT,
    DAMAGED_GZIP,
    IMPOSSIBLE_LENGTH,
    NOT_TERMINATED,
    DamagedError,
    MalformedRecord,
    rest_of,
)

LARGEST_DOCUMENT = (16 << 20) + (16 << 10)
"""Bytes of the largest document that a server keeps: 16 MiB, and 16 KiB that it allows itself."""

_ARCHIVE_MAGIC = b"\x6d\xe2\x99\x81"


def read_bson(chunks: Iterator[bytes]) -> Iterator[bytes | MalformedRecord]:
    """Yield the documents, and the rest of the file as one record from where it cannot be followed."""
    waiting, start, passed = b"", 0, 0
    ended = CUT_SHORT
    while True:
        try:
            chunk = next(chunks, b"")
        except DamagedError:
            chunk, ended = b"", DAMAGED_GZIP
        waiting, passed, start = waiting[start:] + chunk, passed + start, 0
        while len(waiting) - start >= SMALLEST_DOCUMENT:
            length = length_at(waiting, start)
            wrong = _what_is_wrong(waiting, start, length)
            if wrong:
                yield rest_of(passed + start, waiting[start:], chunks, wrong)
                return
            if len(waiting) - start < length:
                break
            yield waiting[start : start + length]
            start += length
        if not chunk:
            break
    if start < len(waiting) or ended == DAMAGED_GZIP:
        yield rest_of(passed + start, waiting[start:], iter(()), ended)


def _what_is_wrong(data: bytes, start: int, length: int) -> str | None:
    if not SMALLEST_DOCUMENT <= length <= LARGEST_DOCUMENT:
        return ARCHIVE if data.startswith(_ARCHIVE_MAGIC, start) else IMPOSSIBLE_LENGTH
    if len(data) - start >= length and data[start + length - 1]:
        return NOT_TERMINATED
    return None
