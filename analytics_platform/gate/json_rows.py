"""From JSON lines, one object each, to the records that the gate validates."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import chain, islice
from typing import BinaryIO, NamedTuple

import numpy as np
import polars as pl

from analytics_platform.contracts.base import ContractType
from analytics_platform.gate.exact_json import Fault, JsonError, canonical_json, plain_text, read_json
from analytics_platform.gate.records import Records, malformed_frame, no_records, readable

ROW_REASONS = (*(f"row: {fault}" for fault in Fault), "row: not an object")
"""Why a line cannot be parsed. PostgreSQL, which writes the rows of the shop's tables, writes none of these."""

_ROWS_AT_A_TIME = 10_000


class _Row(NamedTuple):
    """A row: its place from 1, its text, its values by column or why there are none, names no column has."""

    place: int
    raw: str
    values: Mapping[str, str | None]
    reason: str = ""
    unknown: tuple[str, ...] = ()


def read_json_lines(stream: BinaryIO, contract: ContractType, only: Collection[int] | None = None) -> Iterator[Records]:
    """Parse the lines of a stream, by their place from 1; with `only`, those at these places. Blank lines are no rows.

    Of the names that a column has, the first with a value is read.
    """
    columns = {
        name: column.metadata["source"] for name, column in contract.columns.items() if column.metadata["source"]
    }
    known, unknown = frozenset(chain.from_iterable(columns.values())), dict[str, None]()
    wanted = ((place, line) for place, line in enumerate(stream, 1) if only is None or place in only)
    rows = (_decode(place, line, columns, known) for place, line in wanted if not line.isspace())
    while stack := list(islice(rows, _ROWS_AT_A_TIME)):
        unknown |= dict.fromkeys(chain.from_iterable(row.unknown for row in stack))
        good = [row for row in stack if not row.reason]
        yield Records(
            values=pl.DataFrame([row.values for row in good], schema=dict.fromkeys((*columns, "extra"), pl.String)),
            positions=np.array([row.place for row in good], np.int64),
            raws=lambda index, good=good: [good[row].raw for row in index],  # type: ignore[misc]
            malformed=malformed_frame((row.place, row.raw, row.reason) for row in stack if row.reason),
        )
    yield no_records(*([f"unknown columns kept in extra: {', '.join(unknown)}"] if unknown and only is None else ()))


def _decode(place: int, line: bytes, columns: Mapping[str, Sequence[str]], known: Collection[str]) -> _Row:
    raw = readable(line.rstrip(b"\r\n"))
    try:
        row = read_json(raw)
    except JsonError as error:
        return _Row(place, raw, {}, f"row: {error.fault}")
    if not isinstance(row, dict):
        return _Row(place, raw, {}, "row: not an object")
    extra = {name: value for name, value in row.items() if name not in known}
    values = {
        column: _to_text(next((row[name] for name in names if row.get(name) is not None), None))
        for column, names in columns.items()
    }
    return _Row(place, raw, {**values, "extra": canonical_json(extra) if extra else None}, unknown=tuple(extra))


def _to_text(value: object) -> str | None:
    """A value as the text the gate converts; documents stay JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return plain_text(value)
    return canonical_json(value)
