"""Counting what is written, to become the truth."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from analytics_platform.demo.simulator.agenda import Timed
from analytics_platform.demo.simulator.event import DAY, Event, Purchase, day_of, instant_of
from analytics_platform.demo.simulator.sessions import Session, find_sessions
from analytics_platform.demo.simulator.truth import Activity, CustomerTotals, Interactions, Totals

CENT = Decimal("0.01")


class ActivityTally:
    """A running count of distinct events, their sessions and orders; `total` may be asked at any time."""

    def __init__(self) -> None:
        """Start from nothing."""
        self._events_by_day: Counter[int] = Counter()
        self._times: dict[str, array[int]] = {}
        self._orders: defaultdict[str, dict[str, tuple[int, Purchase]]] = defaultdict(dict)

    @property
    def events(self) -> int:
        """How many events were counted."""
        return self._events_by_day.total()

    def add(self, client_id: str, at: int, purchase: Purchase | None) -> None:
        """Count one event of a client at that time (milliseconds since 1970)."""
        if client_id not in self._times:
            self._times[client_id] = array("q")
        self._times[client_id].append(at)
        self._events_by_day[at // DAY] += 1
        if purchase is not None:
            self._add_order(client_id, at, purchase)

    def _add_order(self, client_id: str, at: int, purchase: Purchase) -> None:
        """Keep the earliest event of each order (DESIGN section 4: client and transaction id)."""
        orders, key = self._orders[client_id], purchase.transaction_id
        orders[key] = min(orders.get(key, (at, purchase)), (at, purchase))

    @property
    def clients(self) -> Iterable[str]:
        """Every client counted."""
        return self._times.keys()

    def times(self, client_id: str) -> Sequence[int]:
        """When the events of that client were (milliseconds since 1970), in no order."""
        return self._times[client_id]

    def order_amounts(self, client_id: str) -> list[int]:
        """What each order of that client cost, in cents."""
        return [purchase.cents for _, purchase in self._orders.get(client_id, {}).values()]

    def purchases(self) -> Iterator[tuple[str, int, Purchase]]:
        """Every order: client, time (milliseconds since 1970) and content of its earliest event."""
        for client_id, orders in self._orders.items():
            yield from ((client_id, at, purchase) for at, purchase in orders.values())

    def sessions(self, clients: Iterable[str]) -> Iterator[Session]:
        """The sessions of these clients."""
        return (session for client_id in clients for session in find_sessions(self._times[client_id]))

    def total(self) -> Activity:
        """Everything counted so far."""
        starts: Counter[int] = Counter()
        bounces = 0
        for session in self.sessions(self._times):
            starts[session.starts_at // DAY] += 1
            bounces += session.events == 1
        orders, cents = self._count_orders()
        return Activity(
            clients=len(self._times),
            events_by_day=name_days(self._events_by_day),
            sessions=starts.total(),
            sessions_by_day=name_days(starts),
            bounces=bounces,
            orders=orders.total(),
            orders_by_day=name_days(orders),
            revenue=format_money(cents.total()),
            revenue_by_day={day: format_money(amount) for day, amount in name_days(cents).items()},
        )

    def _count_orders(self) -> tuple[Counter[int], Counter[int]]:
        """Orders and their cents by day number."""
        orders: Counter[int] = Counter()
        cents: Counter[int] = Counter()
        for own in self._orders.values():
            for at, purchase in own.values():
                orders[at // DAY] += 1
                cents[at // DAY] += purchase.cents
        return orders, cents


class UserTally:
    """A running count of what each signed-in user did; `activity` is that of all of them."""

    def __init__(self) -> None:
        """Start from nothing."""
        self.activity = ActivityTally()
        self._views: defaultdict[str, dict[str, tuple[int, int]]] = defaultdict(dict)

    def add(self, event: Timed, purchase: Purchase | None, viewed: Iterable[str]) -> None:
        """Count one event, and the products it is a view of."""
        self.activity.add(event.client_id, event.at, purchase)
        views = self._views[event.client_id]
        for name in viewed:
            count, last_at = views.get(name, (0, 0))
            views[name] = (count + 1, max(last_at, event.at))

    def describe(self, client_id: str) -> Interactions:
        """What that client did."""
        times = self.activity.times(client_id)
        return Interactions(
            interactions=len(times),
            favourite_product=self._find_favourite(client_id),
            first_seen_at=format_time(min(times)),
            last_active_at=format_time(max(times)),
        )

    def describe_customer(self, client_id: str) -> CustomerTotals:
        """What that client did, with sessions and orders."""
        amounts = self.activity.order_amounts(client_id)
        return CustomerTotals(
            **asdict(self.describe(client_id)),
            sessions=len(find_sessions(self.activity.times(client_id))),
            orders=len(amounts),
            revenue=format_money(sum(amounts)),
        )

    def _find_favourite(self, client_id: str) -> str | None:
        """The product viewed most; among equals the one viewed latest, then the smallest name."""
        views = self._views[client_id]
        return min(views, key=lambda name: (-views[name][0], -views[name][1], name), default=None)


class Tally:
    """A running count of the clickstream: files, rows and distinct events."""

    def __init__(self) -> None:
        """Start from nothing."""
        self._files = 0
        self._rows = RowTally()
        self._activity = ActivityTally()
        self._bot_events: Counter[str] = Counter()

    def add_file(self, events: Iterable[Event], duplicates: int, reasons: Mapping[str, int]) -> None:
        """Count one file: its new events, its rows that were sent before, its broken rows by reason."""
        self._files += 1
        self._rows.add(duplicates, reasons)
        for event in events:
            self._activity.add(event.client_id, event.at, event.purchase)
            if event.is_bot:
                self._bot_events[event.client_id] += 1

    def purchases(self) -> Iterator[tuple[str, int, Purchase]]:
        """Every order: client, time (milliseconds since 1970) and content of its earliest event."""
        return self._activity.purchases()

    def total(self) -> Totals:
        """Everything counted so far."""
        return Totals(
            **asdict(self._activity.total()),
            **self._rows.total(self._activity.events),
            files=self._files,
            bot_events=self._bot_events.total(),
            bot_sessions=sum(1 for _ in self._activity.sessions(self._bot_events)),
        )


class RowTally:
    """A running count of what became of the records that are no new events."""

    def __init__(self) -> None:
        """Start from nothing."""
        self._duplicates = 0
        self._reasons: Counter[str] = Counter()

    def add(self, duplicates: int, reasons: Mapping[str, int]) -> None:
        """Count a file's copies, and its broken records by reason."""
        self._duplicates += duplicates
        self._reasons.update(reasons)

    def total(self, accepted: int) -> dict[str, Any]:
        """The fields of `SourceTotals` about records, with so many accepted ones."""
        quarantined = self._reasons.total()
        return {
            "rows_read": accepted + self._duplicates + quarantined,
            "rows_accepted": accepted,
            "rows_duplicate": self._duplicates,
            "rows_quarantined": quarantined,
            "quarantined_by_reason": dict(sorted(self._reasons.items())),
        }


def merge(one: Activity, other: Activity) -> Activity:
    """The activity of both, which have no client in common."""
    return Activity(
        clients=one.clients + other.clients,
        events_by_day=_add_days(one.events_by_day, other.events_by_day),
        sessions=one.sessions + other.sessions,
        sessions_by_day=_add_days(one.sessions_by_day, other.sessions_by_day),
        bounces=one.bounces + other.bounces,
        orders=one.orders + other.orders,
        orders_by_day=_add_days(one.orders_by_day, other.orders_by_day),
        revenue=str(Decimal(one.revenue) + Decimal(other.revenue)),
        revenue_by_day={
            day: str(Decimal(one.revenue_by_day.get(day, "0.0000")) + Decimal(other.revenue_by_day.get(day, "0.0000")))
            for day in sorted({*one.revenue_by_day, *other.revenue_by_day})
        },
    )


def _add_days(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {day: one.get(day, 0) + other.get(day, 0) for day in sorted({*one, *other})}


def name_days(counts: Mapping[int, int]) -> dict[str, int]:
    """Counts by ISO date, in order, from counts by day number since 1970."""
    return {day_of(number * DAY).isoformat(): counts[number] for number in sorted(counts)}


def format_money(cents: int) -> str:
    """An amount as text with four decimals, the scale of `DECIMAL(18,4)`."""
    return f"{cents * CENT:.4f}"


def format_time(at: int) -> str:
    """An instant (milliseconds since 1970) as ISO 8601 in UTC."""
    return instant_of(at).isoformat(timespec="milliseconds")
