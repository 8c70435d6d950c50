"""SQL models: read from `models/`, parsed once; inputs, parameters and column lineage come from the SQL.

What belongs here: what a model says. What does not: which days it is run for (plan.py), where it is run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from sqlglot import exp

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.ddl import column_types
from analytics_platform.contracts.functions import MODELS_DIR
from analytics_platform.errors import did_you_mean
from analytics_platform.transform.source_events import EVENTS_OF_SOURCES, put_events, source_events
from analytics_platform.transform.sql import ModelError, parse, read_sql, tables_in


@dataclass(frozen=True, slots=True)
class Model:
    """One SQL model: the table `name` it fills, the `inputs` it reads, the `parameters` it names with `$`.

    Where it `reads_sources`, `sources.events` is replaced by the events of the sources.
    """

    name: str
    path: Path
    sql: str
    inputs: tuple[str, ...]
    parameters: tuple[str, ...]
    reads_sources: bool = False

    def expression(self) -> exp.Query:
        """Parse a fresh syntax tree of the model, free to be changed."""
        return parse(self.path, self.sql)


@lru_cache(maxsize=256)
def read_model(path: Path, sources: tuple[str, ...] | None = None) -> Model:
    """Read the model in a file named `<layer>/<table>.sql`, for the events of all sources or of some.

    Raises `ModelError` if it reads an unknown table.
    """
    name = f"{path.parent.name}.{path.stem}"
    sql = read_sql(path)
    tree = parse(path, sql)
    reads_sources = EVENTS_OF_SOURCES in tables_in(tree)
    if reads_sources:
        sql = put_events(tree, sources or tuple(source_events())).sql("duckdb")
    inputs = tables_in(tree)
    unknown = [table for table in (name, *inputs) if table not in CONTRACTS]
    if unknown:
        words = f"there is no contract for {', '.join(unknown)}: correct the name, or write its class in contracts/"
        raise ModelError(f"{path}: {words}.")
    parameters = dict.fromkeys(parameter.name for parameter in tree.find_all(exp.Parameter, exp.Placeholder))
    return Model(name, path, sql, tuple(sorted(inputs)), tuple(parameters), reads_sources)


@lru_cache(maxsize=1)
def all_models() -> Mapping[str, Model]:
    """Map each table to its model, for every SQL file but the macros."""
    paths = sorted(path for path in MODELS_DIR.glob("*/*.sql") if path.parent.name != "macros")
    return MappingProxyType({model.name: model for model in map(read_model, paths)})


def find_model(name: str) -> Model:
    """Find the model of a table; a mart may be named without its schema. Raises `ModelError` for an unknown name."""
    models = all_models()
    found = models.get(name) or models.get(f"marts.{name}")
    if found is not None:
        return found
    hint = did_you_mean(name, models) or "the tables are listed in the README."
    raise ModelError(f"There is no model of a table {name!r}: {hint}")


@lru_cache(maxsize=256)
def column_lineage(name: str) -> Mapping[str, tuple[tuple[str, str], ...]]:
    """Map each column of the model `name` to the (table, column) pairs it is computed from, read from the SQL."""
    from sqlglot.lineage import lineage  # slow to import, and only needed when a table is published

    model, schema = all_models()[name], dict[str, dict[str, dict[str, str]]]()
    for source in model.inputs:
        layer, _, table = source.partition(".")
        schema.setdefault(layer, {})[table] = column_types(CONTRACTS[source])
    # Of a node only the tables at its leaves are read. Cutting each node's SQL to its own column, and copying the tree
    # first, took nine tenths of the time: 1.6 CPU seconds a run for all models.
    nodes = lineage(None, model.expression(), schema, dialect="duckdb", trim_selects=False, copy=False)
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    for column, node in nodes.items():
        leaves = [(leaf.name.rpartition(".")[2], leaf.expression) for leaf in node.walk()]
        sources = {(f"{table.db}.{table.name}", name) for name, table in leaves if isinstance(table, exp.Table)}
        found[column] = tuple(sorted(sources))
    return MappingProxyType(found)
