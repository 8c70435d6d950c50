"""From a batch of raw documents to the records that the gate validates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
import polars as pl

from analytics_platform.connectors.mongo.dumps import DUMP_REASONS, DUMP_SUFFIXES, MalformedRecord, is_dump, read_dump
from analytics_platform.connectors.mongo.extended_json import document_text
from analytics_platform.contracts.base import ContractType
from analytics_platform.gate.records import Records, malformed_frame, no_records, readable
from analytics_platform.gate.types import present
from analytics_platform.lake import Batch
from analytics_platform.sources.arrivals.collection import read_parquet
from analytics_platform.sources.source import Format
from analytics_platform.sources.web_logs.decode import DecodedDocument, decode_document

DOCUMENTS_AT_A_TIME = 50_000
_FIELDS = tuple(name for name in DecodedDocument._fields if name not in ("type_changes", "errors"))


DOCUMENT_REASONS = (
    "document: not BSON",
    "document: nested too deep",
    "user_id: not a whole number",
    "action: not text",
    "item_name: not text",
    "timestamp: not a time",
    "event_at: out of range",
    "device: not text",
    "session_id: not a whole number or text",
    *(f"{name}: NUL character" for name in ("document_id", "action", "item_name", "event_at", "device", "session_id")),
    *(f"{name}: NUL character" for name in ("metadata", "extra")),
    *DUMP_REASONS,
)
"""Why a document cannot be parsed."""


class Documents(Format):
    """Documents read from a server come in Parquet files, those of a dump as the dump."""

    suffixes = DUMP_SUFFIXES
    reasons = DOCUMENT_REASONS

    def takes(self, name: str) -> bool:
        """Tell whether a file of this name holds documents of a collection."""
        return is_dump(name)

    def check(self, path: Path, contract: ContractType) -> None:
        """Reject no file: of a damaged dump whatever can be read is taken in."""

    def read(
        self, batch: Batch, stream: BinaryIO, contract: ContractType, only: Collection[int] | None
    ) -> Iterator[Records]:
        """Parse the documents."""
        if batch.path.suffix == ".parquet":
            return read_documents((document for some in read_parquet(stream) for document in some), only)
        found = read_dump(stream, batch.name)
        return read_documents(
            (Unreadable(x.raw, x.reason) if isinstance(x, MalformedRecord) else x for x in found), only
        )


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A stretch of a dump that is no document: its bytes, and why."""

    raw: bytes
    reason: str


def read_documents(documents: Iterable[bytes | Unreadable], only: Collection[int] | None = None) -> Iterator[Records]:
    """Documents as raw BSON, by their place from 1; with `only`, those at these places.

    The last records say which fields had another type than usual, and how often.
    """
    numbered = enumerate(documents, 1)
    wanted = numbered if only is None else (pair for pair in numbered if pair[0] in only)
    changes: Counter[str] = Counter()
    while stack := list(islice(wanted, DOCUMENTS_AT_A_TIME)):
        yield _to_records(stack, changes)
    if only is None:
        yield no_records(*(_tell_change(change, count) for change, count in sorted(changes.items())))


def _to_records(stack: list[tuple[int, bytes | Unreadable]], changes: Counter[str]) -> Records:
    good: list[tuple[int, bytes]] = []
    rows: list[tuple[str | None, ...]] = []
    malformed: list[tuple[int, str, str]] = []
    for place, raw in stack:
        if isinstance(raw, Unreadable):
            malformed.append((place, readable(raw.raw), raw.reason))
            continue
        document = decode_document(raw)
        changes.update(document.type_changes)
        if document.errors:
            malformed.append((place, _text(raw), "; ".join(error.rule for error in document.errors)))
        else:
            good.append((place, raw))
            rows.append(tuple(getattr(document, field) for field in _FIELDS))
    values = pl.DataFrame(rows, schema=dict.fromkeys(_FIELDS, pl.String), orient="row")
    return Records(
        values=values.with_columns(_unless_blank(values["action"])),
        positions=np.array([place for place, _ in good], np.int64),
        raws=lambda index: [_text(good[row][1]) for row in index],
        malformed=malformed_frame(malformed),
    )


def _tell_change(change: str, count: int) -> str:
    return f"{change} in {count:,} document{'s' if count > 1 else ''}"


def _unless_blank(text: pl.Series) -> pl.Series:
    """The text as it is; null where it is nothing but blanks."""
    return text.set(present(text).is_null(), None)


def _text(raw: bytes) -> str:
    """A document as text that a database can store."""
    return readable(document_text(raw).encode())
