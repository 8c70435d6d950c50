"""Parts of a frame that are inserted together."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

import polars as pl

SIZE_AT_A_TIME, USUAL_SIZE = 1 << 20, 4096
"""Bytes of text in rows that are inserted together. Where no row has more than the latter, all are."""


def in_sizes(frame: pl.DataFrame) -> Iterator[list[pl.DataFrame]]:
    """Cut rows into parts of few bytes, which threads insert at the same time; each longer row comes alone.

    The identity of a row takes thirty times the memory of its texts: 16 documents of 4 MB in one part took 2 GB.
    """
    size = frame.select(pl.col(pl.String).str.len_bytes().fill_null(0), none=0).sum_horizontal()  # there may be no text
    if not (size > USUAL_SIZE).any():
        yield [frame]
        return
    is_long = size > SIZE_AT_A_TIME
    lengths = (size.filter(~is_long).cum_sum() // SIZE_AT_A_TIME).rle().struct.field("len").to_list()
    ends = accumulate(lengths, initial=0)
    usual = frame.filter(~is_long)
    yield [usual.slice(start, length) for start, length in zip(ends, lengths, strict=False)] or [usual]
    yield from ([frame.slice(place, 1)] for place in is_long.arg_true())
