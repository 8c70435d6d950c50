"""From a contract to its rules, each in two forms: a Pandera check and one SQL expression.

The Pandera form checks frames (the gate), the SQL form checks tables where they lie. A property test proves
that both give the same verdict on any rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pandera.polars as pa
import polars as pl

from analytics_platform.contracts.sql import literal, quote

if TYPE_CHECKING:
    from analytics_platform.contracts.base import ContractType

Severity: TypeAlias = Literal["error", "warn"]

NOT_NULL = "not_nullable"
"""The name Pandera gives to a null in a column that must not have one."""


@dataclass(frozen=True, slots=True)
class RowRule:
    """A rule over several columns of one row: `sql` must not be false. Unknown (null) passes, as in SQL."""

    name: str
    sql: str
    description: str
    severity: Severity = "error"


@dataclass(frozen=True, slots=True)
class Rule:
    """One promise about a row. `sql` must not be false; `reason` is what a rejected row is told."""

    name: str
    column: str | None
    reason: str
    sql: str
    description: str
    severity: Severity = "error"


def _literals(values: Iterable[object]) -> str:
    return ", ".join(literal(value) for value in values)


_SQL: Mapping[str, Callable[[str, Mapping[str, Any]], str]] = MappingProxyType(
    {
        "isin": lambda c, s: f"{c} IN ({_literals(s['allowed_values'])})",
        "notin": lambda c, s: f"{c} NOT IN ({_literals(s['forbidden_values'])})",
        "greater_than": lambda c, s: f"{c} > {literal(s['min_value'])}",
        "greater_than_or_equal_to": lambda c, s: f"{c} >= {literal(s['min_value'])}",
        "less_than": lambda c, s: f"{c} < {literal(s['max_value'])}",
        "less_than_or_equal_to": lambda c, s: f"{c} <= {literal(s['max_value'])}",
        "in_range": lambda c, s: f"{c} BETWEEN {literal(s['min_value'])} AND {literal(s['max_value'])}",
        "str_matches": lambda c, s: f"regexp_matches({c}, {literal(s['pattern'])})",
    }
)

_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "isin": "not an allowed value",
        "notin": "a forbidden value",
        "greater_than": "too small",
        "greater_than_or_equal_to": "too small",
        "less_than": "too large",
        "less_than_or_equal_to": "too large",
        "in_range": "out of range",
        "str_matches": "malformed",
    }
)


def check_rule(column: str, check: pa.Check) -> Rule:
    """The rule of one Pandera check on one column. Raises `TypeError` for a check without a SQL form."""
    name = check.name or ""
    if name not in _SQL:
        raise TypeError(f"{column}: check '{name}' has no SQL form; write it as a RowRule")
    sql = _SQL[name](quote(column), check.statistics or {})
    return Rule(f"{column}__{name}", column, _REASONS[name], sql, _SQL[name](column, check.statistics or {}))


def null_rule(column: str, is_float: bool = False) -> Rule:
    """The rule of a column that must not be null. Not a number is missing too, as Pandera has it."""
    name = quote(column)
    return Rule(
        f"{column}__not_null",
        column,
        "missing",
        f"{name} IS NOT NULL AND NOT isnan({name})" if is_float else f"{name} IS NOT NULL",
        f"{column} is never missing.",
    )


def row_rule(rule: RowRule) -> Rule:
    """The rule over several columns, as the table declares it."""
    return Rule(rule.name, None, rule.name, rule.sql, rule.description, rule.severity)


def column_rules(columns: Mapping[str, pa.Column]) -> Iterator[Rule]:
    """The rules of single columns, in column order."""
    for name, column in columns.items():
        if not column.nullable:
            yield null_rule(name, column.dtype.type == pl.Float64)
        yield from (check_rule(name, check) for check in column.checks)


def _as_check(rule: RowRule) -> pa.Check:
    expression = pl.sql_expr(rule.sql).fill_null(True)
    return pa.Check(lambda data: data.lazyframe.select(expression), name=rule.name, error=rule.name)


def schema_of(contract: ContractType) -> pa.DataFrameSchema:
    """The Pandera schema of a contract, rules over several columns included."""
    schema = contract.to_schema()
    schema.checks = [*schema.checks, *(_as_check(rule) for rule in contract.table.rules)]
    return schema
