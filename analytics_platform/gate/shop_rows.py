"""From rows of the shop's database, one JSON object a line, to the records that the gate judges."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from itertools import islice
from typing import BinaryIO, NamedTuple

import numpy as np
import polars as pl

from analytics_platform.contracts.base import ContractType
from analytics_platform.gate.layout import usual_names
from analytics_platform.gate.messages.exact_json import Fault, JsonError, canonical_json, plain_text, read_json
from analytics_platform.gate.records import Records, malformed_frame, no_records, readable

ROW_REASONS = (*(f"row: {fault}" for fault in Fault), "row: not an object")
"""Why a row cannot be taken apart. PostgreSQL writes none of these: the batch was changed."""

_ROWS_AT_A_TIME = 10_000


class _Row(NamedTuple):
    """A row of a batch: its place from 1, its text, its values by column, or why there are none."""

    place: int
    raw: str
    values: Mapping[str, str | None]
    reason: str = ""


def read_rows(stream: BinaryIO, contract: ContractType, only: Collection[int] | None = None) -> Iterator[Records]:
    """The rows of a batch, by their place from 1; with `only`, those at these places."""
    columns = {source: name for name, source in usual_names(contract).items()}
    unknown: dict[str, None] = {}
    wanted = ((place, line) for place, line in enumerate(stream, 1) if only is None or place in only)
    while stack := [_decode(place, line, columns, unknown) for place, line in islice(wanted, _ROWS_AT_A_TIME)]:
        good = [row for row in stack if not row.reason]
        yield Records(
            values=pl.DataFrame(
                [row.values for row in good], schema=dict.fromkeys((*columns.values(), "extra"), pl.String)
            ),
            positions=np.array([row.place for row in good], np.int64),
            raws=lambda index, good=good: [good[row].raw for row in index],  # type: ignore[misc]
            malformed=malformed_frame((row.place, row.raw, row.reason) for row in stack if row.reason),
        )
    yield no_records(*([f"unknown columns kept in extra: {', '.join(unknown)}"] if unknown and only is None else ()))


def _decode(place: int, line: bytes, columns: Mapping[str, str], unknown: dict[str, None]) -> _Row:
    raw = readable(line.rstrip(b"\n"))
    try:
        row = read_json(raw)
    except JsonError as error:
        return _Row(place, raw, {}, f"row: {error.fault}")
    if not isinstance(row, dict):
        return _Row(place, raw, {}, "row: not an object")
    extra = {name: value for name, value in row.items() if name not in columns}
    unknown |= dict.fromkeys(extra)
    values = {column: _to_text(row.get(name)) for name, column in columns.items()}
    return _Row(place, raw, {**values, "extra": canonical_json(extra) if extra else None})


def _to_text(value: object) -> str | None:
    """A value as the text the gate converts; documents stay JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return plain_text(value)
    return canonical_json(value)
