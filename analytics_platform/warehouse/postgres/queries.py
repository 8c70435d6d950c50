"""SQL for PostgreSQL: a statement translated from DuckDB's dialect, and what a query reads of each table.

Translated are questions to the ledger and counts over large tables. Models are not: they run in DuckDB, so that results
do not depend on the warehouse. What SQLGlot cannot translate is an error.

Of the tables that a query reads, columns and rows are fetched. The conditions on its inputs are part of a `Query`.
Conditions in its own WHERE are added where PostgreSQL checks them as DuckDB does. The query runs over what was fetched
as it would over the whole tables: more rows than it needs do no harm, fewer are never fetched.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain

import sqlglot
from sqlglot import exp

from analytics_platform.contracts.sql import literal, quote, quote_table
from analytics_platform.transform import Query
from analytics_platform.warehouse.postgres import tables

_PARAMETERS: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),
    (int, "bigint"),
    (float, "double precision"),
    (str, "text"),
    (dt.datetime, "timestamptz"),
    (dt.date, "date"),
)
"""Python type of a value → SQL type of its parameter; the first that fits."""

_COMPARISONS = (exp.And, exp.Or, exp.Not, exp.Paren, exp.Tuple, exp.EQ, exp.NEQ, exp.In, exp.Is)
_ORDERINGS = (exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between)
_VALUES = (exp.Literal, exp.Boolean, exp.Null, exp.Neg, exp.Placeholder, exp.Parameter, exp.Cast, exp.DataType)
_ORDERED = ("DATE", "TIMESTAMP WITH TIME ZONE", "BIGINT")
"""Types that both databases put in the same order. Text is not among them: PostgreSQL sorts it by the collation."""


@lru_cache(maxsize=512)
def parse(sql: str) -> exp.Expr:
    """Return the syntax tree of one statement in DuckDB's dialect. To be copied before it is changed."""
    tree = sqlglot.parse_one(sql, dialect="duckdb")
    assert tree is not None
    return tree


def translate(sql: str, parameters: Mapping[str, object]) -> tuple[str, list[object]]:
    """Return the statement with `$1`, `$2` … for its named parameters, and their values in that order.

    Raises `KeyError` for a parameter without a value.
    """
    tree = parse(sql)
    names = list(dict.fromkeys(node.name for node in tree.find_all(exp.Placeholder, exp.Parameter)))

    def place(name: str) -> exp.Expr:
        number = exp.Parameter(this=exp.Literal.number(names.index(name) + 1))
        return exp.cast(number, _type_of(parameters[name]), dialect="postgres")

    return _generate(tree, place), [parameters[name] for name in names]


def _generate(tree: exp.Expr, place: Callable[[str], exp.Expr]) -> str:
    """Return the tree as PostgreSQL's SQL, with what `place` makes of the name of each parameter."""

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

    return tree.transform(replace).sql("postgres", copy=False, unsupported_level=sqlglot.ErrorLevel.RAISE)


def _type_of(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"{_type_of(value[0])}[]" if value else "text[]"
    return next((name for kind, name in _PARAMETERS if isinstance(value, kind)), "text")


def question(sql: str, parameters: Mapping[str, object]) -> Query:
    """Return the query that asks `sql` of the tables that it names; tables without a contract are left out."""
    names = (f"{node.db}.{node.name}" for node in parse(sql).find_all(exp.Table))
    return Query(sql, parameters, {name: None for name in names if name in tables.schema()})


def reads(query: Query) -> Iterator[tuple[str, dict[str, str], str | None]]:
    """Yield for each input of a query its name, the columns to fetch (name → DuckDB type), and which rows."""
    for table in query.inputs:
        columns = {name: tables.schema()[table][name] for name in columns_of(query, table)}
        yield table, columns, condition_of(query, table)


def selected(table: str, columns: Mapping[str, str], condition: str | None) -> str:
    """Write PostgreSQL's query for columns and rows of a table."""
    text = "CASE WHEN jsonb_typeof({0}) = 'string' THEN {0} #>> '{{}}' ELSE CAST({0} AS text) END"  # transfer.py
    named = (text.format(quote(name)) if kind == tables.JSON else quote(name) for name, kind in columns.items())
    return f"SELECT {', '.join(named)} FROM {quote_table(table)}{f' WHERE {condition}' if condition else ''}"


def columns_of(query: Query, table: str) -> tuple[str, ...]:
    """Return the columns of `table` that a query may read by their names; at least one, since rows are counted too."""
    named = _named(query.model or query.sql, table)
    if named is None:
        return tuple(tables.schema()[table])
    # Windows are conditions that the SQL of a model does not have. A value that reads like a column does no harm.
    windows = " ".join([each for each in query.inputs.values() if each] + [*chain(*query.touching.values())])
    named |= set(re.findall(r"\w+", windows))
    return tuple(name for name in tables.schema()[table] if name in named) or tuple(tables.schema()[table])[:1]


def condition_of(query: Query, table: str) -> str | None:
    """Return a condition that all rows of `table` fulfil which a query reads; None: it may read all."""
    own = _own(query.model or query.sql, table)
    for name, value in query.parameters.items():
        own = own.replace(f'"${name}"', literal(value)) if f'"${name}"' in own else own  # COPY takes no parameters
    if own and (touching := query.touching.get(table)):
        own = " OR ".join(f"({each})" for each in (own, *touching))
    given = query.inputs[table]
    return f"({given}) AND ({own})" if given and own else given or own or None


@lru_cache(maxsize=1024)
def _named(sql: str, table: str) -> frozenset[str] | None:
    """Return the names in a statement; None if it uses all columns of `table` without naming them."""
    # Kept, as below: to parse and to write the SQL takes longer than to run it for a small day.
    if any(map(_is_starred, _mentions(sql, table))):
        return None
    return frozenset(identifier.name.lower() for identifier in parse(sql).find_all(exp.Identifier))


@lru_cache(maxsize=1024)
def _own(sql: str, table: str) -> str:
    """Return what all rows fulfil that a statement takes of `table`, in PostgreSQL's SQL; parameters are `"$name"`."""
    mentions = [_conditions(node, tables.schema()[table]) for node in _mentions(sql, table)]
    if not all(mentions):
        return ""
    each = (exp.and_(*sorted(mention), dialect="duckdb") for mention in dict.fromkeys(map(frozenset, mentions)))
    return _generate(exp.or_(*each), lambda name: exp.column(f"${name}", quoted=True)) if mentions else ""


def _mentions(sql: str, table: str) -> list[exp.Table]:
    return [node for node in parse(sql).find_all(exp.Table) if f"{node.db}.{node.name}" == table]


def _levels(node: exp.Table) -> Iterator[tuple[exp.Expr, exp.Select]]:
    """Yield the SELECTs that pass on the rows of a table as they are, from the inside out, each after its source.

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
    """Return whether a query uses all columns of a table without naming them."""
    levels = list(_levels(node))
    if not levels:
        return True
    items = [item.unalias() for item in levels[-1][1].expressions]
    items = [item.this if isinstance(item, exp.Column) else item for item in items]
    return any(isinstance(item, exp.Star | exp.Columns) for item in items)


def _conditions(node: exp.Table, types: Mapping[str, str]) -> set[str]:
    """Return what all rows fulfil that a query takes from this mention of a table, where nothing is joined to it."""
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
    """Return whether a condition compares columns of the table with values, in a way both databases agree on."""
    if isinstance(part, exp.Column):
        return part.table in ("", alias) and types.get(part.name.lower(), "JSON") != "JSON"
    if isinstance(part, _ORDERINGS) and any(
        types.get(column.name.lower()) not in _ORDERED for column in part.find_all(exp.Column)
    ):
        return False
    if isinstance(part, (*_COMPARISONS, *_ORDERINGS)):
        return all(_is_plain(child, types, alias) for child in part.iter_expressions())
    return isinstance(part, _VALUES) and all(isinstance(inner, _VALUES) for inner in part.walk())
