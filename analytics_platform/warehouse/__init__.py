"""Where tables live: windowed reads, atomic publish, batch loads with ledger and audit log.

No Dagster in here. Every change of a table is one transaction, and every statement's values are bound.
"""

from analytics_platform.warehouse.audit import RuleResult, rule_descriptions
from analytics_platform.warehouse.duckdb import DuckDBSession, DuckDBWarehouse
from analytics_platform.warehouse.ledger import LEDGER_TABLES
from analytics_platform.warehouse.load import load_batch
from analytics_platform.warehouse.open import open_warehouse
from analytics_platform.warehouse.replay import replay_batch
from analytics_platform.warehouse.session import BatchCard, Loaded, Publication, Session, Warehouse, WarehouseError

__all__ = [
    "LEDGER_TABLES",
    "BatchCard",
    "DuckDBSession",
    "DuckDBWarehouse",
    "Loaded",
    "Publication",
    "RuleResult",
    "Session",
    "Warehouse",
    "WarehouseError",
    "load_batch",
    "open_warehouse",
    "replay_batch",
    "rule_descriptions",
]
