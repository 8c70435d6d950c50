"""What a correct platform must find: counts of everything that is written, in the shape of the demo's comparison."""

from array import array
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias

from analytics_platform.demo.simulator.catalogue import PROGRAMS
from analytics_platform.demo.simulator.events import DAY, EPOCH, MINUTE, USER, Event, Purchase, instant_of
from analytics_platform.demo.simulator.feeds import Packed
from analytics_platform.demo.simulator.money import Rates, convert

LONGEST_PAUSE = 30 * MINUTE
"""Milliseconds; a pause of exactly this length does not end a session."""

Figures: TypeAlias = dict[tuple[str, str], Any]
"""Figures by scope (a source, or `all`) and name.

They count distinct accepted events, bots included. Days are ISO dates (UTC), empty ones absent. Money is text with
four decimals. `rows_read = rows_accepted + rows_duplicate + rows_quarantined`. The keys of `quarantined_by_reason` are
whole reasons, several broken rules joined by `; ` in the order of the columns.
"""


class FoundSession(NamedTuple):
    """A session of one client: when it starts (milliseconds since 1970) and how many events it has."""

    starts_at: int
    events: int


def find_sessions(times: Iterable[int]) -> list[FoundSession]:
    """Find sessions of one client from the times of its events (milliseconds since 1970, any order)."""
    sessions: list[FoundSession] = []
    last_at, last_pause_day = -DAY, -DAY
    for at in sorted(times):
        day, after_pause = at // DAY, at - last_at > LONGEST_PAUSE
        if after_pause or (day != last_at // DAY and last_pause_day != day - 1):
            sessions.append(FoundSession(at, 0))
        last_at, last_pause_day = at, day if after_pause else last_pause_day
        sessions[-1] = FoundSession(sessions[-1].starts_at, sessions[-1].events + 1)
    return sessions


def format_money(amount: Decimal) -> str:
    """Format an amount with four decimals, the scale of `DECIMAL(18,4)`."""
    return f"{amount:.4f}"


def name_days(values: Mapping[int, Any]) -> dict[str, Any]:
    """Return values by ISO date, in order, from values by day number since 1970."""
    return {str(EPOCH.date() + timedelta(days=number)): values[number] for number in sorted(values)}


class Sold(NamedTuple):
    """An order: client, time (milliseconds since 1970) and content of its earliest event, and its revenue, if known."""

    client_id: str
    at: int
    purchase: Purchase
    revenue: Decimal | None


class SourceTally:
    """A running count of what became of the records of a source."""

    def __init__(self) -> None:
        self._copies = 0
        self._reasons: Counter[str] = Counter()
        self._days: Counter[int] = Counter()

    def add(self, packed: Packed) -> None:
        """Count one file."""
        self._copies += packed.copies
        self._reasons.update(packed.reasons)
        self._days.update(event.at // DAY for event in packed.events)

    def figures(self) -> dict[str, Any]:
        """Return the figures of everything counted so far."""
        accepted, quarantined = self._days.total(), self._reasons.total()
        return {
            "rows_read": accepted + self._copies + quarantined,
            "rows_accepted": accepted,
            "rows_duplicate": self._copies,
            "rows_quarantined": quarantined,
            "quarantined_by_reason": dict(sorted(self._reasons.items())),
            "events_by_day": name_days(self._days),
        }


class ListsTally:
    """A running count of what each product list did, by its name on the items of messages."""

    def __init__(self) -> None:
        self._items: Counter[tuple[str, str]] = Counter()
        self._users: defaultdict[str, set[str]] = defaultdict(set)
        self._products: defaultdict[str, set[str]] = defaultdict(set)

    def add(self, event: Event) -> None:
        """Count one event for every list on its items."""
        for item in event.items:
            if item.list_name:
                self._items[item.list_name, event.name] += 1
                self._users[item.list_name].add(event.client_id)
                self._products[item.list_name].add(item.item_id)

    def figures(self) -> dict[str, Any]:
        """Return the figures of each list, counted so far."""
        return {
            f"list {name}": {
                "impressions": self._items[name, "view_item_list"],
                "clicks": self._items[name, "select_item"],
                "add_to_carts": self._items[name, "add_to_cart"],
                "unique_users": len(users),
                "unique_products": len(self._products[name]),
            }
            for name, users in sorted(self._users.items())
        }


class Tally:
    """A running count over all sources; `figures` may be asked at any time.

    Sessions are those of a client over all sources: a user's messages and logs make common ones. A session belongs to
    the day it starts; a bounce is a session of one event. An order is identified by client and transaction id; its day
    is that of its earliest event, its revenue the first that is known of its events within 30 days. Refunds count on
    the day they are given, up to their order; one without value gives back all of it. Amounts in a currency without
    rate are unknown, and in no sum. The channel of a session is that of its first event with one, else Direct. It is a
    bot's if programs alone sent its events, as far as they have a user agent, and nothing was bought.
    """

    def __init__(self, rates: Rates) -> None:
        self._rates = rates
        self._sources = {name: SourceTally() for name in ("clickstream", "ecommerce_events", "web_logs")}
        self._lists = ListsTally()
        self._logs: Counter[str] = Counter()
        self._times: defaultdict[str, array[int]] = defaultdict(lambda: array("q"))
        self._channels: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
        self._agents: defaultdict[str, list[tuple[int, bool]]] = defaultdict(list)
        self._views: defaultdict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
        self._orders: defaultdict[str, defaultdict[str, list[tuple[int, Purchase]]]]
        self._orders = defaultdict(lambda: defaultdict(list))
        self._refunds: list[tuple[str, int, Purchase]] = []

    def add(self, source: str, packed: Packed) -> None:
        """Count one file of a source: its new events, its copies, its broken records by reason."""
        self._sources[source].add(packed)
        for event in packed.events:
            client_id, at = event.client_id, event.at
            self._times[client_id].append(at)
            if channel := event.tagged or event.referred:
                self._channels[client_id].append((at, channel))
            if event.user_agent:
                self._agents[client_id].append((at, event.user_agent in PROGRAMS))
            if (sale := event.purchase) is None:
                pass
            elif event.name == "refund" or (sale.cents or 0) < 0:
                self._refunds.append((client_id, at, sale))
            else:
                self._orders[client_id][sale.transaction_id].append((at, sale))
            for name in event.viewed if source != "clickstream" else ():
                count, last_at = self._views[client_id].get(name, (0, 0))
                self._views[client_id][name] = (count + 1, max(last_at, at))
            if source == "ecommerce_events":
                self._lists.add(event)
            if source == "web_logs":
                self._logs[client_id] += 1

    def orders(self, clients: Iterable[str] | None = None) -> list[Sold]:
        """Return the orders of these clients, or of all."""
        sold = []
        for client_id in self._orders if clients is None else clients:
            for events in self._orders[client_id].values():
                (at, first), *_ = events = sorted(events, key=lambda event: event[0])
                known = (self._worth(*event) for event in events if event[0] // DAY <= at // DAY + 30)
                sold.append(Sold(client_id, at, first, next((each for each in known if each is not None), None)))
        return sold

    def _worth(self, at: int, purchase: Purchase) -> Decimal | None:
        return None if purchase.cents is None else convert(self._rates, abs(purchase.cents), purchase.currency, at)

    def figures(self, people: Mapping[str, Mapping[str, str | None]]) -> Figures:
        """Return everything counted so far, if the customers are these, by user id."""
        by_source = {
            (source, name): value for source, tally in self._sources.items() for name, value in tally.figures().items()
        }
        lists = {("ecommerce_events", name): value for name, value in self._lists.figures().items()}
        logs = {client_id.removeprefix(USER): count for client_id, count in sorted(self._logs.items())}
        active = sorted(user for user in people if f"{USER}{user}" in self._times)
        return {
            **by_source,
            **lists,
            # documents of users who are not in the users answer, or were rejected there
            ("web_logs", "orphans"): {user: count for user, count in logs.items() if user not in people},
            ("users", "people"): dict(people),
            ("all", "customers"): {user: self._describe_customer(f"{USER}{user}") for user in active},
            **{("all", name): value for name, value in (self._describe_activity() | self._describe_money()).items()},
        }

    def _describe_customer(self, client_id: str) -> dict[str, Any]:
        times, views, orders = self._times[client_id], self._views[client_id], self.orders([client_id])
        return {
            "interactions": len(times),
            # viewed most; among equals viewed latest, then the smallest name
            "favourite_product": min(views, key=lambda name: (-views[name][0], -views[name][1], name), default=None),
            "first_seen_at": instant_of(min(times)).isoformat(timespec="milliseconds"),
            "last_active_at": instant_of(max(times)).isoformat(timespec="milliseconds"),
            "sessions": len(find_sessions(times)),
            "orders": len(orders),
            "revenue": format_money(sum((order.revenue or Decimal() for order in orders), Decimal())),
        }

    def _describe_activity(self) -> dict[str, Any]:
        starts, bounces = Counter[int](), 0
        channels, bots = Counter[str](), 0
        for client_id, times in self._times.items():
            sessions = find_sessions(times)
            for session in sessions:
                starts[session.starts_at // DAY] += 1
                bounces += session.events == 1
            begins = [session.starts_at for session in sessions]
            first = {bisect_right(begins, at): name for at, name in sorted(self._channels[client_id], reverse=True)}
            channels.update(first.get(number, "Direct") for number in range(1, len(begins) + 1))
            of = {is_program: set[int]() for is_program in (True, False)}
            for at, is_program in self._agents[client_id]:
                of[is_program].add(bisect_right(begins, at))
            bots += len(of[True] - of[False] - {bisect_right(begins, order.at) for order in self.orders([client_id])})
        return {
            "clients": len(self._times),
            "persons": len(self._times),  # nobody signs in on a browser: its customer is a guest
            "sessions": starts.total(),
            "bounces": bounces,
            "bot_sessions": bots,
            "sessions_by_channel": dict(sorted(channels.items())),
            "sessions_by_day": name_days(starts),
        }

    def _describe_money(self) -> dict[str, Any]:
        days = {name: defaultdict[int, Decimal](Decimal) for name in ("revenue", "refunds", "net_revenue")}
        sold, counts, lines = self.orders(), Counter[int](), Decimal()

        def add(at: int, revenue: Decimal | None, refund: Decimal | None = None) -> None:
            for name, amount in zip(days, (revenue or 0, refund or 0, (revenue or 0) - (refund or 0)), strict=True):
                days[name][at // DAY] += amount

        for order in sold:
            counts[order.at // DAY] += 1
            add(order.at, order.revenue)
            values = (convert(self._rates, cents, order.purchase.currency, order.at) for cents in order.purchase.values)
            lines += sum(filter(None, values), Decimal())
        for client_id, at, refund in self._refunds:
            orders = {each.purchase.transaction_id: each for each in self.orders([client_id]) if each.at <= at}
            whole = orders.get(refund.transaction_id)
            amounts = (self._worth(at, refund) if refund.cents else None, whole and whole.revenue)
            is_sold = not whole or whole.revenue is not None
            asked = is_sold and (refund.cents is None or amounts[0] is not None)
            add(at, None, min((each for each in amounts if each is not None), default=None) if asked else None)
        totals = {name: sum(each.values(), Decimal()) for name, each in days.items()}
        return {
            "orders": len(sold),
            "orders_by_day": name_days(counts),
            "orders_of_unknown_revenue": sum(order.revenue is None for order in sold),
            "product_revenue": format_money(lines),
            "not_itemized": format_money(totals["revenue"] - lines),
            "unexplained_differences": 0,
            **{name: format_money(total) for name, total in totals.items()},
            **{
                f"{name}_by_day": {day: format_money(amount) for day, amount in name_days(each).items()}
                for name, each in days.items()
            },
        }
