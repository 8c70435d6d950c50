"""The mobile shop's messages keep their promises, and the truth agrees with a plain reading of them."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import pytest

from analytics_platform.demo.simulator import read_messages, simulate
from analytics_platform.demo.simulator.breakage import BROKEN_MESSAGES
from analytics_platform.demo.simulator.staged import (
    EDGE_USER,
    LATE_ORDER_USER,
    LATE_USER,
    ORDER_USER,
    PAUSE_USER,
)
from analytics_platform.demo.simulator.tally import find_sessions
from analytics_platform.demo.simulator.truth import ListTotals, MessageTotals
from analytics_platform_tests.demo.simulator.conftest import START, Traffic
from analytics_platform_tests.demo.simulator.message_reader import Message, amount, distinct, orders_of, read_body


def sessions_of(messages: Iterable[Message]) -> list[int]:
    times: defaultdict[str, list[int]] = defaultdict(list)
    for message in distinct(messages):
        times[message.client_id].append(message.milliseconds)
    return [session.events for each in times.values() for session in find_sessions(each)]


def measure_list(events: list[Message], orders: list[Message], name: str) -> ListTotals:
    found = [(each, item) for each in events for item in each.items if item.get("item_list_name") == name]
    sold = [(each, item) for each in orders for item in each.items if item.get("item_list_name") == name]
    counts = Counter(message.event["event_name"] for message, _ in found)
    return ListTotals(
        impressions=counts["view_item_list"],
        clicks=counts["select_item"],
        views=counts["view_item"],
        add_to_carts=counts["add_to_cart"],
        purchases=len({each.identity for each, _ in sold}),
        unique_users=len({message.client_id for message, _ in found}),
        unique_products=len({item["item_id"] for _, item in found}),
        revenue=f"{sum(amount(item) for _, item in sold):.4f}",
    )


@pytest.fixture(scope="module", params=["before_late", "total"])
def stage(request: pytest.FixtureRequest, traffic: Traffic) -> tuple[MessageTotals, list[Message]]:
    """The truth, and the messages it is about."""
    if request.param == "total":
        return traffic.truth.sources.total.ecommerce_events, traffic.messages + traffic.late_messages
    return traffic.truth.sources.before_late.ecommerce_events, traffic.messages


def test_every_message_is_accepted_a_duplicate_or_quarantined(stage: tuple[MessageTotals, list[Message]]) -> None:
    totals, messages = stage
    reasons = Counter(message.reason for message in messages)
    accepted = reasons.pop("")
    assert totals.rows_read == len(messages)
    assert totals.quarantined_by_reason == reasons
    assert totals.rows_quarantined == reasons.total()
    assert totals.rows_accepted == len(distinct(messages))
    assert totals.rows_duplicate == accepted - len(distinct(messages))


def test_events_orders_and_sessions_are_those_of_the_messages(stage: tuple[MessageTotals, list[Message]]) -> None:
    totals, messages = stage
    events, orders, sessions = distinct(messages), orders_of(messages), sessions_of(messages)
    assert totals.events_by_day == Counter(message.at.date().isoformat() for message in events)
    assert totals.clients == len({message.client_id for message in events})
    assert totals.orders == len(orders)
    assert Decimal(totals.revenue) == sum(Decimal(str(order.event["value"])) for order in orders)
    assert (totals.sessions, totals.bounces) == (len(sessions), sessions.count(1))


def test_lists_did_what_the_items_of_messages_say(stage: tuple[MessageTotals, list[Message]]) -> None:
    totals, messages = stage
    events, orders = distinct(messages), orders_of(messages)
    names = {item["item_list_name"] for each in events for item in each.items if "item_list_name" in item}
    assert totals.lists == {name: measure_list(events, orders, name) for name in names}


def test_an_order_costs_what_its_items_cost(traffic: Traffic) -> None:
    for order in orders_of(traffic.messages):
        assert sum(map(amount, order.items)) == Decimal(str(order.event["value"]))


def test_messages_come_in_every_form_and_so_do_their_copies(traffic: Traffic) -> None:
    messages = [message for message in traffic.messages if not message.reason]
    forms: defaultdict[str, set[str]] = defaultdict(set)
    for message in messages:
        forms[message.identity].add(message.form)
    wraps, kinds = ("plain", "twice", "sns"), ("list", "text", "ga4")
    assert {message.form for message in messages} >= {f"{wrap}/{kind}" for wrap in wraps for kind in kinds}
    assert sum(len(each) > 1 for each in forms.values()) > 20
    assert {message.stamp for message in messages} >= {
        "10 digits",
        "13 digits",
        "16 digits",
        "9999-99-99T99:99:99.999Z",
        "9999-99-99T99:99:99.999",
        "9999-99-99 99:99:99.999999+99:99",
    }


def test_one_message_in_ten_is_a_copy_and_one_in_fifty_poison(traffic: Traffic) -> None:
    totals = traffic.truth.sources.total.ecommerce_events
    assert 0.07 < totals.rows_duplicate / totals.rows_read < 0.13
    assert 0.015 < totals.rows_quarantined / totals.rows_read <= 0.02


def test_poison_is_spread_and_each_body_is_another(traffic: Traffic) -> None:
    bodies = [body for path in traffic.message_files for body in read_messages(path)]
    poison = [body for body in bodies if read_body(body).reason]
    assert len(poison) == len(set(poison))
    assert set(traffic.truth.sources.total.ecommerce_events.quarantined_by_reason) == {
        each.reason for each in BROKEN_MESSAGES
    }
    for start in range(0, len(traffic.messages) - 100, 100):
        assert sum(bool(message.reason) for message in traffic.messages[start : start + 100]) <= 4


def test_no_two_events_of_a_user_share_an_instant(traffic: Traffic) -> None:
    events = distinct(traffic.messages + traffic.late_messages)
    assert len({(message.client_id, message.at) for message in events}) == len(events)


def test_lists_show_ten_to_twenty_products_and_a_click_names_its_list(traffic: Traffic) -> None:
    for message in distinct(traffic.messages):
        if message.event["event_name"] == "view_item_list":
            assert 10 <= len(message.items) <= 20
            assert [item["item_list_index"] for item in message.items] == [
                str(index) for index in range(1, len(message.items) + 1)
            ]
        if message.event["event_name"] == "select_item":
            assert [set(item) >= {"item_list_name", "item_list_index"} for item in message.items] == [True]


def test_messages_are_a_third_of_the_clickstream(traffic: Traffic) -> None:
    messages = traffic.truth.sources.total.ecommerce_events.rows_read
    assert 0.25 < messages / traffic.truth.rows_read < 0.42


@pytest.mark.parametrize(
    ("user", "early", "late"), [(PAUSE_USER, 2, 2), (EDGE_USER, 2, 2), (LATE_USER, 2, 1), (ORDER_USER, 2, 2)]
)
def test_the_hand_made_users_have_the_sessions_meant_for_them(
    traffic: Traffic, user: int, early: int, late: int
) -> None:
    for messages, expected in ((traffic.messages, early), (traffic.messages + traffic.late_messages, late)):
        own = [message for message in messages if not message.reason and message.client_id == f"user:{user}"]
        assert len(sessions_of(own)) == expected


def test_a_late_message_can_be_the_earliest_of_its_order(traffic: Traffic) -> None:
    def order(messages: list[Message]) -> Message:
        return next(each for each in orders_of(messages) if each.client_id == f"user:{LATE_ORDER_USER}")

    assert order(traffic.messages + traffic.late_messages).at < order(traffic.messages).at


def test_without_broken_rows_there_is_no_poison(tmp_path: Path) -> None:
    truth = simulate(2, 60, seed=2, out=tmp_path, start=START, error_share=0)
    assert truth.sources.total.ecommerce_events.rows_quarantined == 0
