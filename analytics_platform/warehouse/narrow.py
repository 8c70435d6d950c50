"""What a few batches of events touch, as keys: only rows of these are built, where nothing else can have changed.

A table that is narrowed to keys reads small tables whole, such as the addresses of a day. While these only gain rows,
what other people did is as it was: a new address is one that no earlier event has.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.sql import literal, quote_table
from analytics_platform.transform import DayRange, Keys, all_models
from analytics_platform.transform.source_events import source_events
from analytics_platform.warehouse.persons import seen_clients
from analytics_platform.warehouse.session import Session
from analytics_platform.warehouse.touched import days_of_names

MOST_KEYS = 1_000
"""Clients and users that a query lists. To read the SQL of twice as many takes longer than to build 25,000 events. With
500, batches of more than 250 messages built their whole day, and the longer that took, the more came meanwhile."""

_BY_KEYS = frozenset({"cleaned.person_members"})
"""Tables whose rows may change: `keys_of` has all people of whom persons are made. So may those of names of products,
which are narrowed to these: it gives no keys for a name that items without an id have."""


def keys_of(session: Session, batch_ids: Sequence[str]) -> Keys | None:
    """Return what these batches touch; None if that may be anything: not only events, too many, or names of products.

    Clients and users are linked by events, orders and e-mail addresses, directly or through others, shared devices too.
    """
    sql = "SELECT source FROM ops.pipeline_logs WHERE list_contains($batches, batch_id)"
    sources = [source for (source,) in session.rows(sql, {"batches": list(batch_ids)})]
    if len(sources) < len(batch_ids) or not source_events().keys() >= {*sources} or days_of_names(session, batch_ids):
        return None
    found = {("client_id", client) for client in seen_clients(session, batch_ids)["client_id"]}
    new = found
    while new and len(found) <= MOST_KEYS:
        new = _linked(session, new) - found
        found |= new
    clients, users = ({value for name, value in found if name == column} for column in ("client_id", "user_id"))
    return Keys(batch_ids, clients, users) if len(found) <= MOST_KEYS else None


def _linked(session: Session, ids: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the clients, users and e-mail addresses that stand beside one of these ids, each with its column."""
    named: dict[str, list[str]] = {}
    for column, value in ids:
        named.setdefault(column, []).append(literal(value))
    asked = " OR ".join(f"{column} IN ({', '.join(values)})" for column, values in named.items())
    rows = session.rows(f"SELECT DISTINCT client_id, email, user_id FROM ops.person_links WHERE {asked}")
    found = {pair for row in rows for pair in zip(("client_id", "email", "user_id"), row, strict=True) if pair[1]}
    # A source that knows users only has no pairs.
    found |= {("client_id", f"user:{user}") for column, user in ids if column == "user_id"}
    return found | {
        ("user_id", client.removeprefix("user:"))
        for column, client in ids
        if column == "client_id" and client.startswith("user:")
    }


@lru_cache(maxsize=1)
def read_whole() -> frozenset[str]:
    """Name the tables that are not narrowed, and are read by one that is."""
    narrowed = {name for name, contract in CONTRACTS.items() if contract.table.narrow}
    return frozenset(source for name in narrowed for source in all_models()[name].inputs) - narrowed - _BY_KEYS


def keep_rows(session: Session, name: str, days: DayRange | None) -> None:
    """Keep a table's rows of these days as they are now, up to the end of the transaction or `has_lost_rows`."""
    session.execute(f"CREATE TEMP TABLE kept_rows AS {_rows(name, days)}")


def has_lost_rows(session: Session, name: str, days: DayRange | None) -> bool:
    """Return whether one of the rows that were kept is gone, or is another now."""
    (lost,) = session.one(f"SELECT count(*) FROM (SELECT * FROM kept_rows EXCEPT {_rows(name, days)}) AS lost")
    session.execute("DROP TABLE kept_rows")
    return bool(lost)


def _rows(name: str, days: DayRange | None) -> str:
    column = CONTRACTS[name].table.partition
    rows = f"SELECT * FROM {quote_table(name)}"
    if days is None or column is None:
        return rows
    return f"{rows} WHERE {days.holds(column)}"
