"""Records gathered into batches of a bounded size."""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import dataclass
from typing import Generic, TypeVar

RecordT = TypeVar("RecordT", bound=Sized)


@dataclass(frozen=True, slots=True)
class BatchSize:
    """A batch is complete when it has `records` records, or `size` bytes (characters, if its records are text)."""

    records: int = 50_000
    size: int = 64 << 20


class Gathering(Generic[RecordT]):
    """Records on their way into a batch."""

    def __init__(self, limit: BatchSize) -> None:
        self._limit = limit
        self._records: list[RecordT] = []
        self._size = 0

    def add(self, record: RecordT) -> bool:
        """Take a record in; return whether the batch is complete with it."""
        self._records.append(record)
        self._size += len(record)
        return len(self._records) >= self._limit.records or self._size >= self._limit.size

    def take(self) -> list[RecordT]:
        """Return the records so far; a new batch begins."""
        taken, self._records, self._size = self._records, [], 0
        return taken
