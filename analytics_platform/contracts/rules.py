"""From a contract to its rules, each in two forms: a Pandera check and one SQL expression.

The Pandera form checks frames (the gate), the SQL form checks stored tables. A property test proves that both reject
the same rows.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

import pandera.polars as pa
import polars as pl

from analytics_platform.contracts.sql import literal, quote

if TYPE_CHECKING:
    from analytics_platform.contracts.base import ContractType

Severity: TypeAlias = Literal["error", "warn"]

NOT_NULL = "not_nullable"
"""The name Pandera gives to a null in a column that must not have one."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule for single rows: `sql` must not be false. Unknown (null) passes, as in SQL.

    A rule over one `column` has the `reason` for which the gate rejects a record.
    """

    name: str
    sql: str
    description: str
    severity: Severity = "error"
    column: str | None = None
    reason: str = ""


_CHECKS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "isin": ("not an allowed value", "{column} IN ({allowed_values})"),
        "notin": ("a forbidden value", "{column} NOT IN ({forbidden_values})"),
        "greater_than": ("too small", "{column} > {min_value}"),
        "greater_than_or_equal_to": ("too small", "{column} >= {min_value}"),
        "less_than": ("too large", "{column} < {max_value}"),
        "less_than_or_equal_to": ("too large", "{column} <= {max_value}"),
        "in_range": ("out of range", "{column} BETWEEN {min_value} AND {max_value}"),
        "str_matches": ("malformed", "regexp_matches({column}, {pattern})"),
    }
)
"""Name of a Pandera check → reason of a rejection, and its SQL form with the names of its statistics."""

FIELD_CHECKS = ("isin", "notin", "gt", "ge", "lt", "le", "in_range", "str_matches")
"""The keywords of these checks in a field."""


def check_rule(column: str, check: pa.Check) -> Rule:
    """Return the rule of one Pandera check on one column. Raises `TypeError` for a check without a SQL form."""
    name = check.name or ""
    if name not in _CHECKS:
        raise TypeError(f"{column}: check '{name}' has no SQL form; write it as a Rule")
    reason, form = _CHECKS[name]
    values = {
        key: literal(value) if isinstance(value, str | int | float | dt.date) else ", ".join(map(literal, value))
        for key, value in (check.statistics or {}).items()
    }
    sql, description = (form.format(column=name, **values) for name in (quote(column), column))
    return Rule(f"{column}__{name}", sql, description, column=column, reason=reason)


def column_rules(columns: Mapping[str, pa.Column]) -> Iterator[Rule]:
    """Yield the rules of single columns, in column order."""
    for name, column in columns.items():
        if not column.nullable:
            sql = f"{quote(name)} IS NOT NULL"
            if column.dtype.type == pl.Float64:  # not a number is missing too, as Pandera has it
                sql += f" AND NOT isnan({quote(name)})"
            yield Rule(f"{name}__not_null", sql, f"{name} is never missing.", column=name, reason="missing")
        yield from (check_rule(name, check) for check in column.checks)


def schema_of(contract: ContractType) -> pa.DataFrameSchema:
    """Return the Pandera schema of a contract, rules over several columns included."""
    schema = contract.to_schema()
    for rule in contract.table.rules:
        passes = pl.sql_expr(rule.sql).fill_null(True)
        check = pa.Check(lambda data, passes=passes: data.lazyframe.select(passes), name=rule.name, error=rule.name)
        schema.checks = [*schema.checks, check]
    return schema
