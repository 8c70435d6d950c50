"""From a batch of raw documents to the records that the gate judges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import polars as pl

from analytics_platform.gate.documents import DecodedDocument, decode_document, document_text
from analytics_platform.gate.records import Records, malformed_frame, no_records, readable
from analytics_platform.gate.types import present

DOCUMENTS_AT_A_TIME = 50_000
_FIELDS = tuple(name for name in DecodedDocument._fields if name not in ("type_changes", "errors"))


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
