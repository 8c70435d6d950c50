"""From a CSV stream to the records that the gate validates.

Blocks are put together until they hold some hundred thousand records, so memory is bounded whatever the size of the
file, and the fixed cost of a validation is paid seldom.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from typing import BinaryIO

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics_platform.contracts.base import ContractType
from analytics_platform.gate.ahead import in_background
from analytics_platform.gate.csv import Block, split, to_text_frame
from analytics_platform.gate.layout import Layout, read_layout
from analytics_platform.gate.records import Positions, Records, no_records, rejected_frame, values_of
from analytics_platform.gate.types import readable

BLOCK_BYTES = 8 << 20
RECORDS_AT_A_TIME = 250_000
BLOCKS_AT_A_TIME = 4
"""Blocks are put together until one of these numbers, of records or of blocks, is reached."""


def read_csv(
    stream: BinaryIO,
    contract: ContractType,
    only: Positions = None,
    block_bytes: int = BLOCK_BYTES,
    delimiter: str = ",",
) -> Iterator[Records]:
    """Read the records of a CSV stream, from its header on, in file order; with `only`, those at these positions.

    What the records are does not depend on `block_bytes`. Raises `FileRejectedError` if the header lacks a required
    column.
    """
    layout = read_layout(contract, stream, delimiter)
    if layout is None:
        yield no_records("empty file")
        return
    yield no_records(*layout.drift)
    wanted = None if only is None else np.unique(np.fromiter(only, np.int64))
    blocks = split(stream, len(layout.names), layout.first_line, block_bytes, delimiter=delimiter)
    if wanted is not None:
        blocks = (x for x in blocks if np.isin(np.append(x.positions, x.malformed.positions), wanted).any())
    with closing(in_background(_stacks(blocks))) as ahead:
        for stack in ahead:
            yield _from_blocks(stack, layout, wanted, delimiter)


def _stacks(blocks: Iterable[Block]) -> Iterator[list[Block]]:
    """Put neighbouring blocks together, to be validated at once."""
    stack: list[Block] = []
    records = 0
    for block in blocks:
        stack.append(block)
        records += len(block.positions) + len(block.malformed.raws)
        if records >= RECORDS_AT_A_TIME or len(stack) >= BLOCKS_AT_A_TIME:
            yield stack
            stack, records = [], 0
    if stack:
        yield stack


def _from_blocks(blocks: Sequence[Block], layout: Layout, wanted: NDArray[np.int64] | None, delimiter: str) -> Records:
    """Give the records of neighbouring blocks."""
    positions = np.concatenate([block.positions for block in blocks])
    text = pl.concat([to_text_frame(block, layout.names, delimiter) for block in blocks])
    bad = (block.malformed for block in blocks if len(block.malformed.positions))
    found = (rejected_frame(x.positions, list(map(readable, x.raws)), x.reasons) for x in bad)
    malformed = pl.concat([no_records().malformed, *found])
    index = np.arange(len(positions))
    if wanted is not None:
        index = np.flatnonzero(np.isin(positions, wanted))
        text, positions = text[index], positions[index]
        malformed = malformed.filter(np.isin(malformed["position"].to_numpy(), wanted))
    return Records(
        values=values_of(text, layout),
        positions=positions,
        raws=lambda rows: pl.Series(list(_raws(blocks, index[rows])), dtype=pl.Binary).cast(pl.String),
        malformed=malformed,
    )


def _raws(blocks: Sequence[Block], rows: NDArray[np.integer]) -> Iterator[bytes]:
    """Give the bytes of well-formed records, UTF-8 and without NUL; `rows` count through all blocks and ascend."""
    start = 0
    for block in blocks:
        end = start + len(block.positions)
        first, last = np.searchsorted(rows, (start, end))
        yield from block.raws(rows[first:last] - start)
        start = end
