"""Stock by day: what the shop's database said at the end of each day and at least on it, with or without views."""

from __future__ import annotations

import datetime as dt
import random
from pathlib import Path

import pytest

from analytics_platform.transform import DayRange, build_order, day_ranges
from analytics_platform.warehouse import Session
from analytics_platform.warehouse.ledger import known_batches
from analytics_platform.warehouse.touched import days_after, touched_after
from analytics_platform_tests.kit import (
    Platform,
    both_warehouses,
    build,
    click,
    contents,
    load_rows,
    loaded_days,
    needed,
    opened,
)
from analytics_platform_tests.models.test_order_facts import build_after
from analytics_platform_tests.shop_rows import load_shop, product

TABLES = needed("marts.product_daily", "star.dim_date")
NOON = dt.datetime(2024, 3, 1, 12, tzinfo=dt.UTC)
DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)
VIEWS = [
    click("a", NOON + day * DAY, "view_item", data={"items": [{"item_id": name}]}) for day in range(5) for name in "pq"
]


def stock(session: Session, name: str) -> list[tuple[object, object]]:
    sql = "SELECT stock, lowest_stock FROM marts.product_daily WHERE product_id = $name ORDER BY date"
    return [(last, least) for last, least in session.rows(sql, {"name": name})]


@both_warehouses
def test_a_day_knows_the_last_and_the_lowest_stock_also_when_the_shop_is_read_days_later(
    tmp_path: Path, kind: str
) -> None:
    with opened(kind, tmp_path) as (platform, session):
        load_rows(platform, session, VIEWS)
        first = load_shop(platform, session, "products", [product("p", NOON + DAY, stock=3)])
        build(session, loaded_days(session), platform.settings, TABLES)
        assert stock(session, "p") == [(None, None), *[(3, 3)] * 4]
        late = [(DAY + 8 * HOUR, 0), (DAY + 9 * HOUR, 5), (2 * DAY + 12 * HOUR, 4)]
        read = [product("p", NOON + after, stock=pieces) for after, pieces in late]
        batches = {*load_shop(platform, session, "products", read)}
        touched = touched_after(session, sorted(batches), platform.settings)
        for table in ("marts.stock_daily", "marts.product_daily"):
            assert touched and min(touched.days_of(table)) == (NOON + DAY).date()
        assert touched and (NOON + DAY).date() not in touched.days_of("star.fact_event_items")
        build_after(platform, session, batches, TABLES)
        assert stock(session, "p") == [(None, None), (5, 0), (5, 5), (4, 4), (4, 4)]
        assert stock(session, "q") == [(None, None)] * 5
        at_once = contents(session, ["marts.product_daily", "marts.stock_daily"])
        seen = [NOON.date() + number * DAY for number in range(5)]
        assert {*seen[1:]} <= days_after(
            session, [*first, *batches], platform.settings
        )  # up to today, when it was read
        for day in seen:
            build(session, DayRange(day, day), platform.settings, TABLES)
        assert contents(session, ["marts.product_daily", "marts.stock_daily"]) == at_once


def build_touched_tables(platform: Platform, session: Session, batches: set[str]) -> None:
    """Build of each table exactly the days that the batches touch, as the fast lane does."""
    touched = touched_after(session, sorted(batches), platform.settings)
    assert touched
    for name in build_order():
        for days in day_ranges(touched.days_of(name)) if name in TABLES else ():
            build(session, days, platform.settings, {name})


def first_days(session: Session, product_id: str) -> list[tuple[int, int]]:
    """Stock and lowest stock of a product on the days up to the sixth of March."""
    sql = """
        SELECT stock, lowest_stock FROM marts.stock_daily
        WHERE product_id = $name AND date <= CAST('2024-03-06' AS DATE) ORDER BY date
    """
    return session.rows(sql, {"name": product_id})


@both_warehouses
def test_every_day_has_the_stock_of_every_product_since_it_is_known_also_without_a_view(
    tmp_path: Path, kind: str
) -> None:
    changes = [
        product("seen", NOON, stock=2),
        product("seen", NOON + 2 * DAY, stock=0),
        {**product("seen", NOON + 4 * DAY, stock=7), "name": "Renamed"},
        product("never seen", NOON + DAY, stock=0, category="Toys"),
    ]
    with opened(kind, tmp_path) as (platform, session):
        load_rows(platform, session, [click("a", NOON, "view_item", data={"items": [{"item_id": "seen"}]})])
        load_rows(platform, session, [click("a", NOON + 5 * DAY, "page_viewed")], "later.csv")
        load_shop(platform, session, "products", changes)
        build_touched_tables(platform, session, set(known_batches(session)))
        assert first_days(session, "seen") == [(2, 2), (2, 2), (0, 0), (0, 0), (7, 0), (7, 7)]
        assert first_days(session, "never seen") == [(0, 0)] * 5
        out = """
            SELECT date, count(*) FROM marts.stock_daily
            WHERE stock = 0 AND date <= CAST('2024-03-06' AS DATE) GROUP BY date ORDER BY date
        """
        assert session.rows(out) == [(NOON.date() + day * DAY, count) for day, count in enumerate((1, 2, 2, 1, 1), 1)]
        named = "SELECT DISTINCT product_name, category FROM marts.stock_daily ORDER BY product_name"
        assert session.rows(named) == [("Renamed", "Food"), ("Shop's never seen", "Toys"), ("Shop's seen", "Food")]
        last = session.one("SELECT max(date) FROM marts.stock_daily")
        assert last == session.one("SELECT max(event_date) FROM ops.batch_days")  # the day the shop was read
        assert session.rows("SELECT count(DISTINCT product_id) FROM marts.product_daily") == [(1,)]


@both_warehouses
def test_days_without_events_that_come_between_the_days_to_build_get_their_stock(tmp_path: Path, kind: str) -> None:
    with opened(kind, tmp_path) as (platform, session):
        load_rows(platform, session, [click("a", NOON, "page_viewed")])
        load_shop(platform, session, "products", [product("p", NOON - 6 * DAY, stock=0)])
        build_touched_tables(platform, session, set(known_batches(session)))
        first = "SELECT min(date) FROM marts.stock_daily"
        assert session.one(first) == (NOON.date(),)
        for number, (days_before, gap) in enumerate(((4, 3), (10, 2))):
            known = set(known_batches(session))
            load_rows(platform, session, [click("a", NOON - days_before * DAY, "page_viewed")], f"{number}.csv")
            new = set(known_batches(session)) - known
            touched = touched_after(session, sorted(new), platform.settings)
            assert touched and len(touched.stock) == gap
            build_touched_tables(platform, session, new)
        assert session.one(first) == ((NOON - 6 * DAY).date(),)
        by_parts = contents(session, ["marts.stock_daily"])
        (from_day, to_day) = session.one("SELECT min(event_date), max(event_date) FROM ops.batch_days")
        build(session, DayRange(from_day, to_day), platform.settings, TABLES)
        assert contents(session, ["marts.stock_daily"]) == by_parts


@pytest.mark.parametrize("seed", range(2))
def test_in_any_order_of_arrival_a_day_has_the_stock_of_the_last_change_up_to_its_end(
    tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    minutes = chance.sample(range(12 * 24 * 60), 14)
    changes = [(chance.choice("pqr"), NOON + minute * DAY / 1440, chance.randrange(3)) for minute in minutes]
    versions = [("products", [product(name, at, stock=pieces)]) for name, at, pieces in changes]
    events = [("clickstream", [click("a", NOON + number * DAY, "page_viewed")]) for number in (0, 3, 7, 8)]
    with opened("duckdb", tmp_path) as (platform, session):
        for number, (source, rows) in enumerate(chance.sample([*versions, *events], len(versions) + len(events))):
            known = set(known_batches(session))
            if source == "clickstream":
                load_rows(platform, session, rows, f"{number}.csv")  # type: ignore[arg-type]
            else:
                load_shop(platform, session, source, rows)
            touched = touched_after(session, sorted(set(known_batches(session)) - known), platform.settings)
            for days in day_ranges(touched.days_of("marts.stock_daily")) if touched else ():
                build(session, days, platform.settings, {"marts.stock_daily"})
        (last,) = session.one("SELECT max(event_date) FROM ops.batch_days")
        expected = []
        for name in "pqr":
            own = sorted((at, pieces) for each, at, pieces in changes if each == name)
            for day in (NOON.date() + number * DAY for number in range((last - NOON.date()).days + 1)):
                before = [pieces for at, pieces in own if at.date() < day]
                on_day = [pieces for at, pieces in own if at.date() == day]
                if before or on_day:
                    expected.append((name, day, [*before, *on_day][-1], min([*before[-1:], *on_day])))
        found = "SELECT product_id, date, stock, lowest_stock FROM marts.stock_daily ORDER BY product_id, date"
        assert session.rows(found) == expected
