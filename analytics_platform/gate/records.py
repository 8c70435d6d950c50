"""What the gate validates: records of any source, as text under the names of a contract's columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics_platform.contracts.base import ContractType
from analytics_platform.gate.layout import Layout
from analytics_platform.gate.types import present

REJECTED = pl.Schema(
    {
        "position": pl.Int64,
        "raw": pl.String,
        "error_reason": pl.String,
        "event_date": pl.Date,
        "neighbour_date": pl.Date,
    }
)
"""Columns of the rejected records of a verdict. `neighbour_date` is the day of the accepted record before."""


Texts = Sequence[str] | pl.Series
"""Text, many times."""


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """Some neighbouring records of a batch.

    `values` has one String column per contract column that comes from raw input, and perhaps `extra`; null where the
    record has nothing. `raws` gives the original text of the records at some indices, which ascend. `malformed` are
    records that could not be taken apart, with the columns of `REJECTED`. `drift` says in words how these records
    differ from the usual without being wrong.
    """

    values: pl.DataFrame
    positions: NDArray[np.int64]
    raws: Callable[[NDArray[np.integer]], Texts]
    malformed: pl.DataFrame
    drift: tuple[str, ...] = ()


def rejected_frame(
    positions: NDArray[np.int64] | Sequence[int], raws: Texts, reasons: Texts, dates: pl.Series | None = None
) -> pl.DataFrame:
    """Rejected records in the columns of `REJECTED`; `dates` are their days, where a source has them."""
    nothing = pl.repeat(None, len(positions), dtype=pl.Date, eager=True)
    columns = (positions, raws, reasons, nothing if dates is None else dates, nothing)
    return pl.DataFrame(dict(zip(REJECTED, columns, strict=True)), schema=REJECTED)


def malformed_frame(found: Iterable[tuple[int, str, str]]) -> pl.DataFrame:
    """`(position, raw, reason)` of malformed records in the columns of `REJECTED`."""
    rows = list(found)
    positions, raws, reasons = zip(*rows, strict=True) if rows else ((), (), ())
    return rejected_frame(positions, raws, reasons)


def readable(raw: bytes) -> str:
    """`raw` as text; bytes that are not UTF-8, and NUL, which no database takes, are written as \\xNN."""
    return raw.decode("utf-8", errors="backslashreplace").replace("\0", "\\x00")


def no_records(*drift: str) -> Records:
    """No records, only what is to be said of the batch."""
    return Records(pl.DataFrame(), np.empty(0, np.int64), lambda rows: (), malformed_frame(()), drift)


def values_of(text: pl.DataFrame, layout: Layout, contract: ContractType) -> pl.DataFrame:
    """Give the text of a file's columns by contract column; blanks around required values are taken off."""
    columns, values = contract.columns, []
    for name, source in layout.sources.items():
        column = columns[name]
        raw = text[source] if source else pl.repeat(None, text.height, dtype=pl.String, eager=True)
        plain = source is None or (column.nullable and column.dtype.type == pl.String)
        values.append((raw if plain else present(raw)).alias(name))
    if layout.extras:
        extra = text.select(pl.struct(layout.extras).struct.json_encode()).to_series()
        values.append(extra.alias("extra"))
    return pl.DataFrame(values)
