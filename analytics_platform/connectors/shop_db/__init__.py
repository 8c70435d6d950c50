"""Customers, products, orders and their items from the shop's own PostgreSQL: what changed since the last reading."""

from analytics_platform.connectors.batches import BatchSize
from analytics_platform.connectors.shop_db.reader import ShopDatabase, ShopRows
from analytics_platform.connectors.shop_db.tables import TABLES, ShopDatabaseError, ShopPosition, ShopTable

__all__ = ["TABLES", "BatchSize", "ShopDatabase", "ShopDatabaseError", "ShopPosition", "ShopRows", "ShopTable"]
