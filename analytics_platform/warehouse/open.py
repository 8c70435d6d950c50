"""Which warehouse the settings name. The only place that knows there is more than one."""

from __future__ import annotations

from analytics_platform.settings import Settings
from analytics_platform.warehouse.duckdb import DuckDBWarehouse
from analytics_platform.warehouse.session import Warehouse, WarehouseError


def open_warehouse(settings: Settings) -> Warehouse:
    """Return the warehouse at WAREHOUSE_URL. Nothing is connected until a session is opened."""
    memory = settings.warehouse_memory
    if settings.is_on_delta:
        try:
            from analytics_platform.warehouse.delta.session import DeltaWarehouse
        except ModuleNotFoundError as error:
            raise WarehouseError(
                "Delta tables need a package more: pip install 'analytics-platform[delta]'."
            ) from error
        from analytics_platform.warehouse.delta.place import place_of

        return DeltaWarehouse(place_of(settings), memory, spark_remote=settings.spark_remote.get_secret_value())
    if not settings.is_on_postgres:
        return DuckDBWarehouse(settings.warehouse_path, memory)
    from analytics_platform.warehouse.postgres.session import PostgresWarehouse  # its driver DuckDB does not need

    return PostgresWarehouse(settings.warehouse_url.get_secret_value(), memory, settings.statement_timeout)
