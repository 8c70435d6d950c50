"""One small simulation, made once for all tests that only read it."""

import csv
from bisect import insort
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from analytics_platform.demo.simulator import PURCHASES, read_documents, read_messages, read_purchases, simulate
from analytics_platform.demo.simulator.tally import Figures, find_sessions
from analytics_platform_tests.demo.simulator.log_reader import Log, distinct_logs, read_document, read_users
from analytics_platform_tests.demo.simulator.message_reader import Message, distinct, read_body
from analytics_platform_tests.demo.simulator.reader import Row, Sale, distinct_rows, read_file

START = date(2026, 11, 1)


NAMES = ("checkout_completed", "purchase", "refund")


class Told(NamedTuple):
    """An order or refund: client, time, and what the earliest event says; its amount in euros, None if unknown."""

    client_id: str
    at: datetime
    milliseconds: int
    sale: Sale
    amount: Decimal | None


class Visit(NamedTuple):
    """A session: its client, who signed in last, and its events by time."""

    client_id: str
    user_id: str
    events: list[Any]


@dataclass(frozen=True)
class Stage:
    """What has arrived at one time, and what is true of it."""

    truth: Figures
    files: dict[Path, list[Row]]
    messages: list[Message]
    logs: list[Log]
    answer: Path
    rates: dict[tuple[str, date], Decimal]
    cancelled: set[tuple[str, str]]
    signed_in: dict[tuple[str, str], str]
    """Order in the shop → who was signed in, `guest` for nobody."""

    @cached_property
    def rows(self) -> list[Row]:
        return [row for rows in self.files.values() for row in rows]

    @cached_property
    def records(self) -> dict[str, list[Any]]:
        return {"clickstream": self.rows, "ecommerce_events": self.messages, "web_logs": self.logs}

    @cached_property
    def events(self) -> dict[str, list[Any]]:
        """The distinct accepted records of each source."""
        return {
            "clickstream": distinct_rows(self.rows),
            "ecommerce_events": distinct(self.messages),
            "web_logs": distinct_logs(self.logs),
        }

    @cached_property
    def told(self) -> list[Told]:
        """What every event says of an order or a refund, by time."""
        rows = [row for row in self.events["clickstream"] if row.values["event_name"] in NAMES]
        messages = [each for each in self.events["ecommerce_events"] if each.event["event_name"] in NAMES]
        events = sorted([*rows, *messages], key=lambda event: event.at)
        return [
            Told(each.client_id, each.at, each.milliseconds, sale, self.in_euros(sale.value, sale.currency, each.at))
            for each in events
            for sale in [each.sale]
        ]

    def in_euros(self, value: Decimal | None, currency: str, at: datetime) -> Decimal | None:
        if value is None or currency == "EUR":
            return value
        days = (at.date() - timedelta(days=age) for age in range(8))
        rate = next((self.rates[currency, each] for each in days if (currency, each) in self.rates), None)
        if rate is None:
            return None
        one = (1 / rate).quantize(Decimal("1e-10"), ROUND_HALF_UP)
        return (value * one).quantize(Decimal("1e-4"), ROUND_HALF_UP)

    @cached_property
    def orders(self) -> list[Told]:
        """The orders, by time: the earliest event, and the first known amount of its day."""
        orders: dict[tuple[str, str], Told] = {}
        for told in self.told:
            if told.sale.is_refund or (told.sale.value or 0) < 0:
                continue
            first = orders.setdefault((told.client_id, told.sale.transaction_id), told)
            if first.amount is None and told.at.date() == first.at.date():
                orders[told.client_id, told.sale.transaction_id] = first._replace(amount=told.amount)
        return list(orders.values())

    @cached_property
    def refunds(self) -> list[Told]:
        """The refunds by time, then cancelled orders: without amount, and at most, what is left of the order before."""
        orders = {(order.client_id, order.sale.transaction_id): order for order in self.orders}
        left, found = {key: order.amount for key, order in orders.items()}, []
        given = [told for told in self.told if told.sale.is_refund or (told.sale.value or 0) < 0]
        for told in [*given, *(order for key, order in orders.items() if key in self.cancelled)]:
            key, amount = (told.client_id, told.sale.transaction_id), told.amount and abs(told.amount)
            if key in orders and orders[key].at <= told.at:
                rest = left[key]
                asked = rest if told.sale.value is None else amount
                amount = None if rest is None or asked is None else min(asked, rest)
                left[key] = rest and rest - (amount or 0)
            found.append(told._replace(amount=amount))
        return found

    @cached_property
    def customers(self) -> dict[str, dict[str, Any]]:
        return read_users(self.answer)[0]

    @cached_property
    def visits(self) -> list[Visit]:
        clients, found = defaultdict(list), []
        for event in sorted((each for events in self.events.values() for each in events), key=lambda event: event.at):
            clients[event.client_id].append(event)
        for client_id, events in clients.items():
            starts = [each.starts_at for each in find_sessions(self.times[client_id])]
            for start, end in pairwise([*starts, 2**60]):
                own = [event for event in events if start <= event.milliseconds < end]
                user_id = next((event.user_id for event in reversed(own) if event.user_id), "")
                found.append(Visit(client_id, user_id, own))
        return found

    @cached_property
    def times(self) -> dict[str, list[int]]:
        """The times of each client's events in all sources, sorted, in milliseconds since 1970."""
        found: defaultdict[str, list[int]] = defaultdict(list)
        for event in (event for events in self.events.values() for event in events):
            insort(found[event.client_id], event.milliseconds)
        return found


@dataclass(frozen=True)
class Traffic:
    """What a simulation wrote, before the late files arrive and with them."""

    folder: Path
    before_late: Stage
    total: Stage


@pytest.fixture(scope="session")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> Traffic:
    folder = tmp_path_factory.mktemp("traffic")
    truth = simulate(days=8, visitors=150, seed=7, out=folder, start=START)
    with (folder / "exchange_rates" / "rates.csv").open() as file:
        rates = {
            (row["currency"], date.fromisoformat(row["date"])): Decimal(row["rate"]) for row in csv.DictReader(file)
        }
    orders = list(read_purchases(folder / PURCHASES))
    signed_in = {(order.client_id, order.transaction_id): order.user_id or "guest" for order in orders if order.lines}
    cancelled = {(order.client_id, order.transaction_id) for order in orders if order.is_cancelled}
    stages = [
        Stage(
            figures,
            {path: read_file(path) for part in parts for path in sorted((folder / part / "clickstream").iterdir())},
            [read_body(body) for part in parts for body in _read(folder / part / "messages", read_messages)],
            [read_document(text) for part in parts for text in _read(folder / part / "web_logs", read_documents)],
            folder / parts[-1] / "users.json",
            rates,
            cancelled,
            signed_in,
        )
        for figures, parts in ((truth.before_late, ["."]), (truth.total, [".", "late"]))
    ]
    return Traffic(folder, *stages)


def _read(folder: Path, read: Any) -> list[str]:
    return [text for path in sorted(folder.iterdir()) for text in read(path)]


@pytest.fixture(params=["before_late", "total"])
def stage(request: pytest.FixtureRequest, traffic: Traffic) -> Stage:
    found: Stage = getattr(traffic, request.param)
    return found
