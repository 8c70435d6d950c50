"""The shop's operational store: customers and orders in PostgreSQL, carts in MongoDB, best sellers in Redis."""

from analytics_platform.shop.bulk import Outcome, place_orders
from analytics_platform.shop.catalogue import change_price, restock, seed_customers, seed_products, stock_of
from analytics_platform.shop.domain import BestSeller, Cart, CartLine, Customer, Order, OrderLine, Product
from analytics_platform.shop.errors import OrderRefusedError, ShopError, ShopUnavailableError
from analytics_platform.shop.orders import Wish
from analytics_platform.shop.outbox import Drained
from analytics_platform.shop.schema import migrate
from analytics_platform.shop.service import Shop, open_shop

__all__ = [
    "BestSeller",
    "Cart",
    "CartLine",
    "Customer",
    "Drained",
    "Order",
    "OrderLine",
    "OrderRefusedError",
    "Outcome",
    "Product",
    "Shop",
    "ShopError",
    "ShopUnavailableError",
    "Wish",
    "change_price",
    "migrate",
    "open_shop",
    "place_orders",
    "restock",
    "seed_customers",
    "seed_products",
    "stock_of",
]
