"""What each table promises: one Pandera model per table.

Columns, docs, rules, keys, write mode and windows are written here once; the gate, the DDL, the asset checks and
the Dagster metadata follow from them. Nothing in here imports from the rest of the platform.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from analytics_platform.contracts import cleaned, marts, ops, sessionized, shop, star
from analytics_platform.contracts.base import Contract, ContractType


def _collect() -> Mapping[str, ContractType]:
    """Every contract by table name, in the order data flows."""
    found: dict[str, ContractType] = {}
    for module in (ops, cleaned, shop, sessionized, star, marts):
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Contract) and value is not Contract:
                found.setdefault(value.table.name, value)
    return MappingProxyType(found)


CONTRACTS: Mapping[str, ContractType] = _collect()
"""Table name → contract."""

__all__ = ["CONTRACTS", "Contract", "ContractType"]
