"""What a correct platform must find: counts of everything that is written, in the shape of the demo's comparison."""

from array import array
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

from analytics_platform.demo.simulator.catalogue import NAMES, PROGRAMS, SHOP_TIMEZONE, VERSIONS
from analytics_platform.demo.simulator.events import DAY, EPOCH, LOGIN, MINUTE, USER, Event, Purchase, instant_of
from analytics_platform.demo.simulator.feeds import Packed
from analytics_platform.demo.simulator.money import Rates, convert
from analytics_platform.demo.simulator.persons import find_persons

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


def count_shop_days(times: Iterable[int]) -> dict[str, int]:
    """Count instants by the day on which they are where the shop is."""
    return dict(Counter(f"{instant_of(at).astimezone(ZoneInfo(SHOP_TIMEZONE)):%Y-%m-%d}" for at in sorted(times)))


class Sold(NamedTuple):
    """An order: client, user, time (milliseconds since 1970) and content of its earliest event, revenue if known.

    The user is who is signed in, empty for a guest.
    """

    client_id: str
    user: str
    at: int
    purchase: Purchase
    revenue: Decimal | None

    def customer(self, people: Collection[str]) -> str:
        """Name the customer in the shop's database, who is a user or the client's guest; nobody orders nothing."""
        return (self.user if self.user in people else f"guest {self.client_id}") if self.purchase.lines else ""


class Visited(NamedTuple):
    """A session: when it starts (milliseconds since 1970), its events, channel, whether it is a bot's, and its user."""

    starts_at: int
    events: int
    channel: str
    is_bot: bool
    user: str


Sessions: TypeAlias = Mapping[str, Sequence[Visited]]
"""The sessions of every client, by time."""


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
    the day they are given, together up to their order; one without value gives back what is left of it, and so does an
    order that the shop cancels, of its own day. Amounts in a currency without
    rate are unknown, and in no sum. The channel of a session is that of its first event with one, else Direct. It is a
    bot's if programs alone sent its events, as far as they have a user agent, and nothing was bought. Its user is the
    one who signed in last. A session is its user's, else its client's; an order is that of the shop's customer.
    """

    def __init__(self, rates: Rates, start: int) -> None:
        self._rates, self._sold_out_day = rates, start // DAY
        self._views_without_stock: Counter[int] = Counter()
        self._sources = {name: SourceTally() for name in ("clickstream", "ecommerce_events", "web_logs")}
        self._lists = ListsTally()
        self._logs: Counter[str] = Counter()
        self._names: Counter[str] = Counter()
        self._times: defaultdict[str, array[int]] = defaultdict(lambda: array("q"))
        self._channels: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
        self._agents: defaultdict[str, list[tuple[int, bool]]] = defaultdict(list)
        self._views: defaultdict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
        self._logins: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
        self._orders: defaultdict[str, defaultdict[str, list[tuple[int, str, Purchase]]]]
        self._orders = defaultdict(lambda: defaultdict(list))
        self._purchases: defaultdict[str, list[int]] = defaultdict(list)
        self._refunds: list[tuple[str, int, Purchase]] = []

    def add(self, source: str, packed: Packed) -> None:
        """Count one file of a source: its new events, its copies, its broken records by reason."""
        self._sources[source].add(packed)
        for event in packed.events:
            client_id, at = event.client_id, event.at
            self._names[NAMES.get(event.name, event.name)] += 1
            self._times[client_id].append(at)
            if channel := event.tagged or event.referred:
                self._channels[client_id].append((at, channel))
            if event.user_agent:
                self._agents[client_id].append((at, event.user_agent in PROGRAMS))
            if at // DAY >= self._sold_out_day and VERSIONS[1][0] in event.viewed:
                self._views_without_stock[at // DAY] += 1
            for name in event.viewed if source != "clickstream" else ():
                count, last_at = self._views[client_id].get(name, (0, 0))
                self._views[client_id][name] = (count + 1, max(last_at, at))
            if source == "ecommerce_events":
                self._lists.add(event)
            if source == "web_logs":
                self._logs[client_id] += 1
            if event.name == LOGIN:
                self._logins[client_id].append((at, str(event.user_id)))
            if (sale := event.purchase) is None:
                continue
            if event.name != "refund":
                self._purchases[client_id].append(at)
            if event.name == "refund" or (sale.cents or 0) < 0:
                self._refunds.append((client_id, at, sale))
            else:
                user = str(event.user_id or "")
                self._orders[client_id][sale.transaction_id].append((at, user, sale))

    def orders(self, clients: Iterable[str] | None = None) -> list[Sold]:
        """Return the orders of these clients, or of all."""
        sold = []
        for client_id in self._orders if clients is None else clients:
            for events in self._orders[client_id].values():
                (at, user, first), *_ = events = sorted(events, key=lambda event: event[0])
                known = (self._worth(each, sale) for each, _, sale in events if each // DAY <= at // DAY + 30)
                sold.append(Sold(client_id, user, at, first, next((each for each in known if each is not None), None)))
        return sold

    def _worth(self, at: int, purchase: Purchase) -> Decimal | None:
        return None if purchase.cents is None else convert(self._rates, abs(purchase.cents), purchase.currency, at)

    def _describe_extras(self, orders: Iterable[Sold]) -> dict[str, str]:
        """Add up tax, shipping and discounts, each in euros, as far as there is a rate."""
        totals = defaultdict[str, Decimal](Decimal)
        for _, _, at, order, _ in orders:
            lines = zip(order.lines, order.discounts, strict=True)
            told = [("discount", line.quantity, cents) for line, cents in lines]
            told += [("tax", 1, order.tax), ("shipping", 1, order.shipping)]
            for name, pieces, cents in told:
                totals[name] += pieces * (convert(self._rates, cents, order.currency, at) or Decimal())
        return {name: format_money(total) for name, total in totals.items()}

    def figures(self, people: Mapping[str, Mapping[str, str | None]]) -> Figures:
        """Return everything counted so far, if the customers are these, by user id."""
        by_source = {
            (source, name): value for source, tally in self._sources.items() for name, value in tally.figures().items()
        }
        lists = {("ecommerce_events", name): value for name, value in self._lists.figures().items()}
        logs = {client_id.removeprefix(USER): count for client_id, count in sorted(self._logs.items())}
        sessions = self._find_sessions()
        together = self._describe_activity(sessions) | self._describe_persons(sessions, people)
        together |= self._describe_money()
        return {
            **by_source,
            **lists,
            # documents of users who are not in the users answer, or were rejected there
            ("web_logs", "orphans"): {user: count for user, count in logs.items() if user not in people},
            ("users", "people"): dict(people),
            ("all", "customers"): self._describe_customers(sessions, people),
            **{("all", name): value for name, value in together.items()},
        }

    def _find_sessions(self) -> Sessions:
        """Find the sessions of every client, by time."""
        found = {}
        for client_id, times in self._times.items():
            sessions = find_sessions(times)
            begins = [session.starts_at for session in sessions]
            first = {bisect_right(begins, at): name for at, name in sorted(self._channels[client_id], reverse=True)}
            last = {bisect_right(begins, at): user for at, user in sorted(self._logins[client_id])}
            of = {is_program: set[int]() for is_program in (True, False)}
            for at, is_program in self._agents[client_id]:
                of[is_program].add(bisect_right(begins, at))
            bots = of[True] - of[False] - {bisect_right(begins, order.at) for order in self.orders([client_id])}
            own = client_id.removeprefix(USER) if client_id.startswith(USER) else ""
            found[client_id] = [
                Visited(*session, first.get(number, "Direct"), number in bots, own or last.get(number, ""))
                for number, session in enumerate(sessions, 1)
            ]
        return found

    def _describe_customers(self, sessions: Sessions, people: Mapping[str, object]) -> dict[str, Any]:
        """Describe what these users did, signed in or buying: as the shop's customer, else in a session of theirs."""
        done, visits = defaultdict[str, list[int]](list), Counter[str]()
        bought = defaultdict[str, list[Decimal]](list)
        for client_id, own in sessions.items():
            begins = [session.starts_at for session in own]
            customers = {order.at: order.customer(people) for order in self.orders([client_id])}
            for at in (self._times if client_id.startswith(USER) else self._purchases)[client_id]:
                done[customers.get(at) or own[bisect_right(begins, at) - 1].user].append(at)
            for at, user in self._logins[client_id]:
                done[user].append(at)
            for order in self.orders([client_id]):
                user = customers[order.at] or own[bisect_right(begins, order.at) - 1].user
                bought[user].append(order.revenue or Decimal())
            visits.update(session.user for session in own)
        return {
            user: {
                "interactions": len(done[user]),
                "favourite_product": self._find_favourite(f"{USER}{user}"),
                "first_seen_at": instant_of(min(done[user])).isoformat(timespec="milliseconds"),
                "last_active_at": instant_of(max(done[user])).isoformat(timespec="milliseconds"),
                "sessions": visits[user],
                "orders": len(bought[user]),
                "revenue": format_money(sum(bought[user], Decimal())),
            }
            for user in sorted(done.keys() & people.keys())
        }

    def _find_favourite(self, client_id: str) -> str | None:
        """Find the product viewed most; among equals that viewed latest, then the smallest name."""
        views = self._views[client_id]
        return min(views, key=lambda name: (-views[name][0], -views[name][1], name), default=None)

    def _describe_persons(self, sessions: Sessions, people: Mapping[str, object]) -> dict[str, Any]:
        orders = [(order, order.customer(people)) for order in self.orders()]
        links = {(client_id, user) for client_id, logins in self._logins.items() for _, user in logins}
        links |= {(each.client_id, user) for each, user in orders if user and each.client_id != f"{USER}{user}"}
        persons = find_persons(links)
        clients = Counter(persons[each] for each in {client_id for client_id, _ in links} & persons.keys())
        visits, days, bought = Counter[str](), defaultdict[int, set[str]](set), defaultdict[str, list[Sold]](list)
        for client_id, own in sessions.items():
            for session in own:
                who = session.user or client_id
                visits[persons.get(who, who)] += 1
                if not session.is_bot:
                    days[session.starts_at // DAY].add(persons.get(who, who))
        for order, customer in orders:
            who = customer or order.client_id
            bought[persons.get(who, who)].append(order)
        new = Counter(f"{instant_of(min(each.at for each in own)):%Y-%m}-01" for own in bought.values())
        return {
            "persons": len(visits),
            "visitors_by_day": name_days({day: len(seen) for day, seen in days.items()}),
            "new_customers_by_month": dict(sorted(new.items())),
            "persons_by_user": {
                user: {
                    "clients": clients[who],
                    "sessions": visits[who],
                    "orders": len(bought[who]),
                    "revenue": format_money(sum((each.revenue or Decimal() for each in bought[who]), Decimal())),
                }
                for user, who in ((user, persons.get(user, user)) for user in sorted(people))
            },
        }

    def _describe_activity(self, sessions: Sessions) -> dict[str, Any]:
        every = [session for own in sessions.values() for session in own]
        return {
            "clients": len(sessions),
            "events_by_name": dict(sorted(self._names.items())),
            "views_without_stock": name_days(self._views_without_stock),
            "sessions": len(every),
            "bounces": sum(session.events == 1 for session in every),
            "bot_sessions": sum(session.is_bot for session in every),
            "sessions_by_channel": dict(sorted(Counter(session.channel for session in every).items())),
            "sessions_by_day": name_days(Counter(session.starts_at // DAY for session in every)),
            "sessions_by_shop_day": count_shop_days(session.starts_at for session in every),
        }

    def _describe_money(self) -> dict[str, Any]:
        days = {name: defaultdict[int, Decimal](Decimal) for name in ("revenue", "refunds", "net_revenue")}
        sold, counts, lines = self.orders(), Counter[int](), Decimal()
        placed = {(order.client_id, order.purchase.transaction_id): order for order in sold}
        left = {key: order.revenue for key, order in placed.items()}

        def add(at: int, revenue: Decimal | None, refund: Decimal | None = None) -> None:
            for name, amount in zip(days, (revenue or 0, refund or 0, (revenue or 0) - (refund or 0)), strict=True):
                days[name][at // DAY] += amount

        for order in sold:
            counts[order.at // DAY] += 1
            add(order.at, order.revenue)
            values = (convert(self._rates, cents, order.purchase.currency, order.at) for cents in order.purchase.values)
            lines += sum(filter(None, values), Decimal())
        for client_id, at, refund in sorted(self._refunds, key=lambda each: each[1]):
            key = client_id, refund.transaction_id
            amount = self._worth(at, refund)
            if key in placed and placed[key].at <= at:
                rest, asked = left[key], left[key] if refund.cents is None else amount
                amount = None if rest is None or asked is None else min(asked, rest)
                left[key] = rest and rest - (amount or 0)
            add(at, None, amount)
        for key, order in placed.items():
            if order.purchase.is_cancelled:  # of the day of the order, and after all refunds
                add(order.at, None, left[key])
        totals = {name: sum(each.values(), Decimal()) for name, each in days.items()}
        return {
            "orders": len(sold),
            "orders_by_day": name_days(counts),
            "orders_by_shop_day": count_shop_days(order.at for order in sold),
            "orders_of_unknown_revenue": sum(order.revenue is None for order in sold),
            "product_revenue": format_money(lines),
            "not_itemized": format_money(totals["revenue"] - lines),
            **self._describe_extras(sold),
            "unexplained_differences": 0,
            **{name: format_money(total) for name, total in totals.items()},
            **{
                f"{name}_by_day": {day: format_money(amount) for day, amount in name_days(each).items()}
                for name, each in days.items()
            },
        }
