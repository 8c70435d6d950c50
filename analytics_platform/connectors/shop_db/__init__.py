"""Customers, products, orders and their items from the shop's own PostgreSQL: what changed since the last reading."""

from analytics_platform.connectors.shop_db.errors import ShopDatabaseError
from analytics_platform.connectors.shop_db.position import Position, PositionError
from analytics_platform.connectors.shop_db.reader import BatchSize, Rows, ShopDatabase
from analytics_platform.connectors.shop_db.tables import TABLES, ShopTable

__all__ = [
    "TABLES",
    "BatchSize",
    "Position",
    "PositionError",
    "Rows",
    "ShopDatabase",
    "ShopDatabaseError",
    "ShopTable",
]
