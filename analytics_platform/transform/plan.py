"""From a model and the days to build to the one query that builds them.

A model's SQL names whole tables. The plan puts a window on each input, as the contract says, and keeps of the
result the days that are built: the same SQL is the full build and the build of any day.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.sql import literal, quote, quote_table
from analytics_platform.contracts.table import Days, Everything, Narrow, Reads, Table, TouchedKeys
from analytics_platform.errors import UserError
from analytics_platform.transform.model import Model
from analytics_platform.transform.sql import put_queries

_EVENTS = "cleaned.events"
"""The table that has of each event its keys."""

_ITEMS = "cleaned.event_items"
"""The table that has the items of events."""

_NAMED: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = MappingProxyType(
    {
        # A refund of a whole order names no product: those of the order, of another day, are given back.
        "products": (("sessionized.credited_items", "sessionized.refunds"), ("product_id",)),
        "lists": (("sessionized.credited_items",), ("list_id",)),
        "pages": ((_EVENTS,), ("page_path", "path")),
    }
)
"""Narrowing → the tables that say which of these a person's events name, and their columns; the others are those of
other tables."""


class DaysError(UserError, ValueError):
    """A text is neither a day nor a range of days; the message says what to write."""


@dataclass(frozen=True, slots=True)
class DayRange:
    """The days from `first` to `last`, both included."""

    first: dt.date
    last: dt.date

    def __post_init__(self) -> None:
        """Reject a range that ends before it starts."""
        if self.last < self.first:
            raise ValueError(f"the range ends ({self.last}) before it starts ({self.first})")

    def widen(self, before: int, after: int) -> DayRange:
        """Give the range with `before` more days at its start and `after` more at its end."""
        return DayRange(self.first - dt.timedelta(days=before), self.last + dt.timedelta(days=after))

    def holds(self, column: str) -> str:
        """Write the SQL condition that a column has one of the days."""
        return f"{quote(column)} BETWEEN {literal(self.first)} AND {literal(self.last)}"

    @classmethod
    def parse(cls, text: str) -> DayRange:
        """Read the range `A...B`, or the one day `A`. Raises `DaysError` for anything else."""
        first, dots, last = text.partition("...")
        try:
            return cls(dt.date.fromisoformat(first), dt.date.fromisoformat(last if dots else first))
        except ValueError as error:
            usage = "write YYYY-MM-DD...YYYY-MM-DD, or one day YYYY-MM-DD"
            raise DaysError(f"{text} is no range of days: {usage} ({error}).") from error

    def __str__(self) -> str:
        """Write it as Dagster writes a range of partitions."""
        return f"{self.first}...{self.last}"


@dataclass(frozen=True, slots=True)
class Query:
    """SQL with the values of its `$parameters`, bound by the warehouse, and what it reads.

    `inputs` maps each table it reads to the SQL condition that selects all rows it needs of it, None for all rows.
    Where the condition `covers` is true, the rows are all that an `upsert` table has: it loses all other keys.
    `model` is the SQL of the model that it builds some days of: whatever the days, it has the same columns.
    Of a table with days it makes the rows for which `part` is true: all of the days, unless it is narrowed to keys.
    `touching` maps inputs to conditions on their rows, in which windows of other inputs look for keys.
    `listed` has the values of keys as they stand in IN (…) of all these, each a text of SQL.
    """

    sql: str
    parameters: Mapping[str, object]
    inputs: Mapping[str, str | None] = field(default_factory=lambda: MappingProxyType({}))
    covers: str = "FALSE"
    model: str = ""
    part: str = "TRUE"
    touching: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    listed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Selection:
    """The rows to build: `values` maps columns to those to look for, as SQL for IN (…), the most telling column first.

    Given `found_in`, they are what these tables have, in the rows of a condition each. Of the inputs only these, facts
    and marts have all of them: an item may have a product without its id.
    """

    values: Mapping[str, str]
    found_in: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def is_in(self, table: Table) -> bool:
        """Return whether the rows of a table can be selected."""
        return not self.found_in or table.name in self.found_in or table.layer in ("star", "marts")


@dataclass(frozen=True, slots=True)
class Keys:
    """What a few batches of events touch: these, and all clients and users that are linked with one in them."""

    batches: Collection[str]
    clients: Collection[str]
    users: Collection[str]

    def of(self, narrow: Narrow, days: DayRange | None) -> _Selection:
        """Select the rows to build, of a table without days (None) those of people or names."""
        people = self.people()
        if narrow == "names":
            return self._of_names(days)
        if days and (named := _NAMED.get(narrow)):
            sources, columns = named
            # From the day before on: a session that began there may credit another list now.
            within = f"{days.widen(1, 0).holds('event_date')} AND client_id IN ({people['client_id']})"
            values = (f"SELECT {columns[0]} FROM {quote_table(source)} WHERE {within}" for source in sources)
            return _Selection(dict.fromkeys(columns, " UNION ALL ".join(values)), dict.fromkeys(sources, within))
        return _Selection({"batch_id": _listed(self.batches)} if narrow == "batch" else people if narrow else {})

    def _of_names(self, days: DayRange | None) -> _Selection:
        on = f"{days.holds('event_date')} AND " if days else ""
        loaded = f"{on}batch_id IN ({_listed(self.batches)})"
        within = f"{on}event_id IN (SELECT event_id FROM {quote_table(_EVENTS)} WHERE {loaded})"
        values = f"SELECT product_name FROM {quote_table(_ITEMS)} WHERE {within}"
        return _Selection(dict.fromkeys(("product_name", "name"), values), {_ITEMS: within, _EVENTS: loaded})

    def people(self) -> dict[str, str]:
        """Write the values of each column with a key of people, as SQL for IN (…)."""
        return {
            "client_id": _listed(self.clients),
            "person_id": _listed([*self.clients, *(f"user:{user}" for user in self.users)]),
            "user_id": _listed(self.users),
        }


def reads_of(table: Table, source: Table) -> Reads:
    """Find what part of `source` the model of `table` reads: as declared, else what it must read to be complete.

    That is the whole input if it has no days, all rows of the touched keys for a table that is published by a key that
    the input has too, else the days that are built.
    """
    declared = table.reads.get(source.name)
    if declared is not None or not source.partition:
        return declared or Everything()
    by_key = table.write == "upsert" and table.key[0] in CONTRACTS[source.name].columns
    return TouchedKeys(table.key[0]) if by_key else Days()


def window_of(reads: Days, settings: Mapping[str, int | str]) -> tuple[int, int]:
    """Give the days before and after; a window may be named after a setting, which is looked up."""
    before = int(settings[reads.before]) if isinstance(reads.before, str) else reads.before
    return before, reads.after


def _listed(values: Collection[str]) -> str:
    return ", ".join(map(literal, sorted(values))) or "NULL"


def _narrowed(name: str, keys: _Selection, days: DayRange) -> str:
    """Write the condition on a table that selects the rows of the keys; a row without one has that of its event."""
    columns = CONTRACTS[name].columns
    if column := next((column for column in keys.values if column in columns), None):
        return f"{quote(column)} IN ({keys.values[column]})"
    found = _of_events(name, keys, days)
    return f"event_id IN (SELECT event_id FROM {_EVENTS} WHERE {found})" if found else "TRUE"


def _of_events(name: str, keys: _Selection, days: DayRange) -> str:
    """Write the condition on events that selects those of the keys, if these are not in the table itself."""
    columns = CONTRACTS[name].columns
    if not keys.values or keys.found_in or "event_id" not in columns or not keys.values.keys().isdisjoint(columns):
        return ""
    return f"{days.holds('event_date')} AND {_narrowed(_EVENTS, keys, days)}"


def _part_of(
    source: Table,
    reads: Reads,
    days: DayRange,
    settings: Mapping[str, int | str],
    keys: _Selection,
) -> str | None:
    """Write the condition on `source` that selects what is read; None for all of it."""
    if isinstance(reads, TouchedKeys) and reads.column in keys.values:
        return f"{quote(reads.column)} IN ({keys.values[reads.column]})"
    if isinstance(reads, Everything) or source.partition is None:
        return None
    if isinstance(reads, TouchedKeys):
        key, places = quote(reads.column), ((source.name, source.partition), *reads.also)
        touched = (f"SELECT {key} FROM {quote_table(name)} WHERE {days.holds(day)}" for name, day in places)
        return f"{key} IN ({' UNION ALL '.join(touched)})"
    wide = _wide(reads, days, settings)
    within = wide.holds(source.partition)
    if not keys.values or not keys.is_in(source):
        return within
    return f"{within} AND {_narrowed(source.name, keys, wide)}"


def _wide(reads: Days, days: DayRange, settings: Mapping[str, int | str]) -> DayRange:
    before, after = window_of(reads, settings)
    return days.widen(before, after + reads.ahead)


def _touching(
    table: Table,
    reads: Mapping[str, Reads],
    days: DayRange,
    settings: Mapping[str, int | str],
    keys: _Selection,
) -> dict[str, tuple[str, ...]]:
    """Write for each table in which windows of others look for keys the conditions on its rows that have them."""
    found = {_EVENTS: {_of_events(table.name, keys, days)}}
    for place, within in keys.found_in.items():
        found.setdefault(place, set()).add(within)
    for name, each in reads.items():
        source = CONTRACTS[name].table
        if isinstance(each, Days) and source.partition:
            found[_EVENTS].add(_of_events(name, keys, _wide(each, days, settings)))
        if isinstance(each, TouchedKeys) and source.partition and each.column not in keys.values:
            for place, day in ((name, source.partition), *each.also):
                # A row without the key touches none: of the events of a day, few are part of an order.
                found.setdefault(place, set()).add(f"{days.holds(day)} AND {quote(each.column)} IS NOT NULL")
    return {name: tuple(sorted(parts - {""})) for name, parts in found.items() if any(parts)}


def _inputs(
    windows: Mapping[str, str | None],
    reads: Mapping[str, Reads],
    touching: Mapping[str, tuple[str, ...]],
    is_narrowed: bool,
) -> dict[str, str | None]:
    """Add to the windows the rows in which others look for keys, where these are not within the window anyway."""
    found = dict(windows)
    for name, conditions in touching.items():
        known, each = windows.get(name), reads.get(name)
        own = f"{quote(each.column)} IS NOT NULL" if isinstance(each, TouchedKeys) else ""
        if name not in windows or (known and (is_narrowed or own)):
            others = [one for one in conditions if one != known and not (own and one.endswith(own))]
            found[name] = " OR ".join([known, *others] if known else others)
    return {name: _with_joined(name, found, reads) for name in found}


def _with_joined(name: str, inputs: Mapping[str, str | None], reads: Mapping[str, Reads]) -> str | None:
    """Add to the condition on an input that its rows are joined to rows of another, and these to a third one's."""
    each, condition = reads.get(name), inputs[name]
    if not isinstance(each, Days) or each.joined is None or condition is None:
        return condition
    column, other = each.joined
    rows = f"SELECT {quote(column)} FROM {quote_table(other)} WHERE {_with_joined(other, inputs, reads)}"
    if isinstance(source := reads.get(other), Days) and source.only:
        rows = f"{rows} AND ({source.only})"
    return f"{condition} AND {quote(column)} IN ({rows})"


def _window(name: str) -> str:
    return quote(f"window of {name}")


@lru_cache(maxsize=256)
def _with_windows(model: Model, names: frozenset[str]) -> str:
    """Write the model's SQL with `_window` of each of these inputs as the condition on it."""
    # Kept: parsing and writing the SQL takes longer than running it for a small day.
    parts = {name: f"SELECT * FROM {quote_table(name)} WHERE {_window(name)}" for name in names}
    return put_queries(model.expression(), parts).sql("duckdb", copy=False)


def _within(model: Model, windows: Mapping[str, str | None]) -> str:
    """Write the model's SQL with a condition on each input that has one."""
    sql = _with_windows(model, frozenset(name for name, part in windows.items() if part))
    for name, part in windows.items():
        sql = sql.replace(_window(name), part or "")
    return sql


def plan(model: Model, days: DayRange | None, settings: Mapping[str, int | str], keys: Keys | None = None) -> Query:
    """Write the query that builds `days` of the model (None: all of it, for tables without days).

    Given `keys` it makes only the rows that these touch, of a table whose contract says how (`narrow`).
    `settings` gives values to windows and parameters that are named after a setting. Raises `KeyError` for a
    parameter that nothing gives a value to.
    """
    values: dict[str, object] = dict(settings)
    if days is not None:
        values |= {"first_day": days.first, "last_day": days.last}
    parameters = {name: values[name] for name in model.parameters}
    table, sources = CONTRACTS[model.name].table, [CONTRACTS[name].table for name in model.inputs]
    reads = {source.name: reads_of(table, source) for source in sources}
    if days is None:
        return _plan_whole(model, parameters, reads, keys)
    touched = keys.of(table.narrow, days) if keys else _Selection({})
    windows = {source.name: _part_of(source, reads[source.name], days, settings, touched) for source in sources}
    sql = _within(model, windows)
    part = _narrowed(table.name, touched, days)
    if table.partition is not None:
        sql = f"SELECT * FROM ({sql}) AS built WHERE {days.holds(table.partition)} AND {part}"
    covers = "FALSE" if touched.values else _covers(model, sources, days)
    touching = _touching(table, reads, days, settings, touched)
    inputs = _inputs(windows, reads, touching, bool(touched.values))
    listed = tuple(keys.people().values()) if keys else ()
    return Query(sql, parameters, inputs, covers, model.sql, part, touching, listed)


def _plan_whole(model: Model, parameters: Mapping[str, object], reads: Mapping[str, Reads], keys: Keys | None) -> Query:
    """Write the query that builds all of a table without days; given `keys`, of people or names the rows of these."""
    table = CONTRACTS[model.name]
    touched = keys.of(table.table.narrow, None) if keys else _Selection({})
    column = next((column for column in touched.values if column in table.columns), None)
    if column is None:
        return Query(model.sql, parameters, dict.fromkeys(model.inputs), model=model.sql)
    windows = {
        name: f"{quote(each.column)} IN ({touched.values[each.column]})" if isinstance(each, TouchedKeys) else None
        for name, each in reads.items()
    }
    part = f"{quote(column)} IN ({touched.values[column]})"
    sql = f"SELECT * FROM ({_within(model, windows)}) AS built WHERE {part}"
    touching = {name: (condition,) for name, condition in touched.found_in.items()}
    listed = tuple(keys.people().values()) if keys else ()
    return Query(sql, parameters, {**touched.found_in, **windows}, "FALSE", model.sql, part, touching, listed)


def _covers(model: Model, sources: Sequence[Table], days: DayRange) -> str:
    """Write the condition under which the keys of these days are all keys there are: no input has another day.

    Dimensions keep members that nothing refers to any more: PostgreSQL deletes none that facts still point to.
    """
    table = CONTRACTS[model.name].table
    reads = [(source, reads_of(table, source)) for source in sources]
    is_partial = {"first_day", "last_day"} & {*model.parameters} or any(isinstance(part, Days) for _, part in reads)
    if table.write != "upsert" or table.layer not in ("sessionized", "marts") or is_partial:
        return "FALSE"
    others = [
        f"NOT EXISTS (SELECT 1 FROM {quote_table(source.name)} WHERE NOT {days.holds(source.partition)})"
        for source, part in reads
        if isinstance(part, TouchedKeys) and source.partition is not None
    ]
    return " AND ".join(others) or "TRUE"
