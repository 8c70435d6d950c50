"""What a correct platform must find in the simulated files.

Days are ISO dates (UTC), empty ones absent. Money is text with four decimals. Everything counts accepted
distinct events, bots included.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Self

from pydantic import TypeAdapter


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """What clients did: events, sessions, orders.

    An order is identified by client and transaction id; its day and revenue are those of its earliest event. A
    session belongs to the day it starts; a bounce is a session of one event. Sessions are those of these events
    alone, as if there were no other source.
    """

    clients: int
    events_by_day: Mapping[str, int]
    sessions: int
    sessions_by_day: Mapping[str, int]
    bounces: int
    orders: int
    orders_by_day: Mapping[str, int]
    revenue: str
    revenue_by_day: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTotals(Activity):
    """What became of the records of a source: `rows_read = rows_accepted + rows_duplicate + rows_quarantined`.

    The keys of `quarantined_by_reason` are whole reasons, several broken rules joined by `; ` in the order of the
    columns.
    """

    rows_read: int
    rows_accepted: int
    rows_duplicate: int
    rows_quarantined: int
    quarantined_by_reason: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals(SourceTotals):
    """Counts over the clickstream."""

    files: int
    bot_events: int
    bot_sessions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListTotals:
    """What one product list did, by the list's name on the items of events.

    Impressions are items of `view_item_list`; clicks, views and add-to-carts items of `select_item`, `view_item`
    and `add_to_cart`; purchases the orders (each by its earliest event) with an item that names the list, and
    revenue the price times quantity of those items. Users and products are distinct ones of any event that names
    the list.
    """

    impressions: int
    clicks: int
    views: int
    add_to_carts: int
    purchases: int
    unique_users: int
    unique_products: int
    revenue: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageTotals(SourceTotals):
    """Counts over the messages of the mobile shop; lists by name."""

    lists: Mapping[str, ListTotals]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interactions:
    """What one customer did, by events.

    The favourite product is the one with most `view_item`; among equals the one viewed latest, then the smallest
    name; None for who viewed nothing. Times are ISO 8601 in UTC.
    """

    interactions: int
    favourite_product: str | None
    first_seen_at: str
    last_active_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerTotals(Interactions):
    """What one customer did over all sources."""

    sessions: int
    orders: int
    revenue: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogTotals(SourceTotals):
    """Counts over the web shop's logs.

    Orphans are accepted documents of users who are no customers: not in the users answer, or refused there.
    `customers` leaves them out. Users are named by their ids as text.
    """

    orphans: int
    orphans_by_user: Mapping[str, int]
    customers: Mapping[str, Interactions]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What is to be made of one user of the answer; the e-mail address is in lower case."""

    first_name: str
    last_name: str
    email: str
    company: str | None
    city: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserTotals:
    """Counts over the newest users answer (it names everybody each time); people by id as text."""

    rows_read: int
    customers: int
    rows_quarantined: int
    quarantined_by_reason: Mapping[str, int]
    people: Mapping[str, Person]


@dataclass(frozen=True, slots=True, kw_only=True)
class AllTotals(Activity):
    """Counts over all sources.

    Sessions are those of a client over all sources: a user's messages and logs make common ones. `customers` has
    every customer with any message or log.
    """

    customers: Mapping[str, CustomerTotals]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The truth about each source, and about all of them together."""

    clickstream: Totals
    ecommerce_events: MessageTotals
    web_logs: LogTotals
    users: UserTotals
    all_sources: AllTotals


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """What is true before the late files, and with them."""

    before_late: Sources
    total: Sources


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth(Totals):
    """The totals of all clickstream files, of those without the late ones (`before_late`), and of each source."""

    before_late: Totals
    sources: Stages

    def to_json(self) -> str:
        """Return the truth as JSON text, stable from run to run."""
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the truth that `to_json` wrote."""
        return TypeAdapter(cls).validate_json(text)
