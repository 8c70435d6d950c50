"""From a contract to its rules, each in two forms: a Pandera check and one SQL expression.

The Pandera form judges frames (the gate), the SQL form judges tables where they lie. A property test proves
that both give the same verdict on any rows.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import pandera.polars as pa
import polars as pl

from analytics_platform.contracts.base import ContractType, RowRule, Severity, table_of

NOT_NULL = "not_nullable"
"""The name Pandera gives to a null in a column that must not have one."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One promise about a row. `sql` must not be false; `reason` is what a refused row is told."""

    name: str
    column: str | None
    reason: str
    sql: str
    description: str
    severity: Severity = "error"


def quote(identifier: str) -> str:
    """`identifier` as a quoted SQL name."""
    return '"' + identifier.replace('"', '""') + '"'


def quote_table(name: str) -> str:
    """`schema.table` as a quoted SQL name."""
    return ".".join(quote(part) for part in name.split("."))


def literal(value: object) -> str:
    """`value` as a SQL literal. Raises `TypeError` for types that contracts do not use."""
    match value:
        case bool():
            return "TRUE" if value else "FALSE"
        case int() | float():
            return repr(value)
        case str():
            return "'" + value.replace("'", "''") + "'"
        case dt.datetime():
            return f"TIMESTAMPTZ '{value.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S.%f}+00:00'"
        case dt.date():
            return f"DATE '{value.isoformat()}'"
    raise TypeError(f"no SQL literal for {type(value).__name__}")


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
    return Rule(f"{column}__{name}", column, _REASONS[name], sql, f"{column}: {check.error or sql}")


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


@lru_cache(maxsize=256)
def rules_of(contract: ContractType) -> tuple[Rule, ...]:
    """All row rules of a contract: by column in column order, then the rules over several columns."""
    rules: list[Rule] = []
    for name, column in contract.to_schema().columns.items():
        if not column.nullable:
            rules.append(null_rule(name, column.dtype.type == pl.Float64))
        rules.extend(check_rule(name, check) for check in column.checks)
    rules.extend(row_rule(rule) for rule in table_of(contract).rules)
    return tuple(rules)


def _as_check(rule: RowRule) -> pa.Check:
    expression = pl.sql_expr(rule.sql).fill_null(True)
    return pa.Check(lambda data: data.lazyframe.select(expression), name=rule.name, error=rule.name)


@lru_cache(maxsize=256)
def schema_of(contract: ContractType) -> pa.DataFrameSchema:
    """The Pandera schema of a contract, rules over several columns included."""
    schema = contract.to_schema()
    schema.checks = [*schema.checks, *(_as_check(rule) for rule in table_of(contract).rules)]
    return schema
