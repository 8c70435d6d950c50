"""Random rows for a contract: values around the bounds of its rules, nulls, oddities of each type."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from random import Random

import pandera.polars as pa
import polars as pl

from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.ddl import polars_schema

_DAYS = (dt.date(2024, 2, 28), dt.date(2024, 2, 29), dt.date(2024, 3, 1))
_CLOCKS = (dt.time(0, 0), dt.time(0, 0, 0, 1), dt.time(23, 59, 59, 999_999))

# No NaN: Pandera calls it missing, SQL does not, and no model makes one (divisors are never 0, or null).
_PLAIN_VALUES: dict[type[pl.DataType], tuple[object, ...]] = {
    pl.String: ("", "purchase", "it's", "(direct)", "ö\U0001f6d2", 'a"b'),
    pl.Int64: (-1, 0, 1, 2, 2**40),
    pl.Boolean: (True, False),
    pl.Date: _DAYS,
    pl.Datetime: tuple(dt.datetime.combine(day, clock, dt.UTC) for day in _DAYS for clock in _CLOCKS),
    pl.Float64: (-0.5, 0.0, 0.5, 1.0, 1.5, float("inf"), float("-inf")),
    pl.Decimal: (Decimal("-1.0001"), Decimal(0), Decimal("0.0001"), Decimal("99999999999999.9999")),
}


def _near_bounds(column: pa.Column) -> Iterator[object]:
    """Values at the bounds of the column's rules and one step to either side."""
    for check in column.checks:
        for value in check.statistics.values():
            match value:
                case bool():
                    yield value
                case int() | float():
                    yield from (value - 1, value, value + 1)
                case list() | tuple() | set() | frozenset():
                    yield from value
                case _:
                    yield value


def _values(column: pa.Column, count: int, chance: Random) -> list[object]:
    """`count` values, of which a fourth is null: each value that can break a rule, then random ones."""
    plain = _PLAIN_VALUES[column.dtype.type.base_type()]
    known = list(dict.fromkeys([*_near_bounds(column), *plain]))
    drawn = [*known, *chance.choices(known, k=count)][:count]
    drawn[: count // 4] = [None] * (count // 4)
    chance.shuffle(drawn)
    return drawn


def random_frame(contract: ContractType, rows: int, seed: int) -> pl.DataFrame:
    """Rows with the contract's columns, whether they keep its rules or not: the same for the same seed."""
    chance = Random(f"{contract.table.name} {seed}")
    columns = {name: _values(column, rows, chance) for name, column in contract.columns.items()}
    return pl.DataFrame(columns, schema=polars_schema(contract), strict=False)  # bounds of decimals are whole numbers
