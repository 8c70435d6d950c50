"""The shop: orders per second with 1, 8 and 32 clients against bare SQL, and the top ten from cache against the query.

`python -m benchmarks.shop [--orders 4000] [--history 200000]`, on an embedded PostgreSQL that keeps what it commits,
and an embedded Redis. Clients are threads of one process, each order has two of 1,000 products. The bare transaction is
what remains without a service: lock, insert order and lines, update the stock, commit, with nothing checked or noted.
Both are measured in turns, and the fastest of each counts.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

from psycopg_pool import ConnectionPool

from analytics_platform.demo.servers.databases import serve_postgres, serve_redis
from analytics_platform.settings import load_settings
from analytics_platform.shop.catalogue import seed_customers, seed_products
from analytics_platform.shop.domain import Cart, CartLine, Customer, Product
from analytics_platform.shop.schema import migrate
from analytics_platform.shop.service import Shop, open_shop
from benchmarks.report import Figure, report

CLIENTS = (1, 8, 32)
PRODUCTS = 1_000
READS = 2_000
TURNS = 2

_LOCK = "SELECT price FROM shop.products WHERE product_id = ANY(%s) ORDER BY product_id FOR NO KEY UPDATE"
_ORDER = """
INSERT INTO shop.orders (order_key, customer_id, status, total) VALUES (%s, %s, 'placed', 2) RETURNING order_id
"""
_LINES = """
INSERT INTO shop.order_items (order_id, line, product_id, quantity, unit_price)
VALUES (%s, 1, %s, 1, 1), (%s, 2, %s, 1, 1)
"""
_STOCK = "UPDATE shop.products SET stock = stock - 1 WHERE product_id = ANY(%s)"

_HISTORY = """
WITH placed AS (
    INSERT INTO shop.orders (order_key, customer_id, status, total)
    SELECT 'history/' || number, %(customer)s, 'placed', 2 FROM generate_series(1, %(orders)s) AS number
    RETURNING order_id
)
INSERT INTO shop.order_items (order_id, line, product_id, quantity, unit_price)
SELECT order_id, line, 'p' || (order_id * 7919 + line * 31) %% %(products)s, 1, 1
FROM placed, generate_series(1, 2) AS line
"""

Buy = Callable[[str, list[str]], object]


def through_service(shop: Shop, customer: int) -> Buy:
    """An order through the service, what follows it done at once."""
    return lambda key, chosen: shop.place_order(Cart(tuple(CartLine(each, 1) for each in chosen)), customer, key)


def bare(pool: ConnectionPool, customer: int) -> Buy:
    """The same rows by plain SQL."""

    def buy(key: str, chosen: list[str]) -> None:
        with pool.connection() as connection:
            connection.execute(_LOCK, [chosen]).fetchall()
            row = connection.execute(_ORDER, [key, customer]).fetchone()
            assert row is not None
            connection.execute(_LINES, [row[0], chosen[0], row[0], chosen[1]])
            connection.execute(_STOCK, [chosen])

    return buy


def seconds(buy: Buy, name: str, orders: int, clients: int) -> float:
    """Seconds that all clients together need for all orders."""
    rng = random.Random(clients)
    baskets = [[f"p{number}" for number in rng.sample(range(PRODUCTS), 2)] for _ in range(orders)]
    started = time.perf_counter()
    with ThreadPoolExecutor(clients) as threads:
        for _ in threads.map(lambda number: buy(f"{name}/{clients}/{number}", baskets[number]), range(orders)):
            pass
    return time.perf_counter() - started


def measure_orders(
    shop: Shop, pool: ConnectionPool, customer: int, orders: int
) -> tuple[list[Figure], dict[str, float]]:
    """Both ways in turns, for each number of clients."""
    figures, ratios = [], {}
    ways = {"bare transaction": bare(pool, customer), "place_order": through_service(shop, customer)}
    for clients in CLIENTS:
        took: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(TURNS):
            for name, buy in ways.items():
                took[name].append(seconds(buy, f"{name}/{turn}", orders, clients))
        figures += [Figure(f"{name}, {clients} clients", orders, min(each)) for name, each in took.items()]
        ratios[f"place_order / bare, {clients} clients"] = min(took["place_order"]) / min(took["bare transaction"])
    return figures, ratios


def median_seconds(read: Callable[[], object], times: int) -> float:
    """The median time of a read."""
    took = []
    for _ in range(times):
        started = time.perf_counter()
        read()
        took.append(time.perf_counter() - started)
    return statistics.median(took)


def measure_top(shop: Shop, customer: int, history: int) -> tuple[list[Figure], dict[str, float]]:
    """The top ten of a history of orders, from the cache and counted."""
    with shop.database.transaction() as connection:
        connection.execute(_HISTORY, {"customer": customer, "orders": history, "products": PRODUCTS})
    with shop.database.transaction() as connection:
        connection.execute("ANALYZE shop.orders, shop.order_items")
    shop.top_sellers()
    counted, cached = median_seconds(shop.count_top_sellers, 5), median_seconds(shop.top_sellers, READS)
    return [
        Figure("top ten counted", 1, counted, f"median; {history:,} orders and those above"),
        Figure("top ten from the cache", 1, cached, f"median of {READS:,} reads"),
    ], {"counted / from the cache": counted / cached}


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=4_000, help="orders per measurement")
    parser.add_argument("--history", type=int, default=200_000, help="orders that the top ten are counted from")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="shop-") as folder,
        serve_postgres(Path(folder) / "server") as postgres,
        serve_redis() as redis,
    ):
        url = postgres.make_database("shop")
        migrate(url)
        settings = load_settings(shop_database_url=url, redis_url=redis.url, mongodb_uri="")
        with open_shop(settings, max(CLIENTS)) as shop, ConnectionPool(url, min_size=1, max_size=max(CLIENTS)) as pool:
            stock = 10**9
            products = (Product(f"p{each}", f"Product {each}", "x", Decimal(1), stock) for each in range(PRODUCTS))
            seed_products(shop.database, products)
            customer = seed_customers(shop.database, [Customer("ada@mail.example", "Ada")])["ada@mail.example"]
            figures, ratios = measure_orders(shop, pool, customer, options.orders)
            more, top_ratio = measure_top(shop, customer, options.history)
    report("shop", [*figures, *more], {**ratios, **top_ratio}, {"products": PRODUCTS, "lines per order": 2})


if __name__ == "__main__":
    main()
