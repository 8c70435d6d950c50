"""Counting what is written, to become the truth."""

from abc import ABC, abstractmethod
from array import array
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any, Generic, NamedTuple

from analytics_platform.demo.simulator.delivery import EventT, Packed
from analytics_platform.demo.simulator.events import (
    DAY,
    MINUTE,
    AppEvent,
    Event,
    Item,
    LogEvent,
    Purchase,
    Timed,
    client_of,
    day_of,
    format_money,
    format_time,
)
from analytics_platform.demo.simulator.truth import (
    Activity,
    CustomerTotals,
    Interactions,
    ListTotals,
    LogTotals,
    MessageTotals,
    Totals,
)

LONGEST_PAUSE = 30 * MINUTE
"""Milliseconds; a pause of exactly this length does not end a session."""


class Session(NamedTuple):
    """A session of one client: when it starts (milliseconds since 1970) and how many events it has."""

    starts_at: int
    events: int


def find_sessions(times: Iterable[int]) -> list[Session]:
    """Find sessions of one client from the times of its events (milliseconds since 1970, any order)."""
    sessions: list[Session] = []
    starts_at, events = 0, 0
    last_at: int | None = None
    last_pause_day: int | None = None
    for at in sorted(times):
        day = at // DAY
        after_pause = last_at is None or at - last_at > LONGEST_PAUSE
        first_of_day = last_at is None or day != last_at // DAY
        if after_pause or (first_of_day and last_pause_day != day - 1):
            if events:
                sessions.append(Session(starts_at, events))
            starts_at, events = at, 0
        if after_pause:
            last_pause_day = day
        events += 1
        last_at = at
    if events:
        sessions.append(Session(starts_at, events))
    return sessions


class ActivityTally:
    """A running count of distinct events, their sessions and orders; `total` may be asked at any time."""

    def __init__(self) -> None:
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
        if purchase is not None:  # the earliest event of an order stays: an order is a client and a transaction id
            orders, key = self._orders[client_id], purchase.transaction_id
            orders[key] = min(orders.get(key, (at, purchase)), (at, purchase))

    @property
    def clients(self) -> Iterable[str]:
        """Every client counted."""
        return self._times.keys()

    def times(self, client_id: str) -> Sequence[int]:
        """Return when the events of that client were (milliseconds since 1970), in no order."""
        return self._times[client_id]

    def order_amounts(self, client_id: str) -> list[int]:
        """Return what each order of that client cost, in cents."""
        return [purchase.cents for _, purchase in self._orders.get(client_id, {}).values()]

    def purchases(self) -> Iterator[tuple[str, int, Purchase]]:
        """Return every order: client, time (milliseconds since 1970) and content of its earliest event."""
        for client_id, orders in self._orders.items():
            yield from ((client_id, at, purchase) for at, purchase in orders.values())

    def sessions(self, clients: Iterable[str]) -> Iterator[Session]:
        """Return the sessions of these clients."""
        return (session for client_id in clients for session in find_sessions(self._times[client_id]))

    def total(self) -> Activity:
        """Return everything counted so far."""
        starts: Counter[int] = Counter()
        bounces = 0
        for session in self.sessions(self._times):
            starts[session.starts_at // DAY] += 1
            bounces += session.events == 1
        orders: Counter[int] = Counter()
        cents: Counter[int] = Counter()
        for _, at, purchase in self.purchases():
            orders[at // DAY] += 1
            cents[at // DAY] += purchase.cents
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


class UserTally:
    """A running count of what each signed-in user did; `activity` is that of all of them."""

    def __init__(self) -> None:
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
        """Describe what that client did."""
        times, views = self.activity.times(client_id), self._views[client_id]
        return Interactions(
            interactions=len(times),
            # viewed most; among equals viewed latest, then the smallest name
            favourite_product=min(views, key=lambda name: (-views[name][0], -views[name][1], name), default=None),
            first_seen_at=format_time(min(times)),
            last_active_at=format_time(max(times)),
        )

    def describe_customer(self, client_id: str) -> CustomerTotals:
        """Describe what that client did, with sessions and orders."""
        amounts = self.activity.order_amounts(client_id)
        return CustomerTotals(
            **asdict(self.describe(client_id)),
            sessions=len(find_sessions(self.activity.times(client_id))),
            orders=len(amounts),
            revenue=format_money(sum(amounts)),
        )


class SourceTally(ABC, Generic[EventT]):
    """A running count of a source's files: what became of their records, and what clients did."""

    def __init__(self) -> None:
        self.activity = ActivityTally()
        self._files = 0
        self._duplicates = 0
        self._reasons: Counter[str] = Counter()

    def add_file(self, packed: Packed[EventT]) -> None:
        """Count one file: its new events, its copies, its broken records by reason."""
        self._files += 1
        self._duplicates += packed.duplicates
        self._reasons.update(packed.reasons)
        for event in packed.events:
            self._add(event)

    @abstractmethod
    def _add(self, event: EventT) -> None:
        """Count one event."""

    def _count(self) -> dict[str, Any]:
        """The fields of `SourceTotals`."""
        accepted, quarantined = self.activity.events, self._reasons.total()
        return {
            **asdict(self.activity.total()),
            "rows_read": accepted + self._duplicates + quarantined,
            "rows_accepted": accepted,
            "rows_duplicate": self._duplicates,
            "rows_quarantined": quarantined,
            "quarantined_by_reason": dict(sorted(self._reasons.items())),
        }


class ClickTally(SourceTally[Event]):
    """A running count of the clickstream."""

    def __init__(self) -> None:
        super().__init__()
        self._bot_events: Counter[str] = Counter()

    def _add(self, event: Event) -> None:
        self.activity.add(event.client_id, event.at, event.purchase)
        if event.is_bot:
            self._bot_events[event.client_id] += 1

    def total(self) -> Totals:
        """Tell everything counted so far."""
        bot_sessions = sum(1 for _ in self.activity.sessions(self._bot_events))
        bot_events = self._bot_events.total()
        return Totals(**self._count(), files=self._files, bot_events=bot_events, bot_sessions=bot_sessions)


def merge(one: Activity, other: Activity) -> Activity:
    """Add up the activity of both, which have no client in common."""
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
    """Return counts by ISO date, in order, from counts by day number since 1970."""
    return {day_of(number * DAY).isoformat(): counts[number] for number in sorted(counts)}


_SHOWN, _CLICKED, _VIEWED, _CARTED = "view_item_list", "select_item", "view_item", "add_to_cart"


class MessageTally(SourceTally[AppEvent]):
    """A running count of messages; `together` also counts what the same users do elsewhere."""

    def __init__(self, together: UserTally) -> None:
        super().__init__()
        self._together = together
        self._lists = ListTally()

    def _add(self, event: AppEvent) -> None:
        viewed = [item.name for item in event.items] if event.name == _VIEWED else ()
        self.activity.add(event.client_id, event.at, event.purchase)
        self._together.add(event, event.purchase, viewed)
        self._lists.add(event)

    def total(self) -> MessageTotals:
        """Tell everything counted so far."""
        return MessageTotals(**self._count(), lists=self._lists.total())


class ListTally:
    """A running count of what each list did."""

    def __init__(self) -> None:
        self._items: Counter[tuple[str, str]] = Counter()
        self._users: defaultdict[str, set[int]] = defaultdict(set)
        self._products: defaultdict[str, set[str]] = defaultdict(set)
        self._orders: dict[tuple[int, str], AppEvent] = {}

    def add(self, event: AppEvent) -> None:
        """Count one event for every list that its items name; of an order's events only the earliest stays."""
        for item in event.items:
            if item.list_name:
                self._items[item.list_name, event.name] += 1
                self._users[item.list_name].add(event.user_id)
                self._products[item.list_name].add(item.item_id)
        if event.purchase is not None:
            key = (event.user_id, event.purchase.transaction_id)
            self._orders[key] = min(self._orders.get(key, event), event, key=lambda each: each.at)

    def total(self) -> dict[str, ListTotals]:
        """Return everything counted so far, by list name."""
        sold: defaultdict[str, list[tuple[tuple[int, str], Item]]] = defaultdict(list)
        for key, event in self._orders.items():
            for item in event.items:
                sold[item.list_name].append((key, item))
        return {
            name: ListTotals(
                impressions=self._items[name, _SHOWN],
                clicks=self._items[name, _CLICKED],
                views=self._items[name, _VIEWED],
                add_to_carts=self._items[name, _CARTED],
                purchases=len({order for order, _ in sold[name]}),
                unique_users=len(users),
                unique_products=len(self._products[name]),
                revenue=format_money(sum(item.cents * (item.quantity or 0) for _, item in sold[name])),
            )
            for name, users in sorted(self._users.items())
        }


class LogTally(SourceTally[LogEvent]):
    """A running count of documents; `together` also counts what the same users do elsewhere."""

    def __init__(self, together: UserTally) -> None:
        super().__init__()
        self._own = UserTally()
        self.activity = self._own.activity
        self._together = together
        self._users: set[int] = set()

    def _add(self, event: LogEvent) -> None:
        viewed = [event.item_name] if event.action == _VIEWED and event.item_name else ()
        for tally in (self._own, self._together):
            tally.add(event, None, viewed)
        self._users.add(event.user_id)

    def total(self, customers: Container[str]) -> LogTotals:
        """Tell everything counted so far, if the customers are those with these ids."""
        users = {str(user_id): client_of(user_id) for user_id in sorted(self._users)}
        orphans = {user: len(self.activity.times(client)) for user, client in users.items() if user not in customers}
        return LogTotals(
            **self._count(),
            orphans=sum(orphans.values()),
            orphans_by_user=orphans,
            customers={user: self._own.describe(client) for user, client in users.items() if user in customers},
        )
