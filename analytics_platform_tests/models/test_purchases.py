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
    event_id: str,
    client: str,
    when: dt.datetime,
    transaction: str | None,
    revenue: str | None = "10",
    user: str | None = None,
) -> Event:
    return Event(event_id, client, when, "purchase", transaction, Decimal(revenue) if revenue else None, user)


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


def test_an_order_has_the_first_known_revenue_of_its_events(warehouse: DuckDBSession) -> None:
    later, night = NOON + dt.timedelta(minutes=1), NOON + dt.timedelta(hours=12)
    cases: list[tuple[list[Event], int | None]] = [
        ([purchase("a", "ada", NOON, "T1", None)], None),
        ([purchase("a", "ada", NOON, "T1", None), purchase("b", "ada", later, "T1", "49")], 49),
        ([purchase("a", "ada", NOON, "T1", "5"), purchase("b", "ada", later, "T1", "7")], 5),
        ([purchase("a", "ada", NOON, "T1", None), purchase("b", "bob", later, "T1", "7")], None),
        ([purchase("a", "ada", NOON, "T1", None), purchase("b", "ada", night, "T1", "7")], 7),
        ([purchase("a", "ada", NOON, "T1", None), purchase("b", "ada", NOON + 30 * ONE_DAY, "T1", "7")], 7),
        ([purchase("a", "ada", NOON, "T1", None, "u"), purchase("b", "bob", night, "T1", "7", "u")], 7),
    ]
    for events, revenue in cases:
        store(warehouse, events)
        assert run(warehouse, MODEL, [NOON.date()]).sort("event_id")["revenue"][0] == revenue, events


def test_an_order_of_one_user_from_two_clients_within_a_day_is_one(warehouse: DuckDBSession) -> None:
    def orders(hours: float, users: tuple[str | None, str | None], transaction: str | None = "T1") -> list[str]:
        at = NOON + dt.timedelta(hours=hours)
        first = purchase("a", "phone", NOON, transaction, user=users[0])
        return orders_of(warehouse, first, purchase("b", "server", at, transaction, user=users[1]))

    assert orders(24, ("u", "u")) == orders(0, ("u", "u")) == ["a"]
    assert orders(24.1, ("u", "u")) == orders(1, ("u", "v")) == orders(1, ("u", None)) == ["a", "b"]
    assert orders(1, (None, None)) == orders(1, ("u", "u"), None) == ["a", "b"]
    told_later = purchase("c", "phone", NOON + dt.timedelta(hours=2), "T1", user="u")
    both = purchase("a", "phone", NOON, "T1"), purchase("b", "server", NOON + dt.timedelta(hours=1), "T1", user="u")
    assert orders_of(warehouse, *both, told_later) == ["a"]


def test_only_purchases_are_orders(warehouse: DuckDBSession) -> None:
    assert orders_of(warehouse, Event("a", "ada", NOON, "begin_checkout", "T1")) == []


PURCHASES = st.lists(
    st.tuples(
        st.sampled_from(["ada", "bob", "eve"]),
        st.sampled_from(["T1", "T1", "T2", None]),
        st.sampled_from([0, 1, 11, 13, 24, 25, *(24 * days for days in (5, 29, 30, 31, 32))]),
        st.sampled_from([None, "u", "u", "v"]),
        st.sampled_from([None, None, "5", "7"]),
    ),
    min_size=1,
    max_size=12,
)


def _as_events(drawn: list[tuple[str, str | None, int, str | None, str | None]]) -> list[Event]:
    """Purchases from noon on, each a number of hours after the one before."""
    when, events = NOON, []
    for index, (client, transaction, gap, user, revenue) in enumerate(drawn):
        when += dt.timedelta(hours=gap)
        events.append(purchase(f"{index:02}", client, when, transaction, revenue, user))
    return events


def _orders(events: list[Event]) -> dict[str, Decimal | None]:
    """The rule once more, in plain Python: the first event of each order, and its revenue."""
    chains: dict[tuple[str, str], list[list[Event]]] = defaultdict(list)
    for event in events:  # in order of time
        found = chains[event.client_id, event.transaction_id or f"only {event.event_id}"]
        if not found or (event.event_at.date() - found[-1][-1].event_at.date()).days > 30:
            found.append([])
        found[-1].append(event)
    orders: list[list[list[Event]]] = []
    last: dict[tuple[str, str], list[list[Event]]] = {}
    for chain in sorted((each for found in chains.values() for each in found), key=lambda each: each[0].event_id):
        start = chain[0].event_at
        users = [each.user_id for each in chain if each.user_id and (each.event_at.date() - start.date()).days <= 1]
        key = (users[0] if users else f"only {chain[0].event_id}", chain[0].transaction_id or chain[0].event_id)
        if key not in last or start - last[key][-1][0].event_at > ONE_DAY:
            orders.append(last.setdefault(key, []))
            if last[key]:
                orders[-1] = last[key] = []
        last[key].append(chain)
    revenues: dict[str, Decimal | None] = {}
    for order in orders:
        day = order[0][0].event_at.date()
        known = [
            next(((each.event_id, each.revenue, each.event_at) for each in chain if each.revenue is not None), None)
            for chain in order
        ]
        within = [
            found
            for found, chain in zip(known, order, strict=True)
            if found and (found[2].date() - chain[0].event_at.date()).days <= 30 and (found[2].date() - day).days <= 30
        ]
        revenues[order[0][0].event_id] = min(within)[1] if within else None
    return revenues


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PURCHASES)
def test_orders_are_those_of_the_rule_in_plain_python(
    warehouse: DuckDBSession, drawn: list[tuple[str, str | None, int, str | None, str | None]]
) -> None:
    events = _as_events(drawn)
    store(warehouse, events)
    found = run(warehouse, MODEL, days_of(events))
    assert dict(zip(found["event_id"], found["revenue"], strict=True)) == _orders(events)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PURCHASES)
def test_each_day_built_on_its_own_gives_the_orders_of_a_full_build(
    warehouse: DuckDBSession, drawn: list[tuple[str, str | None, int, str | None, str | None]]
) -> None:
    events = _as_events(drawn)
    store(warehouse, events)
    busy_days = sorted({event.event_at.date() for event in events})
    day_by_day, at_once = run_day_by_day(warehouse, MODEL, busy_days), run(warehouse, MODEL, days_of(events))
    assert_frame_equal(day_by_day.sort("event_id"), at_once.sort("event_id"))
