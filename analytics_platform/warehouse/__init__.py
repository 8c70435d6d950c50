"""Where tables live: windowed reads, atomic publish, batch loads with ledger and audit log.

No Dagster in here. Every change of a table is one transaction, and every statement's values are bound.
"""

from analytics_platform.warehouse.audit import RuleResult, rule_descriptions
from analytics_platform.warehouse.duckdb import DuckDBSession, DuckDBWarehouse, Publication, WarehouseError
from analytics_platform.warehouse.load import BOOKS, BatchCard, Loaded, load_batch
from analytics_platform.warehouse.replay import replay_batch

__all__ = [
    "BOOKS",
    "BatchCard",
    "DuckDBSession",
    "DuckDBWarehouse",
    "Loaded",
    "Publication",
    "RuleResult",
    "WarehouseError",
    "load_batch",
    "replay_batch",
    "rule_descriptions",
]
