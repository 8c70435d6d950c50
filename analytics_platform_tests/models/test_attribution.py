"""Credit for orders: each model gives the whole of it to one visit, within the look-back."""

from __future__ import annotations

import datetime as dt
import random
from pathlib import Path
from typing import Any

import pytest

from analytics_platform_tests.kit import Row, built_platform, click

ORDER_AT = dt.datetime(2024, 3, 31, 12, tzinfo=dt.UTC)
NEWS = "https://shop.example/?utm_source=news&utm_medium=email&utm_campaign=may"
AD = "https://shop.example/?utm_source=google&utm_medium=cpc"
DIRECT = "https://shop.example/"


def visit(days_before: float, page: str, client: str = "ada") -> Row:
    return click(client, ORDER_AT - dt.timedelta(days=days_before), page_url=page)


def order(client: str = "ada", revenue: object = 10, page: str = DIRECT, transaction: str = "T1") -> Row:
    data = {"transaction_id": transaction, "revenue": revenue}
    return click(client, ORDER_AT, "checkout_completed", data=data, page_url=page)


def credits_of(root: Path, *rows: Row, **settings: Any) -> dict[str, str]:
    """Model → source that gets the credit of the one order."""
    with built_platform(root, rows, {"marts.attribution"}, **settings) as session:
        return {
            str(model): str(source) for model, source in session.rows("SELECT model, source FROM marts.attribution")
        }


def test_first_last_and_last_non_direct_touch(tmp_path: Path) -> None:
    assert credits_of(tmp_path, visit(9, NEWS), visit(5, AD), visit(2, DIRECT), order()) == {
        "first_touch": "news",
        "last_touch": "(direct)",
        "last_non_direct": "google",
    }


def test_an_order_with_direct_touches_only_credits_direct(tmp_path: Path) -> None:
    assert set(credits_of(tmp_path, visit(3, DIRECT), order()).values()) == {"(direct)"}


@pytest.mark.parametrize(("days_before", "source"), [(30, "news"), (30.4, "news"), (31, "(direct)")])
def test_the_look_back_is_thirty_days_before_the_day_of_the_order(
    tmp_path: Path, days_before: float, source: str
) -> None:
    assert credits_of(tmp_path, visit(days_before, NEWS), order())["first_touch"] == source


def test_the_look_back_is_a_setting(tmp_path: Path) -> None:
    rows = visit(3, NEWS), order()
    assert credits_of(tmp_path / "short", *rows, attribution_lookback_days=2)["first_touch"] == "(direct)"
    assert credits_of(tmp_path / "long", *rows, attribution_lookback_days=3)["first_touch"] == "news"


def test_visits_after_the_order_and_of_others_get_no_credit(tmp_path: Path) -> None:
    later, other = visit(-0.5, NEWS), visit(1, AD, client="bob")
    assert set(credits_of(tmp_path, order(), later, other).values()) == {"(direct)"}


def test_visits_of_the_same_person_on_another_device_are_touches(tmp_path: Path) -> None:
    logins = [{**visit(days, DIRECT, client), "user_id": "ada"} for days, client in ((8, "phone"), (6, "laptop"))]
    rows = visit(9, NEWS, "phone"), *logins, order("laptop")
    assert credits_of(tmp_path, *rows)["first_touch"] == "news"


def test_an_order_on_a_shared_device_keeps_the_visit_it_was_placed_in(tmp_path: Path) -> None:
    """The session is its last user's, the order its own user's: two persons."""
    users = [{**visit(days, DIRECT), "user_id": user} for days, user in ((4, "bob"), (-0.001, "eve"))]
    found = credits_of(tmp_path, {**order(page=NEWS), "user_id": "ada"}, *users, shared_device_users=1)
    assert set(found.values()) == {"news"}


def test_the_visit_of_the_order_itself_is_a_touch(tmp_path: Path) -> None:
    assert set(credits_of(tmp_path, order(page=NEWS)).values()) == {"news"}


def test_a_bots_visit_gets_no_credit(tmp_path: Path) -> None:
    crawled = click("ada", ORDER_AT - dt.timedelta(days=2), page_url=NEWS, user_agent="Googlebot/2.1")
    assert set(credits_of(tmp_path, crawled, order()).values()) == {"(direct)"}


def test_credit_of_every_model_sums_to_the_revenue_of_the_day_exactly(tmp_path: Path) -> None:
    chance = random.Random(7)
    clients = [f"client {n}" for n in range(12)]
    rows = [visit(chance.uniform(0, 35), chance.choice([NEWS, AD, DIRECT]), chance.choice(clients)) for _ in range(60)]
    rows += [order(client, chance.choice(["0.1", "19.99", 0, None]), transaction=client) for client in clients]
    with built_platform(tmp_path, rows, {"marts.attribution", "star.fact_orders"}) as session:
        wrong = session.rows(
            """
            WITH sold AS (
                SELECT order_date AS date, count(*) AS orders, sum(revenue) AS revenue
                FROM star.fact_orders GROUP BY 1
            ),
            credited AS (
                SELECT date, model, sum(orders) AS orders, sum(revenue) AS revenue FROM marts.attribution GROUP BY 1, 2
            )
            SELECT * FROM sold JOIN credited USING (date)
            WHERE sold.orders <> credited.orders OR sold.revenue <> credited.revenue
            """
        )
        models = session.rows("SELECT count(DISTINCT model), sum(orders) FROM marts.attribution")
    assert wrong == []
    assert models == [(3, 3 * len(clients))]
