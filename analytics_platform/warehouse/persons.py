"""Which ids were seen together, written by every load, and the days on which someone became another person since.

The pairs follow from the loaded rows alone, so a person is the same in whichever order days are built.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import polars as pl

from analytics_platform.contracts.base import ContractType
from analytics_platform.transform.lookups.persons import find_members
from analytics_platform.transform.source_events import source_events
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


def write_links(session: DuckDBSession, contract: ContractType, cards: Sequence[BatchCard], span: Span) -> None:
    """Note the pairs of ids that accepted rows of the batches name, and that are not noted of them yet."""
    events = source_events().get(contract.table.source)
    query = _OF_RECORDS.get(contract.table.source)
    if events is not None and "user_id" in events.columns:
        query = f"SELECT batch_id, event_date, client_id, '' AS email, user_id FROM ({events.sql}) AS events"
    if query is None or span is None:
        return
    columns = "batch_id, client_id, email, user_id"
    found = session.frame(
        f"""
        SELECT {columns} FROM ({query}) AS named
        WHERE {of_batches(cards)} AND event_date BETWEEN $first AND $last
            AND client_id <> 'user:' || user_id AND email IS NOT NULL
        EXCEPT SELECT {columns} FROM ops.person_links WHERE {of_batches(cards)}
        """,
        {"first": span[0], "last": span[1]},
    )
    session.insert("ops.person_links", found)


def days_of_persons(session: Session, batch_ids: Sequence[str], most_users: int) -> set[dt.date]:
    """Return the days with a client who is another person since these batches; `most_users` as in SHARED_DEVICE_USERS.

    A late login is one: all earlier days of the browser are then the user's.
    """
    if not session.tables().issuperset(("ops.person_links", "sessionized.client_days", "sessionized.refunds")):
        return set()
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
    own = pl.when(pl.col("user_id") == "").then("client_id").otherwise("user:" + pl.col("user_id"))
    changed = both.filter(pl.coalesce("person_id", own) != pl.coalesce("person_id_after", own))
    users = changed.filter(pl.col("user_id") != "").select("user_id")
    linked = links.join(users, "user_id", "semi")["client_id"]
    clients = {*changed["client_id"], *linked, *("user:" + users["user_id"])} - {""}
    days = "SELECT DISTINCT event_date FROM {} WHERE list_contains($clients, client_id)"
    return {
        day
        for table in ("sessionized.client_days", "sessionized.refunds")
        for (day,) in session.rows(days.format(table), {"clients": sorted(clients)})
    }
