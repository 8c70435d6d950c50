"""Writes a query in the SQL of Spark, for a server of Spark Connect: it gives the rows that DuckDB gives.

What means something else in Spark is changed in the tree of the query, each with its reason. Functions that read text
as people wrote it (amounts, JSON, ids) have no equal there: a query that calls one stays with DuckDB.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

import sqlglot
from sqlglot import exp

from analytics_platform.contracts.functions import macros, macros_in
from analytics_platform.contracts.sql import literal
from analytics_platform.transform.plan import Query

# Unicode's NFC, lenient JSON and RE2's classes: Spark has none of them, or reads other texts as numbers.
_READ_TEXT = frozenset(
    {"known", "fields_of", "items_of", "promotions_of", "variants_of", "json_list", "bare_amount", "currency_code"}
)

_WEEKDAY = "((DAYOFWEEK(day) + 5) % 7) + 1"

_BODIES: Mapping[str, tuple[tuple[str, ...], str]] = MappingProxyType(
    {
        "surrogate_key": (  # a text of hexadecimal digits is no number there
            ("business_key",),
            "COALESCE(CAST(CONV(SUBSTRING(MD5(business_key), 1, 15), 16, 10) AS BIGINT), -1)",
        ),
        "micros": (("instant",), "UNIX_MICROS(instant)"),
        "isodow": (("day",), _WEEKDAY),  # sqlglot's own translation is a day off
        "isoyear": (("day",), f"YEAR(DATE_ADD(day, 4 - ({_WEEKDAY})))"),  # the year of the week's Thursday
        "monthname": (("day",), "DATE_FORMAT(day, 'MMMM')"),  # its MONTHNAME is `Mar`
        "dayname": (("day",), "DATE_FORMAT(day, 'EEEE')"),
        "list_slice": (("list", "first", "last"), "SLICE(list, first, last - first + 1)"),
    }
)
"""Functions with another body in Spark: the names of their parameters, and the body in Spark's SQL."""


def runs_on_spark(sql: str) -> bool:
    """Tell whether all functions that `sql` calls have an equal in Spark."""
    # Spark's lists have no order, and its JSON other blanks.
    writes_json = re.search(r"\bto_json\s*\(", sql, re.IGNORECASE)
    return not writes_json and _READ_TEXT.isdisjoint(macros_in(sql))


def view_of(table: str) -> str:
    """Name the view that stands for a table in queries for Spark: tables of the server itself may have any name."""
    return table.replace(".", "__")


def spark_sql(query: Query, types: Mapping[str, str]) -> str:
    """Write a query in Spark's SQL, its parameters as literals, its columns cast to these `types` of DuckDB.

    Each table that it names is read from the view `view_of` it.
    """
    tree = _translated(query.sql, query.parameters)
    # `row_number()` is INT there, and so is a literal beside a missing key.
    columns = (exp.cast(exp.column(name), kind, dialect="duckdb").as_(name) for name, kind in types.items())
    result = exp.select(*columns).from_(exp.Subquery(this=tree, alias=exp.TableAlias(this=exp.to_identifier("result"))))
    return result.transform(_mend).sql("spark", comments=False)


def spark_question(sql: str) -> str:
    """Write a query without parameters in Spark's SQL, with the types that its columns have there."""
    return _translated(sql, {}).transform(_mend).sql("spark", comments=False)


def _translated(sql: str, parameters: Mapping[str, object]) -> exp.Expr:
    tree = sqlglot.parse_one(sql, dialect="duckdb")
    for table in (each for each in tree.find_all(exp.Table) if each.db):
        table.set("alias", exp.TableAlias(this=exp.to_identifier(table.alias_or_name)))
        table.set("this", exp.to_identifier(view_of(f"{table.db}.{table.name}")))
        table.set("db", None)
    for node in list(tree.find_all(exp.Parameter, exp.Placeholder)):
        node.replace(sqlglot.parse_one(literal(parameters[node.name]), dialect="duckdb"))
    while calls := [call for call in tree.find_all(exp.Func) if _function(_names(call))]:
        _inline(calls[0])
    for select in list(tree.find_all(exp.Select)):
        _zip_lists(select)
    return tree


def _names(call: exp.Func) -> tuple[str, ...]:
    return (call.name.lower(),) if isinstance(call, exp.Anonymous) else tuple(map(str.lower, call.sql_names()))


@lru_cache(maxsize=1024)
def _function(names: Sequence[str]) -> tuple[tuple[str, ...], exp.Expr] | None:
    """Give the parameters and the body of the function with one of these names; None if Spark has the same."""
    for name in names:
        if name in _BODIES:
            parameters, body = _BODIES[name]
            return parameters, sqlglot.parse_one(body, dialect="spark")
        if name in macros():
            created = sqlglot.parse_one(macros()[name], dialect="duckdb")
            return tuple(parameter.name.lower() for parameter in created.this.expressions), created.expression
    return None


def _inline(call: exp.Func) -> None:
    """Put the body of a function in the place of its call."""
    function = _function(_names(call))
    assert function is not None
    parameters, body = function[0], exp.Paren(this=function[1].copy())
    values = call.expressions if isinstance(call, exp.Anonymous) else [call.this, *call.expressions]
    given = dict(zip(parameters, values, strict=True))
    for column in list(body.find_all(exp.Column)):
        if not column.table and (value := given.get(column.name.lower())) is not None:
            column.replace(exp.Paren(this=value.copy()))
    call.replace(body)


def _zip_lists(select: exp.Select) -> None:
    """Unnest several lists of a SELECT as one: DuckDB pairs their elements, Spark would give each combination."""
    unnested = [node.unalias() for node in select.expressions if isinstance(node.unalias(), exp.Unnest | exp.Explode)]
    if len(unnested) < 2:
        return
    lists = [node.expressions[0] if isinstance(node, exp.Unnest) else node.this for node in unnested]
    names = [f"element_{place}" for place in range(len(lists))]
    for node, name in zip(unnested, names, strict=True):
        node.replace(exp.column(name, "zipped"))
    zipped = exp.Anonymous(this="INLINE", expressions=[exp.Anonymous(this="ARRAYS_ZIP", expressions=lists)])
    alias = exp.TableAlias(this=exp.to_identifier("zipped"), columns=[exp.to_identifier(name) for name in names])
    select.append("laterals", exp.Lateral(this=zipped, view=True, alias=alias))


def _mend(node: exp.Expr) -> exp.Expr:
    """Write a part of a tree otherwise that sqlglot passes on, and Spark or a server of its protocol does not take."""
    if isinstance(node, exp.Window) and isinstance(node.this, exp.Filter):  # a window function takes no FILTER there
        condition = node.this.expression.this
        assert node.this.this == exp.Count(this=exp.Star(), big_int=node.this.this.args.get("big_int"))
        node.set("this", exp.Count(this=exp.Case().when(condition, exp.Literal.number(1))))
    if isinstance(node, exp.Div) and not isinstance(node.expression, exp.Literal):
        # DuckDB gives NULL for NULL / 0, where others fail: part_of of a refund whose sum is unknown.
        node.set("expression", exp.Nullif(this=node.expression.copy(), expression=exp.Literal.number(0)))
    if isinstance(node, exp.Anonymous) and node.name.lower() == "hash":  # its own has 32 bits
        return exp.func("XXHASH64", *node.expressions)
    if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal) and not isinstance(node.parent, exp.Cast):
        # Sail 0.7 says INT of `CASE … THEN -1 ELSE key`, and cuts the key.
        return exp.cast(node.copy(), "BIGINT") if node.this.is_int else node
    return node
