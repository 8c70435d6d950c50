"""Which warehouse the settings name. The only place that knows there is more than one."""

from __future__ import annotations

from analytics_platform.engine import macros
from analytics_platform.settings import Settings
from analytics_platform.warehouse.duckdb import DuckDBWarehouse
from analytics_platform.warehouse.session import Warehouse


def open_warehouse(settings: Settings) -> Warehouse:
    """The warehouse at WAREHOUSE_URL. Nothing is connected until a session is opened."""
    return DuckDBWarehouse(settings.warehouse_path, settings.warehouse_memory, macros())
