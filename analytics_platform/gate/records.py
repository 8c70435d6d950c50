"""What the gate validates: records of any source, as text under the names of a contract's columns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics_platform.contracts.missing import CLIENT, PSEUDONYM, RESERVED, own_client
from analytics_platform.gate.layout import Layout
from analytics_platform.gate.types import present, unnest_texts

REJECTED = pl.Schema(
    {
        "position": pl.Int64,
        "raw": pl.String,
        "error_reason": pl.String,
        "event_date": pl.Date,
        "neighbour_date": pl.Date,
        "event_name": pl.String,
    }
)
"""Columns of the rejected records of a verdict. `neighbour_date` is the day of the accepted record before."""

RECORDS_AT_A_TIME, TEXT_AT_A_TIME = 20_000, 32 << 20
"""Number of records, and of characters of their values, that are parsed one by one and then validated together."""

Texts: TypeAlias = Sequence[str] | pl.Series
Positions: TypeAlias = Collection[int] | None
"""The positions of the records to read; None for all."""

Raw = TypeVar("Raw")


class MalformedError(ValueError):
    """A record cannot be parsed. The message is the reason, or several joined by `; `."""


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """Some neighbouring records of a batch.

    `values` has one String column per contract column that comes from raw input, and perhaps `extra`; null where the
    record has nothing. `raws` gives the original text of the records at some indices, which ascend. `malformed` are
    records that could not be parsed, with the columns of `REJECTED`. `drift` says in words how these records differ
    from the usual without being wrong.
    """

    values: pl.DataFrame
    positions: NDArray[np.int64]
    raws: Callable[[NDArray[np.integer]], Texts]
    malformed: pl.DataFrame
    drift: tuple[str, ...] = ()


def rejected_frame(
    positions: NDArray[np.int64] | Sequence[int],
    raws: Texts,
    reasons: Texts,
    dates: pl.Series | None = None,
    names: pl.Series | None = None,
) -> pl.DataFrame:
    """Give rejected records the columns of `REJECTED`; `dates` and `names` are those of events, if a source has any."""
    nothing = pl.Series(dtype=pl.Null).extend_constant(None, len(positions))
    columns = (
        positions,
        raws,
        reasons,
        nothing if dates is None else dates,
        nothing,
        nothing if names is None else names,
    )
    return pl.DataFrame(dict(zip(REJECTED, columns, strict=True)), schema=REJECTED)


def no_records(*drift: str) -> Records:
    """Give no records, only the drift of the batch."""
    return Records(pl.DataFrame(), np.empty(0, np.int64), lambda rows: (), pl.DataFrame(schema=REJECTED), drift)


def numbered(records: Iterable[Raw], only: Positions) -> Iterator[tuple[int, Raw]]:
    """Number records from 1, and choose those to read."""
    return (pair for pair in enumerate(records, 1) if only is None or pair[0] in only)


def parse_records(
    records: Iterator[tuple[int, Raw]],
    columns: Sequence[str],
    parse: Callable[[Raw], Sequence[str | None]],
    text_of: Callable[[Raw], str],
) -> Iterator[Records]:
    """Parse records, given with their positions, one by one.

    `parse` gives the values of `columns` or raises `MalformedError`. `text_of` gives the original as text.
    """
    while True:
        good, rows, malformed, size = [], [], [], 0
        for position, raw in islice(records, RECORDS_AT_A_TIME):
            try:
                rows.append(row := parse(raw))
            except MalformedError as error:
                malformed.append((position, text_of(raw), str(error)))
            else:
                good.append((position, raw))
                # 120 compressed messages that expand to 15 MB each took 7 GB when they were validated together.
                size += sum(map(len, filter(None, row)))
                if size > TEXT_AT_A_TIME:
                    break
        if not good and not malformed:
            return
        yield _records(good, rows, malformed, columns, text_of)


def _records(
    good: Sequence[tuple[int, Raw]],
    rows: Sequence[Sequence[str | None]],
    malformed: Sequence[tuple[int, str, str]],
    columns: Sequence[str],
    text_of: Callable[[Raw], str],
) -> Records:
    positions, raws, reasons = zip(*malformed, strict=True) if malformed else ((), (), ())
    return Records(
        values=pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row"),
        positions=np.array([position for position, _ in good], np.int64),
        raws=lambda index: [text_of(good[row][1]) for row in index],
        malformed=rejected_frame(positions, raws, reasons),
    )


def _own_clients(texts: pl.Series) -> pl.Series:
    """Give a column of clients as `own_client` does one."""
    rows = (texts.str.contains(RESERVED) & ~texts.str.contains(PSEUDONYM)).arg_true()
    return texts.scatter(rows, texts.gather(rows).map_elements(own_client, pl.String)) if len(rows) else texts


def values_of(text: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """Give the text of a file's columns by contract column, and what the others say as `extra`."""
    nothing = pl.repeat(None, text.height, dtype=pl.String, eager=True)
    values = [(text[source] if source else nothing).alias(name) for name, source in layout.sources.items()]
    values = [_own_clients(each) if each.name == CLIENT else each for each in values]
    if layout.extras:
        extras = present(text.select(layout.extras))
        says = pl.any_horizontal(pl.all().is_not_null())
        extra = extras.select(pl.when(says).then(pl.struct(pl.all()).struct.json_encode())).to_series()
        values.append(unnest_texts(extra).alias("extra"))
    return pl.DataFrame(values)
