"""From a CSV stream to the records that the gate judges.

Blocks are put together until they hold some hundred thousand records, so memory is bounded whatever the size of the
file, and what a judgement costs whatever it judges is little.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing
from typing import BinaryIO

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics_platform.contracts.base import ContractType
from analytics_platform.gate.ahead import in_background
from analytics_platform.gate.csv import Block, Malformed, split, to_text_frame
from analytics_platform.gate.layout import Layout, read_layout
from analytics_platform.gate.records import Records, no_records, readable, refused_frame
from analytics_platform.gate.types import present

BLOCK_BYTES = 8 << 20
RECORDS_AT_A_TIME = 250_000
BLOCKS_AT_A_TIME = 4
"""Blocks are put together until they hold so many records, or are so many."""


def read_csv(
    stream: BinaryIO,
    contract: ContractType,
    only: Collection[int] | None = None,
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[Records]:
    """The records of a CSV stream, from its header on, in file order; with `only`, those at these positions.

    What the records are does not depend on `block_bytes`. Raises `FileRefusedError` if the header lacks a required
    column.
    """
    layout = read_layout(contract, stream)
    if layout is None:
        yield no_records("empty file")
        return
    yield no_records(*layout.drift)
    wanted = None if only is None else np.unique(np.fromiter(only, np.int64))
    blocks = split(stream, len(layout.names), layout.first_line, block_bytes)
    with closing(in_background(_stacks(block for block in blocks if _concerns(block, wanted)))) as ahead:
        for stack in ahead:
            yield _from_blocks(stack, layout, contract, wanted)


def _concerns(block: Block, wanted: NDArray[np.int64] | None) -> bool:
    """Whether any record of a block is wanted."""
    if wanted is None:
        return True
    return any(np.isin(positions, wanted).any() for positions in (block.positions, block.malformed.positions))


def _stacks(blocks: Iterable[Block]) -> Iterator[list[Block]]:
    """Neighbouring blocks to judge together."""
    stack: list[Block] = []
    records = 0
    for block in blocks:
        stack.append(block)
        records += len(block.positions) + len(block.malformed)
        if records >= RECORDS_AT_A_TIME or len(stack) >= BLOCKS_AT_A_TIME:
            yield stack
            stack, records = [], 0
    if stack:
        yield stack


def _from_blocks(
    blocks: Sequence[Block], layout: Layout, contract: ContractType, wanted: NDArray[np.int64] | None
) -> Records:
    """The records of neighbouring blocks."""
    positions = np.concatenate([block.positions for block in blocks])
    text = pl.concat([to_text_frame(block, layout.names) for block in blocks])
    malformed = pl.concat([_malformed(block.malformed) for block in blocks])
    index = np.arange(len(positions))
    if wanted is not None:
        index = np.flatnonzero(np.isin(positions, wanted))
        text, positions = text[index], positions[index]
        malformed = malformed.filter(np.isin(malformed["position"].to_numpy(), wanted))
    return Records(
        values=_values(text, layout, contract),
        positions=positions,
        raws=lambda rows: pl.Series(list(_raws(blocks, index[rows])), dtype=pl.Binary).cast(pl.String),
        malformed=malformed,
    )


def _malformed(found: Malformed) -> pl.DataFrame:
    return refused_frame(found.positions, [readable(raw) for raw in found.raws], found.reasons)


def _values(text: pl.DataFrame, layout: Layout, contract: ContractType) -> pl.DataFrame:
    """Contract column → its text in the file; blanks around required values are taken off."""
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


def _raws(blocks: Sequence[Block], rows: NDArray[np.integer]) -> Iterator[bytes]:
    """The original bytes of well-formed records, UTF-8 and without NUL; `rows` count through all blocks and ascend."""
    start = 0
    for block in blocks:
        end = start + len(block.positions)
        first, last = np.searchsorted(rows, (start, end))
        yield from block.raws(rows[first:last] - start)
        start = end
