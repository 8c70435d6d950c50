"""The marts' promises: bots left out, nothing divided by zero, money exact, every event counted once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from analytics_platform.transform import DayRange
from analytics_platform_tests.kit import Row, build, built_platform, click, needed, open_with_tables

BOT = "Googlebot/2.1 (+http://www.google.com/bot.html)"
DAY = "2024-03-01"


def purchase(client: str, at: str, transaction: str | None, revenue: object, **columns: object) -> Row:
    items = columns.pop("items", [{"item_id": "p1", "item_price": 5, "quantity": 2}])
    data = {"transaction_id": transaction, "revenue": revenue, "items": items}
    return click(client, f"{DAY}T{at}Z", "checkout_completed", data=data, **columns)


def test_bots_are_flagged_in_facts_and_left_out_of_marts(tmp_path: Path) -> None:
    data = {"items": [{"item_id": "p1", "item_price": 5}]}
    rows = [click("crawler", f"{DAY}T10:00:00Z", "view_item", data=data, user_agent=BOT, user_id="u1")]
    with built_platform(tmp_path, rows) as session:
        for fact in ("fact_sessions", "fact_events", "fact_event_items"):
            assert session.rows(f"SELECT is_bot FROM star.{fact}") == [(True,)]
        assert session.rows("SELECT is_bot FROM star.dim_customer WHERE client_id = 'crawler'") == [(True,)]
        for mart in ("daily_trends", "funnel_daily", "attribution", "device_daily", "cart_abandonment"):
            assert session.rows(f"SELECT * FROM marts.{mart}") == [], mart
        assert session.rows("SELECT views FROM marts.product_daily") == [(0,)]
        assert session.rows("SELECT revenue FROM marts.top_sellers") == [(Decimal(0),)]
        assert session.rows("SELECT interactions, first_seen_at FROM sessionized.user_totals") == [(0, None)]


PERSON, NONE, SERVER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/120.0.0.0 Safari/537.36", "", "axios/1.7.7"
VISITS: Mapping[str, tuple[Sequence[str], bool, bool]] = {
    "person": ([PERSON, PERSON], False, False),
    "no user agents": ([NONE, NONE], False, False),
    "crawler": ([BOT, BOT], False, True),
    "crawler with an event without user agent": ([BOT, NONE], False, True),
    "person with an event of a server": ([PERSON, SERVER], False, False),
    "person with two events of programs": ([SERVER, PERSON, BOT], False, False),
    "person who buys, confirmed by the server": ([PERSON, SERVER], True, False),
    "person whose every event a server sends, who buys": ([SERVER, SERVER], True, False),
    "order without any user agent": ([NONE, NONE], True, False),
}
"""Visit → the user agents of its events, whether the last one is an order, and whether it is a bot's."""


def test_a_bots_session_has_only_events_of_programs_and_no_order(tmp_path: Path) -> None:
    rows: list[Row] = []
    for client, (agents, buys, _) in VISITS.items():
        rows += [
            click(client, f"{DAY}T10:0{n}:00Z", user_agent=agent)
            for n, agent in enumerate(agents[: -1 if buys else None])
        ]
        rows += [purchase(client, "10:09:00", client, 10, user_agent=agents[-1])] if buys else []
    wanted = {"star.fact_orders", "star.fact_events", "star.dim_customer", "marts.daily_trends"}
    with built_platform(tmp_path, rows, wanted) as session:
        found = dict(session.rows("SELECT client_id, is_bot FROM star.fact_sessions"))
        assert found == {client: is_bot for client, (_, _, is_bot) in VISITS.items()}
        assert dict(session.rows("SELECT client_id, is_bot FROM star.dim_customer WHERE customer_key <> -1")) == found
        assert session.rows("SELECT count(*) FROM star.fact_orders") == [(3,)]
        assert session.rows("SELECT sessions, orders FROM marts.daily_trends") == [(7, 3)]
        bots = session.rows(
            "SELECT DISTINCT fact_events.client_id FROM star.fact_events JOIN star.fact_sessions USING (session_id) "
            "WHERE fact_events.is_bot ORDER BY 1"
        )
        assert [client for (client,) in bots] == [client for client in sorted(found) if found[client]]


def test_a_zero_revenue_order_has_one_line_without_product(tmp_path: Path) -> None:
    nothing = [{"item_id": None, "item_name": None, "item_variant": None, "quantity": None, "item_price": None}]
    with built_platform(
        tmp_path,
        [purchase("ada", "10:00:00", "T1", 0, items=nothing)],
        {"marts.daily_trends", "marts.product_daily", "star.fact_order_items", "star.fact_orders"},
    ) as session:
        assert session.rows("SELECT items, quantity, revenue FROM star.fact_orders") == [(1, 0, Decimal(0))]
        assert session.rows("SELECT product_key, amount FROM star.fact_order_items") == [(-1, Decimal(0))]
        assert session.rows("SELECT orders, revenue, average_order_value FROM marts.daily_trends") == [
            (1, Decimal(0), 0.0)
        ]
        assert session.rows("SELECT count(*) FROM marts.product_daily") == [(0,)]


def test_a_repeat_of_an_order_counts_its_lines_once(tmp_path: Path) -> None:
    rows = [purchase("ada", at, "T1", 10) for at in ("10:00:00", "10:00:01", "10:00:02")]
    with built_platform(
        tmp_path, rows, {"marts.product_daily", "marts.top_sellers", "star.fact_events", "star.fact_sessions"}
    ) as session:
        assert session.rows("SELECT orders, quantity, revenue FROM marts.product_daily") == [(1, 2, Decimal(10))]
        assert session.rows("SELECT orders, quantity, revenue FROM marts.top_sellers") == [(1, 2, Decimal(10))]
        assert session.rows("SELECT orders, revenue FROM star.fact_sessions") == [(1, Decimal(10))]
        assert session.rows("SELECT count(*) FROM star.fact_events") == [(3,)]


def test_an_event_with_a_product_twice_is_one_view_of_it(tmp_path: Path) -> None:
    twice = {"items": [{"item_id": "p1"}, {"item_id": "p1"}]}
    rows = [click("ada", f"{DAY}T10:00:00Z", name, data=twice) for name in ("view_item", "add_to_cart")]
    with built_platform(tmp_path, rows, {"marts.product_daily", "star.fact_event_items"}) as session:
        assert session.rows("SELECT views, add_to_carts FROM marts.product_daily") == [(1, 1)]
        assert session.rows("SELECT count(*) FROM star.fact_event_items") == [(4,)]


def test_money_is_exact_to_the_last_digit(tmp_path: Path) -> None:
    rows = [purchase("ada", f"10:00:{n:02}", f"T{n}", "0.1") for n in range(30)]
    with built_platform(tmp_path, rows) as session:
        for table in ("star.fact_sessions", "marts.daily_trends", "marts.device_daily"):
            assert session.rows(f"SELECT revenue FROM {table}") == [(Decimal("3.0000"),)], table


def test_absurd_numbers_do_not_stop_the_line(tmp_path: Path) -> None:
    huge = [{"item_id": "p1", "item_price": 9_999_999_999, "quantity": 2_147_483_647}]
    rows = [purchase("ada", f"10:00:{n:02}", f"T{n}", 9_999_999_999, items=huge) for n in range(5)]
    with built_platform(tmp_path, rows) as session:
        assert session.rows("SELECT orders, revenue FROM marts.daily_trends") == [(5, Decimal(5 * 9_999_999_999))]
        amounts = session.rows("SELECT DISTINCT amount, revenue_basis FROM star.fact_order_items")
        assert amounts == [(Decimal(9_999_999_999), "line total")]


def test_the_funnel_counts_the_steps_that_a_session_has(tmp_path: Path) -> None:
    rows = [
        click("ada", f"{DAY}T10:00:00Z", "page_viewed"),
        click("ada", f"{DAY}T10:00:01Z", "product_added_to_cart"),
        click("bob", f"{DAY}T10:00:00Z", "product_added_to_cart"),
        purchase("eve", "10:00:00", "T1", 10),
        click("sam", f"{DAY}T10:00:00Z", "email_filled_on_popup"),
    ]
    columns = "step, sessions, inferred, after_previous, after_view, rate_from_previous, rate_from_start"
    with built_platform(tmp_path, rows, {"marts.funnel_daily"}) as session:
        funnel = session.rows(f"SELECT {columns} FROM marts.funnel_daily ORDER BY step_index")
    assert funnel == [
        ("view", 1, 2, 1, 1, None, 1.0),
        ("cart", 2, 1, 1, 1, 1.0, 1.0),
        ("checkout", 0, 1, 0, 0, 0.0, 0.0),
        ("purchase", 1, 0, 0, 0, None, 0.0),
    ]


def test_a_day_without_a_view_has_a_funnel_without_rates(tmp_path: Path) -> None:
    with built_platform(
        tmp_path, [click("ada", f"{DAY}T10:00:00Z", "email_filled_on_popup")], {"marts.funnel_daily"}
    ) as session:
        rows = session.rows("SELECT sessions, rate_from_previous, rate_from_start FROM marts.funnel_daily")
    assert rows == [(0, None, None)] * 4


def test_facts_have_no_null_keys_even_where_nothing_is_known(tmp_path: Path) -> None:
    bare = {"page_url": "", "user_agent": "", "data": {"items": [{}]}}
    with built_platform(
        tmp_path,
        [click("ada", f"{DAY}T10:00:00Z", "view_item", **bare)],
        {"marts.device_daily", "star.fact_event_items", "star.fact_events"},
    ) as session:
        assert session.rows("SELECT device_key FROM star.fact_events") == [(-1,)]
        keys = "product_key, variant_key, list_key, credited_list_key, device_key"
        assert session.rows(f"SELECT {keys} FROM star.fact_event_items") == [(-1,) * 5]
        for dimension, name in (("channel", "channel"), ("device", "browser"), ("list", "list_id"), ("page", "path")):
            unknown = f"SELECT {name} FROM star.dim_{dimension} WHERE {dimension}_key = -1"
            assert session.rows(unknown) == [("(not set)",)], dimension
        assert session.rows("SELECT device_type FROM marts.device_daily") == [("unknown",)]


def test_dimensions_show_the_latest_attributes_that_are_known(tmp_path: Path) -> None:
    def view(at: str, **item: object) -> Row:
        return click("ada", f"{DAY}T{at}Z", "view_item", data={"items": [{"item_id": "p1", **item}]})

    rows = [view("10:00:00", item_name="old", price=1), view("10:00:01", item_name="new"), view("10:00:02", price=3)]
    with built_platform(tmp_path, rows, {"star.dim_product"}) as session:
        latest = session.rows("SELECT product_name, price FROM star.dim_product WHERE product_key <> -1")
    assert latest == [("new", Decimal(3))]


def test_data_quality_counts_every_record_of_a_day(tmp_path: Path) -> None:
    rows = [click("ada", f"{DAY}T10:00:00Z"), click("ada", f"{DAY}T10:00:00Z"), click("", f"{DAY}T10:00:00Z")]
    rows += [click("ada", f"{DAY}T10:00:00Z", name) for name in ("wiggle", "wave", "wiggle")]
    columns = "batches, rows_accepted, rows_duplicate, rows_quarantined, error_rate, unknown_events"
    with built_platform(tmp_path, rows, {"marts.data_quality_daily"}) as session:
        quality = session.rows(f"SELECT {columns} FROM marts.data_quality_daily")
    assert quality == [(1, 3, 2, 1, 1 / 6, "wave, wiggle")]


def lacking(tmp_path: Path, rows: list[Row], columns: set[str]) -> list[set[str]]:
    """Which of these columns each day of the rows lacks."""
    with built_platform(tmp_path, rows, {"marts.data_quality_daily"}) as session:
        found = session.rows("SELECT empty_columns FROM marts.data_quality_daily ORDER BY date")
    return [columns & set(empty.split(", ")) for (empty,) in found]


def test_a_day_on_which_no_event_names_a_list_lacks_lists(tmp_path: Path) -> None:
    item = {"item_id": "1"}
    named = [{"items": [item | {"item_list_name": "Home"}]}, {"items": [item], "item_list_id": "H"}]
    rows = [
        click("ada", f"2024-03-0{day}T10:00:00Z", "view_item", data=data)
        for day, data in enumerate([*named, {"items": [item | {"item_list_name": ""}]}], 1)
    ]
    assert lacking(tmp_path, rows, {"lists", "items"}) == [set(), set(), {"lists"}]


def test_a_day_lacks_views_of_products_or_items_of_purchases(tmp_path: Path) -> None:
    bed = {"item_id": "1", "item_list_id": "H"}
    days: list[list[tuple[str, list[object]]]] = [
        [("view_item", [bed]), ("purchase", [bed]), ("purchase", [])],
        [("view_item", [bed]), ("purchase", [])],
        [("add_to_cart", [bed]), ("purchase", [bed])],
        [("view_item", [bed])],
    ]
    rows = [
        click("ada", f"2024-03-0{day}T10:0{n}:00Z", name, data={"items": items, "transaction_id": f"{day}{n}"})
        for day, events in enumerate(days, 1)
        for n, (name, items) in enumerate(events)
    ]
    found = lacking(tmp_path, rows, {"items", "items of purchases", "view_item events"})
    assert found == [set(), {"items of purchases"}, {"view_item events"}, set()]


STEPS = (
    "page_view",
    "view_item_list",
    "select_item",
    "view_item",
    "add_to_cart",
    "begin_checkout",
    "purchase",
)


@pytest.mark.parametrize(
    ("of_all", "lost"),
    [
        *((name, f"{name} events") for name in STEPS),
        ("user_id", "user_id"),
        ("transaction_id", "transaction_id of purchases"),
        ("currency", "currency of amounts"),
    ],
)
def test_a_day_lacks_what_no_event_of_it_has(tmp_path: Path, of_all: str, lost: str) -> None:
    def rows_of(day: int, without: str) -> list[Row]:
        data = {"transaction_id": f"t{day}", "value": 9, "currency": "EUR", "items": [{"item_id": "1"}]}
        data.pop(without, None)
        user = {} if without == "user_id" else {"user_id": "7"}
        return [
            click("ada", f"2024-03-0{day}T10:0{n}:00Z", name, data=data, **user)
            for n, name in enumerate(STEPS)
            if name != without
        ]

    watched = {f"{name} events" for name in STEPS} | {"user_id", "client_id", "items", "currency of amounts"}
    found = lacking(tmp_path, [*rows_of(1, ""), *rows_of(2, of_all)], watched | {"transaction_id of purchases"})
    assert found == [set(), {lost}]


def test_weeks_of_two_years_are_told_apart(tmp_path: Path) -> None:
    platform = open_with_tables(tmp_path)
    days = DayRange(dt.date(2024, 12, 29), dt.date(2024, 12, 30))
    with platform.session() as session:
        build(session, days, platform.settings, ["star.dim_date"])
        columns = "iso_year, iso_week, year, month_name, weekday_name"
        assert session.rows(f"SELECT {columns} FROM star.dim_date WHERE date_key > 0 ORDER BY date") == [
            (2024, 52, 2024, "December", "Saturday"),  # a shop's day may be the one before or after
            (2024, 52, 2024, "December", "Sunday"),
            (2025, 1, 2024, "December", "Monday"),
            (2025, 1, 2024, "December", "Tuesday"),
        ]


@pytest.mark.parametrize(
    ("zone", "moments"),
    [
        ("UTC", [(30, 22), (30, 23), (31, 1)]),
        ("Europe/Berlin", [(30, 23), (31, 0), (31, 3)]),  # the hour from 2 to 3 does not exist that night
        ("Asia/Kolkata", [(31, 4), (31, 5), (31, 6)]),
    ],
)
def test_facts_have_day_and_hour_of_the_shop(tmp_path: Path, zone: str, moments: list[tuple[int, int]]) -> None:
    times = ("2024-03-30T22:40:00Z", "2024-03-30T23:40:00Z", "2024-03-31T01:05:00Z")
    rows = [
        click("a", time, "checkout_completed", data={"transaction_id": str(number), "value": 1})
        for number, time in enumerate(times)
    ]
    expected = [(dt.date(2024, 3, day), hour) for day, hour in moments]
    facts = {"star.fact_events": "event_at", "star.fact_sessions": "started_at", "star.fact_orders": "ordered_at"}
    with built_platform(tmp_path, rows, needed(*facts), shop_timezone=zone) as session:
        for table, at in facts.items():
            assert session.rows(f"SELECT shop_date, shop_hour FROM {table} ORDER BY {at}") == expected
