"""The gate: every record of a batch is accepted, or refused with every rule it breaks.

Records are judged some hundred thousand at a time, so memory is bounded whatever the size of the file.
Duplicates are not the gate's business: they are found where the table is, in the transaction that loads the
batch.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import BinaryIO

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.ddl import polars_schema
from analytics_platform.gate.ahead import in_background
from analytics_platform.gate.csv import Block, split, to_text_frame
from analytics_platform.gate.layout import EVENT_TIME, Layout
from analytics_platform.gate.rulebook import Rulebook
from analytics_platform.gate.types import INSTANT, present, to_instants, to_json

ARRIVAL_TOLERANCE = dt.timedelta(days=1)
"""An event may be this much later than its arrival, since clocks differ; beyond, it is refused (DESIGN 4)."""

REFUSED = pl.Schema({"position": pl.Int64, "raw": pl.String, "error_reason": pl.String, "event_date": pl.Date})
"""Columns of the refused records of a verdict."""

BLOCK_BYTES = 8 << 20
RECORDS_AT_A_TIME = 250_000
BLOCKS_AT_A_TIME = 4
"""Blocks are judged together until they hold so many records, or are so many: enough that what a judgement
costs whatever it judges is little, few enough that memory is."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What the gate must know of a batch: its id, its arrival, and the earliest time an event may have."""

    batch_id: str
    arrived_at: dt.datetime
    earliest: dt.datetime


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict over one stretch of the file: `accepted` has the contract's columns, `refused` `REFUSED`.

    The key of an accepted record is null where the source gives none: the load makes it.
    """

    accepted: pl.DataFrame
    refused: pl.DataFrame


class Gate:
    """The gate for one batch: what its records are held against, made ready once."""

    def __init__(
        self,
        contract: ContractType,
        layout: Layout,
        origin: Origin,
        engine: duckdb.DuckDBPyConnection,
        only: Collection[int] | None = None,
    ) -> None:
        """`only` are the positions of the records to judge, if not all; `engine` is where JSON is judged."""
        self._columns = contract.to_schema().columns
        self._names = list(polars_schema(contract))
        self._rulebook = Rulebook(contract, origin.earliest, origin.arrived_at + ARRIVAL_TOLERANCE)
        self._layout = layout
        self._origin = origin
        self._engine = engine
        self._only = None if only is None else np.unique(np.fromiter(only, np.int64))

    def concerns(self, block: Block) -> bool:
        """Whether any record of a block is to be judged."""
        if self._only is None:
            return True
        malformed = [record.position for record in block.malformed]
        return bool(np.isin(block.positions, self._only).any() or np.isin(malformed, self._only).any())

    def judge(self, blocks: Sequence[Block]) -> Verdict:
        """The verdict over the records of neighbouring blocks."""
        index, positions = self._chosen(np.concatenate([block.positions for block in blocks]))
        text = pl.concat([to_text_frame(block, self._layout.names) for block in blocks])
        if self._only is not None:
            text = text[index]
        values = self._values(text)
        typed = self._convert(values)
        broken = self._rulebook.broken(values, typed)
        refused = pl.DataFrame(
            {
                "position": positions[broken["row"]],
                "raw": [readable(raw) for raw in _raws(blocks, index[broken["row"]])],
                "error_reason": broken["reason"],
                "event_date": typed[EVENT_TIME].gather(broken["row"]).dt.date(),
            },
            schema=REFUSED,
        )
        return Verdict(
            self._complete(typed, text, positions, broken["row"]),
            pl.concat([self._malformed(blocks), refused]).sort("position", maintain_order=True),
        )

    def _chosen(self, positions: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Which of the records at these positions are to be judged: their indices, and their positions."""
        if self._only is None:
            return np.arange(len(positions)), positions
        index = np.flatnonzero(np.isin(positions, self._only))
        return index, positions[index]

    def _values(self, text: pl.DataFrame) -> pl.DataFrame:
        """Contract column → its text in the file; blanks around required values are taken off."""
        values = []
        for name, source in self._layout.sources.items():
            column = self._columns[name]
            raw = text[source] if source else pl.repeat(None, text.height, dtype=pl.String, eager=True)
            plain = source is None or (column.nullable and column.dtype.type == pl.String)
            values.append((raw if plain else present(raw)).alias(name))
        return pl.DataFrame(values)

    def _convert(self, values: pl.DataFrame) -> pl.DataFrame:
        """`values` in the contract's types; null where a value cannot be converted."""
        typed = []
        for name in values.columns:
            value, column = values[name], self._columns[name]
            if column.dtype.type == INSTANT:
                value = to_instants(value)
            elif column.metadata["json"]:
                value = to_json(value, self._engine)
            elif column.dtype.type != pl.String:
                raise TypeError(f"the gate cannot read {name} as {column.dtype}")
            typed.append(value)
        return pl.DataFrame(typed)

    def _complete(
        self, typed: pl.DataFrame, text: pl.DataFrame, positions: NDArray[np.int64], refused: pl.Series
    ) -> pl.DataFrame:
        """The accepted records with all the contract's columns."""
        extra: pl.Series | pl.Expr = pl.lit(None, dtype=pl.String)
        if self._layout.extras:
            extra = text.select(pl.struct(self._layout.extras).struct.json_encode()).to_series()
        whole = typed.with_columns(
            pl.col(EVENT_TIME).dt.date().alias("event_date"),
            extra.alias("extra"),
            pl.lit(self._origin.arrived_at, dtype=INSTANT).alias("arrived_at"),
            pl.lit(self._origin.batch_id).alias("batch_id"),
            pl.Series("position", positions),
        ).select(self._names)
        if refused.is_empty():
            return whole
        return whole.filter(pl.repeat(True, whole.height, eager=True).scatter(refused, False))

    def _malformed(self, blocks: Iterable[Block]) -> pl.DataFrame:
        """The refused records that are no rows at all."""
        found = [record for block in blocks for record in block.malformed]
        frame = pl.DataFrame(
            {
                "position": [record.position for record in found],
                "raw": [readable(record.raw) for record in found],
                "error_reason": [str(record.reason) for record in found],
                "event_date": pl.repeat(None, len(found), dtype=pl.Date, eager=True),
            },
            schema=REFUSED,
        )
        if self._only is None:
            return frame
        return frame.filter(np.isin(frame["position"].to_numpy(), self._only))


def readable(raw: bytes) -> str:
    """`raw` as text; bytes that are not UTF-8, and NUL, which no database takes, are written as \\xNN."""
    return raw.decode("utf-8", errors="backslashreplace").replace("\0", "\\x00")


def _raws(blocks: Sequence[Block], rows: NDArray[np.int64]) -> Iterator[bytes]:
    """The original bytes of well-formed records; `rows` count through all blocks and ascend."""
    start = 0
    for block in blocks:
        end = start + len(block.positions)
        first, last = np.searchsorted(rows, (start, end))
        yield from block.raws(rows[first:last] - start)
        start = end


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


def judge(
    stream: BinaryIO,
    layout: Layout,
    contract: ContractType,
    origin: Origin,
    only: Collection[int] | None = None,
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[Verdict]:
    """Judge the records of a CSV stream whose header has been read, some at a time, in file order.

    With `only`, no other records than those at these positions are judged (replay). The verdict does not
    depend on `block_bytes`.
    """
    blocks = split(stream, len(layout.names), layout.first_line, block_bytes)
    with closing(duckdb.connect(":memory:")) as engine:
        gate = Gate(contract, layout, origin, engine, only)
        with closing(in_background(_stacks(filter(gate.concerns, blocks)))) as ahead:
            for stack in ahead:
                yield gate.judge(stack)
