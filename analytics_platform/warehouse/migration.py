"""How a stored table differs from its contract, and whether that can be changed without losing values.

Types are DuckDB's, whichever warehouse holds the table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from analytics_platform.catalog import CONTRACTS
from analytics_platform.warehouse.session import WarehouseError

_DIGITS = {"INTEGER": (10, 0), "BIGINT": (19, 0)}
"""Whole-number type → decimal digits that every value fits in, and those of them after the point."""

_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")


@dataclass(frozen=True, slots=True)
class Changes:
    """Columns to add, and columns whose type is to be widened: name → type."""

    added: Mapping[str, str]
    widened: Mapping[str, str]


def changes(table: str, stored: Mapping[str, str], promised: Mapping[str, str]) -> Changes:
    """Return what makes the stored columns those that are promised (both name → type).

    Raises `WarehouseError` if a stored column is not promised any more, or a type would lose values.
    """
    for name in stored:
        if name not in promised:
            raise WarehouseError(f"{table}.{name} is stored but its contract has no such column: {_remedy(table)}")
    differing = {name: kind for name, kind in promised.items() if stored.get(name, kind) != kind}
    for name, kind in differing.items():
        if not _is_wider(stored[name], kind):
            raise WarehouseError(
                f"{table}.{name} is stored as {stored[name]} but its contract says {kind}: {_remedy(table)}"
            )
    return Changes({name: kind for name, kind in promised.items() if name not in stored}, differing)


def _remedy(table: str) -> str:
    if CONTRACTS[table].table.write == "batches":
        return "change the contract back, or the stored column by hand (ALTER TABLE), after a backup."
    return "run `analytics-platform materialize`, which replaces the table and builds all days again."


def _is_wider(old: str, new: str) -> bool:
    """Return whether every value of the type `old` is a value of `new`, exactly."""
    if new in ("BIGINT", "VARCHAR"):
        return old == "INTEGER" or (old, new) == ("BIGINT", "VARCHAR")
    (old_digits, old_scale), (digits, scale) = (
        tuple(map(int, found.groups())) if (found := _DECIMAL.fullmatch(kind)) else _DIGITS.get(kind, (99, 99))
        for kind in (old, new)
    )
    return _DECIMAL.fullmatch(new) is not None and scale >= old_scale and digits - scale >= old_digits - old_scale
