"""The warehouse in PostgreSQL. Rooms outside this one see it through `warehouse.Session` only."""

from analytics_platform.warehouse.postgres.session import PostgresWarehouse

__all__ = ["PostgresWarehouse"]
