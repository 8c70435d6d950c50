"""Turns the well-formed records of a block into a frame of text columns."""

import codecs
from collections.abc import Sequence

import polars as pl

from analytics_platform.gate.csv.fields import parse_fields
from analytics_platform.gate.csv.records import Block


def to_text_frame(block: Block, names: Sequence[str]) -> pl.DataFrame:
    """One String column per name, one row per entry of `block.positions`, in that order.

    An empty field is null, quoted or not. `names` are as many as the columns the block was split for, and
    distinct.
    """
    if _is_safe_for_polars(block.good):
        try:
            frame = _parse_fast(block.good, names)
        except pl.exceptions.ComputeError:
            return parse_exactly(block, names)
        if frame.height == len(block.positions):
            return frame
    return parse_exactly(block, names)


def parse_exactly(block: Block, names: Sequence[str]) -> pl.DataFrame:
    """The frame of `to_text_frame`, parsed record by record: many times slower, and right on any block.

    The csv module will not do: it takes a lone CR for a line end and has a limit on fields that is global.
    """
    records = block.raws(range(len(block.positions)))
    rows = [parse_fields(record.decode()) or [] for record in records]
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return pl.DataFrame(
        {name: [field or None for field in column] for name, column in zip(names, columns, strict=True)},
        schema=dict.fromkeys(names, pl.String),
    )


def _is_safe_for_polars(good: bytes) -> bool:
    """Whether Polars reads every field as it stands.

    It drops a byte order mark in front of the first record of any block, and reads a field that is one CR as
    null.
    """
    if good.startswith(codecs.BOM_UTF8):
        return False
    return b"\r" not in good or good.count(b"\r") == good.count(b"\r\n")


def _parse_fast(good: bytes, names: Sequence[str]) -> pl.DataFrame:
    return pl.read_csv(
        good,
        has_header=False,
        schema=dict.fromkeys(names, pl.String),
        infer_schema=False,
        null_values="",
    )
