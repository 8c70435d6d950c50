"""What mongodump writes: one BSON document after the other, each beginning with its length."""

from __future__ import annotations

from collections.abc import Iterator

from analytics_platform.connectors.mongo.collection import SMALLEST_DOCUMENT
from analytics_platform.connectors.mongo.dumps.parts import (
    ARCHIVE,
    CUT_SHORT,
    DAMAGED_GZIP,
    IMPOSSIBLE_LENGTH,
    NOT_TERMINATED,
    Dump,
    MalformedRecord,
)

LARGEST_DOCUMENT = (16 << 20) + (16 << 10)
"""Bytes of the largest document that a server keeps: 16 MiB, and 16 KiB that it allows itself."""

_ARCHIVE_MAGIC = b"\x6d\xe2\x99\x81"


def read_bson(dump: Dump) -> Iterator[bytes | MalformedRecord]:
    """Yield the documents, and the rest of the file as one record from where it cannot be followed."""
    offset, wrong = 0, ""
    while document := dump.read(4):
        length = int.from_bytes(document, "little", signed=True)
        if len(document) < 4:
            wrong = CUT_SHORT
        elif not SMALLEST_DOCUMENT <= length <= LARGEST_DOCUMENT:
            wrong = ARCHIVE if document == _ARCHIVE_MAGIC else IMPOSSIBLE_LENGTH
        else:
            document += dump.read(length - 4)
            wrong = CUT_SHORT if len(document) < length else NOT_TERMINATED if document[-1] else ""
        if wrong:
            break
        yield document
        offset += length
    if wrong or dump.damaged:
        yield dump.rest(offset, document, DAMAGED_GZIP if dump.damaged else wrong)
