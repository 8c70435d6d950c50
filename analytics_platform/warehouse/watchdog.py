"""The watchdog: what a person would look at every morning, checked from what is stored.

Each question is a function of a session and the settings and answers with an `Observation`. No Dagster in here, so that
the command line and the asset checks tell the same.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.base import is_gated
from analytics_platform.contracts.ddl import json_columns
from analytics_platform.contracts.sql import literal, quote, quote_table
from analytics_platform.settings import Settings
from analytics_platform.transform import DayRange, Query, all_models, plan
from analytics_platform.warehouse.ledger import find_breaches
from analytics_platform.warehouse.load import LEDGER_TABLES
from analytics_platform.warehouse.session import Session, one

VOLUME_RANGE = (1 / 3, 3.0)
"""A day's events may be between a third and three times the mean of the week before."""

LEDGER = tuple(contract.table.name for contract in LEDGER_TABLES)
GATED = tuple(name for name, contract in CONTRACTS.items() if is_gated(contract))

ORPHANS_ALLOWED = 0.1
"""Share of the logs that may name a user who is no known customer."""

WEEK = 7
LEAST_DAYS = 3
"""With fewer days of history, volume is not checked."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One answer: what was seen, and what to do if it is not as it should be."""

    name: str
    passed: bool
    seen: str
    remedy: str = ""


def watch(session: Session, settings: Settings, now: dt.datetime) -> Iterator[Observation]:
    """All observations, in the order a person would ask. `now` is an aware time."""
    questions: tuple[Callable[[Session, Settings, dt.datetime], Observation], ...] = (
        is_fresh,
        has_low_error_rate,
        has_revenue,
        has_usual_volume,
        has_few_orphans,
        has_the_shops_orders,
        is_conserved,
        is_as_if_built_at_once,
    )
    for question in questions:
        yield question(session, settings, now)


def _lacks(session: Session, *tables: str) -> bool:
    return not session.tables().issuperset(tables)


def is_fresh(session: Session, settings: Settings, now: dt.datetime) -> Observation:
    """The latest batch arrived at most FRESHNESS_HOURS ago."""
    (latest,) = (None,) if _lacks(session, *LEDGER) else one(session, "SELECT max(arrived_at) FROM ops.pipeline_logs")
    remedy = "Check that exports still arrive in the landing folder and that runs are started."
    if latest is None:
        return Observation("fresh", False, "nothing was ever loaded", remedy)
    hours = (now - latest).total_seconds() / 3600
    seen = f"last batch {hours:.1f} h ago, allowed {settings.freshness_hours:g} h"
    return Observation("fresh", hours <= settings.freshness_hours, seen, remedy)


def has_low_error_rate(session: Session, settings: Settings, now: dt.datetime) -> Observation:
    """No batch and no day is above MAX_ERROR_RATE, batches that a person accepted left out."""
    if _lacks(session, *LEDGER):
        return Observation("error_rate", True, "nothing was ever loaded, so not checked")
    breaches = find_breaches(session, settings.max_error_rate)
    read, rejected = one(session, "SELECT sum(rows_read), sum(rows_quarantined) FROM ops.pipeline_logs")
    total = f"{rejected or 0:,} of {read or 0:,} rows rejected"
    if not breaches:
        return Observation("error_rate", True, f"{total}, none above {settings.max_error_rate:.2%}")
    more = f" and {len(breaches) - 1} more" if len(breaches) > 1 else ""
    remedy = "Look at ops.quarantine; correct the source, replay, or accept the batch."
    return Observation("error_rate", False, f"{breaches[0]}{more}", remedy)


def has_revenue(session: Session, settings: Settings, now: dt.datetime) -> Observation:
    """The last week of data has revenue, if the shop ever had an order."""
    if _lacks(session, "marts.daily_trends"):
        return Observation("revenue", True, "no mart is built yet, so not checked")
    ever, last = one(session, "SELECT count(*), max(date) FROM marts.daily_trends WHERE orders > 0")
    if not ever:
        return Observation("revenue", True, "no order in the data yet, so not checked")
    orders, revenue = one(
        session,
        """
        SELECT sum(orders), sum(revenue) FROM marts.daily_trends
        WHERE date > (SELECT max(date) FROM marts.daily_trends) - CAST($week AS INTEGER)
        """,
        {"week": WEEK},
    )
    amount = revenue or 0
    seen = f"{amount:,.2f} from {orders or 0} orders in the last {WEEK} days of data, last order on {last}"
    return Observation("revenue", amount > 0, seen, "Check that purchase events still arrive with their revenue.")


def has_usual_volume(session: Session, settings: Settings, now: dt.datetime) -> Observation:
    """The last complete day has about as many events as the week before it. The last day of all may be incomplete."""
    if _lacks(session, "star.fact_events"):
        return Observation("volume", True, "no day is built yet, so not checked")
    days = session.rows(
        """
        SELECT event_date, count(*) FROM star.fact_events
        WHERE event_date < (SELECT max(event_date) FROM star.fact_events)
        GROUP BY event_date ORDER BY event_date DESC LIMIT $days
        """,
        {"days": WEEK + 1},
    )
    counts = [count for _, count in days]
    if len(counts) <= LEAST_DAYS:
        return Observation("volume", True, f"{len(counts)} complete days, too few to check")
    usual = sum(counts[1:]) / len(counts[1:])
    low, high = VOLUME_RANGE
    share = f"{counts[0] / usual:.0%} of the mean of the {len(counts) - 1} days before"
    seen = f"{counts[0]:,} events on {days[0][0]}, {share}"
    return Observation(
        "volume", low <= counts[0] / usual <= high, seen, "Look for missing or doubled files of that day."
    )


def has_few_orphans(session: Session, settings: Settings, now: dt.datetime) -> Observation:
    """Hardly any log names a user who is no known customer. Bots are left out, as in the rollup of users."""
    if _lacks(session, "ops.orphans", "sessionized.user_totals", "cleaned.users"):
        return Observation("orphans", True, "no user is counted yet, so not checked")
    (logs,) = one(session, "SELECT coalesce(sum(log_interactions), 0) FROM sessionized.user_totals")
    if not logs or not session.count("cleaned.users"):
        what = "no customer is known" if logs else "no log names a user"
        return Observation("orphans", True, f"{what} yet, so not checked")
    users, orphaned = one(session, "SELECT count(*), coalesce(sum(log_interactions), 0) FROM ops.orphans")
    seen = f"{orphaned:,} of {logs:,} logs ({orphaned / logs:.1%}) name {users} users who are no known customers"
    remedy = (
        "Fetch the users (raw/users) and build up to today; if ops.orphans stays long, compare its ids with the API's."
    )
    return Observation("orphans", orphaned / logs <= ORPHANS_ALLOWED, f"{seen}, allowed {ORPHANS_ALLOWED:.0%}", remedy)


def has_the_shops_orders(session: Session, settings: Settings, now: dt.datetime) -> Observation:
    """In the last week of data, events and the shop's database tell of the same orders with the same values."""
    table = "marts.order_reconciliation"
    first, last = (None, None) if _lacks(session, table) else one(session, _SHOP_DAYS)
    if first is None:
        return Observation("orders", True, "no order of the shop's database is built yet, so not checked")
    found = session.rows(
        f"""
        SELECT outcome, count(*) FROM {table}
        WHERE order_date >= $first AND order_date > CAST($last AS DATE) - CAST($week AS INTEGER)
        GROUP BY outcome ORDER BY outcome
        """,
        {"first": first, "last": last, "week": WEEK},
    )
    wrong = [name for name, _ in found if name not in ("equal", "not tracked", "nothing bought")]
    seen = ", ".join(f"{orders:,} {name}" for name, orders in found)
    remedy = "Look at marts.order_reconciliation for orders that events or the shop's database lack."
    return Observation("orders", not wrong, f"{seen} in the last {WEEK} days of data", remedy)


_SHOP_DAYS = """
SELECT min(order_date) FILTER (WHERE shop_order_id IS NOT NULL), max(order_date) FROM marts.order_reconciliation
"""


def is_conserved(session: Session, settings: Settings, now: dt.datetime) -> Observation:
    """Every row read is accepted, duplicate or quarantined, and the tables hold what the ledger says."""
    if _lacks(session, *LEDGER):
        return Observation("conservation", True, "nothing was ever loaded, so not checked")
    (torn,) = one(
        session,
        "SELECT count(*) FROM ops.pipeline_logs WHERE rows_read <> rows_accepted + rows_duplicate + rows_quarantined",
    )
    booked = one(
        session, "SELECT coalesce(sum(rows_accepted), 0), coalesce(sum(rows_quarantined), 0) FROM ops.pipeline_logs"
    )
    stored = (sum(session.count(name) for name in GATED if not _lacks(session, name)), session.count("ops.quarantine"))
    equal = booked == stored
    seen = f"{stored[0]:,} rows accepted and {stored[1]:,} quarantined are stored, "
    seen += "as the ledger says" if equal else f"but the ledger says {booked[0]} and {booked[1]}"
    return Observation("conservation", equal and torn == 0, seen, "Rows were changed by hand: load the batches anew.")


def is_as_if_built_at_once(session: Session, settings: Settings, now: dt.datetime) -> Observation:
    """A sampled day of every table with days is what its model gives for that day now."""
    tables = [*_daily_models(), "star.fact_events"]
    found = (
        [] if _lacks(session, *tables) else session.rows("SELECT DISTINCT event_date FROM star.fact_events ORDER BY 1")
    )
    built = [day for (day,) in found]
    if not built:
        return Observation("incremental", True, "no day is built yet")
    day = built[now.date().toordinal() % len(built)]
    stale = [name for name in _daily_models() if not _is_current(session, settings, name, day)]
    if not stale:
        return Observation("incremental", True, f"{day} is as if built at once, in all {len(_daily_models())} tables")
    seen = f"{day} is behind in {', '.join(stale)}"
    return Observation(
        "incremental", False, seen, f"Build the day again: analytics-platform materialize --days {day}...{day}"
    )


def _daily_models() -> list[str]:
    return [name for name in all_models() if CONTRACTS[name].table.write == "days"]


def _is_current(session: Session, settings: Settings, name: str, day: dt.date) -> bool:
    table = CONTRACTS[name].table
    query = plan(all_models()[name], DayRange(day, day), settings.model_values)
    # A document may be written in another way than it was computed, and mean the same: what is made of it is compared.
    documents = json_columns(CONTRACTS[name])
    columns = ", ".join(quote(column) for column in CONTRACTS[name].columns if column not in documents)
    of_day = f"{quote(table.partition or '')} = {literal(day)}"
    sql = f"""
        WITH stored AS (SELECT {columns} FROM {quote_table(name)} WHERE {of_day}),
            computed AS (SELECT {columns} FROM ({query.sql}))
        SELECT (SELECT count(*) FROM (FROM stored EXCEPT ALL FROM computed))
            + (SELECT count(*) FROM (FROM computed EXCEPT ALL FROM stored)) AS differing
    """
    found = session.frame(Query(sql, query.parameters, {**query.inputs, name: of_day}))
    return bool(found["differing"][0] == 0)
