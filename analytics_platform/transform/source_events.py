"""The events of all sources as one query: the union of their `events.sql`, in the shape of `SourceEvents`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import sqlglot
from sqlglot import exp

from analytics_platform.contracts.base import SourceEvents
from analytics_platform.contracts.ddl import column_types
from analytics_platform.contracts.sql import literal, quote
from analytics_platform.errors import UserError
from analytics_platform.sources.registry import EVENTS

NAME = "sources.events"
"""What stands for the union in a model."""


class ModelError(UserError):
    """A SQL model cannot be used; the message names the file and the remedy."""


@dataclass(frozen=True, slots=True)
class EventQuery:
    """The `events.sql` of a source: its text without comments, the columns it gives, the tables it reads."""

    sql: str
    columns: frozenset[str]
    inputs: tuple[str, ...]


def parse(path: Path, sql: str) -> exp.Query:
    """Parse the one SELECT of a file. Raises `ModelError` if it holds anything else."""
    try:
        tree = sqlglot.parse_one(sql, dialect="duckdb")
    except sqlglot.errors.ParseError as error:
        raise ModelError(f"{path}: not one SQL statement: {error}") from error
    if not isinstance(tree, exp.Query):
        raise ModelError(f"{path}: a model is one SELECT, not {tree.key.upper()}")
    return tree


def tables_in(tree: exp.Query) -> tuple[str, ...]:
    """List the tables that a query names, in order of appearance; CTEs have no schema and are left out."""
    tables = (table for table in tree.find_all(exp.Table) if table.db)
    return tuple(dict.fromkeys(f"{table.db}.{table.name}" for table in tables))


def put_queries(tree: exp.Query, queries: Mapping[str, str]) -> exp.Query:
    """Put a query in the place of each table that is named."""
    for node in list(tree.find_all(exp.Table)):
        if sql := queries.get(f"{node.db}.{node.name}"):
            alias = exp.TableAlias(this=exp.to_identifier(node.alias_or_name))
            node.replace(exp.Subquery(this=sqlglot.parse_one(sql, dialect="duckdb"), alias=alias))
    return tree


@lru_cache(maxsize=1)
def source_events() -> Mapping[str, EventQuery]:
    """Read the `events.sql` of every source that has one. Raises `ModelError` for columns that are not of the shape."""
    return MappingProxyType({source: _read(path) for source, path in EVENTS.items()})


def _read(path: Path) -> EventQuery:
    tree = parse(path, path.read_text(encoding="utf-8"))
    columns, shape = frozenset(tree.named_selects), SourceEvents.columns
    unknown = sorted(columns - set(shape))
    if unknown:
        raise ModelError(f"{path}: an event has no column {', '.join(unknown)}: the shape has {', '.join(shape)}.")
    missing = [name for name, column in shape.items() if not column.nullable and name not in columns]
    if missing:
        raise ModelError(f"{path}: every event needs {', '.join(missing)}.")
    return EventQuery(tree.sql("duckdb", comments=False), columns, tables_in(tree))


def union() -> str:
    """Write the query of all events: the columns of the shape, and `source` with the name of the source."""
    types = column_types(SourceEvents)
    parts = []
    for source, query in source_events().items():
        columns = [
            quote(name) if name in query.columns else f"CAST(NULL AS {kind}) AS {quote(name)}"
            for name, kind in types.items()
        ]
        given = ", ".join([f"{literal(source)} AS source", *columns])
        parts.append(f"SELECT {given} FROM ({query.sql}) AS {quote(source)}")
    return " UNION ALL ".join(parts)
