"""Which ids were seen together, written by every load, and the days on which someone became another person since.

The pairs follow from the loaded rows alone, so a person is the same in whichever order days are built. Sessions and
orders of a person are numbered, so what comes late changes the numbers of all that follows.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import polars as pl

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.sql import literal, quote
from analytics_platform.transform.lookups.persons import find_members
from analytics_platform.transform.plan import Query
from analytics_platform.transform.source_events import events_within, source_events
from analytics_platform.warehouse.duckdb import DuckDBSession
from analytics_platform.warehouse.session import BatchCard, Session, Span, of_batches

_OF_RECORDS = {
    "users": "SELECT batch_id, event_date, '' AS client_id, email, user_id FROM cleaned.user_versions",
    "customers": "SELECT batch_id, event_date, '' AS client_id, lower(email) AS email, "
    "customer_id AS user_id FROM cleaned.customer_versions",
    # The unknown customer (-1) is that of orders whose person was erased.
    "orders": "SELECT batch_id, event_date, order_client(order_key) AS client_id, '' AS email, "
    " nullif(customer_id, '-1') AS user_id FROM cleaned.order_versions",
}
"""Source without events → the query for its pairs of ids."""

_LINK = "batch_id, client_id, email, user_id"
_IS_LINK = "client_id <> 'user:' || user_id AND email IS NOT NULL"

_OF_ORDERS = """
SELECT order_client(order_key) AS client_id, event_date - 1 AS event_date, batch_id
FROM cleaned.order_versions
"""
"""The clients of the shop's orders: an order is the purchase of the day before, of its day or of the next."""

_MOST_NAMED = 10_000
"""Clients that are looked up by their id. Of more at least one is seen on each later day."""


_OWN = pl.when(pl.col("user_id") == "").then("client_id").otherwise("user:" + pl.col("user_id"))
"""What a client or user is called who is no member of a larger person, and the client of a user's logs."""


def write_links(session: DuckDBSession, contract: ContractType, cards: Sequence[BatchCard], span: Span) -> None:
    """Note the pairs of ids that accepted rows of the batches name, and that are not noted of them yet."""
    query = _pairs_of(contract.table.source)
    if query is None or span is None:
        return
    found = session.frame(
        f"""
        SELECT {_LINK} FROM ({query}) AS named
        WHERE {of_batches(cards)} AND event_date BETWEEN $first AND $last AND {_IS_LINK}
        EXCEPT SELECT {_LINK} FROM ops.person_links WHERE {of_batches(cards)}
        """,
        {"first": span[0], "last": span[1]},
    )
    session.insert("ops.person_links", found)


def _pairs_of(source: str) -> str | None:
    """Write the query for the pairs of ids in the records of a source; None if they name none."""
    events = source_events().get(source)
    if events is not None and "user_id" in events.columns:
        pairs = events.of("client_id", "user_id")
        return f"SELECT batch_id, event_date, client_id, '' AS email, user_id FROM ({pairs}) AS events"
    return _OF_RECORDS.get(source)


def write_all_links(session: Session) -> None:
    """Note the pairs of all records: in a warehouse that a version without `ops.person_links` loaded."""
    existing = session.tables()
    session.ensure(CONTRACTS["ops.person_links"])
    for name, contract in CONTRACTS.items():
        query = _pairs_of(contract.table.source) if contract.table.source and name in existing else None
        if query is not None:
            session.ensure(contract)  # its query may name a column that is as new
            sql = f"SELECT DISTINCT {_LINK} FROM ({query}) AS named WHERE {_IS_LINK}"
            session.insert("ops.person_links", session.frame(Query(sql, {}, {name: None})))


def days_of_persons(session: Session, batch_ids: Sequence[str], most_users: int) -> tuple[set[dt.date], set[dt.date]]:
    """Return the days with a client who is another person since these batches, and days to number anew.

    `most_users` as in SHARED_DEVICE_USERS. A late login makes all earlier days of the browser the user's, and moves the
    numbers of the sessions and orders that follow on the user's other devices.
    """
    if not session.tables().issuperset(("ops.person_links", "sessionized.client_days", "sessionized.refunds")):
        return set(), set()
    clients = {"clients": sorted(_changed_clients(session, batch_ids, most_users))}
    days = "SELECT client_id, event_date FROM {} WHERE list_contains($clients, client_id)"
    tables = ("sessionized.client_days", "sessionized.refunds")
    changed = pl.concat(session.frame(days.format(table), clients) for table in tables)
    seen = pl.concat([changed, seen_clients(session, batch_ids)]).group_by("client_id").agg(pl.col("event_date").min())
    return {*changed["event_date"]}, _later_days(session, seen)


def _changed_clients(session: Session, batch_ids: Sequence[str], most_users: int) -> set[str]:
    """Return the clients that are another person since these batches, or are seen with a user who is."""
    mine = {"batches": list(batch_ids)}
    new = """
        SELECT 1 FROM ops.person_links AS mine WHERE list_contains($batches, batch_id) AND NOT EXISTS (
            SELECT 1 FROM ops.person_links AS others
            WHERE mine.client_id = others.client_id AND mine.email = others.email AND mine.user_id = others.user_id
                AND NOT list_contains($batches, others.batch_id)
        ) LIMIT 1
    """
    if not session.rows(new, mine):
        return set()
    links = session.frame(
        "SELECT client_id, email, user_id, bool_and(list_contains($batches, batch_id)) AS is_new "
        "FROM ops.person_links GROUP BY ALL",
        mine,
    )
    before, after = (find_members(each, most_users) for each in (links.filter(~pl.col("is_new")), links))
    both = before.join(after, ["client_id", "user_id"], "full", coalesce=True, suffix="_after")
    # Who is not listed is called as the client or user.
    changed = both.filter(pl.coalesce("person_id", _OWN) != pl.coalesce("person_id_after", _OWN))
    users = changed.filter(pl.col("user_id") != "").select("user_id")
    linked = links.join(users, "user_id", "semi")["client_id"]
    return {*changed["client_id"], *linked, *("user:" + users["user_id"])} - {""}


def seen_clients(session: Session, batch_ids: Sequence[str]) -> pl.DataFrame:
    """Return the clients of the events and orders in these batches with their first day: `client_id`, `event_date`."""
    loaded = f"batch_id IN ({', '.join(map(literal, batch_ids)) or 'NULL'})"
    asked = {source: (query.sql, query.inputs) for source, query in events_within(session, loaded).items()}
    if "cleaned.order_versions" in session.tables():
        asked["orders"] = (_OF_ORDERS, ("cleaned.order_versions",))
    sql = "SELECT client_id, min(event_date) AS event_date FROM ({}) AS {} WHERE {} GROUP BY client_id"
    frames = [
        session.frame(Query(sql.format(query, quote(source), loaded), {}, dict.fromkeys(inputs, loaded)))
        for source, (query, inputs) in asked.items()
    ]
    return pl.concat([pl.DataFrame(schema={"client_id": pl.String, "event_date": pl.Date}), *frames])


def _later_days(session: Session, seen: pl.DataFrame) -> set[dt.date]:
    """Return the days after their first one in `seen` of these clients, and of all that may be one person with them.

    May be: an order of a shared device passes from one of its users to another, so here a device joins all its users.
    """
    (last,) = session.one("SELECT max(event_date) FROM sessionized.client_days")
    early = seen.clear() if last is None else seen.filter(pl.col("event_date") < last)
    if early.is_empty():
        return set()
    links = session.frame("SELECT DISTINCT client_id, email, user_id FROM ops.person_links")
    members = find_members(links, most_users=links.height).select(_OWN.alias("client_id"), "person_id")
    known = early.join(members, "client_id", "left").with_columns(pl.col("person_id").fill_null(pl.col("client_id")))
    first = known.group_by("person_id").agg(pl.col("event_date").min().alias("first"))
    everyone = pl.concat([members, known.select("client_id", "person_id")]).unique().join(first, "person_id")
    days = f"FROM sessionized.client_days WHERE event_date > {literal(early['event_date'].min())}"
    if everyone.height > _MOST_NAMED:
        return {day for (day,) in session.rows(f"SELECT DISTINCT event_date {days}")}
    named = f"client_id IN ({', '.join(map(literal, everyone['client_id']))})"
    found = session.frame(f"SELECT client_id, event_date {days} AND {named}")
    return {*found.join(everyone, "client_id").filter(pl.col("event_date") > pl.col("first"))["event_date"]}
