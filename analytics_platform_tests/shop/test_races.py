"""Many buy the last pieces at once, and processes are killed among them: never sold twice, never lost, never stuck."""

from __future__ import annotations

import random
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from analytics_platform.settings import Settings
from analytics_platform.shop.domain import Order
from analytics_platform.shop.errors import OutOfStockError
from analytics_platform.shop.orders import OrderRequest
from analytics_platform.shop.service import Shop, place_orders
from analytics_platform_tests.shop.buyers import start_buyer
from analytics_platform_tests.shop.kit import DESK, LAMP, VASE, cart_of, furnish, rows, stock, stored
from analytics_platform_tests.slow import spread


def test_fifty_who_race_for_ten_pieces_buy_ten_and_are_rejected_990_times(shop: Shop) -> None:
    customer = furnish(shop, stock=10)

    def attempt(number: int) -> str:
        try:
            shop.place_order(cart_of((LAMP, 1)), customer, f"race/{number}", follow_up=False)
        except OutOfStockError as error:
            assert (error.product_id, error.wanted, error.left) == (LAMP, 1, 0)
            return "rejected"
        return "sold"

    with ThreadPoolExecutor(50) as threads:
        outcomes = Counter(threads.map(attempt, range(1_000)))

    assert outcomes == {"sold": 10, "rejected": 990}
    assert stock(shop)[LAMP] == 0
    assert rows(shop, "SELECT sum(quantity), count(*) FROM shop.order_items") == [(10, 10)]


def test_carts_in_any_order_never_wait_for_each_other_in_a_circle(shop: Shop) -> None:
    customer = furnish(shop, stock=1_000)
    rng = random.Random(6)
    carts = [rng.sample(((LAMP, 1), (DESK, 2), (VASE, 1)), 3) for _ in range(200)]
    requests = [OrderRequest(cart_of(*lines), customer, f"circle/{number}") for number, lines in enumerate(carts)]

    placed = place_orders(shop, requests, at_once=16)

    assert all(isinstance(order, Order) for order in placed) and len(placed) == 200
    assert stock(shop) == {LAMP: 800, DESK: 600, VASE: 800}


def test_retries_that_race_get_the_same_order(shop: Shop) -> None:
    customer = furnish(shop, stock=1)

    def attempt(_: int) -> Order:
        return shop.place_order(cart_of((LAMP, 1)), customer, "same")

    with ThreadPoolExecutor(16) as threads:
        orders = set(threads.map(attempt, range(64)))

    assert len(orders) == 1
    assert stock(shop)[LAMP] == 0


@pytest.mark.parametrize("seed", spread(4, 1))
def test_with_processes_killed_anywhere_ten_pieces_are_sold_ten_times(
    seed: int, shop: Shop, settings: Settings
) -> None:
    customer = furnish(shop, stock=10)
    rng = random.Random(seed)
    own = {
        "shop_database_url": settings.shop_database_url.get_secret_value(),
        "mongodb_uri": settings.mongodb_uri.get_secret_value(),
        "mongodb_database": settings.mongodb_database,
        "redis_url": settings.redis_url.get_secret_value(),
    }
    keys = [[f"buyer{buyer}/{number}" for number in range(20)] for buyer in range(4)]
    buyers = [start_buyer(own, customer, keys[0], True, rng.randrange(4, 40))]
    buyers += [start_buyer(own, customer, keys[buyer], False, None) for buyer in range(1, 4)]
    for buyer in buyers:
        buyer.join(timeout=120)

    assert [buyer.exitcode for buyer in buyers] == [-signal.SIGKILL, 0, 0, 0]
    assert_sales_add_up(shop, sold=10)

    before = stored(shop)["orders"]
    again = start_buyer(own, customer, [key for each in keys for key in each], False, None)  # all orders are repeated
    again.join(timeout=120)
    assert again.exitcode == 0
    assert stored(shop)["orders"] == before
    drained = shop.drain_outbox()
    assert (drained.left, drained.reasons) == (0, ())
    assert_sales_add_up(shop, sold=10)


def assert_sales_add_up(shop: Shop, sold: int) -> None:
    assert stock(shop)[LAMP] == 10 - sold
    assert rows(shop, "SELECT count(*), sum(total) / 19.99 FROM shop.orders") == [(sold, sold)]
    assert rows(
        shop,
        """SELECT count(*) FROM shop.orders LEFT JOIN (
            SELECT order_id, sum(quantity * unit_price) AS total FROM shop.order_items GROUP BY order_id
        ) AS lines USING (order_id) WHERE lines.total IS DISTINCT FROM orders.total""",
    ) == [(0,)]
