"""From DuckDB's SQL to PostgreSQL's: the one place where a statement is translated.

Meant for questions to the ledger and counts over large tables, not for models: those run in DuckDB, so that results do
not depend on the warehouse. What SQLGlot cannot translate is an error here, never something else.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import sqlglot
from sqlglot import exp

from analytics_platform.contracts.sql import literal

_PARAMETERS: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),
    (int, "bigint"),
    (float, "double precision"),
    (str, "text"),
    (dt.datetime, "timestamptz"),
    (dt.date, "date"),
)
"""Python type of a value → SQL type of its parameter; the first that fits."""


@lru_cache(maxsize=512)
def parse(sql: str) -> exp.Expr:
    """The syntax tree of one statement in DuckDB's dialect. To be copied before it is changed."""
    tree = sqlglot.parse_one(sql, dialect="duckdb")
    assert tree is not None
    return tree


def translate(tree: exp.Expr, parameters: Mapping[str, object]) -> tuple[str, list[object]]:
    """The statement with `$1`, `$2` … for its named parameters, and their values in that order."""
    names = list(dict.fromkeys(node.name for node in tree.find_all(exp.Placeholder, exp.Parameter)))

    def place(name: str) -> exp.Expr:
        number = exp.Parameter(this=exp.Literal.number(names.index(name) + 1))
        return exp.cast(number, _type_of(parameters[name]), dialect="postgres")

    return _generate(tree, place), [parameters[name] for name in names]


def translate_whole(tree: exp.Expr, parameters: Mapping[str, object]) -> str:
    """The statement with the values of its parameters in it, as literals: for COPY, which takes no parameters."""
    return _generate(tree, lambda name: parse(literal(parameters[name])).copy())


def _generate(tree: exp.Expr, place: Callable[[str], exp.Expr]) -> str:
    def replace(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Placeholder | exp.Parameter):
            return place(node.name)
        if isinstance(node, exp.Order) and isinstance(node.parent, exp.Select) and node.expressions[0].name == "ALL":
            places = range(1, len(node.parent.expressions) + 1)
            return exp.Order(expressions=[exp.Literal.number(place) for place in places])
        if isinstance(node, exp.Split):
            return exp.func("STRING_TO_ARRAY", node.this, node.expression)
        if isinstance(node, exp.IsNan):
            return exp.EQ(this=node.this, expression=exp.cast(exp.Literal.string("NaN"), "double precision"))
        return node

    return tree.copy().transform(replace).sql("postgres", unsupported_level=sqlglot.ErrorLevel.RAISE)


def _type_of(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"{_type_of(value[0])}[]" if value else "text[]"
    return next((name for kind, name in _PARAMETERS if isinstance(value, kind)), "text")
