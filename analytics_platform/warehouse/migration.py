"""How a stored table differs from its contract, and whether that can be put right without losing anything.

Types are DuckDB's, whichever warehouse holds the table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from analytics_platform.warehouse.types import WarehouseError

_DIGITS = {"INTEGER": 10, "BIGINT": 19}
"""Decimal digits that every value of a whole-number type fits in."""

_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")


@dataclass(frozen=True, slots=True)
class Changes:
    """Columns to add, and columns whose type is to be widened: name → type."""

    added: Mapping[str, str]
    widened: Mapping[str, str]


def changes(table: str, stored: Mapping[str, str], promised: Mapping[str, str]) -> Changes:
    """What makes the stored columns those that are promised (both name → type).

    Raises `WarehouseError` if a stored column is not promised any more, or a type would lose values.
    """
    dropped = [name for name in stored if name not in promised]
    if dropped:
        raise WarehouseError(
            f"{table}.{dropped[0]} is stored but its contract has no such column: put it back into the contract, "
            f"or drop the column by hand (ALTER TABLE {table} DROP COLUMN {dropped[0]})."
        )
    differing = {name: kind for name, kind in promised.items() if name in stored and stored[name] != kind}
    for name, kind in differing.items():
        if not is_wider(stored[name], kind):
            raise WarehouseError(
                f"{table}.{name} is stored as {stored[name]} but its contract says {kind}: "
                "change the contract back, or drop the table and materialize it again."
            )
    return Changes({name: kind for name, kind in promised.items() if name not in stored}, differing)


def is_wider(old: str, new: str) -> bool:
    """Whether every value of the type `old` is a value of `new`, exactly."""
    if new == "BIGINT":
        return old == "INTEGER"
    wanted = _DECIMAL.fullmatch(new)
    if wanted is None:
        return False
    digits, scale = int(wanted[1]), int(wanted[2])
    found = _DECIMAL.fullmatch(old)
    old_digits, old_scale = (int(found[1]), int(found[2])) if found else (_DIGITS.get(old, 99), 0)
    return scale >= old_scale and digits - scale >= old_digits - old_scale
