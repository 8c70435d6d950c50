"""Day by day in any order, with late files in between, gives every table exactly as one full build does."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Collection, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from analytics_platform.catalog import CONTRACTS
from analytics_platform.transform import DayRange
from analytics_platform.warehouse import Session
from analytics_platform.warehouse.ledger import known_batches
from analytics_platform.warehouse.touched import days_of_orders
from analytics_platform_tests.kit import (
    Contents,
    Platform,
    Row,
    build,
    build_touched,
    click,
    contents,
    load_rows,
    needed,
    open_platform,
    open_with_tables,
)
from analytics_platform_tests.shop_messages import load_messages, shop_message
from analytics_platform_tests.slow import spread

FIRST_DAY = dt.date(2024, 2, 26)
DAYS = tuple(FIRST_DAY + dt.timedelta(days=n) for n in range(8))
HORIZON = DayRange(DAYS[0], DAYS[-1])
START = dt.datetime.combine(FIRST_DAY, dt.time(), dt.UTC)
END = START + dt.timedelta(days=len(DAYS))

NAMES = (
    "page_viewed",
    "view_item",
    "view_item_list",
    "select_item",
    "product_added_to_cart",
    "checkout_started",
    "checkout_completed",
    "Order Completed",
)
APP_NAMES = (
    "view_item_list",
    "view_item_list",
    "select_item",
    "view_item",
    "add_to_cart",
    "begin_checkout",
    "purchase",
)
AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1",
    "Googlebot/2.1 (+http://www.google.com/bot.html)",
    "",
)
PAGES = (
    "https://shop.example/",
    "https://shop.example/?utm_source=news&utm_medium=email",
    "https://shop.example/?gclid=1",
    "/cart",
)
REFERRERS = ("", "https://www.google.de/", "https://friend.example/a", "https://www.shop.example/a")
PAUSES = (dt.timedelta(minutes=5), dt.timedelta(minutes=30), dt.timedelta(minutes=31), dt.timedelta(hours=9))


Files: TypeAlias = Sequence[Sequence[Row]]
"""Files in the order they arrive. After each its days are built, some of them days that were built before.

A row with `message` is a message of the app, and comes through the queue."""

MakeRow: TypeAlias = Callable[[random.Random, str, dt.datetime], Row]


def day_of(row: Row) -> dt.date:
    """The day of an event."""
    return dt.datetime.fromisoformat(row["timestamp"]).date()


def _row(chance: random.Random, client: str, at: dt.datetime) -> Row:
    data = {
        "transaction_id": chance.choice(["T1", "T2", "T3", "", None]),
        "revenue": chance.choice([0, 10, "19.99", "free", None]),
        **chance.choice([{}, {"tax": 1.9, "shipping": "4,90", "coupon": "A"}]),
        "item_list_id": chance.choice(["L1", "L2", None]),
        "items": [
            {"item_id": chance.choice(["p1", "p2", "p3", None]), "item_name": f"name {chance.randrange(4)}", "price": 5}
            for _ in range(chance.randrange(2))
        ],
    }
    columns = {
        "page_url": chance.choice(PAGES),
        "referrer": chance.choice(REFERRERS),
        "user_agent": chance.choice(AGENTS),
        "user_id": chance.choice(["", "u1", "u2"]),
    }
    return click(client, at, chance.choice(NAMES), data=data, **columns)


def _message(chance: random.Random, user: str, at: dt.datetime) -> Row:
    """One event of the app. Most items say which list they are of; what follows a click on them often does not."""
    name = chance.choice(APP_NAMES)
    in_list = name in ("view_item_list", "select_item") or chance.random() < 0.2
    items = [
        {"item_id": chance.choice(["p1", "p2", "a1"]), "price": chance.choice([5, "7.50", None]), "quantity": 2}
        | ({"item_list_name": chance.choice(["L1", "Top", "New"])} if in_list else {})
        for _ in range(chance.randrange(4))
    ]
    order = {"transaction_id": chance.choice(["T1", "T2"])} if name == "purchase" else {}
    return {"timestamp": at.isoformat(), "message": shop_message(user, at, name, items=items, **order)}


def _visitor(chance: random.Random, client: str, make: MakeRow = _row) -> list[Row]:
    at = START + chance.random() * dt.timedelta(days=2)
    rows: list[Row] = []
    while at < END and len(rows) < 40:
        rows.append(make(chance, client, at))
        at += chance.choice(PAUSES)
    return rows


def _never_pausing(chance: random.Random, client: str) -> list[Row]:
    at = START + chance.random() * dt.timedelta(days=3)
    count = chance.randrange(1, int((END - at) / dt.timedelta(minutes=29)))
    return [_row(chance, client, at + n * dt.timedelta(minutes=29)) for n in range(count)]


def _midnight_crosser(chance: random.Random, client: str, make: MakeRow = _row) -> list[Row]:
    before = dt.timedelta(days=chance.randrange(1, len(DAYS)), minutes=-chance.randrange(1, 20))
    return [make(chance, client, START + before + n * dt.timedelta(minutes=15)) for n in range(4)]


def make_traffic(seed: int, app: bool = False) -> Files:
    """Random visitors, written as files: whole days in random order, then late files over several days.

    With `app` there are visitors of the app too.
    """
    chance = random.Random(seed)
    rows = [
        *_visitor(chance, "ada"),
        *_visitor(chance, "bob"),
        *_never_pausing(chance, "robot"),
        *_midnight_crosser(chance, "eve"),
        *_midnight_crosser(chance, "ada"),
    ]
    if app:
        rows += [*_visitor(chance, "u1", _message), *_visitor(chance, "u2", _message)]
        rows += [*_midnight_crosser(chance, "u3", _message), *_midnight_crosser(chance, "u1", _message)]
    late = chance.sample(rows, len(rows) // 5)
    in_time = [row for row in rows if row not in late]
    days = chance.sample(DAYS, len(DAYS))
    edges = sorted({0, len(DAYS), *chance.sample(range(1, len(DAYS)), 2)})
    files = [[row for row in in_time if day_of(row) in days[first:last]] for first, last in pairwise(edges)]
    half = len(late) // 2
    repeated = chance.sample(in_time, 3)  # redelivered events are no new events
    return [file for file in (*files, late[:half] + repeated, late[half:]) if file]


COMPARED = tuple(name for name in CONTRACTS if name != "cleaned.ecommerce_events")
"""All tables but one that loads write and that says when they did."""


def load_file(platform: Platform, session: Session, rows: Sequence[Row], name: str) -> set[dt.date]:
    """Load rows and messages that arrive together; give their days, and those of the orders that they change."""
    before = known_batches(session)
    load_rows(platform, session, [row for row in rows if "message" not in row], name)
    if messages := [row["message"] for row in rows if "message" in row]:
        load_messages(platform, session, messages)
    return {day_of(row) for row in rows} | days_of_orders(session, sorted(known_batches(session) - before))


def incrementally(root: Path, files: Files, tables: Collection[str] | None = None) -> Contents:
    """Load file after file, and after each build what its days touch; at last the days without events."""
    platform = open_with_tables(root)
    with platform.session() as session:
        for number, rows in enumerate(files):
            touched = load_file(platform, session, rows, f"{number}.csv")
            build_touched(session, touched, HORIZON, platform.settings, tables)
        quiet = set(DAYS) - {day_of(row) for rows in files for row in rows}
        build_touched(session, quiet, HORIZON, platform.settings, tables)
        return contents(session, COMPARED)


def at_once(root: Path, files: Files, tables: Collection[str] | None = None) -> Contents:
    """Load all files, then build all days in one go."""
    platform = open_with_tables(root)
    with platform.session() as session:
        for number, rows in enumerate(files):
            load_file(platform, session, rows, f"{number}.csv")
        build(session, HORIZON, platform.settings, tables)
        return contents(session, COMPARED)


def differing(some: Contents, others: Contents) -> dict[str, list[tuple[object, ...]]]:
    """Table → rows that only one of the two has."""
    return {
        name: sorted(set(some.get(name, [])) ^ set(others.get(name, [])), key=repr)
        for name in CONTRACTS
        if some.get(name) != others.get(name)
    }


@pytest.mark.parametrize("seed", spread(2, 1))
def test_incremental_daily_and_repeated_builds_equal_a_full_one_for_every_table(tmp_path: Path, seed: int) -> None:
    files = make_traffic(seed, app=True)
    in_time = sorted((row for file in files for row in file), key=lambda row: row["timestamp"])
    by_day = [[row for row in in_time if day_of(row) == day] for day in DAYS]

    some, full = incrementally(tmp_path / "some", files), at_once(tmp_path / "full", files)
    daily = incrementally(tmp_path / "daily", by_day)

    assert differing(some, full) == {}
    assert differing(_without_ops(daily), _without_ops(full)) == {}

    platform = open_platform(tmp_path / "full")
    with platform.session() as session:
        for day in (DAYS[3], DAYS[0]):
            build(session, DayRange(day, day), platform.settings)
        again = contents(session, COMPARED)
    assert differing(again, full) == {}


@pytest.mark.slow
@settings(
    max_examples=3,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.integers(10, 2**32))
def test_incremental_equals_full_for_any_traffic(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    files, root = make_traffic(seed, app=True), tmp_path_factory.mktemp("platforms")
    assert differing(incrementally(root / "some", files), at_once(root / "all", files)) == {}


def test_a_visit_that_goes_on_after_midnight_grows_when_the_next_day_arrives(tmp_path: Path) -> None:
    midnight = START + dt.timedelta(days=3)
    files = [[click("ada", midnight + dt.timedelta(minutes=shift))] for shift in (-5, 5)]
    wanted = needed("star.fact_sessions", "marts.daily_trends")
    tables = incrementally(tmp_path / "some", files, wanted)
    assert len(tables["star.fact_sessions"]) == 1
    assert differing(tables, at_once(tmp_path / "all", files, wanted)) == {}


def test_an_order_whose_earlier_event_arrives_late_moves_to_the_earlier_day(tmp_path: Path) -> None:
    def purchase(day: int) -> Row:
        data = {"transaction_id": "T1", "revenue": 10, "items": [{"item_id": "p1", "price": 10}]}
        return click("ada", START + dt.timedelta(days=day), "checkout_completed", data=data)

    files = [[purchase(5)], [purchase(1)]]
    wanted = needed("star.fact_order_items", "marts.customer_revenue", "marts.daily_trends")
    tables = incrementally(tmp_path / "some", files, wanted)
    assert len(tables["star.fact_orders"]) == 1
    assert differing(tables, at_once(tmp_path / "all", files, wanted)) == {}


def test_a_look_back_of_the_marts_reaches_days_far_behind_a_late_event(tmp_path: Path) -> None:
    """A late first visit with a campaign takes the first-touch credit of an order 30 days later."""
    visit = click("ada", START, page_url="https://shop.example/?utm_source=news&utm_medium=email")
    order_at = START + dt.timedelta(days=30)
    order = click("ada", order_at, "checkout_completed", data={"transaction_id": "T1", "revenue": 10})
    platform = open_with_tables(tmp_path)
    with platform.session() as session:
        for number, row in enumerate((order, visit)):
            load_rows(platform, session, [row], f"{number}.csv")
            until = DayRange(START.date(), order_at.date())
            build_touched(session, {day_of(row)}, until, platform.settings, needed("marts.attribution"))
        credit = session.rows("SELECT model, source FROM marts.attribution ORDER BY model")
    assert credit == [("first_touch", "news"), ("last_non_direct", "news"), ("last_touch", "(direct)")]


def _without_ops(tables: Contents) -> Contents:
    """Tables made by models; the ledger and the batch ids differ with the files the rows came in."""
    return {
        name: [tuple(value for value in row if not _is_batch_id(value)) for row in rows]
        for name, rows in tables.items()
        if not name.startswith("ops.") and name not in ("cleaned.clickstream", "marts.data_quality_daily")
    }


def _is_batch_id(value: object) -> bool:
    return isinstance(value, str) and len(value) == 16 and set(value) <= set("0123456789abcdef")


BOT, UNNAMED = AGENTS[2], ""


def _sees(client: str, day: int, minute: int, agent: str, name: str = "view_item") -> Row:
    """An event about a product and a list that only this client meets, minutes after the midnight of the day."""
    order = {"transaction_id": client, "revenue": 5}
    data = {"item_list_id": f"list of {client}", "items": [{"item_id": f"{client}'s", "price": 5}], **order}
    at = START + dt.timedelta(days=day, minutes=minute)
    return click(client, at, name, data=data, user_agent=agent, user_id=client)


PERSON = AGENTS[0]
CHANGING: Sequence[tuple[Sequence[Row], Sequence[Row]]] = (
    ([_sees("named late", 1, 0, UNNAMED)], [_sees("named late", 1, 5, BOT)]),
    ([_sees("person late", 1, 0, BOT)], [_sees("person late", 1, 5, PERSON)]),
    ([_sees("late order", 1, 0, BOT)], [_sees("late order", 1, 5, BOT, "checkout_completed")]),
    ([_sees("person after midnight", 1, -5, BOT)], [_sees("person after midnight", 1, 5, PERSON)]),
    ([_sees("bot before midnight", 1, 5, UNNAMED)], [_sees("bot before midnight", 1, -5, BOT)]),
    # the earlier order makes the later one a repeat
    ([_sees("repeat", 2, 0, BOT, "checkout_completed")], [_sees("repeat", 1, 0, PERSON, "checkout_completed")]),
    # the only pause of a day is filled, so that the next midnight cuts a session into a person's and a program's
    (
        [
            *(_sees("cut", 1, minute, PERSON) for minute in range(12 * 60, 36 * 60 + 1, 20)),
            *(_sees("cut", 2, minute, PERSON) for minute in range(12 * 60 + 31, 24 * 60, 20)),
            *(_sees("cut", 3, minute, BOT) for minute in range(5, 60, 20)),
        ],
        [_sees("cut", 2, 12 * 60 + 15, PERSON)],
    ),
)
"""What arrives first, and what comes late and makes a session of a person a bot's, or the reverse."""


def test_a_session_that_becomes_a_bots_or_a_persons_changes_all_its_tables(tmp_path: Path) -> None:
    files = [[row for pair in CHANGING for row in pair[number]] for number in (0, 1)]
    assert differing(incrementally(tmp_path / "days", files), at_once(tmp_path / "whole", files)) == {}
