"""Who a visitor, an order and a customer are: persons in every table, after late logins and withdrawals too."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.ddl import polars_schema
from analytics_platform.transform import DayRange
from analytics_platform.warehouse import DuckDBSession, Session
from analytics_platform.warehouse.ledger import find_batch
from analytics_platform.warehouse.replay import replay
from analytics_platform.warehouse.touched import days_after
from analytics_platform.warehouse.withdraw import withdraw_batch
from analytics_platform_tests.kit import (
    Contents,
    Platform,
    Row,
    both_warehouses,
    build,
    built_platform,
    click,
    contents,
    load_rows,
    loaded_days,
    needed,
    open_with_tables,
    opened,
)
from analytics_platform_tests.models.sales import TABLES as SOLD
from analytics_platform_tests.models.stored import run
from analytics_platform_tests.shop_messages import load_messages, shop_message
from analytics_platform_tests.shop_rows import customer, load_shop, order

TABLES = needed(
    *("star.dim_person", "star.fact_events", "star.fact_event_items", "star.fact_order_items", "star.fact_refunds"),
    *("marts.daily_trends", "marts.customer_revenue", "marts.customer_rfm", "marts.cohort_retention"),
    "marts.monthly_growth",
)

KEYED = needed(
    "star.dim_person", "star.fact_sessions", "star.fact_orders", "star.fact_refunds", "marts.customer_revenue"
)


def buy(client: str, order: str, at: str, value: int, user: str = "") -> Row:
    """A purchase."""
    return click(client, at, "checkout_completed", data={"transaction_id": order, "value": value}, user_id=user)


def persons(session: Session) -> list[tuple[object, ...]]:
    """Who there is, without the unknown member."""
    return session.rows(
        "SELECT person_id, clients, users, orders FROM star.dim_person WHERE person_key <> -1 ORDER BY person_id"
    )


def test_revenue_of_a_shared_browser_goes_to_who_ordered(tmp_path: Path) -> None:
    """More users than SHARED_DEVICE_USERS share it: each order is its own customer's, not the latest one's."""
    rows = [
        buy("kiosk", "1", "2024-03-01T10:00:00Z", 50, "ada"),
        buy("kiosk", "2", "2024-03-01T12:00:00Z", 20, "bob"),
        click("kiosk", "2024-03-01T14:00:00Z"),
    ]
    with built_platform(tmp_path, rows, TABLES, shared_device_users=1) as session:
        assert session.rows("SELECT person_id, revenue FROM marts.customer_revenue ORDER BY rank") == [
            ("user:ada", 50),
            ("user:bob", 20),
        ]
        assert persons(session) == [("kiosk", 1, 0, 0), ("user:ada", 0, 1, 1), ("user:bob", 0, 1, 1)]


def test_two_browsers_of_a_user_are_one_visitor_and_one_customer(tmp_path: Path) -> None:
    rows = [
        buy("phone", "1", "2024-03-01T10:00:00Z", 50),
        click("phone", "2024-03-01T11:00:00Z", user_id="ada"),
        buy("laptop", "2", "2024-03-01T12:00:00Z", 20, "ada"),
    ]
    with built_platform(tmp_path, rows, TABLES) as session:
        assert persons(session) == [("user:ada", 2, 1, 2)]
        assert session.rows("SELECT visitors FROM marts.daily_trends") == [(1,)]
        assert session.rows("SELECT person_id, orders, revenue FROM marts.customer_revenue") == [("user:ada", 2, 70)]
        assert session.rows("SELECT customers, new_customers FROM marts.monthly_growth") == [(1, 1)]


def test_a_purchase_without_user_is_the_order_of_who_signed_in_before_it(tmp_path: Path) -> None:
    rows = [
        click("kiosk", "2024-03-01T10:00:00Z", user_id="ada"),
        buy("kiosk", "1", "2024-03-01T10:05:00Z", 50),
        click("kiosk", "2024-03-01T12:00:00Z", user_id="bob"),
    ]
    with built_platform(tmp_path, rows, TABLES, shared_device_users=1) as session:
        assert session.rows("SELECT person_id FROM marts.customer_revenue") == [("user:ada",)]


@both_warehouses
def test_a_client_is_nobody_else_whatever_it_is_called(tmp_path: Path, kind: str) -> None:
    """Clients are called as the client of user 7, as an address, and as what stands for an erased client."""
    at, names = (
        dt.datetime(2024, 3, 1, 10, tzinfo=dt.UTC),
        ("user:7", "7", "c7@mail.example", "erased:7", "client:user:7"),
    )
    with opened(kind, tmp_path) as (platform, session):
        load_rows(platform, session, [click(name, at) for name in names])
        bodies = [shop_message("7", at), shop_message(None, at, client_id="user:7"), shop_message("erased:7", at)]
        load_messages(platform, session, bodies)
        load_shop(platform, session, "customers", [customer(7, at)])
        build(session, loaded_days(session), platform.settings, KEYED)
        own = {"client:user:7", "7", "c7@mail.example", "client:erased:7", "client:client:user:7"}
        assert {person_id: tuple(row) for person_id, *row in persons(session)} == {
            **dict.fromkeys(own, (1, 0, 0)),
            **dict.fromkeys(("user:7", "user:erased:7"), (0, 1, 0)),
        }
        assert session.rows("SELECT DISTINCT person_key = -1 FROM star.fact_sessions") == [(False,)]


def test_orders_and_addresses_of_the_shop_join_persons_and_an_orders_customer_is_the_shops(tmp_path: Path) -> None:
    """Two customers with one address are one person."""
    platform, at = open_with_tables(tmp_path), dt.datetime(2024, 3, 1, 10, tzinfo=dt.UTC)
    with platform.session() as session:
        load_rows(platform, session, [buy("a", "1", at.isoformat(), 5), buy("b", "2", at.isoformat(), 5)])
        mails = {1: "Ada@shop.example", 2: "ada@shop.example", 3: "bob@shop.example"}
        rows = [customer(number, at, email=mail) for number, mail in mails.items()]
        load_shop(platform, session, "customers", rows)
        load_shop(platform, session, "orders", [order(1, "a/1", 1, at), order(2, "b/2", 2, at)])
        build(session, loaded_days(session), platform.settings, TABLES)
        assert persons(session) == [("user:1", 2, 2, 2), ("user:3", 0, 1, 0)]
        assert session.rows("SELECT client_id, user_id FROM star.fact_orders ORDER BY 1") == [("a", "1"), ("b", "2")]


def test_country_and_city_of_a_person_are_of_one_session(warehouse: DuckDBSession) -> None:
    """Those of the last session that knows one of them, not a city of one and the country of another."""
    at = dt.datetime(2024, 3, 1, 10, tzinfo=dt.UTC)
    sessions = [("s1", "Sweden", "Gävle", 0), ("s2", None, "Köln", 1), ("s3", None, None, 2)]
    rows = [
        {"session_id": name, "person_id": "ada", "session_date": at.date(), "country": country, "city": city}
        | {"started_at": at + dt.timedelta(hours=hour), "ended_at": at + dt.timedelta(hours=hour), "events": 1}
        for name, country, city, hour in sessions
    ]
    schema = polars_schema(CONTRACTS["sessionized.sessions"])
    warehouse.insert("sessionized.sessions", pl.DataFrame(rows, {name: schema[name] for name in rows[0]}))
    found = run(warehouse, "sessionized.person_days", [at.date()])
    assert found.select("sessions", "country", "city").rows() == [(3, None, "Köln")]


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["phone", "laptop", "kiosk"]),
        st.sampled_from(["", "", "ada", "bob", "cleo"]),
        st.integers(0, 5 * 24 * 60 - 1),
        st.sampled_from([None, None, 7, 9, -7]),
    ),
    min_size=2,
    max_size=14,
    unique_by=lambda event: event[2],
)


def _row(event: tuple[str, str, int, int | None]) -> Row:
    client, user, minute, value = event
    day, minute = divmod(minute, 24 * 60)
    # Days are further apart than any window, so that only a person can lead from one to the other.
    at = (dt.datetime(2024, 3, 1, tzinfo=dt.UTC) + dt.timedelta(days=40 * day, minutes=minute)).isoformat()
    if value is None:
        return click(client, at, user_id=user)
    return buy(client, str(value % 3), at, value, user)


def _tables(session: Session) -> Contents:
    return contents(session, KEYED - {"ops.person_links", "star.dim_date"})  # days between the files are not built


@contextmanager
def _platform(kind: str, **chosen: object) -> Iterator[tuple[Platform, Session]]:
    with TemporaryDirectory() as folder, opened(kind, Path(folder), **chosen) as (platform, session):
        yield platform, session


def _build_after(platform: Platform, session: Session, batch: str) -> None:
    """Build the days that a batch touches, as a run does."""
    if days := days_after(session, [batch], platform.settings):
        build(session, DayRange(min(days), max(days)), platform.settings, KEYED)


def _batch_of(session: Session, name: str) -> str:
    return str(session.one("SELECT batch_id FROM ops.pipeline_logs WHERE input = $name", {"name": name})[0])


LOGIN = [("phone", "ada", 4 * 24 * 60, None), ("phone", "", 0, 7), ("phone", "bob", 24 * 60, None)]
CROWD = [("kiosk", "cleo", 4 * 24 * 60, 9), ("kiosk", "ada", 0, 7), ("kiosk", "bob", 24 * 60, 8)]


@settings(max_examples=max(1, settings().max_examples // 50), deadline=None, suppress_health_check=list(HealthCheck))
@example(CROWD, 1, 2)
@given(EVENTS, st.integers(1, 13), st.integers(1, 3))
def test_any_late_events_and_their_withdrawal_end_in_the_same_tables(
    events: list[tuple[str, str, int, int | None]], late: int, most: int
) -> None:
    assert_same_tables("duckdb", events, late, most)


@pytest.mark.parametrize("kind", ["duckdb", "postgres"])
def test_a_late_login_and_its_withdrawal_key_all_days_they_touch(kind: str) -> None:
    assert_same_tables(kind, LOGIN, 1, 3)


@pytest.mark.parametrize("kind", ["duckdb", "postgres"])
def test_a_replay_that_loses_a_login_keys_all_days_it_touches(kind: str) -> None:
    """The batch is withdrawn, and loaded again when its only login is before PARTITION_START."""
    events = [("phone", "ada", 0, None), ("tablet", "", 72 * 60, None), ("phone", "", 24 * 60, 7)]
    *rows, other = map(_row, events)
    with _platform(kind) as (platform, session):
        load_rows(platform, session, [other], "others.csv")
        load_rows(platform, session, rows, "login.csv")
        build(session, loaded_days(session), platform.settings, KEYED)
        assert persons(session) == [("tablet", 1, 0, 0), ("user:ada", 1, 1, 1)]
        batch = _batch_of(session, "login.csv")
        withdraw_batch(session, platform.settings, platform.lake, find_batch(session, batch), "test", "me")
        later = platform.settings.model_copy(update={"partition_start": dt.date(2024, 3, 15)})
        (replayed,) = replay(session, later, platform.lake, [batch])
        assert (replayed.loaded.rows_accepted, replayed.loaded.rows_quarantined) == (1, 1)
        days = days_after(session, [batch], later)
        build(session, DayRange(min(days), max(days)), later, KEYED)
        keys = session.rows("SELECT person_key FROM star.fact_orders")
        assert set(keys) == set(session.rows("SELECT person_key FROM star.dim_person WHERE person_id = 'phone'"))


def assert_same_tables(kind: str, events: Sequence[tuple[str, str, int, int | None]], late: int, most: int) -> None:
    """Load all but the first `late` events, then these, then withdraw them; compare with building all days at once."""
    late = min(late, len(events) - 1)
    early_rows, late_rows = [*map(_row, events[late:])], [*map(_row, events[:late])]
    with _platform(kind, shared_device_users=most) as (platform, session):
        load_rows(platform, session, early_rows, "early.csv")
        build(session, loaded_days(session), platform.settings, KEYED)
        before = _tables(session)
        load_rows(platform, session, late_rows, "late.csv")
        batch = _batch_of(session, "late.csv")
        _build_after(platform, session, batch)
        arrived = _tables(session)
        build(session, loaded_days(session), platform.settings, KEYED)
        assert arrived == _tables(session)
        withdraw_batch(session, platform.settings, platform.lake, find_batch(session, batch), "test", "me")
        _build_after(platform, session, batch)
        after = _tables(session)
        compared = [name for name in after if name.startswith(("star.fact", "star.dim_person", "marts"))]
        assert [after[name] for name in compared] == [before[name] for name in compared]


def join(groups: Sequence[set[str]]) -> list[set[str]]:
    """Join groups that have a member in common."""
    joined: list[set[str]] = []
    for group in groups:
        near = [each for each in joined if each & group]
        joined = [each for each in joined if not each & group] + [group.union(*near)]
    return joined


def visitors(events: Sequence[tuple[str, str, int, int | None]], most: int) -> dict[dt.date, set[str]]:
    """By the published rules: the persons of each day, each by the name of one of its clients and users."""
    users = {client: {user for each, user, *_ in events if each == client and user} for client, *_ in events}
    persons = join([{client, *own} for client, own in users.items() if len(own) <= most])
    days = defaultdict(set)
    for client in users:
        visits: list[list[tuple[int, str]]] = []
        for _, user, minute, _ in sorted((each for each in events if each[0] == client), key=lambda each: each[2]):
            # Days lie apart, so midnight is a pause as well.
            if not visits or minute - visits[-1][-1][0] > 30 or minute // 1440 != visits[-1][-1][0] // 1440:
                visits.append([])
            visits[-1].append((minute, user))
        for visit in visits:
            who = next((user for _, user in reversed(visit) if user), client)
            day = dt.date(2024, 3, 1) + dt.timedelta(days=40 * (visit[0][0] // 1440))
            days[day].add(min(next((each for each in persons if who in each), {who})))
    return days


@settings(max_examples=max(1, settings().max_examples // 50), deadline=None, suppress_health_check=list(HealthCheck))
@example(LOGIN, 3)
@example(CROWD, 2)
@given(EVENTS, st.integers(1, 3))
def test_persons_and_visitors_of_any_traffic_are_those_of_the_rules_and_every_table_agrees(
    events: list[tuple[str, str, int, int | None]], most: int
) -> None:
    assert_agreed("duckdb", events, most)


def test_persons_of_a_late_login_agree_on_postgresql() -> None:
    assert_agreed("postgres", LOGIN, 3)


def assert_agreed(kind: str, events: Sequence[tuple[str, str, int, int | None]], most: int) -> None:
    with _platform(kind, shared_device_users=most) as (platform, session):
        load_rows(platform, session, [*map(_row, events)])
        build(session, loaded_days(session), platform.settings, SOLD)
        days = visitors(events, most)
        seen = session.rows("SELECT date, visitors FROM marts.daily_trends WHERE visitors > 0")
        assert dict(seen) == {day: len(persons) for day, persons in days.items()}
        (persons,) = session.one("SELECT count(*) FROM star.dim_person WHERE sessions > 0")
        assert persons == len(set().union(*days.values()))
        for table in ("ops.reconciliations", "ops.customer_reconciliations"):
            assert not session.rows(f"SELECT * FROM {table} WHERE left_value <> right_value AND reason IS NULL")
