"""The rules that a batch is validated by, made ready once, and the reasons of the records that break them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from copy import copy
from functools import lru_cache

import duckdb
import pandera.polars as pa
import polars as pl
from pandera.errors import SchemaErrors

from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.event_names import AMOUNTS_OF, ga4_name, plain_name
from analytics_platform.contracts.rules import NOT_NULL, check_rule, schema_of
from analytics_platform.gate.layout import EVENT_NAMES, EVENT_TIME, usual_names
from analytics_platform.gate.types import find_unreadable_amounts, find_unreadable_orders, kind_of

_FAILURES = {"row": pl.UInt32, "column": pl.String, "reason": pl.String}


class Rulebook:
    """A contract's Pandera schema for one batch, and its rules in words: slow to build, quick to use."""

    def __init__(
        self, contract: ContractType, earliest: dt.datetime, latest: dt.datetime, engine: duckdb.DuckDBPyConnection
    ) -> None:
        """Make the rules ready. Events of the batch may not be before `earliest`, nor after `latest`.

        `engine` has the functions that models share.
        """
        self._engine = engine
        self._columns = contract.columns
        self._usual = usual_names(contract)
        self._schema = _schema(contract, earliest, latest)

    def broken(self, values: pl.DataFrame, typed: pl.DataFrame) -> pl.DataFrame:
        """Give one row per record to reject: `row` (index into `typed`) and `reason`, every broken rule by column.

        `values` is the text that `typed` was converted from. Of a column's broken rules the first is named.
        """
        amounts = (*self._no_amounts(typed), *self._no_order_amounts(typed))
        found = pl.concat([self._not_convertible(values, typed), self._not_valid(typed), *amounts])
        if found.is_empty():  # as in most small files, whose cost is that of the steps
            return found.select("row", "reason")
        places = pl.DataFrame({"column": list(self._usual)}).with_row_index("place")
        return (
            found.unique(["row", "column"], keep="first", maintain_order=True)
            .join(places, on="column")
            .sort("row", "place")
            .group_by("row", maintain_order=True)
            .agg(pl.col("reason").str.join("; "))
        )

    def _not_convertible(self, values: pl.DataFrame, typed: pl.DataFrame) -> pl.DataFrame:
        frames = [pl.DataFrame(schema=_FAILURES)]
        for name in values.columns:
            if typed[name].null_count() > values[name].null_count():
                rows = (typed[name].is_null() & values[name].is_not_null()).arg_true().cast(pl.UInt32)
                kind = kind_of(typed.schema[name], self._columns[name].metadata["json"])
                reason = pl.lit(f"{self._usual[name]}: not {kind}").alias("reason")
                frames.append(pl.select(rows.alias("row"), pl.lit(name).alias("column"), reason))
        return pl.concat(frames)

    def _no_amounts(self, typed: pl.DataFrame) -> Iterator[pl.DataFrame]:
        for name in self._usual:
            if not (places := self._columns[name].metadata["amounts"]):
                continue
            given = typed[name].is_not_null().arg_true()  # few events of a clickstream have data
            documents = typed[name].gather(given)
            for place in places if len(given) else ():
                rows = given.gather(find_unreadable_amounts(documents, place, self._engine)).alias("row")
                reason = pl.lit(f"{self._usual[name]}: {place} is no amount").alias("reason")
                yield pl.select(rows, pl.lit(name).alias("column"), reason)

    def _no_order_amounts(self, typed: pl.DataFrame) -> Iterator[pl.DataFrame]:
        for name in self._usual:
            if (orders := self._columns[name].metadata["orders"]) is None:
                continue
            given = typed[name].is_not_null().arg_true()
            events = next(typed[each] for each in EVENT_NAMES if each in typed.columns).gather(given)
            kinds = {each: orders.get(plain_name(each), ga4_name(each)) for each in events.unique().drop_nulls()}
            for kind in AMOUNTS_OF:
                rows = given.filter(events.is_in([each for each in kinds if kinds[each] == kind]))
                found = find_unreadable_orders(typed[name].gather(rows), kind, self._engine)
                reason = pl.format("{}: {} is no amount", pl.lit(self._usual[name]), found["place"]).alias("reason")
                yield pl.select(rows.gather(found["row"]).alias("row"), pl.lit(name).alias("column"), reason)

    def _not_valid(self, typed: pl.DataFrame) -> pl.DataFrame:
        """Validate with Pandera: the broken rules of the contract, in words."""
        try:
            self._schema.validate(typed, lazy=True)
        except SchemaErrors as errors:
            cases: pl.DataFrame = errors.failure_cases
            named = cases.join(_words(self._schema, self._usual), on=["column", "check"], how="left")
            return named.select(pl.col("index").cast(pl.UInt32).alias("row"), "column", "reason")
        return pl.DataFrame(schema=_FAILURES)


def _schema(contract: ContractType, earliest: dt.datetime, latest: dt.datetime) -> pa.DataFrameSchema:
    """Give the contract's columns that come from raw input, with the bounds of time that hold for the batch."""
    schema = copy(_schema_of_input(contract))
    if EVENT_TIME in schema.columns:
        column = copy(schema.columns[EVENT_TIME])
        column.checks = [*column.checks, pa.Check.in_range(earliest, latest)]
        schema.columns = {**schema.columns, EVENT_TIME: column}
    return schema


@lru_cache
def _schema_of_input(contract: ContractType) -> pa.DataFrameSchema:
    columns = contract.columns
    # What the gate has converted is of its type; without a rule there is nothing more that could be wrong.
    ruled = [name for name in usual_names(contract) if columns[name].checks or not columns[name].nullable]
    schema = schema_of(contract).select_columns(ruled)
    schema.checks, schema.strict = [], False  # strict, each column without a rule was an error, in every batch
    return schema


def _words(schema: pa.DataFrameSchema, usual: dict[str, str]) -> pl.DataFrame:
    """Give for each (column, check), as Pandera names them, the reason as people read it."""
    rows = [(name, NOT_NULL, f"{usual[name]}: missing") for name in schema.columns]
    rows += [
        (name, str(check.error), f"{name}: {check_rule(name, check).reason}")
        for name, column in schema.columns.items()
        for check in column.checks
    ]
    return pl.DataFrame(rows, schema=["column", "check", "reason"], orient="row")
