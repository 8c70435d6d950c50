"""Which warehouse the settings name. The only place that knows there is more than one."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from typing import TYPE_CHECKING

from analytics_platform.errors import UserError
from analytics_platform.settings import Settings
from analytics_platform.warehouse.duckdb import DuckDBWarehouse
from analytics_platform.warehouse.session import Warehouse, WarehouseError

if TYPE_CHECKING:
    from analytics_platform.warehouse.delta.warehouse import DeltaWarehouse


def open_warehouse(settings: Settings) -> Warehouse:
    """Return the warehouse at WAREHOUSE_URL. Nothing is connected until a session is opened."""
    memory = settings.warehouse_memory
    if settings.is_on_delta:
        return open_delta(settings)
    if not settings.is_on_postgres:
        return DuckDBWarehouse(settings.warehouse_path, memory)
    from analytics_platform.warehouse.postgres.session import PostgresWarehouse  # its driver DuckDB does not need

    return PostgresWarehouse(settings.warehouse_url.get_secret_value(), memory, settings.statement_timeout)


def open_delta(settings: Settings, as_of: int | dt.datetime | None = None) -> DeltaWarehouse:
    """Return the Delta tables at WAREHOUSE_URL, as they are or were. Raises `WarehouseError` if there are none."""
    if not settings.is_on_delta:
        raise WarehouseError("Only Delta tables keep what they were: set WAREHOUSE_URL to lake:///… or lake+s3://…")
    try:
        from analytics_platform.warehouse.delta.place import place_of
        from analytics_platform.warehouse.delta.warehouse import DeltaWarehouse
    except ModuleNotFoundError as error:
        raise WarehouseError("Delta tables need a package more: pip install 'analytics-platform[delta]'.") from error
    spark = settings.spark_remote.get_secret_value()
    return DeltaWarehouse(place_of(settings), settings.warehouse_memory, as_of, spark)


def parse_as_of(text: str) -> int | dt.datetime:
    """Read the version of a table, or a time (UTC unless it says otherwise). Raises `UserError` for anything else."""
    with suppress(ValueError):
        if 0 <= (version := int(text)) < 2**63:
            return version
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        raise UserError(
            f"{text} is neither a version nor a time: write 12, 2026-03-01 or 2026-03-01T08:00:00Z."
        ) from None
    return at if at.tzinfo else at.replace(tzinfo=dt.UTC)
