"""What a question reads of each table: which columns, and which rows at least.

A `Query` brings the conditions on its inputs along. Of a question in plain SQL they are read from its own WHERE, and
only where PostgreSQL judges them as DuckDB does: more rows than it reads are harmless, for it is run over what was
fetched just as it would be over the whole tables; fewer are never allowed.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from analytics_platform.transform import Query
from analytics_platform.warehouse.postgres.dialect import parse

_COMPARISONS = (exp.And, exp.Or, exp.Not, exp.Paren, exp.Tuple, exp.EQ, exp.NEQ, exp.In, exp.Is)
_ORDERINGS = (exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between)
_VALUES = (exp.Literal, exp.Boolean, exp.Null, exp.Neg, exp.Placeholder, exp.Parameter, exp.Cast, exp.DataType)
_ORDERED = ("DATE", "TIMESTAMP WITH TIME ZONE", "BIGINT")
"""Types that both databases put in the same order. Text is not among them: PostgreSQL sorts it by the collation."""

Schema = Mapping[str, Mapping[str, str]]
"""Table → column → DuckDB type."""


def question(sql: str, parameters: Mapping[str, object], schema: Schema) -> Query:
    """The query that asks `sql`, with what it reads of the tables of `schema`; other tables are left out."""
    inputs: dict[str, str | None] = {}
    for node in parse(sql).find_all(exp.Table):
        name = f"{node.db}.{node.name}"
        if name in schema:
            found = _condition(node, schema[name])
            known = inputs.get(name, found)
            inputs[name] = found if found == known else _either(known, found)
    return Query(sql, parameters, inputs)


def _either(one: str | None, other: str | None) -> str | None:
    return exp.or_(one, other, dialect="duckdb").sql("duckdb") if one and other else None


def columns_of(query: Query, table: str, types: Mapping[str, str]) -> tuple[str, ...]:
    """The columns of `table` that a query reads, as far as its names tell; at least one, for rows are counted too."""
    tree = parse(query.sql)
    if any(_is_starred(node) for node in tree.find_all(exp.Table) if f"{node.db}.{node.name}" == table):
        return tuple(types)
    named = {identifier.name.lower() for identifier in tree.find_all(exp.Identifier)}
    return tuple(name for name in types if name in named) or (next(iter(types)),)


def _select(node: exp.Expr) -> exp.Select | None:
    """The SELECT in whose FROM or JOIN the node stands."""
    parent = node.parent
    if isinstance(parent, exp.From | exp.Join) and isinstance(parent.parent, exp.Select):
        return parent.parent
    return None


def _is_starred(node: exp.Expr) -> bool:
    """Whether all columns of a source are used without being named.

    A plan puts `(SELECT * FROM table WHERE …) AS alias` in place of a table: there the SELECT around it decides.
    """
    select = _select(node)
    if select is None:
        return True
    is_bare = not any(select.args.get(part) for part in ("joins", "group", "distinct", "limit", "qualify"))
    items = [item.unalias() for item in select.expressions]
    if is_bare and isinstance(select.parent, exp.Subquery) and [type(item) for item in items] == [exp.Star]:
        return _is_starred(select.parent)
    items = [item.this if isinstance(item, exp.Column) else item for item in items]
    return any(isinstance(item, exp.Star | exp.Columns) for item in items)


def _condition(node: exp.Table, types: Mapping[str, str]) -> str | None:
    """What all rows fulfil that a query takes from this mention of a table, if nothing is joined to it there."""
    select = _select(node)
    if select is None or select.args.get("joins") or select.args.get("laterals") or not select.args.get("where"):
        return None
    where = select.args["where"].this
    parts = where.flatten() if isinstance(where, exp.And) else [where]
    plain = [part.copy() for part in parts if _is_plain(part, types, node.alias_or_name)]
    for column in (column for part in plain for column in part.find_all(exp.Column)):
        column.set("table", None)
    return exp.and_(*plain).sql("duckdb") if plain else None


def _is_plain(part: exp.Expr, types: Mapping[str, str], alias: str) -> bool:
    """Whether a condition compares columns of the table with values, in a way both databases agree on."""
    if isinstance(part, exp.Column):
        return part.table in ("", alias) and types.get(part.name.lower(), "JSON") != "JSON"
    if isinstance(part, _ORDERINGS) and any(
        types.get(column.name.lower()) not in _ORDERED for column in part.find_all(exp.Column)
    ):
        return False
    if isinstance(part, (*_COMPARISONS, *_ORDERINGS)):
        return all(_is_plain(child, types, alias) for child in part.iter_expressions())
    return isinstance(part, _VALUES) and all(isinstance(inner, _VALUES) for inner in part.walk())
