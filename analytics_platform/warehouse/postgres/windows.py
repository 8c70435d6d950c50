"""What a query reads of each table: which columns, and which rows at least.

The conditions on its inputs a `Query` brings along. Conditions in its own WHERE come on top, where PostgreSQL checks
them as DuckDB does. More rows than it reads are harmless, for it is run over what was fetched just as it would be over
the whole tables; fewer are never allowed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

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
    """The query that asks `sql` of the tables of `schema` that it names; other tables are left out."""
    names = (f"{node.db}.{node.name}" for node in parse(sql).find_all(exp.Table))
    return Query(sql, parameters, {name: None for name in names if name in schema})


def columns_of(query: Query, table: str, types: Mapping[str, str]) -> tuple[str, ...]:
    """The columns of `table` that a query reads, as far as its names tell; at least one, for rows are counted too."""
    if any(map(_is_starred, _mentions(query, table))):
        return tuple(types)
    named = {identifier.name.lower() for identifier in parse(query.sql).find_all(exp.Identifier)}
    return tuple(name for name in types if name in named) or (next(iter(types)),)


def condition_of(query: Query, table: str, types: Mapping[str, str]) -> str | None:
    """A condition that all rows of `table` fulfil which a query reads; None: it may read all."""
    given = query.inputs[table]
    known = {parse(given).sql("duckdb")} if given else set()
    mentions = [tuple(_conditions(node, types) - known) for node in _mentions(query, table)]
    parts = list(known)
    if all(mentions):
        each = (exp.and_(*sorted(mention), dialect="duckdb") for mention in dict.fromkeys(mentions))
        parts.append(exp.or_(*each).sql("duckdb"))
    return exp.and_(*parts, dialect="duckdb").sql("duckdb") if parts else None


def _mentions(query: Query, table: str) -> list[exp.Table]:
    return [node for node in parse(query.sql).find_all(exp.Table) if f"{node.db}.{node.name}" == table]


def _levels(node: exp.Table) -> Iterator[tuple[exp.Expr, exp.Select]]:
    """The SELECTs that hand on the rows of a table as they are, from the inside out, each with its source.

    A plan puts `(SELECT * FROM table WHERE …) AS alias` in place of a table: that is two levels.
    """
    source: exp.Expr = node
    while isinstance(source.parent, exp.From | exp.Join) and isinstance(select := source.parent.parent, exp.Select):
        yield source, select
        bare = not any(select.args.get(part) for part in ("joins", "group", "distinct", "limit", "qualify"))
        is_wrapper = [type(item) for item in select.expressions] == [exp.Star]
        if not (bare and is_wrapper and isinstance(select.parent, exp.Subquery)):
            return
        source = select.parent


def _is_starred(node: exp.Table) -> bool:
    """Whether a query uses all columns of a table without naming them."""
    levels = list(_levels(node))
    if not levels:
        return True
    items = [item.unalias() for item in levels[-1][1].expressions]
    items = [item.this if isinstance(item, exp.Column) else item for item in items]
    return any(isinstance(item, exp.Star | exp.Columns) for item in items)


def _conditions(node: exp.Table, types: Mapping[str, str]) -> set[str]:
    """What all rows fulfil that a query takes from this mention of a table, where nothing is joined to it."""
    found = set()
    for source, select in _levels(node):
        where = select.args.get("where")
        if where is None or select.args.get("joins") or select.args.get("laterals"):
            continue
        parts = where.this.flatten() if isinstance(where.this, exp.And) else [where.this]
        for part in (part.copy() for part in parts if _is_plain(part, types, source.alias_or_name)):
            for column in part.find_all(exp.Column):
                column.set("table", None)
            found.add(part.sql("duckdb"))
    return found


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
