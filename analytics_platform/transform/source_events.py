"""The events of all sources as one query: the union of their `events.sql`, in the shape of `SourceEvents`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import duckdb

from analytics_platform.contracts.base import SourceEvents
from analytics_platform.contracts.ddl import column_types
from analytics_platform.contracts.functions import macros
from analytics_platform.contracts.sql import literal, quote, quote_table
from analytics_platform.sources.registry import EVENTS, SOURCES
from analytics_platform.transform.sql import ModelError, parse, read_sql, tables_in

NAME = "sources.events"
"""What stands for the union in a model."""


@dataclass(frozen=True, slots=True)
class EventQuery:
    """The `events.sql` of a source: its text without comments, the columns it gives, the tables it reads."""

    sql: str
    columns: frozenset[str]
    inputs: tuple[str, ...]


@lru_cache(maxsize=1)
def source_events() -> Mapping[str, EventQuery]:
    """Read the `events.sql` of every source that has one. Raises `ModelError` for one that cannot give events."""
    with empty_tables() as engine:
        return MappingProxyType({source: read_events(path, engine) for source, path in EVENTS.items()})


def empty_tables() -> duckdb.DuckDBPyConnection:
    """Open a database in memory with the tables of all sources, on which queries are planned and not run."""
    engine = duckdb.connect(config={"threads": 1})
    for statement in ("SET errors_as_json = true", *macros()):
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


def union() -> str:
    """Write the query of all events: the columns of the shape, and `source` with the name of the source.

    Names of events that are spelled otherwise than GA4's become GA4's, whatever their case and separators.
    """
    types = column_types(SourceEvents)
    parts = []
    for source, query in source_events().items():
        columns = {
            name: f"each.{name}" if name in query.columns else f"CAST(NULL AS {kind}) AS {quote(name)}"
            for name, kind in types.items()
        }
        raw = (
            "coalesce(each.raw_event_name, each.event_name)" if "raw_event_name" in query.columns else "each.event_name"
        )
        name = "names.event_name"
        if "transaction_id" in query.columns:
            name = f"CASE WHEN names.needs_order AND each.transaction_id IS NULL THEN each.event_name ELSE {name} END"
        columns |= {"event_name": f"{name} AS event_name", "raw_event_name": f"{raw} AS raw_event_name"}
        # Of the few names that differ: to map the name of each event takes a tenth of the time of the model.
        names = f"SELECT DISTINCT event_name AS written FROM ({query.sql}) AS given"
        parts.append(
            f"SELECT {', '.join([f'{literal(source)} AS source', *columns.values()])} FROM ({query.sql}) AS each "
            f"INNER JOIN (SELECT written, ga4_name(written) AS event_name, needs_order(written) AS needs_order "
            f"FROM ({names}) AS given) AS names "
            "ON each.event_name = names.written"
        )
    return " UNION ALL ".join(parts)
