"""What each table promises: one Pandera model per table.

Columns, docs, rules, keys, write mode and windows are written here once; the gate, the DDL, the asset checks and
the Dagster metadata follow from them. The contracts of sources stand in their folders (sources/). Nothing in here
imports from the rest of the platform.
"""

from analytics_platform.contracts.base import Contract, ContractType

__all__ = ["Contract", "ContractType"]
