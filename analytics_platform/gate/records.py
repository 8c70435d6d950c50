"""What the gate judges: records of any source, as text under the names of a contract's columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

REFUSED = pl.Schema(
    {
        "position": pl.Int64,
        "raw": pl.String,
        "error_reason": pl.String,
        "event_date": pl.Date,
        "neighbour_date": pl.Date,
    }
)
"""Columns of the refused records of a verdict. `neighbour_date` is the day of the accepted record before."""


Texts = Sequence[str] | pl.Series
"""Text, many times."""


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """Some neighbouring records of a batch.

    `values` has one String column per contract column that comes from raw input, and perhaps `extra`; null where the
    record has nothing. `raws` gives the original text of the records at some indices, which ascend. `malformed` are
    records that could not be taken apart, with the columns of `REFUSED`. `drift` says in words how these records
    differ from the usual without being wrong.
    """

    values: pl.DataFrame
    positions: NDArray[np.int64]
    raws: Callable[[NDArray[np.integer]], Texts]
    malformed: pl.DataFrame
    drift: tuple[str, ...] = ()


def refused_frame(
    positions: NDArray[np.int64] | Sequence[int], raws: Texts, reasons: Texts, dates: pl.Series | None = None
) -> pl.DataFrame:
    """Refused records in the columns of `REFUSED`; `dates` are their days, where a source has them."""
    nothing = pl.repeat(None, len(positions), dtype=pl.Date, eager=True)
    columns = (positions, raws, reasons, nothing if dates is None else dates, nothing)
    return pl.DataFrame(dict(zip(REFUSED, columns, strict=True)), schema=REFUSED)


def malformed_frame(found: Iterable[tuple[int, str, str]]) -> pl.DataFrame:
    """`(position, raw, reason)` of malformed records in the columns of `REFUSED`."""
    rows = list(found)
    positions, raws, reasons = zip(*rows, strict=True) if rows else ((), (), ())
    return refused_frame(positions, raws, reasons)


def readable(raw: bytes) -> str:
    """`raw` as text; bytes that are not UTF-8, and NUL, which no database takes, are written as \\xNN."""
    return raw.decode("utf-8", errors="backslashreplace").replace("\0", "\\x00")


def no_records(*drift: str) -> Records:
    """No records, only what is to be said of the batch."""
    return Records(pl.DataFrame(), np.empty(0, np.int64), lambda rows: (), malformed_frame(()), drift)
