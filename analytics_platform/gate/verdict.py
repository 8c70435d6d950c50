"""The gate: every record of a batch is accepted, or rejected with every rule it breaks.

Duplicates are not found here but where the table is, in the transaction that loads the batch.
"""

from __future__ import annotations

import atexit
import datetime as dt
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache

import duckdb
import polars as pl

from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.ddl import polars_schema
from analytics_platform.contracts.event_names import plain_name
from analytics_platform.contracts.functions import macros
from analytics_platform.contracts.item_fields import is_known_field
from analytics_platform.contracts.missing import IDS
from analytics_platform.gate.layout import EVENT_NAMES, EVENT_TIME, usual_names
from analytics_platform.gate.records import REJECTED, Records, no_records, rejected_frame
from analytics_platform.gate.rulebook import Rulebook
from analytics_platform.gate.types import convert, item_keys_of, keys_of, present

EVENT_DATE = "event_date"
"""The column with the day of an event."""

LONGEST_NAME = 100
"""Characters of an event's name that are kept of a rejected record."""

ITEMS = "items"
"""How the drift calls the items of records, whichever column they are in."""

UNREAD = ("keys of {} that nothing reads: ", "unknown columns kept in {}: ")
"""How the drift says which keys of a JSON column, or of `extra`, nothing reads."""

MOST_KEYS = 50
"""Unread keys of a column that are named for a batch: some payloads have an id as a key."""

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
    """The result of validating some records: `accepted` has the contract's columns, `rejected` those of `REJECTED`.

    The key of an accepted record is null: the load makes it. `drift` says how the records differ from the usual
    without being wrong.
    """

    accepted: pl.DataFrame
    rejected: pl.DataFrame
    drift: tuple[str, ...] = ()


class Gate:
    """The gate for one batch: the rules for its records, made ready once."""

    def __init__(self, contract: ContractType, origin: Origin, engine: duckdb.DuckDBPyConnection) -> None:
        """Make the rules ready; `engine`, which has the functions that models share, validates JSON."""
        self._columns = contract.columns
        self._schema = polars_schema(contract)
        self._from_input = list(usual_names(contract))
        self._rulebook = Rulebook(contract, origin.earliest, origin.arrived_at + ARRIVAL_TOLERANCE, engine)
        self._origin = origin
        self._engine = engine
        self._last_date: dt.date | None = None
        self._keys: dict[str, set[str]] = {}

    def validate(self, records: Records) -> Verdict:
        """Validate some records of the batch."""
        if any("kept in extra" in words for words in records.drift):  # the form of the records said so already
            self._keys.pop("extra", None)
        if not len(records.positions):
            none = pl.DataFrame(schema=self._schema)
            return Verdict(none, self._with_neighbours(records.malformed, none), records.drift)
        traits = {name: self._columns[name].metadata for name in self._from_input}
        ids = {name for name in traits if name in IDS or traits[name]["own_id"]}
        values = present(records.values.select(self._from_input), ids)
        json = {name: traits[name]["json"] for name in self._from_input}
        known = self._engine, "currency" in self._columns
        typed = pl.DataFrame([convert(values[x], self._schema[x], json[x], *known) for x in self._from_input])
        if EVENT_TIME in typed.columns:
            self._note_keys({name: typed[name] for name in self._from_input if json[name]})
        if "extra" in records.values.columns:
            self._note_keys({"extra": records.values["extra"]})
        broken = self._rulebook.broken(values, typed)
        rows = broken["row"]
        accepted, rejected = self._complete(typed, records, rows), records.malformed
        if len(rows):
            dates = typed[EVENT_TIME].gather(rows).dt.date() if EVENT_TIME in typed.columns else None
            of = next((typed[name].gather(rows).str.head(LONGEST_NAME) for name in EVENT_NAMES if name in traits), None)
            raws = records.raws(rows.to_numpy())
            found = rejected_frame(records.positions[rows], raws, broken["reason"], dates, of)
            rejected = pl.concat([rejected, found]).sort("position", maintain_order=True)
        return Verdict(accepted, self._with_neighbours(rejected, accepted), records.drift)

    def _note_keys(self, documents: Mapping[str, pl.Series]) -> None:
        for name, texts in documents.items():
            self._keys.setdefault(name, set()).update(keys_of(texts, self._engine))
            place = "$" if name == ITEMS else "$.items"
            self._keys.setdefault(ITEMS, set()).update(item_keys_of(texts, place, self._engine))

    def unread(self, read: Callable[[str], Collection[str]]) -> Iterator[str]:
        """Say which keys of the records' JSON, and of their items, nothing reads.

        `read` gives the names that are read in a column, as `plain_name` writes them.
        """
        for name, keys in self._keys.items():
            unread = sorted(re.sub("[,;]", " ", key) for key in keys if not is_read(name, key, read(name)))
            more = f" and {len(unread) - MOST_KEYS} more" if len(unread) > MOST_KEYS else ""
            if unread:
                yield f"{UNREAD[name == 'extra'].format(name)}{', '.join(unread[:MOST_KEYS])}{more}"

    def _with_neighbours(self, rejected: pl.DataFrame, accepted: pl.DataFrame) -> pl.DataFrame:
        """Give rejected records the day of the accepted record before them, be it of an earlier call."""
        if EVENT_DATE not in self._schema:
            return rejected
        if not rejected.is_empty():
            dates = accepted.select("position", neighbour_date=EVENT_DATE)
            before = pl.col("neighbour_date").fill_null(pl.lit(self._last_date, dtype=pl.Date))
            found = rejected.drop("neighbour_date").join_asof(dates, on="position")
            rejected = found.with_columns(before).select(list(REJECTED))
        self._last_date = (accepted[EVENT_DATE][-1] if accepted.height else None) or self._last_date
        return rejected

    def _complete(self, typed: pl.DataFrame, records: Records, rejected: pl.Series) -> pl.DataFrame:
        """Give the accepted records all the contract's columns; null is what the load fills in."""
        given: dict[str, pl.Expr | pl.Series] = {
            name: pl.lit(None, dtype=self._schema[name]) for name in self._schema if name not in typed.columns
        }
        given |= {
            "arrived_at": pl.lit(self._origin.arrived_at, dtype=self._schema["arrived_at"]),
            "batch_id": pl.lit(self._origin.batch_id),
            "position": pl.Series(records.positions),
        }
        if "extra" in records.values.columns:
            given["extra"] = records.values["extra"]
        if EVENT_TIME in typed.columns:
            given[EVENT_DATE] = pl.col(EVENT_TIME).dt.date()
        elif EVENT_DATE in self._schema:  # what has no time is of the day it arrived
            given[EVENT_DATE] = pl.lit(self._origin.arrived_at.date())
        whole = typed.with_columns(**given).select(list(self._schema))
        if rejected.is_empty():
            return whole
        return whole.filter(pl.repeat(True, whole.height, eager=True).scatter(rejected, False))


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    """Open the DuckDB that validates JSON and amounts: once, since that takes longer than a small file."""
    atexit.register(_engine.cache_clear)
    engine = duckdb.connect(":memory:")
    for statement in macros().values():
        engine.execute(statement.replace("TEMPORARY ", ""))  # a cursor does not see what is temporary
    return engine


def is_read(column: str, key: str, read: Collection[str]) -> bool:
    """Return whether this key of a JSON column, or of items, is one of those that are read."""
    return is_known_field(key) if column == ITEMS else plain_name(key) in read


def validate(
    records: Iterable[Records],
    contract: ContractType,
    origin: Origin,
    read: Callable[[str], Collection[str]] | None = None,
) -> Iterator[Verdict]:
    """Validate the records of a batch, some at a time, in their order.

    The last verdict says which keys of a JSON column are not in `read` of it; without `read`, none does.
    """
    with _engine().cursor() as engine:
        gate = Gate(contract, origin, engine)
        for some in records:
            yield gate.validate(some)
        if read is not None:
            yield replace(gate.validate(no_records()), drift=tuple(gate.unread(read)))
