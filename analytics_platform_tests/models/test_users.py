"""What each customer does, likes and when they were last seen; and users that the API does not have."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from bson.int64 import Int64
from bson.objectid import ObjectId

from analytics_platform.transform import DayRange, all_models
from analytics_platform.warehouse.watchdog import unknown_events
from analytics_platform_tests.kit import (
    Platform,
    both_warehouses,
    build,
    click,
    contents,
    load_rows,
    needed,
    open_with_tables,
    opened,
    platform_on,
)
from analytics_platform_tests.names import USERS, WEB_LOGS
from analytics_platform_tests.shop_logs import load, log, put_logs, put_users, user
from analytics_platform_tests.shop_rows import customer, load_shop, order

NOON = dt.datetime(2024, 3, 1, 12)
MINUTE = dt.timedelta(minutes=1)
DAYS = DayRange(NOON.date(), NOON.date() + dt.timedelta(days=2))
TABLES = needed("marts.user_metrics", "marts.user_product_affinity", "ops.orphans", "star.fact_events")
ADA, BEN = user(1, "Ada Lovelace", email="ada@shop.example"), user(2, "Ben King")


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    yield open_with_tables(tmp_path)


def arrive(
    platform: Platform, *, logs: list[dict[str, object]] | None = None, users: list[dict[str, object]] | None = None
) -> None:
    """Let logs and users arrive, and build the days."""
    if users is not None:
        put_users(platform, *users)
    if logs is not None:
        put_logs(platform, logs)
    load(platform)
    with platform.session() as session:
        build(session, DAYS, platform.settings, TABLES)


def rows(platform: Platform, sql: str) -> list[tuple[object, ...]]:
    with platform.session(read_only=True) as session:
        return session.rows(sql)


def metrics(platform: Platform) -> list[tuple[object, ...]]:
    return rows(
        platform,
        "SELECT user_id, interactions, favourite_product, favourite_views, last_active_at "
        "FROM marts.user_metrics ORDER BY 1",
    )


def utc(moment: dt.datetime) -> dt.datetime:
    return moment.replace(tzinfo=dt.UTC)


def test_one_row_says_how_many_interactions_which_favourite_and_when_last_seen(platform: Platform) -> None:
    logs = [
        log(1, NOON, "view_item", "Hawaiian"),
        log(1, NOON + MINUTE, "view_item", "Hawaiian"),
        log(1, NOON + 2 * MINUTE, "view_item", "Marinara"),
        log(1, NOON + 3 * MINUTE, "add_to_cart", "Marinara"),
        log(1, NOON + 4 * MINUTE, "add_to_cart", "Marinara"),
        log(1, NOON + 50 * MINUTE, "apply_coupon"),
    ]
    arrive(platform, logs=logs, users=[ADA, BEN])

    assert metrics(platform) == [("1", 6, "Hawaiian", 2, utc(NOON + 50 * MINUTE)), ("2", 0, None, 0, None)]
    found = rows(
        platform, "SELECT name, sessions, orders, revenue, first_seen_at FROM marts.user_metrics WHERE user_id = '1'"
    )
    assert found == [("Ada Lovelace", 2, 0, Decimal(0), utc(NOON))]


@pytest.mark.parametrize(
    ("views", "favourite"),
    [
        (["B", "A", "A", "B"], "B"),  # as often: the one viewed latest
        (["B", "A", "C", "A", "B"], "B"),
        (["A", "A", "B"], "A"),
    ],
)
def test_the_favourite_is_viewed_most_of_equals_the_latest(
    views: list[str], favourite: str, platform: Platform
) -> None:
    arrive(platform, logs=[log(1, NOON + n * MINUTE, item=item) for n, item in enumerate(views)], users=[ADA])
    assert metrics(platform)[0][2] == favourite


def test_of_products_viewed_as_often_and_as_late_the_smallest_name_is_the_favourite(platform: Platform) -> None:
    arrive(platform, logs=[log(1, NOON, item="B"), log(1, NOON, item="A")], users=[ADA])
    assert metrics(platform)[0][2] == "A"


def test_a_call_that_only_tells_who_somebody_is_is_kept_and_is_no_interaction(platform: Platform) -> None:
    names = ("view_item", "identify", "group", "alias", "wiggle")
    arrive(platform, logs=[log(1, NOON + n * MINUTE, name, "P") for n, name in enumerate(names)], users=[ADA])
    assert [(row[1], row[4]) for row in metrics(platform)] == [(2, utc(NOON + 4 * MINUTE))]
    kept = rows(platform, "SELECT event_name FROM cleaned.events WHERE NOT is_known_event ORDER BY event_at")
    assert kept == [("identify",), ("group",), ("alias",), ("wiggle",)]


def test_words_of_logs_mean_the_same_in_every_form_and_spelling(platform: Platform) -> None:
    words = {
        "view_item": "VIEW, Views ,viewing,visits,Item-View,view details,productDetailView",
        "select_item": "Clicks,clicking,taps,click_item,ItemClick,product.selected",
        "add_to_cart": "adds,Adding,item_added,addItem",
        "remove_from_cart": "removes,deletes,item removed,Remove-Item",
        "purchase": "buys,BUYING,orders",
    }
    actions = [(name, word) for name, said in words.items() for word in said.split(",")]
    arrive(platform, logs=[log(1, NOON + n * MINUTE, word, "P") for n, (_, word) in enumerate(actions)], users=[ADA])
    found = rows(platform, "SELECT event_name FROM cleaned.events ORDER BY event_at")
    assert found == [(name,) for name, _ in actions]
    assert rows(platform, "SELECT clicks, favourite_views, orders FROM marts.user_metrics") == [(6, 7, 3)]


def test_interactions_of_all_sources_count_for_a_customer(platform: Platform) -> None:
    with platform.session() as session:
        data = {
            "transaction_id": "T1",
            "revenue": 19.5,
            "items": [{"item_id": "p1", "item_name": "Hawaiian", "price": 19.5}],
        }
        load_rows(platform, session, [click("browser", f"{NOON}Z", "checkout_completed", data=data, user_id="1")])
    arrive(platform, logs=[log(1, NOON + MINUTE, item="Hawaiian")], users=[ADA])

    found = rows(platform, "SELECT interactions, orders, revenue FROM marts.user_metrics")
    assert found == [(2, 1, Decimal("19.5"))]


def test_a_purchase_without_a_user_is_of_the_one_who_signed_in_before_it(platform: Platform) -> None:
    sold = {"transaction_id": "T1", "revenue": 19.5, "items": [{"item_id": "p1", "item_name": "Hawaiian"}]}
    with platform.session() as session:
        page = click("browser", f"{NOON}Z", user_id="1")
        bought, later = (
            click("browser", f"{NOON + n * MINUTE}Z", "purchase", data={**sold, "transaction_id": f"T{n}"})
            for n in (1, 90)  # of the same session, and of one in which nobody signed in
        )
        load_rows(platform, session, [page, bought, later])
    arrive(platform, users=[ADA])
    assert rows(platform, "SELECT interactions, sessions, orders, revenue FROM marts.user_metrics") == [
        (2, 1, 1, Decimal("19.5"))
    ]
    assert rows(platform, "SELECT product_name, orders FROM marts.user_product_affinity") == [("Hawaiian", 1)]


@both_warehouses
def test_an_order_is_a_figure_of_the_shops_customer_whoever_its_events_name(tmp_path: Path, kind: str) -> None:
    """A guest, and someone who orders in a browser where another signed in; the shop's database comes late."""
    at, tables = NOON.replace(tzinfo=dt.UTC), TABLES | needed("marts.customer_revenue")
    with opened(kind, tmp_path) as (platform, session):
        sold = {"revenue": 10, "items": [{"item_id": "p1", "item_name": "Hawaiian"}]}
        bought = (
            click(client, at, "purchase", data={**sold, "transaction_id": "T"}, user_id=user)
            for client, user in (("guest", ""), ("shared", "8"))
        )
        load_rows(platform, session, list(bought))
        build(session, DAYS, platform.settings, tables)
        load_shop(platform, session, "customers", [customer(number, at) for number in (5, 7, 8)])
        load_shop(platform, session, "orders", [order(1, "guest/T", 5, at), order(2, "shared/T", 7, at)])
        build(session, DAYS, platform.settings, tables)
        figures = "SELECT user_id, interactions, orders, revenue FROM marts.user_metrics ORDER BY 1"
        assert session.rows(figures) == [("5", 1, 1, 10), ("7", 1, 1, 10), ("8", 0, 0, 0)]
        bought_by = "SELECT user_id, orders FROM marts.user_product_affinity ORDER BY 1"
        assert session.rows(bought_by) == [("5", 1), ("7", 1), ("8", 0)]
        assert session.rows("SELECT sum(revenue) FROM marts.customer_revenue") == [(20,)]


def test_a_product_is_one_favourite_under_all_its_names_also_when_its_id_comes_late(platform: Platform) -> None:
    """Two names of one id, viewed three times, and another product viewed twice; logs know names only."""
    named = [
        click("c", f"{NOON}Z", "view_item", user_id="1", data={"items": [{"item_id": "p1", "item_name": name}]})
        for name in ("Hawaiian", "Hawaii")
    ]
    arrive(platform, logs=[log(1, NOON + 9 * MINUTE, item=item) for item in ("Hawaii", "Other", "Other")], users=[ADA])
    assert metrics(platform)[0][2:4] == ("Other", 2)
    with platform.session() as session:
        load_rows(platform, session, named)
        build(session, DAYS, platform.settings, TABLES)
    assert metrics(platform)[0][2:4] == ("Hawaii", 3)
    affinity = rows(
        platform, "SELECT product, product_name, views FROM marts.user_product_affinity ORDER BY rank LIMIT 1"
    )
    assert affinity == [("p1", "Hawaii", 3)]


def test_unknown_users_are_orphans_kept_counted_and_not_customers(platform: Platform) -> None:
    arrive(platform, logs=[log(1, NOON), log(9, NOON), log(9, NOON + MINUTE)], users=[ADA])

    assert rows(platform, "SELECT user_id, log_interactions FROM ops.orphans") == [("9", 2)]
    assert [row[0] for row in metrics(platform)] == ["1"]
    assert rows(platform, "SELECT count(*) FROM star.fact_events") == [(3,)]


def test_an_orphan_is_adopted_with_all_it_did_as_soon_as_the_api_knows_it(platform: Platform) -> None:
    arrive(platform, logs=[log(2, NOON, item="Marinara"), log(2, NOON + MINUTE, item="Marinara")], users=[ADA])
    assert rows(platform, "SELECT user_id FROM ops.orphans") == [("2",)]

    arrive(platform, users=[ADA, BEN])

    assert rows(platform, "SELECT user_id FROM ops.orphans") == []
    assert metrics(platform)[1] == ("2", 2, "Marinara", 2, utc(NOON + MINUTE))


def test_a_second_build_changes_nothing(platform: Platform) -> None:
    arrive(platform, logs=[log(n % 4, NOON + n * MINUTE, item=f"P{n % 3}") for n in range(20)], users=[ADA, BEN])
    with platform.session() as session:
        before = contents(session, all_models())
        build(session, DAYS, platform.settings, TABLES)
        assert contents(session, all_models()) == before


@both_warehouses
def test_logs_in_plain_words_of_customers_that_only_the_shop_has_are_theirs(kind: str, tmp_path: Path) -> None:
    words = {"view": 3500, "click": 1000, "Added": 300, "buy": 150, "rate": 50}
    people = [
        "1",
        2,
        3.0,
        Int64(4),
        "6d0c1d6e-0000-4000-8000-1c1c1c1c1c1c",
        ObjectId("65920080c2a6b1d1f3a4b5c6"),
        "guest",
    ]
    actions = [word for word, times in words.items() for _ in range(times)]
    logs = [
        log(people[n % 7], NOON + n * dt.timedelta(seconds=1), action, "Hawaiian" if n % 7 != 1 else f"P{n % 5}")
        for n, action in enumerate(actions)
    ]
    known = {
        str(person).removesuffix(".0"): [each for each in logs if each["user_id"] == person] for person in people[:6]
    }
    with platform_on(kind, tmp_path) as platform:
        put_logs(platform, logs)
        assert load(platform) == {WEB_LOGS: (5000, 0, 0), USERS: (0, 0, 0)}
        with platform.session() as session:
            at = utc(NOON)
            load_shop(platform, session, "customers", [customer(number, at) for number in [*known, "99"]])
            build(session, DAYS, platform.settings, TABLES)
        found = rows(
            platform,
            "SELECT user_id, interactions, clicks, favourite_product, favourite_views, last_active_at, orders, name "
            "FROM marts.user_metrics ORDER BY user_id",
        )
        orphans = rows(platform, "SELECT user_id, log_interactions FROM ops.orphans")
        with platform.session(read_only=True) as session:
            unmapped = unknown_events(session)

    def row(user_id: str, mine: list[dict[str, Any]]) -> tuple[object, ...]:
        count = Counter(each["action"] for each in mine)
        views = Counter(each["item_name"] for each in mine if each["action"] == "view").most_common(1)[0]
        last = utc(max(each["timestamp"] for each in mine))
        return (user_id, len(mine), count["click"], *views, last, count["buy"], "Ada")

    expected = [row(user_id, mine) for user_id, mine in known.items() if user_id != "2"]
    assert [each for each in found if each[0] not in ("2", "99")] == sorted(expected)
    assert ("99", 0, 0, None, 0, None, 0, "Ada") in found and len(found) == 7
    assert orphans == [("guest", sum(each["user_id"] == "guest" for each in logs))]
    assert unmapped == ["'rate' of web_logs (50)"]


def test_affinity_ranks_what_a_user_views_and_says_its_share(platform: Platform) -> None:
    arrive(platform, logs=[log(1, NOON + n * MINUTE, item=item) for n, item in enumerate("AABC")], users=[ADA])
    found = rows(platform, "SELECT product, rank, views, share_of_views FROM marts.user_product_affinity ORDER BY rank")
    assert found == [("A", 1, 2, 0.5), ("C", 2, 1, 0.25), ("B", 3, 1, 0.25)]


def test_what_a_user_tells_enriches_the_customers_of_that_user(platform: Platform) -> None:
    told = ADA | {"address": {"city": "Gwenborough", "geo": {"lat": "-37.3", "lng": "81.1"}}}
    arrive(platform, logs=[log(1, NOON), log(9, NOON)], users=[told])
    found = rows(
        platform,
        "SELECT user_id, is_customer, first_name, last_name, city, latitude FROM star.dim_customer "
        "WHERE customer_key <> -1 ORDER BY user_id",
    )
    assert found == [("1", True, "Ada", "Lovelace", "Gwenborough", -37.3), ("9", False, None, None, None, None)]
