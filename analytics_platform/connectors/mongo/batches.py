"""Raw BSON cut into documents, and documents gathered into batches, without decoding them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from struct import Struct

from analytics_platform.connectors.mongo.errors import MongoError
from analytics_platform.connectors.mongo.position import Position

SMALLEST_DOCUMENT = 5
"""Bytes of an empty document: its length and the closing zero."""

_LENGTH = Struct("<i")


@dataclass(frozen=True, slots=True)
class RawDocuments:
    """Some documents as raw BSON, and how far the collection is read with them.

    Commit `position` in the transaction that stores the documents, and none of them is missed; some come again
    after a crash and within the overlap. `documents` may be empty: then only the position moved. A position of None
    means that there is nothing to commit. `note` is for the log: one sentence, if there is something to say.
    """

    documents: Sequence[bytes]
    position: Position | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class BatchSize:
    """A batch is complete when it has `documents` documents or `size` bytes."""

    documents: int = 50_000
    size: int = 64 << 20


class Gathering:
    """Documents on their way into a batch."""

    def __init__(self, limit: BatchSize) -> None:
        self._limit = limit
        self._documents: list[bytes] = []
        self._size = 0

    def add(self, document: bytes) -> bool:
        """Take a document in; whether the batch is complete with it."""
        self._documents.append(document)
        self._size += len(document)
        return len(self._documents) >= self._limit.documents or self._size >= self._limit.size

    def take(self) -> list[bytes]:
        """The documents so far; a new batch begins."""
        taken, self._documents, self._size = self._documents, [], 0
        return taken


def length_at(data: bytes | bytearray, offset: int) -> int:
    """The length in bytes that the document at `offset` claims to have."""
    length: int = _LENGTH.unpack_from(data, offset)[0]
    return length


def split(block: bytes) -> Iterator[bytes]:
    """The documents of a reply of the server, which come one after the other without gaps."""
    start, end = 0, len(block)
    while start < end:
        stop = start + length_at(block, start) if end - start >= SMALLEST_DOCUMENT else 0
        if not start + SMALLEST_DOCUMENT <= stop <= end:
            raise MongoError("MongoDB sent a reply that is no sequence of documents: run again.")
        yield block[start:stop]
        start = stop


def gather(blocks: Iterable[bytes], limit: BatchSize) -> Iterator[list[bytes]]:
    """The documents of some replies in batches, none of them empty."""
    gathering = Gathering(limit)
    for block in blocks:
        for document in split(block):
            if gathering.add(document):
                yield gathering.take()
    if rest := gathering.take():
        yield rest
