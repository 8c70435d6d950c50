"""Turns the well-formed records of a block into a frame of text columns."""

import codecs
from collections.abc import Sequence

import numpy as np
import polars as pl

from analytics_platform.gate.csv.fields import parse_fields
from analytics_platform.gate.csv.records import Block

# What Polars does not take for text at the start of a block: a byte order mark, which it drops, and the two
# signatures of zlib that are UTF-8, after which it decompresses.
_MISTAKEN_STARTS = (codecs.BOM_UTF8, b"x\x01", b"x^")


def to_text_frame(block: Block, names: Sequence[str], delimiter: str = ",") -> pl.DataFrame:
    """Parse a block: one String column per name, one row per entry of `block.positions`, in that order.

    An empty field is null, quoted or not. `names` are as many as the columns the block was split for, and
    distinct.
    """
    if _is_safe_for_polars(block.good):
        schema = dict.fromkeys(names, pl.String)
        try:
            frame = pl.read_csv(
                block.good, has_header=False, separator=delimiter, schema=schema, infer_schema=False, null_values=""
            )
        except (pl.exceptions.PolarsError, OSError):
            return parse_exactly(block, names, delimiter)
        if frame.height == len(block.positions):
            return frame
    return parse_exactly(block, names, delimiter)


def parse_exactly(block: Block, names: Sequence[str], delimiter: str = ",") -> pl.DataFrame:
    """Give the frame of `to_text_frame`, parsed record by record: many times slower, and right on any block.

    The csv module will not do: it takes a lone CR for a line end and has a limit on fields that is global.
    """
    records = block.raws(range(len(block.positions)))
    rows = [parse_fields(record.decode(), delimiter) or [] for record in records]
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return pl.DataFrame(
        {name: [field or None for field in column] for name, column in zip(names, columns, strict=True)},
        schema=dict.fromkeys(names, pl.String),
    )


def _is_safe_for_polars(good: bytes) -> bool:
    """Tell whether Polars is known to read every field as it stands."""
    if good.startswith(_MISTAKEN_STARTS):
        return False
    if b"\r" not in good:
        return True
    # Polars reads a field that is one CR as null, so a CR may only stand in a CRLF.
    codes = np.frombuffer(good, np.uint8)
    after = codes[np.flatnonzero(codes == ord("\r")) + 1]
    return bool((after == ord("\n")).all())
