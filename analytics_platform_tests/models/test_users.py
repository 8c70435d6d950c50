"""What each customer does, likes and when they were last seen; and users that the API does not have."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from analytics_platform.transform import DayRange, all_models
from analytics_platform_tests.kit import Platform, build, click, contents, load_rows, needed, open_house_of_tables
from analytics_platform_tests.shop_logs import load, log, put_logs, put_users, user

NOON = dt.datetime(2024, 3, 1, 12)
MINUTE = dt.timedelta(minutes=1)
DAYS = DayRange(NOON.date(), NOON.date() + dt.timedelta(days=2))
TABLES = needed("marts.user_metrics", "marts.user_product_affinity", "ops.orphans", "star.fact_events")
ADA, BEN = user(1, "Ada Lovelace", email="ada@shop.example"), user(2, "Ben King")


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    yield open_house_of_tables(tmp_path)


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
