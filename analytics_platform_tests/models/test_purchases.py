"""The rule of orders: a client and a transaction id, its earliest event wins, repeats are one order."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from analytics_platform.warehouse import DuckDBSession
from analytics_platform_tests.models.stored import Event, at, days_of, run, run_day_by_day, store

MODEL = "sessionized.purchases"
NOON = at("2024-03-01 12:00")
ONE_DAY = dt.timedelta(days=1)


def purchase(
    event_id: str, client: str, when: dt.datetime, transaction: str | None, revenue: str | None = "10"
) -> Event:
    return Event(event_id, client, when, "purchase", transaction, Decimal(revenue) if revenue else None)


def orders_of(warehouse: DuckDBSession, *events: Event) -> list[str]:
    """Ids of the events that count as an order."""
    store(warehouse, events)
    return sorted(run(warehouse, MODEL, days_of(events))["event_id"])


def test_the_earliest_event_of_an_order_wins(warehouse: DuckDBSession) -> None:
    repeat = purchase("a", "ada", NOON + dt.timedelta(minutes=5), "T1")
    assert orders_of(warehouse, repeat, purchase("b", "ada", NOON, "T1")) == ["b"]


def test_of_two_at_the_same_microsecond_the_lower_event_id_wins(warehouse: DuckDBSession) -> None:
    assert orders_of(warehouse, purchase("b", "ada", NOON, "T1"), purchase("a", "ada", NOON, "T1")) == ["a"]


def test_the_same_transaction_id_of_two_clients_is_two_orders(warehouse: DuckDBSession) -> None:
    assert orders_of(warehouse, purchase("a", "ada", NOON, "T1"), purchase("b", "bob", NOON, "T1")) == ["a", "b"]


def test_ids_that_look_alike_when_joined_are_two_orders(warehouse: DuckDBSession) -> None:
    events = purchase("a", "ada|x", NOON, "1"), purchase("b", "ada", NOON, "x|1")
    assert orders_of(warehouse, *events) == ["a", "b"]
    assert run(warehouse, MODEL, days_of(events))["order_id"].n_unique() == 2


def test_a_purchase_without_id_is_a_separate_order(warehouse: DuckDBSession) -> None:
    events = purchase("a", "ada", NOON, None), purchase("b", "ada", NOON, None), purchase("c", "ada", NOON, "b")
    assert orders_of(warehouse, *events) == ["a", "b", "c"]


def test_a_repeat_within_thirty_days_of_the_previous_one_is_the_same_order(warehouse: DuckDBSession) -> None:
    events = [purchase(str(n), "ada", NOON + n * 30 * ONE_DAY, "T1") for n in range(4)]
    assert orders_of(warehouse, *events) == ["0"]


def test_a_transaction_id_that_returns_after_thirty_one_days_is_a_new_order(warehouse: DuckDBSession) -> None:
    assert orders_of(warehouse, purchase("a", "ada", NOON, "T1"), purchase("b", "ada", NOON + 31 * ONE_DAY, "T1")) == [
        "a",
        "b",
    ]


def test_an_order_has_the_first_known_revenue_of_its_events_on_its_day(warehouse: DuckDBSession) -> None:
    later = NOON + dt.timedelta(minutes=1)
    cases: list[tuple[list[Event], int | None]] = [
        ([purchase("a", "ada", NOON, "T1", None)], None),
        ([purchase("a", "ada", NOON, "T1", None), purchase("b", "ada", later, "T1", "49")], 49),
        ([purchase("a", "ada", NOON, "T1", "5"), purchase("b", "ada", later, "T1", "7")], 5),
        ([purchase("a", "ada", NOON, "T1", None), purchase("b", "bob", later, "T1", "7")], None),
    ]
    for events, revenue in cases:
        store(warehouse, events)
        assert run(warehouse, MODEL, [NOON.date()]).sort("event_id")["revenue"][0] == revenue, events


def test_only_purchases_are_orders(warehouse: DuckDBSession) -> None:
    assert orders_of(warehouse, Event("a", "ada", NOON, "begin_checkout", "T1")) == []


PURCHASES = st.lists(
    st.tuples(
        st.sampled_from(["ada", "bob"]),
        st.sampled_from(["T1", "T2", None]),
        st.integers(0, 40).flatmap(lambda gap: st.sampled_from([gap, 29, 30, 31])),
    ),
    min_size=1,
    max_size=12,
)


def _as_events(drawn: list[tuple[str, str | None, int]]) -> list[Event]:
    """Purchases at noon, each a number of days after the one before."""
    when, events = NOON, []
    for index, (client, transaction, gap) in enumerate(drawn):
        when += gap * ONE_DAY
        events.append(purchase(f"{index:02}", client, when, transaction))
    return events


def _first_of_each_order(events: list[Event]) -> list[str]:
    """The rule once more, in plain Python."""
    last_day: dict[tuple[str, str], dt.date] = defaultdict(lambda: dt.date.min)
    found = []
    for event in sorted(events, key=lambda event: (event.event_at, event.event_id)):
        key = (event.client_id, event.transaction_id or f"only {event.event_id}")
        if (event.event_at.date() - last_day[key]).days > 30:
            found.append(event.event_id)
        last_day[key] = event.event_at.date()
    return sorted(found)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PURCHASES)
def test_orders_are_those_of_the_rule_in_plain_python(
    warehouse: DuckDBSession, drawn: list[tuple[str, str | None, int]]
) -> None:
    events = _as_events(drawn)
    assert orders_of(warehouse, *events) == _first_of_each_order(events)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PURCHASES)
def test_each_day_built_on_its_own_gives_the_orders_of_a_full_build(
    warehouse: DuckDBSession, drawn: list[tuple[str, str | None, int]]
) -> None:
    events = _as_events(drawn)
    store(warehouse, events)
    busy_days = sorted({event.event_at.date() for event in events})
    day_by_day, at_once = run_day_by_day(warehouse, MODEL, busy_days), run(warehouse, MODEL, days_of(events))
    assert_frame_equal(day_by_day.sort("event_id"), at_once.sort("event_id"))
