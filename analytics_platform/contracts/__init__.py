"""What each table promises: one Pandera model per table.

Columns, docs, rules, keys, write mode and windows are written here once; the gate, the DDL, the asset checks and
the Dagster metadata follow from them. The contracts of sources stand in their folders (sources/). Nothing in here
imports from the rest of the platform.
"""

import warnings

# Pandera imports pyspark.pandas where a client of Spark is installed, and that warns in every command.
warnings.filterwarnings("ignore", module="pyspark")

from analytics_platform.contracts.base import Contract, ContractType  # noqa: E402

__all__ = ["Contract", "ContractType"]
