"""The truth agrees with a plain reading of the files, before the late ones arrive and with them."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from analytics_platform.demo.simulator.breakage import BROKEN_DOCUMENTS, BROKEN_MESSAGES, BROKEN_ROWS
from analytics_platform.demo.simulator.catalogue import CHANNELS, PROGRAMS
from analytics_platform.demo.simulator.catalogue import NAMES as SHOP_NAMES
from analytics_platform.demo.simulator.events import CHANGED_USER, Scope
from analytics_platform.demo.simulator.staged import (
    EDGE_USER,
    FAMILY,
    LATE_LOG_USER,
    LATE_LOGIN_USER,
    LATE_ORDER_USER,
    LATE_USER,
    LIBRARY,
    NIGHT_USER,
    NO_VIEW_USER,
    ORDER_USER,
    PAUSE_USER,
    SAME_TIME_USER,
    TIE_USER,
    TWO_BROWSERS_USER,
)
from analytics_platform.demo.simulator.tally import find_sessions
from analytics_platform_tests.demo.simulator.conftest import NAMES, START, Stage, Told, Traffic
from analytics_platform_tests.demo.simulator.log_reader import read_users
from analytics_platform_tests.demo.simulator.message_reader import distinct
from analytics_platform_tests.demo.simulator.reader import Row

SOURCES = {"clickstream": BROKEN_ROWS, "ecommerce_events": BROKEN_MESSAGES, "web_logs": BROKEN_DOCUMENTS}


LATEST = 2**60
"""Milliseconds; after every event."""


def count_days(times: Iterable[datetime]) -> Counter[str]:
    return Counter(at.date().isoformat() for at in times)


def by_client(stage: Stage, *sources: str) -> dict[str, list[Any]]:
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for source in sources:
        for event in stage.events[source]:
            found[event.client_id].append(event)
    return found


def test_every_record_is_accepted_a_duplicate_or_quarantined(stage: Stage) -> None:
    for source, broken in SOURCES.items():
        reasons = Counter(record.reason for record in stage.records[source])
        accepted, events = reasons.pop(""), stage.events[source]
        assert stage.truth[source, "rows_read"] == len(stage.records[source])
        assert stage.truth[source, "rows_accepted"] == len(events)
        assert stage.truth[source, "rows_duplicate"] == accepted - len(events)
        assert stage.truth[source, "rows_quarantined"] == reasons.total()
        assert stage.truth[source, "quarantined_by_reason"] == reasons
        assert stage.truth[source, "events_by_day"] == count_days(event.at for event in events)
        assert set(reasons) == {each.reason for each in broken}


def test_clients_and_sessions_are_those_of_the_events_of_all_sources(stage: Stage) -> None:
    clients = by_client(stage, *SOURCES)
    sessions = [each for own in clients.values() for each in find_sessions(event.milliseconds for event in own)]
    days = count_days(datetime.fromtimestamp(session.starts_at / 1000, UTC) for session in sessions)
    assert stage.truth["all", "clients"] == len(clients)
    assert stage.truth["all", "sessions"] == len(sessions)
    assert stage.truth["all", "sessions_by_day"] == days
    assert stage.truth["all", "bounces"] == sum(session.events == 1 for session in sessions)


def test_every_session_has_one_of_the_channels_and_bots_are_those_of_programs_that_bought_nothing(stage: Stage) -> None:
    channels, bots = stage.truth["all", "sessions_by_channel"], 0
    assert sum(channels.values()) == stage.truth["all", "sessions"]
    assert {"Direct", "Email", "Paid Search"} < set(channels) <= {"Direct", *(channel.group for channel in CHANNELS)}
    orders = {(order.client_id, order.milliseconds) for order in stage.orders}
    for client, rows in by_client(stage, "clickstream").items():
        starts = [session.starts_at for session in find_sessions(stage.times[client])]
        for start, end in zip(starts, [*starts[1:], LATEST], strict=True):
            own = [row for row in rows if start <= row.milliseconds < end]
            is_machines = bool(own) and all(row.values["user_agent"] in PROGRAMS for row in own)
            bots += is_machines and not any((client, row.milliseconds) in orders for row in own)
    assert stage.truth["all", "bot_sessions"] == bots > 0


def by_day(told: Iterable[Told], sign: int = 1) -> defaultdict[str, Decimal]:
    days: defaultdict[str, Decimal] = defaultdict(Decimal)
    for each in told:
        days[each.at.date().isoformat()] += sign * (each.amount or 0)
    return days


def test_orders_and_revenue_are_those_of_the_earliest_event_of_each_order(stage: Stage) -> None:
    assert stage.truth["all", "orders"] == len(stage.orders)
    assert stage.truth["all", "orders_by_day"] == count_days(order.at for order in stage.orders)


def test_revenue_refunds_and_net_are_the_known_amounts_in_euros(stage: Stage) -> None:
    net = by_day(stage.orders)
    for day, amount in by_day(stage.refunds, -1).items():
        net[day] += amount
    for name, days in (("revenue", by_day(stage.orders)), ("refunds", by_day(stage.refunds)), ("net_revenue", net)):
        truth = {day: Decimal(text) for day, text in stage.truth["all", f"{name}_by_day"].items()}
        assert truth == {day: days.get(day, 0) for day in net}
        assert Decimal(stage.truth["all", name]) == sum(days.values())
    unknown = sum(order.amount is None for order in stage.orders)
    assert stage.truth["all", "orders_of_unknown_revenue"] == unknown > 0
    itemized = Decimal(stage.truth["all", "product_revenue"]) + Decimal(stage.truth["all", "not_itemized"])
    assert itemized == Decimal(stage.truth["all", "revenue"])


def test_orders_and_refunds_are_told_in_every_way(traffic: Traffic) -> None:
    orders, refunds = traffic.total.orders, traffic.total.refunds
    for currency in ("EUR", "USD", "GBP"):
        assert any(order.sale.currency == currency and order.amount is not None for order in orders)
    assert {order.sale.currency for order in orders if order.sale.value is not None and order.amount is None} == {"JPY"}
    prices = [[price for price, _ in order.sale.lines] for order in orders]
    assert any(order.sale.amount is None and all(own) for order, own in zip(orders, prices, strict=True))
    assert any(None in own and order.sale.amount for order, own in zip(orders, prices, strict=True))
    assert any(order.sale.value is None and order.amount for order in orders)
    assert {(each.sale.is_refund, each.sale.value is None) for each in refunds} >= {(1, 0), (1, 1), (0, 0)}


def test_orders_have_shipping_tax_coupons_and_discounts_and_some_are_cancelled(traffic: Traffic) -> None:
    stage = traffic.total
    messages = [each.event for each in stage.events["ecommerce_events"] if each.event["event_name"] == "purchase"]
    rows = [row.data for row in stage.events["clickstream"] if row.values["event_name"] in NAMES]
    for told in (messages, rows):
        assert all(any(name in each for each in told) for name in ("shipping", "tax", "coupon"))
        assert any("discount" in item for each in told for item in each["items"])
    assert stage.cancelled


def test_tax_shipping_and_discounts_are_what_the_earliest_event_of_each_order_says_in_euros(stage: Stage) -> None:
    totals: defaultdict[str, Decimal] = defaultdict(Decimal)
    for order in stage.orders:
        for name, value, pieces in order.sale.extras:
            totals[name] += (stage.in_euros(value, order.sale.currency, order.at) or 0) * pieces
    assert totals == {name: Decimal(stage.truth["all", name]) for name in ("tax", "shipping", "discount")}


def test_events_have_the_names_of_google_analytics(stage: Stage) -> None:
    names = Counter(row.values["event_name"] for row in stage.events["clickstream"])
    names += Counter(message.event["event_name"] for message in stage.events["ecommerce_events"])
    names += Counter(log.action for log in stage.events["web_logs"])
    found = stage.truth["all", "events_by_name"]
    assert found == {SHOP_NAMES.get(name or "", name): count for name, count in names.items()} | {
        "purchase": names["checkout_completed"] + names["purchase"],
        "add_to_cart": names["product_added_to_cart"] + names["add_to_cart"],
        "begin_checkout": names["checkout_started"] + names["begin_checkout"],
    }
    assert {"login", "view_search_results", "view_promotion", "select_promotion"} < set(found)


def test_a_day_of_the_shop_begins_at_its_own_midnight(stage: Stage) -> None:
    days = count_days(order.at.astimezone(ZoneInfo("Europe/Berlin")) for order in stage.orders)
    assert stage.truth["all", "orders_by_shop_day"] == days != stage.truth["all", "orders_by_day"]
    sessions = count_days(visit.events[0].at.astimezone(ZoneInfo("Europe/Berlin")) for visit in stage.visits)
    assert stage.truth["all", "sessions_by_shop_day"] == sessions != stage.truth["all", "sessions_by_day"]


def test_lists_did_what_the_items_of_messages_show(stage: Stage) -> None:
    events = distinct(stage.messages)
    for name in {item["item_list_name"] for each in events for item in each.items if "item_list_name" in item}:
        found = [(each, item) for each in events for item in each.items if item.get("item_list_name") == name]
        counts = Counter(message.event["event_name"] for message, _ in found)
        assert stage.truth["ecommerce_events", f"list {name}"] == {
            "impressions": counts["view_item_list"],
            "clicks": counts["select_item"],
            "add_to_carts": counts["add_to_cart"],
            "unique_users": len({message.client_id for message, _ in found}),
            "unique_products": len({item["item_id"] for _, item in found}),
        }


def favourite(views: Iterable[tuple[str, int]]) -> str | None:
    """By the rule: most views; among equals the one viewed latest; then the smallest name."""
    times: defaultdict[str, list[int]] = defaultdict(list)
    for name, at in views:
        times[name].append(at)
    most = max(map(len, times.values()), default=0)
    often = {name: max(each) for name, each in times.items() if len(each) == most}
    return min((name for name, at in often.items() if at == max(often.values())), default=None)


def test_customers_did_what_messages_documents_their_orders_and_repeats_in_their_sessions_show(stage: Stage) -> None:
    clients = by_client(stage, "ecommerce_events", "web_logs")
    placed = {(order.client_id, order.at): order for order in stage.orders}
    sessions, done, paid = Counter[str](), defaultdict(list), defaultdict(list)
    for client_id, user, events in stage.visits:
        sessions[user] += 1
        for event in events:
            is_purchase = isinstance(event, Row) and event.values["event_name"] in ("checkout_completed", "purchase")
            who = event.user_id or (user if is_purchase else "")
            if order := placed.pop((client_id, event.at), None):
                who = stage.signed_in.get((client_id, order.sale.transaction_id), who)
                paid[who].append(order.amount or 0)
            done[who].append(event.at)
    found = stage.truth["all", "customers"]
    assert set(found) == done.keys() & stage.customers.keys()
    for user, truth in found.items():
        own = clients.get(f"user:{user}", [])
        assert truth["interactions"] == len(done[user])
        assert truth["favourite_product"] == favourite(view for event in own for view in event.views)
        assert datetime.fromisoformat(truth["first_seen_at"]) == min(done[user])
        assert datetime.fromisoformat(truth["last_active_at"]) == max(done[user])
        assert truth["sessions"] == sessions[user]
        assert (truth["orders"], Decimal(truth["revenue"])) == (len(paid[user]), sum(paid[user]))


def link_people(stage: Stage) -> dict[str, set[str]]:
    """Walk from each browser and user over logins to all that it is linked with, unless too many share the browser."""
    logins = {
        (each.client_id, each.user_id) for each in stage.events["ecommerce_events"] if "user:" not in each.client_id
    }
    users = Counter(client_id for client_id, _ in logins)
    near: defaultdict[str, set[str]] = defaultdict(set)
    for client_id, user in logins:
        if users[client_id] <= 3:
            near[client_id].add(user)
            near[user].add(client_id)
    found = {}
    for each in near:
        found[each], waiting = {each}, [each]
        while waiting:
            new = near[waiting.pop()] - found[each]
            found[each] |= new
            waiting += new
    return found


def test_persons_are_the_browsers_and_users_that_logins_link(stage: Stage) -> None:
    linked = link_people(stage)
    who = [visit.user_id or visit.client_id for visit in stage.visits]
    sessions = Counter(min(linked.get(each, {each})) for each in who)
    truth = stage.truth["all", "persons_by_user"]
    assert stage.truth["all", "persons"] == len(sessions) < stage.truth["all", "clients"]
    assert set(truth) == set(stage.customers)
    for user, person in truth.items():
        members = linked.get(user, {user})
        assert person["sessions"] == sessions[min(members)]
        assert person["clients"] == sum(not member.isdigit() for member in members)


def test_one_browser_has_two_users_one_user_two_browsers_and_a_login_comes_late(traffic: Traffic) -> None:
    early, late = (stage.truth["all", "persons_by_user"] for stage in (traffic.before_late, traffic.total))
    one, other = FAMILY
    assert late[str(one)] == late[str(other)] and late[str(one)]["clients"] == 1
    assert late[str(TWO_BROWSERS_USER)]["clients"] == 2
    assert [stage[str(LATE_LOGIN_USER)]["sessions"] for stage in (early, late)] == [0, 2]
    assert [late[str(user)]["orders"] for user in LIBRARY] == [1, 1, 0, 0], "too many share it: each has their own"
    assert not any(late[str(user)]["clients"] for user in LIBRARY)


def test_orphans_are_the_documents_of_users_that_the_answer_does_not_contain(stage: Stage) -> None:
    users = [event.client_id.removeprefix("user:") for event in stage.events["web_logs"]]
    orphans = Counter(user for user in users if user not in stage.customers)
    assert stage.truth["web_logs", "orphans"] == orphans
    assert 0 < orphans.total() / len(users) < 0.04


def test_people_are_those_of_the_answer(stage: Stage) -> None:
    people = stage.truth["users", "people"]
    assert set(people) == set(stage.customers)
    for user, entry in stage.customers.items():
        assert people[user]["email"] == entry["email"].lower()
        assert people[user]["company"] == entry.get("company", {}).get("name")
        assert people[user]["city"] == entry["address"]["city"]
        assert f"{people[user]['first_name']} {people[user]['last_name']}" in entry["name"]


def test_whoever_has_coordinates_lives_near_the_others_in_the_city(stage: Stage) -> None:
    places = defaultdict(list)
    for entry in stage.customers.values():
        if geo := entry["address"]["geo"]:
            places[entry["address"]["city"]].append((float(geo["lat"]), float(geo["lng"])))
    assert "Köln" in places and None not in places
    for found in places.values():
        for degrees in zip(*found, strict=True):
            assert max(degrees) - min(degrees) < 0.1
            assert min(map(abs, degrees)) > 1


def test_the_later_answer_contains_some_orphans_and_one_customer_has_changed(traffic: Traffic) -> None:
    first, later = traffic.before_late.customers, traffic.total.customers
    newcomers = {user for user in later if user not in first}
    early, late = (each.truth["web_logs", "orphans"] for each in (traffic.before_late, traffic.total))
    assert newcomers == {str(user) for user in Scope(7, START, 8, 150).population.newcomers} <= set(early)
    assert set(late) == set(early) - newcomers
    assert [user for user in first if first[user] != later[user]] == [str(CHANGED_USER)]


def test_some_users_are_rejected_for_their_e_mail_address(stage: Stage) -> None:
    assert read_users(stage.answer)[1] > 1


def test_no_two_events_of_a_client_in_a_source_share_an_instant(stage: Stage) -> None:
    for source in ("clickstream", "ecommerce_events"):
        events = stage.events[source]
        assert len({(event.client_id, event.at) for event in events}) == len(events)


@pytest.mark.parametrize(
    ("user", "early", "late"),
    [
        (PAUSE_USER, 1, 1),
        (EDGE_USER, 2, 2),
        (LATE_USER, 2, 1),
        (ORDER_USER, 2, 2),
        (NIGHT_USER, 1, 1),
        (LATE_LOG_USER, 2, 1),
    ],
)
def test_hand_made_users_have_the_sessions_meant_for_them(traffic: Traffic, user: int, early: int, late: int) -> None:
    for stage, expected in ((traffic.before_late, early), (traffic.total, late)):
        assert len(find_sessions(stage.times[f"user:{user}"])) == expected


def test_hand_made_clients_have_the_sessions_meant_for_them(traffic: Traffic) -> None:
    expected = {
        "edge-exactly-30-minutes": 1,
        "edge-one-millisecond-more": 2,
        "edge-one-second-more": 2,
        "midnight-crosser": 1,
        "midnight-exactly": 1,
        "midnight-last-millisecond": 1,
        "midnight-twice": 2,
        "late-fills-pause": 1,
        "late-before-midnight": 1,
        "late-kiosk": 2,
    }
    assert {client: len(find_sessions(traffic.total.times[client])) for client in expected} == expected


def test_the_favourite_of_equals_is_the_latest_then_the_smallest_name(traffic: Traffic) -> None:
    early, late = (stage.truth["all", "customers"] for stage in (traffic.before_late, traffic.total))
    assert early[str(TIE_USER)]["favourite_product"] == "Audífonos, negro"
    assert late[str(TIE_USER)]["favourite_product"] == "Bed Frame, solid oak"
    assert early[str(SAME_TIME_USER)]["favourite_product"] == "Audífonos, negro"
    assert early[str(NO_VIEW_USER)]["favourite_product"] is None


def test_a_late_message_can_be_the_earliest_of_its_order(traffic: Traffic) -> None:
    early, late = (
        next(order.at for order in stage.orders if order.client_id == f"user:{LATE_ORDER_USER}")
        for stage in (traffic.before_late, traffic.total)
    )
    assert late < early


def test_the_file_of_the_truth_has_every_figure(traffic: Traffic) -> None:
    found = json.loads((traffic.folder / "truth.json").read_text("utf-8"))
    for name in ("before_late", "total"):
        stage: Stage = getattr(traffic, name)
        figures = {(scope, figure): value for scope in found[name] for figure, value in found[name][scope].items()}
        assert figures == stage.truth
