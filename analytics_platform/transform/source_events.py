"""The events of all sources as one query: the union of their `events.sql`, in the shape of `SourceEvents`."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import duckdb
import sqlglot
from sqlglot import exp

from analytics_platform.contracts.base import SourceEvents
from analytics_platform.contracts.ddl import column_types
from analytics_platform.contracts.functions import macros
from analytics_platform.contracts.sql import literal, quote, quote_table
from analytics_platform.sources.registry import EVENTS, SOURCES
from analytics_platform.transform.sql import ModelError, parse, read_sql, tables_in

EVENTS_OF_SOURCES = "sources.events"
"""What stands for the union in a model."""


class Tables(Protocol):
    """Tells which tables there are, and answers questions about them; an open warehouse does."""

    def tables(self) -> set[str]:
        """Give the names of the tables."""
        ...

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Give the rows of a query."""
        ...


@dataclass(frozen=True, slots=True)
class EventQuery:
    """The `events.sql` of a source: its text without comments, the columns it gives, the tables it reads."""

    sql: str
    columns: frozenset[str]
    inputs: tuple[str, ...]

    def of(self, *columns: str) -> str:
        """Write the query of these columns, of those they are computed from, and of the day and batch of the event."""
        return _only(self.sql, frozenset({*columns, "event_date", "batch_id"}))


@lru_cache(maxsize=1)
def source_events() -> Mapping[str, EventQuery]:
    """Read the `events.sql` of every source that has one. Raises `ModelError` for one that cannot give events."""
    with empty_tables() as engine:
        return MappingProxyType({source: read_events(path, engine) for source, path in EVENTS.items()})


def events_within(session: Tables, within: str) -> Mapping[str, EventQuery]:
    """Leave out the sources without a row for which `within` (SQL) is true.

    Few shops have all sources, and few batches rows of two: to plan what gives no row takes most of a small build.
    """
    existing, found = session.tables(), source_events()
    asked = " UNION ALL ".join(
        f"SELECT {literal(source)} AS source WHERE EXISTS (SELECT 1 FROM {quote_table(table)} WHERE {within})"
        for source, query in found.items()
        for table in query.inputs
        if table in existing
    )
    present = {source for (source,) in session.rows(asked)} if asked else set[str]()
    return {source: query for source, query in found.items() if source in present}


def empty_tables() -> duckdb.DuckDBPyConnection:
    """Open a database in memory with the tables of all sources, on which queries are planned and not run."""
    engine = duckdb.connect(config={"threads": 1})
    for statement in ("SET errors_as_json = true", *macros().values()):
        engine.execute(statement)
    for contract in (source.contract for source in SOURCES.values()):
        columns = ", ".join(f"{quote(name)} {kind}" for name, kind in column_types(contract).items())
        engine.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(contract.table.layer)}")
        engine.execute(f"CREATE TABLE {quote_table(contract.table.name)} ({columns})")
    return engine


def read_events(path: Path, engine: duckdb.DuckDBPyConnection) -> EventQuery:
    """Read an `events.sql`. Raises `ModelError` for SQL that cannot be planned or does not give the shape."""
    text, types = read_sql(path), column_types(SourceEvents)
    tree = parse(path, text)
    sql, given = tree.sql("duckdb", comments=False), _plan(path, text, engine)
    unknown = sorted(given.keys() - types.keys())
    if unknown:
        raise ModelError(f"{path}: an event has no column {', '.join(unknown)}: the shape has {', '.join(types)}.")
    missing = [name for name, column in SourceEvents.columns.items() if not column.nullable and name not in given]
    if missing:
        raise ModelError(f"{path}: every event needs {', '.join(missing)}: select these too.")
    nulls = ", ".join(f"CAST(NULL AS {types[name]}) AS {quote(name)}" for name in given)
    for name, kind in _plan(path, f"(SELECT {nulls}) UNION ALL BY NAME ({sql})", engine).items():
        if kind != types[name]:  # else the union with the other sources has that type
            raise ModelError(f"{path}: {name} is {given[name]}: write CAST(… AS {types[name]}) AS {name}.")
    return EventQuery(sql, frozenset(given), tables_in(tree))


def _plan(path: Path, sql: str, engine: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Plan a query: column → type of its result. Raises `ModelError` with line and column of what is wrong."""
    describe = "DESCRIBE "
    try:
        return {name: kind for name, kind, *_ in engine.execute(f"{describe}{sql}").fetchall()}
    except duckdb.Error as error:
        found = json.loads(str(error).partition(": ")[2])
        before = sql.encode()[: int(found.get("position", 0)) - len(describe)].decode(errors="ignore")
        place = f"line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))}"
        words = " ".join(found["exception_message"].partition("\n\t")[0].split())  # behind it every function is listed
        raise ModelError(f"{path}, {place}: {words}") from None


def put_events(tree: exp.Query, sources: Collection[str]) -> exp.Query:
    """Put the union of these sources in the place of `sources.events`, with the columns that are read there."""
    for node in list(tree.find_all(exp.Table)):
        if f"{node.db}.{node.name}" == EVENTS_OF_SOURCES:
            alias = exp.TableAlias(this=exp.to_identifier(node.alias_or_name))
            query = sqlglot.parse_one(_union(sources, _columns_read(node), _names_read(node)), dialect="duckdb")
            node.replace(exp.Subquery(this=query, alias=alias))
    return tree


def _columns_read(table: exp.Table) -> frozenset[str]:
    """Name the columns that the SELECT around a table may read of it, `event_name` among them."""
    select = table.find_ancestor(exp.Select)
    if select is None or select.find(exp.Star):
        return frozenset(SourceEvents.columns)
    named = {column.name for column in select.find_all(exp.Column) if column.table in ("", table.alias_or_name)}
    return frozenset({"event_name", *named})


_NAMES = ("written", "event_name", "of_products")
"""The names that an event may get."""


def _names_read(table: exp.Table) -> tuple[str, ...]:
    """Name the events that the SELECT around a table may read of it, empty for all."""
    select, names = table.find_ancestor(exp.Select), (f"{table.alias_or_name}.event_name", "event_name")
    if select is None or not isinstance(where := select.args.get("where"), exp.Where):
        return ()
    for condition in where.this.flatten() if isinstance(where.this, exp.And) else (where.this,):
        is_on_name = isinstance(condition, exp.In) and condition.this.sql("duckdb") in names
        if is_on_name and all(each.is_string for each in condition.expressions):
            return tuple(each.name for each in condition.expressions)
    return ()


_PLAIN = frozenset({"with_", "from_", "joins", "where", "qualify"})
"""The clauses of a SELECT whose rows do not depend on the columns it gives."""


@lru_cache(maxsize=256)
def _only(sql: str, columns: Collection[str]) -> str:
    """Leave out of a SELECT and of its CTEs the columns that are not needed, where that changes no row.

    DuckDB leaves them out too, after it has looked at every expression: that is most of the time of a small build.
    """
    tree = sqlglot.parse_one(sql, dialect="duckdb")
    assert isinstance(tree, exp.Query)
    if {each.alias.lower() for each in tree.ctes} & {each.name.lower() for each in tree.find_all(exp.Column)}:
        return sql  # the name of a CTE, used as a value, is a row of it with all its columns
    wanted = set(columns)
    for query in (tree, *(each.this for each in reversed(tree.ctes))):
        if not _is_plain(query):
            if query.find(exp.Star):  # DISTINCT * and a union of stars are other rows with fewer columns
                break
            wanted |= _names_in(query)
            continue
        listed = {each.alias_or_name.lower(): each for each in query.selects}
        kept = {name for name, each in listed.items() if each.is_star}
        before = "with_" if query is tree else ""
        clauses = (part for key, part in query.args.items() if key not in ("expressions", before))
        wanted |= _names_in(*clauses, *(listed[name] for name in kept))
        while found := wanted & listed.keys() - kept:  # an expression may name another column of the same SELECT
            kept |= found
            wanted |= _names_in(*(listed[name] for name in found))
        query.set("expressions", [each for name, each in listed.items() if name in kept] or query.selects[:1])
    return tree.sql("duckdb")


def _is_plain(query: exp.Expr) -> bool:
    """Return whether it has the same rows whichever of its columns are left out, and none is found by its place."""
    if not isinstance(query, exp.Select) or len({each.alias_or_name for each in query.selects}) < len(query.selects):
        return False
    natural = any(join.method for join in query.args.get("joins") or ())
    named = isinstance(query.parent, exp.CTE) and query.parent.args["alias"].columns
    clauses = {key for key, part in query.args.items() if part and key != "expressions"}
    return clauses <= _PLAIN and not natural and not named and not any(map(_makes_rows, query.selects))


def _makes_rows(column: exp.Expr) -> bool:
    """Return whether it may stand for several columns, or the rows may be others without it."""
    return any(
        isinstance(node, exp.UDTF | exp.Columns)
        or (isinstance(node, exp.AggFunc) and not isinstance(node.parent, exp.Window))
        for node in column.walk()
    )


def _names_in(*parts: object) -> set[str]:
    nodes = (node for part in parts for node in (part if isinstance(part, list) else [part]))
    return {each.name.lower() for node in nodes if isinstance(node, exp.Expr) for each in node.find_all(exp.Identifier)}


def _union(sources: Collection[str], columns: Collection[str], names_read: Collection[str] = ()) -> str:
    """Write the query of the events of `sources`: `columns` of the shape, and `source` with the name of the source.

    All events, or not those that have another name than the ones of `names_read`.

    Names of events that are spelled otherwise than GA4's become GA4's, whatever their case and separators. What some
    words mean (`view`) depends on whether the event names products.
    """
    types = {name: kind for name, kind in column_types(SourceEvents).items() if name in columns}
    parts = []
    for source, query in ((each, source_events()[each]) for each in sources):
        given = {
            name: f"each.{name}" if name in query.columns else f"CAST(NULL AS {kind}) AS {quote(name)}"
            for name, kind in types.items()
        }
        raw = (
            "coalesce(each.raw_event_name, each.event_name)" if "raw_event_name" in query.columns else "each.event_name"
        )
        name, needed = "names.event_name", {"event_name", *types}
        if "items_json" in query.columns:
            name = (
                "CASE WHEN names.of_products <> names.event_name AND names_products(each.items_json) "
                "THEN names.of_products ELSE names.event_name END"
            )
            needed.add("items_json")
        if "transaction_id" in query.columns:
            name = f"CASE WHEN names.needs_order AND each.transaction_id IS NULL THEN each.event_name ELSE {name} END"
            needed.add("transaction_id")
        given["event_name"] = f"{name} AS event_name"
        if "raw_event_name" in types:
            given["raw_event_name"] = f"{raw} AS raw_event_name"
        # Of the few names that differ: to map the name of each event takes a tenth of the time of the model. DuckDB
        # would put the condition before a SELECT DISTINCT, and ask it of each event too.
        names = f"SELECT min(event_name) AS written FROM ({query.of('event_name')}) AS given GROUP BY event_name"
        mapped = (
            "SELECT written, ga4_name(written) AS event_name, ga4_name_of_products(written) AS of_products, "
            f"needs_order(written) AS needs_order FROM ({names}) AS given"
        )
        wanted = ", ".join(map(literal, names_read))
        may_be = f" AND ({' OR '.join(f'names.{name} IN ({wanted})' for name in _NAMES)})" if names_read else ""
        parts.append(
            f"SELECT {', '.join([f'{literal(source)} AS source', *given.values()])} FROM ({query.of(*needed)}) AS each "
            f"INNER JOIN ({mapped}) AS names ON each.event_name = names.written{may_be}"
        )
    return " UNION ALL ".join(parts)
