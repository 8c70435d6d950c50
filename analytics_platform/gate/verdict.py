"""The gate: every record of a batch is accepted, or rejected with every rule it breaks.

Duplicates are not the gate's business: they are found where the table is, in the transaction that loads the
batch.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

import duckdb
import polars as pl

from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.ddl import polars_schema
from analytics_platform.gate.convert import convert
from analytics_platform.gate.layout import EVENT_TIME, usual_names
from analytics_platform.gate.records import REJECTED, Records, rejected_frame
from analytics_platform.gate.rulebook import Rulebook

EVENT_DATE = "event_date"
"""The column with the day of an event."""

ARRIVAL_TOLERANCE = dt.timedelta(days=1)
"""An event may be this much later than its arrival, since clocks differ; beyond, it is rejected."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What the gate must know of a batch: its id, its arrival, and the earliest time an event may have."""

    batch_id: str
    arrived_at: dt.datetime
    earliest: dt.datetime


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict over some records: `accepted` has the contract's columns, `rejected` `REJECTED`.

    The key of an accepted record is null where the source gives none: the load makes it. `drift` says how the
    records differ from the usual without being wrong.
    """

    accepted: pl.DataFrame
    rejected: pl.DataFrame
    drift: tuple[str, ...] = ()


class Gate:
    """The gate for one batch: the rules for its records, made ready once."""

    def __init__(self, contract: ContractType, origin: Origin, engine: duckdb.DuckDBPyConnection) -> None:
        """`engine` is where JSON is validated."""
        self._columns = contract.columns
        self._schema = polars_schema(contract)
        self._from_input = list(usual_names(contract))
        self._rulebook = Rulebook(contract, origin.earliest, origin.arrived_at + ARRIVAL_TOLERANCE)
        self._origin = origin
        self._engine = engine
        self._last_date: dt.date | None = None

    def validate(self, records: Records) -> Verdict:
        """The verdict over some records of the batch."""
        if not len(records.positions):
            none = pl.DataFrame(schema=self._schema)
            return Verdict(none, self._with_neighbours(records.malformed, none), records.drift)
        values = records.values.select(self._from_input)
        typed = self._convert(values)
        broken = self._rulebook.broken(values, typed)
        accepted = self._complete(typed, records, broken["row"])
        rejected = pl.concat([records.malformed, self._rejected(records, broken, typed)])
        rejected = rejected.sort("position", maintain_order=True)
        return Verdict(accepted, self._with_neighbours(rejected, accepted), records.drift)

    def _with_neighbours(self, rejected: pl.DataFrame, accepted: pl.DataFrame) -> pl.DataFrame:
        """Rejected records with the day of the accepted record before them, be it of an earlier call."""
        if EVENT_DATE not in self._schema or rejected.is_empty():
            self._last_date = self._last_of(accepted)
            return rejected
        dates = accepted.select("position", neighbour_date=EVENT_DATE)
        found = rejected.drop("neighbour_date").join_asof(dates, on="position")
        filled = found.with_columns(pl.col("neighbour_date").fill_null(pl.lit(self._last_date, dtype=pl.Date)))
        self._last_date = self._last_of(accepted)
        return filled.select(list(REJECTED))

    def _last_of(self, accepted: pl.DataFrame) -> dt.date | None:
        last: dt.date | None = accepted[EVENT_DATE][-1] if EVENT_DATE in self._schema and accepted.height else None
        return last or self._last_date

    def _convert(self, values: pl.DataFrame) -> pl.DataFrame:
        """`values` in the contract's types; null where a value cannot be converted."""
        return pl.DataFrame(
            [
                convert(values[name], self._schema[name], self._columns[name].metadata["json"], self._engine)
                for name in values.columns
            ]
        )

    def _rejected(self, records: Records, broken: pl.DataFrame, typed: pl.DataFrame) -> pl.DataFrame:
        rows = broken["row"]
        dates = typed[EVENT_TIME].gather(rows).dt.date() if EVENT_TIME in typed.columns else None
        return rejected_frame(records.positions[rows], records.raws(rows.to_numpy()), broken["reason"], dates)

    def _complete(self, typed: pl.DataFrame, records: Records, rejected: pl.Series) -> pl.DataFrame:
        """The accepted records with all the contract's columns."""
        nothing = pl.lit(None, dtype=pl.String)
        given = {
            "extra": records.values["extra"] if "extra" in records.values.columns else nothing,
            "arrived_at": pl.lit(self._origin.arrived_at, dtype=self._schema["arrived_at"]),
            "batch_id": pl.lit(self._origin.batch_id),
            "position": pl.Series(records.positions),
        }
        if EVENT_TIME in typed.columns:
            given[EVENT_DATE] = pl.col(EVENT_TIME).dt.date()
        elif EVENT_DATE in self._schema:  # what has no time of its own is of the day it arrived
            given[EVENT_DATE] = pl.lit(self._origin.arrived_at.date())
        left_to_load = {
            name: pl.lit(None, dtype=self._schema[name]) for name in self._schema if name not in typed.columns
        }
        whole = typed.with_columns(**{**left_to_load, **given}).select(list(self._schema))
        if rejected.is_empty():
            return whole
        return whole.filter(pl.repeat(True, whole.height, eager=True).scatter(rejected, False))


def validate(records: Iterable[Records], contract: ContractType, origin: Origin) -> Iterator[Verdict]:
    """Validate the records of a batch, some at a time, in their order."""
    with closing(duckdb.connect(":memory:")) as engine:
        gate = Gate(contract, origin, engine)
        for some in records:
            yield gate.validate(some)
