"""The first, second … session and order of a person, also after what comes late and on days far apart."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from analytics_platform.transform import DayRange, day_ranges
from analytics_platform.warehouse import Session
from analytics_platform.warehouse.ledger import known_batches
from analytics_platform.warehouse.touched import days_after
from analytics_platform_tests.kit import (
    Row,
    both_warehouses,
    build,
    click,
    contents,
    load_rows,
    loaded_days,
    needed,
    opened,
)
from analytics_platform_tests.models.test_persons import buy
from analytics_platform_tests.shop_rows import load_shop, order

FACTS = ("star.fact_sessions", "star.fact_orders")
TABLES = needed(*FACTS)
START = dt.datetime(2024, 3, 1, 10, tzinfo=dt.UTC)


def at(step: int, minutes: int = 0) -> str:
    """A time this number of 40-day steps after the first, further apart than sessions and orders reach."""
    return (START + dt.timedelta(days=40 * step, minutes=minutes)).isoformat()


def orders(session: Session) -> dict[object, object]:
    """Number of each order."""
    return dict(session.rows("SELECT transaction_id, order_number FROM star.fact_orders"))


CASES: list[tuple[list[Row], list[Row]]] = [
    ([click("a", at(1)), buy("a", "a2", at(3), 5), click("a", at(3, 60))], [buy("a", "a1", at(0), 5)]),
    # with another device of the user, without a login
    (
        [click("phone", at(1), user_id="ada"), click("laptop", at(1, 60), user_id="ada"), click("phone", at(4))],
        [click("laptop", at(0))],
    ),
    # a login that joins devices
    (
        [buy("home", "h1", at(0), 5), buy("mobile", "m2", at(0, 60), 5, "mia"), buy("mobile", "m3", at(4, 60), 5)],
        [click("home", at(1), user_id="mia")],
    ),
    # a visit to a device of many passes from one to another
    (
        [
            *(click("kiosk", at(0, 60 * number), user_id=user) for number, user in enumerate(("bob", "cleo", "dora"))),
            *(buy("kiosk", "k1", at(1), 5, "bob"), click("kiosk", at(1, 120), user_id="eve")),
            *(click("bob's", at(3, 120), user_id="bob"), click("eve's", at(4, 120), user_id="eve")),
        ],
        [click("kiosk", at(1, 5), user_id="eve")],
    ),
]
"""What came in time and what comes late: its windows end before the step 3. Each is a day after the one before it."""


def _shifted(row: Row, days: int) -> Row:
    time = dt.datetime.fromisoformat(row["timestamp"]) + dt.timedelta(days=days)
    return {**row, "timestamp": time.isoformat()}


@both_warehouses
def test_what_comes_late_moves_the_numbers_of_all_that_follows(tmp_path: Path, kind: str) -> None:
    in_time, late = ([_shifted(row, day) for day, case in enumerate(CASES) for row in case[part]] for part in (0, 1))
    with opened(kind, tmp_path) as (platform, session):
        load_rows(platform, session, in_time, "in_time.csv")
        build(session, loaded_days(session), platform.settings, TABLES)
        numbers = "SELECT client_id, session_number FROM star.fact_sessions WHERE session_date >= CAST($day AS DATE)"
        later = {"day": at(3)[:10]}
        before, known = sorted(session.rows(numbers, later)), set(known_batches(session))
        load_rows(platform, session, late, "late.csv")
        for days in day_ranges(days_after(session, sorted(set(known_batches(session)) - known), platform.settings)):
            build(session, days, platform.settings, TABLES)
        after, moved = contents(session, FACTS), sorted(session.rows(numbers, later))
        assert moved == [("a", 3), ("a", 4), ("bob's", 2), ("eve's", 3), ("mobile", 4), ("phone", 4)]
        assert before == [("a", 2), ("a", 3), ("bob's", 3), ("eve's", 2), ("mobile", 2), ("phone", 3)]
        assert orders(session) == {"a1": 1, "a2": 2, "h1": 1, "m2": 2, "m3": 3, "k1": 1}
        build(session, loaded_days(session), platform.settings, TABLES)
        assert contents(session, FACTS) == after


def test_sessions_and_orders_of_a_person_are_numbered_over_devices_and_days(tmp_path: Path) -> None:
    rows = [
        buy("phone", "1", at(0), 5, "ada"),
        buy("phone", "2", at(0, 1), 5),
        buy("laptop", "3", at(0, 60), 5, "ada"),
        click("stranger", at(1)),
        buy("phone", "4", at(2), 5),
    ]
    with opened("duckdb", tmp_path) as (platform, session):
        load_rows(platform, session, rows)
        for step in range(3):
            day = START.date() + dt.timedelta(days=40 * step)
            build(session, DayRange(day, day), platform.settings, TABLES)
        columns = "client_id, session_number, is_new"
        assert session.rows(f"SELECT {columns} FROM star.fact_sessions ORDER BY started_at") == [
            *(("phone", 1, True), ("laptop", 2, False), ("stranger", 1, True), ("phone", 3, False)),
        ]
        assert orders(session) == {"1": 1, "2": 2, "3": 3, "4": 4}
        daily = contents(session, FACTS)
        build(session, loaded_days(session), platform.settings, TABLES)
        assert contents(session, FACTS) == daily


def test_an_order_that_the_shop_says_late_is_of_another_customer_moves_the_numbers_of_both(tmp_path: Path) -> None:
    many = [click("kiosk", at(0), user_id=f"u{number}") for number in range(4)]
    rows = [*many, buy("kiosk", "1", at(1), 5, "ada"), buy("phone", "2", at(3), 5, "ada"), buy("x", "3", at(4), 5, "7")]
    with opened("duckdb", tmp_path) as (platform, session):
        load_rows(platform, session, rows)
        build(session, loaded_days(session), platform.settings, TABLES)
        assert orders(session) == {"1": 1, "2": 2, "3": 1}
        batches = load_shop(platform, session, "orders", [order(1, "kiosk/1", 7, dt.datetime.fromisoformat(at(1)))])
        for days in day_ranges(days_after(session, batches, platform.settings)):
            build(session, days, platform.settings, TABLES)
        assert orders(session) == {"1": 1, "2": 1, "3": 2}


def test_a_late_visit_of_someone_who_never_came_again_touches_no_day_far_behind_it(tmp_path: Path) -> None:
    with opened("duckdb", tmp_path) as (platform, session):
        load_rows(platform, session, [click("phone", at(0)), click("laptop", at(4))])
        build(session, loaded_days(session), platform.settings, needed("sessionized.client_days"))
        known = set(known_batches(session))
        load_rows(platform, session, [click("phone", at(1))], "late.csv")
        days = days_after(session, sorted(set(known_batches(session)) - known), platform.settings)
        assert max(days).isoformat() < at(3)
