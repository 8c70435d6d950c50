"""The web shop's logs and the users answers keep their promises, and the truth agrees with a plain reading of them."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from bson import json_util
from bson.codec_options import DatetimeConversion

from analytics_platform.demo.simulator import read_documents, simulate
from analytics_platform.demo.simulator.breakage import BROKEN_DOCUMENTS
from analytics_platform.demo.simulator.events import plan_population
from analytics_platform.demo.simulator.staged import (
    LATE_LOG_USER,
    NIGHT_USER,
    NO_VIEW_USER,
    PAUSE_USER,
    SAME_TIME_USER,
    TIE_USER,
)
from analytics_platform.demo.simulator.tally import find_sessions
from analytics_platform.demo.simulator.truth import Person, Sources
from analytics_platform.demo.simulator.users import CHANGED_USER
from analytics_platform_tests.demo.simulator.conftest import START, Traffic
from analytics_platform_tests.demo.simulator.log_reader import Log, distinct_logs, read_users
from analytics_platform_tests.demo.simulator.message_reader import Message, distinct, orders_of

View = tuple[str, int]

CANONICAL = json_util.JSONOptions(
    json_mode=json_util.JSONMode.CANONICAL, datetime_conversion=DatetimeConversion.DATETIME_MS
)


class Stage(NamedTuple):
    """The truth, and the files it is about."""

    truth: Sources
    messages: list[Message]
    logs: list[Log]
    users: Path

    @property
    def events(self) -> list[Log]:
        return distinct_logs(self.logs)

    @property
    def customers(self) -> dict[str, dict[str, Any]]:
        return read_users(self.users)[0]


@pytest.fixture(scope="module", params=["before_late", "total"])
def stage(request: pytest.FixtureRequest, traffic: Traffic) -> Stage:
    sources = traffic.truth.sources
    if request.param == "before_late":
        return Stage(sources.before_late, traffic.messages, traffic.documents, traffic.folder / "users.json")
    return Stage(
        sources.total,
        traffic.messages + traffic.late_messages,
        traffic.documents + traffic.late_documents,
        traffic.folder / "late" / "users.json",
    )


def favourite(views: Iterable[View]) -> str | None:
    """By the rule: most views; among equals the one viewed latest; then the smallest name."""
    times: defaultdict[str, list[int]] = defaultdict(list)
    for name, at in views:
        times[name].append(at)
    most = max(map(len, times.values()), default=0)
    often = {name: max(each) for name, each in times.items() if len(each) == most}
    return min((name for name, at in often.items() if at == max(often.values())), default=None)


def views_in(logs: Iterable[Log], messages: Iterable[Message] = ()) -> list[View]:
    logged = [(log.item_name or "", log.milliseconds) for log in logs if log.action == "view_item"]
    sent = [
        (item["item_name"], message.milliseconds)
        for message in messages
        if message.event["event_name"] == "view_item"
        for item in message.items
    ]
    return logged + sent


def by_client(events: Iterable[Any]) -> dict[str, list[Any]]:
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for event in events:
        found[event.client_id].append(event)
    return found


def test_every_document_is_accepted_a_duplicate_or_quarantined(stage: Stage) -> None:
    totals = stage.truth.web_logs
    reasons = Counter(log.reason for log in stage.logs)
    accepted = reasons.pop("")
    assert totals.rows_read == len(stage.logs)
    assert totals.quarantined_by_reason == reasons
    assert totals.rows_accepted == len(stage.events)
    assert totals.rows_duplicate == accepted - len(stage.events)
    assert totals.events_by_day == Counter(log.at.date().isoformat() for log in stage.events)
    assert set(reasons) == {each.reason for each in BROKEN_DOCUMENTS}


def test_orphans_are_the_documents_of_users_the_answer_does_not_name(stage: Stage) -> None:
    orphans = Counter(log.user_id for log in stage.events if log.user_id not in stage.customers)
    assert stage.truth.web_logs.orphans_by_user == orphans
    assert stage.truth.web_logs.orphans == orphans.total()
    assert 0 < orphans.total() / len(stage.events) < 0.04


def test_customers_did_in_the_logs_what_the_documents_say(stage: Stage) -> None:
    logs = {client: each for client, each in by_client(stage.events).items() if each[0].user_id in stage.customers}
    found = stage.truth.web_logs.customers
    assert {f"user:{user}" for user in found} == set(logs)
    for user, truth in found.items():
        own = logs[f"user:{user}"]
        assert truth.interactions == len(own)
        assert truth.favourite_product == favourite(views_in(own))
        assert datetime.fromisoformat(truth.first_seen_at) == min(log.at for log in own)
        assert datetime.fromisoformat(truth.last_active_at) == max(log.at for log in own)


def test_customers_did_over_all_sources_what_messages_and_documents_say(stage: Stage) -> None:
    logs, messages = by_client(stage.events), by_client(distinct(stage.messages))
    orders = by_client(orders_of(stage.messages))
    found = stage.truth.all_sources.customers
    assert set(found) == {user for user in stage.customers if f"user:{user}" in {*logs, *messages}}
    for user, truth in found.items():
        client = f"user:{user}"
        times = [each.milliseconds for each in (*logs.get(client, ()), *messages.get(client, ()))]
        paid = [Decimal(str(order.event["value"])) for order in orders.get(client, ())]
        assert truth.interactions == len(times)
        assert truth.favourite_product == favourite(views_in(logs.get(client, ()), messages.get(client, ())))
        assert truth.sessions == len(find_sessions(times))
        assert (truth.orders, Decimal(truth.revenue)) == (len(paid), sum(paid))


def test_sessions_of_all_sources_are_common_to_messages_and_logs(stage: Stage) -> None:
    clients = by_client([*stage.events, *distinct(stage.messages)])
    sessions = [each for own in clients.values() for each in find_sessions([event.milliseconds for event in own])]
    clickstream, everything = stage.truth.clickstream, stage.truth.all_sources
    assert everything.sessions == clickstream.sessions + len(sessions)
    assert everything.bounces == clickstream.bounces + sum(session.events == 1 for session in sessions)
    assert everything.clients == clickstream.clients + len(clients)
    assert everything.sessions < sum(
        source.sessions for source in (clickstream, stage.truth.ecommerce_events, stage.truth.web_logs)
    )


def test_the_sum_over_sources_has_every_event_and_order_once(stage: Stage) -> None:
    truth = stage.truth
    sources = (truth.clickstream, truth.ecommerce_events, truth.web_logs)
    everything = truth.all_sources
    assert everything.orders == sum(source.orders for source in sources) == sum(everything.orders_by_day.values())
    assert Decimal(everything.revenue) == sum(Decimal(source.revenue) for source in sources)
    assert sum(map(Decimal, everything.revenue_by_day.values())) == Decimal(everything.revenue)
    assert sum(everything.sessions_by_day.values()) == everything.sessions
    for day, events in everything.events_by_day.items():
        assert events == sum(source.events_by_day.get(day, 0) for source in sources)


@pytest.mark.parametrize(("user", "early", "late"), [(PAUSE_USER, 1, 1), (NIGHT_USER, 1, 1), (LATE_LOG_USER, 2, 1)])
def test_a_log_between_two_messages_joins_their_sessions(traffic: Traffic, user: int, early: int, late: int) -> None:
    sources = traffic.truth.sources
    assert sources.before_late.all_sources.customers[str(user)].sessions == early
    assert sources.total.all_sources.customers[str(user)].sessions == late


def test_the_favourite_of_equals_is_the_latest_then_the_smallest_name(traffic: Traffic) -> None:
    early, late = traffic.truth.sources.before_late.web_logs.customers, traffic.truth.sources.total.web_logs.customers
    assert early[str(TIE_USER)].favourite_product == "Audífonos, negro"
    assert late[str(TIE_USER)].favourite_product == "Bed Frame, solid oak"
    assert early[str(SAME_TIME_USER)].favourite_product == "Audífonos, negro"
    assert early[str(NO_VIEW_USER)].favourite_product is None


def test_documents_are_canonical_extended_json(traffic: Traffic) -> None:
    for path in traffic.folder.glob("**/web_logs/*"):
        for text in read_documents(path):
            written = json_util.dumps(json_util.loads(text, json_options=CANONICAL), json_options=CANONICAL)
            assert json.loads(written) == json.loads(text)


def test_no_two_different_documents_share_an_id(traffic: Traffic) -> None:
    texts = {text for path in traffic.folder.glob("**/web_logs/*") for text in read_documents(path)}
    assert len({json.loads(text)["_id"]["$oid"] for text in texts}) == len(texts)


def test_the_late_file_repeats_a_few_documents(traffic: Traffic) -> None:
    early = {log.text for log in traffic.documents}
    assert len(early) == len(traffic.documents)
    repeated = sum(log.text in early for log in traffic.late_documents)
    assert 3 < repeated < len(traffic.late_documents)


def test_each_daily_file_holds_documents_of_its_day(traffic: Traffic) -> None:
    files = sorted((traffic.folder / "web_logs").iterdir())
    days = {(START + timedelta(days=number)).isoformat() for number in range(8)}
    assert [path.name for path in files] == [f"{day}.jsonl" for day in sorted(days)]
    assert {log.at.date().isoformat() for log in traffic.documents if not log.reason} <= days


def test_people_are_those_of_the_answer(stage: Stage) -> None:
    customers, refused = read_users(stage.users)
    truth = stage.truth.users
    assert (truth.rows_read, truth.customers) == (len(customers) + refused, len(customers))
    assert truth.quarantined_by_reason == {"email: malformed": refused}
    assert set(truth.people) == set(customers)
    for user, person in truth.people.items():
        entry = customers[user]
        assert person == Person(
            first_name=person.first_name,
            last_name=person.last_name,
            email=entry["email"].lower(),
            company=entry.get("company", {}).get("name"),
            city=entry["address"]["city"],
        )
        assert f"{person.first_name} {person.last_name}" in entry["name"]


def test_names_come_with_honorifics_and_suffixes_and_values_are_missing(traffic: Traffic) -> None:
    entries = read_users(traffic.folder / "users.json")[0].values()
    assert any(entry["name"].split()[0].endswith(".") for entry in entries)
    assert any(len(entry["name"].split()) > 2 and not entry["name"].split()[0].endswith(".") for entry in entries)
    assert any("company" not in entry for entry in entries)
    assert any(entry["phone"] is None for entry in entries)
    assert any(entry["website"] == "" for entry in entries)
    assert any(entry["address"]["geo"] is None for entry in entries)


def test_the_later_answer_names_some_orphans_and_one_customer_has_changed(traffic: Traffic) -> None:
    first, later = (read_users(traffic.folder / name)[0] for name in ("users.json", "late/users.json"))
    newcomers = {user for user in later if user not in first}
    early, late = (
        each.web_logs.orphans_by_user for each in (traffic.truth.sources.before_late, traffic.truth.sources.total)
    )
    assert newcomers == {str(user) for user in plan_population(150).newcomers} <= set(early)
    assert set(late) == set(early) - newcomers
    assert [user for user in first if first[user] != later[user]] == [str(CHANGED_USER)]


def test_without_broken_records_nobody_is_refused(tmp_path: Path) -> None:
    truth = simulate(1, 60, seed=2, out=tmp_path, start=START, error_share=0).sources.total
    assert truth.users.rows_quarantined == truth.web_logs.rows_quarantined == 0
