"""The simulated orders, placed through the service, are the truth's; placed again they change nothing."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from analytics_platform.demo.simulated_shop import buy, change_product, sell_out, stock_shop
from analytics_platform.demo.simulator import PURCHASES, read_purchases, simulate
from analytics_platform.demo.simulator.catalogue import RENAMED, VERSIONS
from analytics_platform.shop.service import Shop
from analytics_platform_tests.shop.kit import stored


def test_what_the_shop_sold_is_the_truth_about_the_simulation(shop: Shop, tmp_path: Path) -> None:
    truth = simulate(3, 25, seed=4, out=tmp_path, start=dt.date(2026, 3, 1)).total
    orders = list(read_purchases(tmp_path / PURCHASES))
    stock_shop(shop)

    sales = buy(shop, orders, truth["users", "people"])

    assert (sales.empty, sales.rejected) == (1, [])
    assert len(sales.totals) == truth["all", "orders"] - 1
    worth = {f"{order.client_id}/{order.transaction_id}": order.goods for order in orders if order.lines}
    assert sales.totals == worth
    assert sales.cancelled == sum(order.is_cancelled for order in orders) > 0
    before = stored(shop)
    assert before["outbox"] == []

    assert buy(shop, orders, truth["users", "people"]) == sales
    assert {**stored(shop), "outbox": []} == before


def test_a_product_gets_another_name_and_price(shop: Shop) -> None:
    stock_shop(shop)
    sql = "SELECT name, price FROM shop.products WHERE product_id = %s"
    with shop.database.transaction() as connection:
        before = connection.execute(sql, [RENAMED]).fetchone()
    change_product(shop)
    with shop.database.transaction() as connection:
        after = connection.execute(sql, [RENAMED]).fetchone()
    assert [before, after] == [VERSIONS[1], VERSIONS[2]]


def test_a_product_is_without_a_piece_from_a_time_in_the_past_on(shop: Shop) -> None:
    at = dt.datetime(2026, 3, 1, 18, tzinfo=dt.UTC)
    stock_shop(shop)
    sell_out(shop, at)
    with shop.database.transaction() as connection:
        sold_out = connection.execute("SELECT product_id, updated_at FROM shop.products WHERE stock = 0").fetchall()
    assert sold_out == [(RENAMED, at)]
