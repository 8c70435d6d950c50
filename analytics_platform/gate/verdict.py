"""The gate: every record of a batch is accepted, or refused with every rule it breaks.

Records come in blocks, so memory is bounded whatever the size of the file. Duplicates are not the gate's business: they
are found where the table is, in the transaction that loads the batch.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import duckdb
import pandera.polars as pa
import polars as pl
from pandera.errors import SchemaErrors

from analytics_platform.contracts.base import ContractType, table_of
from analytics_platform.contracts.ddl import polars_schema
from analytics_platform.contracts.rules import NOT_NULL, check_rule, quote, schema_of
from analytics_platform.gate.csv import Block, split, to_text_frame
from analytics_platform.gate.layout import Layout, usual_names
from analytics_platform.gate.types import INSTANT, present, to_instants, to_json

ARRIVAL_TOLERANCE = dt.timedelta(days=1)
"""An event may be this much later than its arrival, since clocks differ; beyond, it is refused (DESIGN 4)."""

REFUSED = pl.Schema({"position": pl.Int64, "raw": pl.String, "error_reason": pl.String, "event_date": pl.Date})
"""Columns of the refused records of a verdict."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What the gate must know of a batch: its id, when it arrived, and the earliest time an event may have."""

    batch_id: str
    arrived_at: dt.datetime
    earliest: dt.datetime


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict over one block. `accepted` has the contract's columns, `refused` those of `REFUSED`."""

    accepted: pl.DataFrame
    refused: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Gate:
    """The gate for one batch: what its records are held against."""

    contract: ContractType
    layout: Layout
    origin: Origin
    engine: duckdb.DuckDBPyConnection

    def judge(self, block: Block, only: Collection[int] | None) -> Verdict:
        """The verdict over the records of a block (those at the positions in `only`, if given)."""
        positions = pl.Series("position", block.positions)
        text = to_text_frame(block, self.layout.names)
        if only is not None:
            chosen = positions.is_in(list(only))
            text, positions = text.filter(chosen), positions.filter(chosen)
            index = chosen.arg_true()
        else:
            index = pl.int_range(len(positions), dtype=pl.UInt32, eager=True)
        values = self._read(text)
        typed = self._convert(values)
        broken = self._broken_rules(values, typed)
        refused = broken.select("row").to_series()
        raws = block.raws(index.gather(refused).to_numpy())
        return Verdict(
            self._complete(typed, text, positions, refused),
            pl.concat([_malformed(block, only), _refused(positions, raws, broken, typed)]).sort("position"),
        )

    def _read(self, text: pl.DataFrame) -> pl.DataFrame:
        """Contract column → its text in the file, blanks around required values taken off; absent columns are null."""
        columns = self.contract.to_schema().columns
        values = []
        for name, source in self.layout.sources.items():
            raw = text[source] if source else pl.repeat(None, text.height, dtype=pl.String, eager=True)
            plain = columns[name].nullable and columns[name].dtype.type == pl.String
            values.append((raw if plain else present(raw)).alias(name))
        return pl.DataFrame(values)

    def _convert(self, values: pl.DataFrame) -> pl.DataFrame:
        """`values` in the contract's types; null where a value cannot be converted."""
        columns = self.contract.to_schema().columns
        typed = []
        for name in values.columns:
            value, column = values[name], columns[name]
            if column.dtype.type == INSTANT:
                value = to_instants(value)
            elif column.metadata["json"]:
                value = to_json(value, self.engine)
            elif column.dtype.type != pl.String:
                raise TypeError(f"the gate cannot read {name} as {column.dtype}")
            typed.append(value)
        return self._identify(pl.DataFrame(typed))

    def _identify(self, typed: pl.DataFrame) -> pl.DataFrame:
        """Give events without an id of their own the MD5 of their identifying content (times as microseconds)."""
        table = table_of(self.contract)
        key = table.primary_key[0]
        if typed[key].null_count() == 0:
            return typed
        self.engine.register("typed", typed.to_arrow(compat_level=pl.CompatLevel.newest()))
        parts = ", ".join(
            f"coalesce(CAST(epoch_us({quote(name)}) AS VARCHAR), '')"
            if typed.schema[name] == INSTANT
            else f"coalesce({quote(name)}, '')"
            for name in table.identity
        )
        ids = self.engine.sql(f"SELECT coalesce({quote(key)}, md5(concat_ws(chr(31), {parts}))) AS id FROM typed").pl()
        return typed.with_columns(ids["id"].alias(key))

    def _broken_rules(self, values: pl.DataFrame, typed: pl.DataFrame) -> pl.DataFrame:
        """One row per refused record: `row` (index into `typed`) and `reason` with every broken rule, by column."""
        places = pl.DataFrame(
            {"column": values.columns, "place": range(len(values.columns))}, schema={"column": pl.String, "place": pl.Int32}
        )
        found = pl.concat([self._not_convertible(values, typed), self._not_valid(typed)])
        return (
            found.unique(["row", "column"], keep="first", maintain_order=True)
            .join(places, on="column")
            .sort("row", "place")
            .group_by("row", maintain_order=True)
            .agg(pl.col("reason").str.join("; "))
        )

    def _not_convertible(self, values: pl.DataFrame, typed: pl.DataFrame) -> pl.DataFrame:
        usual = usual_names(self.contract)
        frames = [_NO_FAILURES]
        for name in values.columns:
            rows = (typed[name].is_null() & values[name].is_not_null()).arg_true()
            kind = "a time" if typed.schema[name] == INSTANT else "JSON"
            frames.append(_failures(rows, name, f"{usual[name]}: not {kind}"))
        return pl.concat(frames)

    def _not_valid(self, typed: pl.DataFrame) -> pl.DataFrame:
        """The contract's own verdict, by Pandera, in words."""
        schema = self._schema()
        try:
            schema.validate(typed, lazy=True)
        except SchemaErrors as errors:
            words = self._words(schema)
            cases = errors.failure_cases.select(
                pl.col("index").cast(pl.UInt32).alias("row"), "column", "check"
            ).join(words, on=["column", "check"], how="left")
            return cases.select("row", "column", "reason")
        return _NO_FAILURES

    def _schema(self) -> pa.DataFrameSchema:
        """The contract's columns that come from raw input, with the bounds of time that hold for this batch."""
        schema = schema_of(self.contract).select_columns(list(usual_names(self.contract)))
        schema.checks = []
        bounds = pa.Check.in_range(self.origin.earliest, self.origin.arrived_at + ARRIVAL_TOLERANCE)
        return schema.update_column("event_at", checks=[*schema.columns["event_at"].checks, bounds])

    def _words(self, schema: pa.DataFrameSchema) -> pl.DataFrame:
        """(column, check) as Pandera names them → the reason as people read it."""
        usual = usual_names(self.contract)
        rows = [(name, NOT_NULL, f"{usual[name]}: missing") for name in schema.columns]
        rows += [
            (name, str(check.error), f"{name}: {check_rule(name, check).reason}")
            for name, column in schema.columns.items()
            for check in column.checks
        ]
        return pl.DataFrame(rows, schema=["column", "check", "reason"], orient="row")

    def _complete(
        self, typed: pl.DataFrame, text: pl.DataFrame, positions: pl.Series, refused: pl.Series
    ) -> pl.DataFrame:
        """The accepted records with all the contract's columns."""
        extra = pl.lit(None, dtype=pl.String)
        if self.layout.extras:
            extra = text.select(pl.struct(self.layout.extras).struct.json_encode()).to_series()
        whole = typed.with_columns(
            pl.col("event_at").dt.date().alias("event_date"),
            extra.alias("extra"),
            pl.lit(self.origin.arrived_at, dtype=INSTANT).alias("arrived_at"),
            pl.lit(self.origin.batch_id).alias("batch_id"),
            positions,
        )
        kept = pl.repeat(True, typed.height, eager=True).scatter(refused, False) if len(refused) else None
        accepted = whole.filter(kept) if kept is not None else whole
        return accepted.select(list(polars_schema(self.contract)))


_NO_FAILURES = pl.DataFrame(schema={"row": pl.UInt32, "column": pl.String, "reason": pl.String})


def _failures(rows: pl.Series, column: str, reason: str) -> pl.DataFrame:
    return pl.DataFrame({"row": rows}).select(
        pl.col("row").cast(pl.UInt32), pl.lit(column).alias("column"), pl.lit(reason).alias("reason")
    )


def readable(raw: bytes) -> str:
    """`raw` as text; bytes that are not UTF-8, and NUL, which no database takes, are written as \\xNN."""
    return raw.decode("utf-8", errors="backslashreplace").replace("\0", "\\x00")


def _malformed(block: Block, only: Collection[int] | None) -> pl.DataFrame:
    found = [item for item in block.malformed if only is None or item.position in only]
    rows = [(item.position, readable(item.raw), str(item.reason), None) for item in found]
    return pl.DataFrame(rows, schema=REFUSED, orient="row")


def _refused(positions: pl.Series, raws: list[bytes], broken: pl.DataFrame, typed: pl.DataFrame) -> pl.DataFrame:
    rows = broken["row"]
    return pl.DataFrame(
        {
            "position": positions.gather(rows),
            "raw": [readable(raw) for raw in raws],
            "error_reason": broken["reason"],
            "event_date": typed["event_at"].gather(rows).dt.date(),
        },
        schema=REFUSED,
    )


def judge(
    stream: BinaryIO,
    layout: Layout,
    contract: ContractType,
    origin: Origin,
    only: Collection[int] | None = None,
) -> Iterator[Verdict]:
    """Judge the records of a CSV stream whose header has been read, block by block, in file order.

    With `only`, no other records than those at these positions are judged (replay).
    """
    engine = duckdb.connect(":memory:")
    gate = Gate(contract, layout, origin, engine)
    try:
        for block in split(stream, columns=len(layout.names), first_line=layout.first_line):
            yield gate.judge(block, only)
    finally:
        engine.close()
