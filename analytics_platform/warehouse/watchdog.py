"""The watchdog: what a person would look at every morning, checked from what is stored.

Each question is a function of a session, the settings and the time, and returns an `Observation`. The command line and
the asset checks ask the same questions.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator

from analytics_platform.errors import count, some
from analytics_platform.gate.verdict import is_read
from analytics_platform.lake import open_lake
from analytics_platform.settings import Settings
from analytics_platform.sources.registry import SOURCES
from analytics_platform.sources.source import names_read
from analytics_platform.warehouse.consistency import is_as_if_built_at_once, is_conserved
from analytics_platform.warehouse.error_rate import describe_breaches, error_rates, remedy, settled_batches
from analytics_platform.warehouse.ledger import damaged_batches, unloaded_batches
from analytics_platform.warehouse.observation import LEDGER, Observation, lacks, not_checked
from analytics_platform.warehouse.session import DamageError, Session
from analytics_platform.warehouse.silence import has_every_source
from analytics_platform.warehouse.versions import check_ledger

VOLUME_RANGE = (1 / 3, 3.0)
"""A day's events may be between a third and three times the mean of the week before."""

ORPHANS_ALLOWED = 0.1
"""Share of the logs that may name a user who is no known customer."""

NAMED = 20
"""Batches that are named in one sentence each; more are counted."""

_UNREAD = re.compile(r"(?:keys of|kept in) (\w+)(?: that nothing reads)?: ([^;]*)")

WEEK = 7
LEAST_DAYS = 3
"""With fewer days of history, volume is not checked."""


def watch(session: Session, settings: Settings, now: dt.datetime) -> Iterator[Observation]:
    """Yield all observations, in the order a person would ask. `now` is an aware time.

    Raises `WarehouseError` if another version built the warehouse.
    """
    check_ledger(session)
    questions: dict[str, Callable[[Session, Settings, dt.datetime], Observation]] = {
        "fresh": is_fresh,
        "sources": has_every_source,
        "batches": has_every_batch,
        "error_rate": has_low_error_rate,
        "revenue": has_revenue,
        "currency": has_known_currencies,
        "volume": has_usual_volume,
        "event_names": has_known_event_names,
        "fields": has_read_fields,
        "sessions": has_the_sources_sessions,
        "own_domains": has_own_domains,
        "orphans": has_few_orphans,
        "orders": has_the_shops_orders,
        "conservation": is_conserved,
        "incremental": is_as_if_built_at_once,
    }
    for name, question in questions.items():
        try:
            yield question(session, settings, now)
        except DamageError as error:  # others may read other tables
            yield Observation(name, False, error.seen, f"{error.remedy[0].upper()}{error.remedy[1:]}.", is_damage=True)


def is_fresh(session: Session, settings: Settings, now: dt.datetime) -> Observation:
    """Check that the latest batch arrived at most FRESHNESS_HOURS ago."""
    (latest,) = (None,) if lacks(session, *LEDGER) else session.one("SELECT max(arrived_at) FROM ops.pipeline_logs")
    remedy = (
        f"Bring the exports back (files into {settings.landing_place}, a folder per source), and see that runs are "
        "started: `analytics-platform materialize`."
    )
    if latest is None:
        return Observation("fresh", False, "nothing was ever loaded", remedy)
    hours = (now - latest).total_seconds() / 3600
    seen = f"last batch {hours:.1f} h ago, allowed {settings.freshness_hours:g} h"
    return Observation("fresh", hours <= settings.freshness_hours, seen, remedy)


def has_every_batch(session: Session, settings: Settings, now: dt.datetime) -> Observation:
    """Check that every batch is loaded, but for those that a person withdrew, and that the lake has it undamaged."""
    if lacks(session, *LEDGER):
        return not_checked("batches", "nothing was ever loaded")
    failed, withdrawn = unloaded_batches(session), unloaded_batches(session, "withdrawn")
    damaged = damaged_batches(session, open_lake(settings))
    seen = f"{count(len(failed), 'batch')} could not be loaded, {len(withdrawn):,} withdrawn"
    seen += f", {len(damaged):,} damaged in the lake" if damaged else ""
    wrong = [*map(str, failed), *damaged]
    more = [f"And {len(wrong) - NAMED:,} more (ops.set_aside)."] if len(wrong) > NAMED else []
    return Observation("batches", not wrong, seen, " ".join([*wrong[:NAMED], *more]))


def has_low_error_rate(session: Session, settings: Settings, now: dt.datetime) -> Observation:
    """Check that no batch and no day is above MAX_ERROR_RATE with rejected rows that are not settled."""
    if lacks(session, *LEDGER):
        return not_checked("error_rate", "nothing was ever loaded")
    rates = error_rates(session, settings.max_error_rate)
    above = [each for each in rates if each.error_rate > settings.max_error_rate]
    breaches, unchecked = ([each for each in above if each.is_checked is checked] for checked in (True, False))
    read, rejected = session.one("SELECT sum(rows_read), sum(rows_quarantined) FROM ops.pipeline_logs")
    seen = f"{rejected or 0:,} of {count(read or 0, 'row')} rejected, none above {settings.max_error_rate:.2%}"
    (settled,) = session.one(
        "SELECT count(*) FROM ops.pipeline_logs WHERE error_rate > $allowed AND list_contains($settled, batch_id)",
        {"allowed": settings.max_error_rate, **settled_batches(session, settings.max_error_rate)},
    )
    but = [count(settled, "settled batch")] if settled else []
    but += [f"{', '.join(map(str, unchecked[:NAMED]))}: too few rows to check"] if unchecked else []
    seen += f" but {', and '.join(but)}" if but else ""
    if breaches:
        allowed = settings.max_error_rate
        seen, what_to_do = describe_breaches(session, allowed, breaches), remedy(session, allowed, breaches)
        return Observation("error_rate", False, seen, what_to_do)
    is_checked = sum(each.rows_read for each in unchecked if each.kind == "batch") < (read or 0)
    return Observation("error_rate", True, seen, checked=is_checked or not unchecked)


def shop_currency(session: Session, setting: str) -> str:
    """Return the currency of all amounts: SHOP_CURRENCY, else the only one of the events; empty if it is not known."""
    if setting or lacks(session, "cleaned.daily_rates"):
        return setting
    found = session.rows("SELECT DISTINCT shop_currency FROM cleaned.daily_rates WHERE shop_currency IS NOT NULL")
    return some([str(found[0][0])])[0] if len(found) == 1 else ""


def has_revenue(session: Session, settings: Settings, now: dt.datetime) -> Observation:
    """Check that the last week of data has revenue. A shop that takes no orders (EXPECTS_ORDERS) need not."""
    if lacks(session, "marts.daily_trends"):
        return not_checked("revenue", "no mart is built yet")
    counted = (
        "SELECT count(*) FILTER (orders > 0), max(date) FILTER (orders > 0), sum(sessions) FROM marts.daily_trends"
    )
    ever, last, sessions = session.one(counted)
    if not ever and not (sessions and settings.expects_orders):
        return not_checked("revenue", "no order in the data yet")
    if not ever:
        remedy = (
            "Let what records the orders send them, or map the name that stands for a purchase in the source's "
            "events.sql (the check event_names names those without a meaning), then run `analytics-platform "
            "materialize`. For a shop that takes no orders set EXPECTS_ORDERS=false."
        )
        return Observation("revenue", False, f"{count(sessions, 'session')} and no order ever", remedy)
    orders, revenue, unknown = session.one(
        """
        SELECT coalesce(sum(orders), 0), coalesce(sum(revenue), 0), coalesce(sum(unknown_amounts), 0)
        FROM marts.daily_trends
        WHERE date > (SELECT max(date) FROM marts.daily_trends) - CAST($week AS INTEGER)
        """,
        {"week": WEEK},
    )
    amount = f"{shop_currency(session, settings.shop_currency)} {revenue:,.2f}".strip()
    # "EUR 0.00 from 7 orders" read as if they had been free.
    of_them = f", {'all' if unknown == orders else f'{unknown:,} of them'} of unknown amount," if unknown else ""
    seen = f"{amount} from {count(orders, 'order')}{of_them} in the last {WEEK} days of data, last order on {last}"
    remedy = (
        f"Purchases of the last {WEEK} days of data are missing, or have no revenue: correct what sends them, let them "
        "arrive again with it, then run `analytics-platform materialize`."
    )
    return Observation("revenue", revenue > 0, seen, remedy)


def has_known_currencies(session: Session, settings: Settings, now: dt.datetime) -> Observation:
    """Check that every currency of the events can be converted into the shop's. Other amounts are unknown."""
    if lacks(session, "cleaned.daily_rates"):
        return not_checked("currency", "no event is built yet")
    found = session.rows(
        """
        SELECT currency, max(shop_currency), count(*) FILTER (WHERE rate IS NULL), min(event_date) FILTER (
            WHERE rate IS NULL
        ), max(event_date) FILTER (WHERE rate IS NULL)
        FROM cleaned.daily_rates WHERE currency <> '' GROUP BY currency ORDER BY currency
        """
    )
    unknown = [each for each in found if each[2]]
    names = ", ".join(some([currency for currency, *_ in found]))
    if not unknown:
        return Observation("currency", True, f"every amount is in {names}" if names else "no amount names a currency")
    days = f"{min(each[3] for each in unknown)}...{max(each[4] for each in unknown)}"
    remedy = (
        f"{'Put' if settings.shop_currency else 'Set SHOP_CURRENCY to one of them. For the others put'} files with "
        f"date,currency,rate into {settings.landing_place}/exchange_rates, or set EXCHANGE_RATES_URL. Then run "
        f"`analytics-platform materialize --days {days}`."
    )
    if not settings.shop_currency:
        seen = f"amounts are in {names}, and SHOP_CURRENCY is not set: they are unknown, and in no sum"
        return Observation("currency", False, seen, remedy)
    words = [f"{some([currency])[0]} on {count(days, 'day')} since {first}" for currency, _, days, first, _ in unknown]
    lacking = ", ".join(some(words, longest=100))
    seen = f"no rate to {settings.shop_currency} for {lacking}: these amounts are unknown, and in no sum"
    return Observation("currency", False, seen, remedy)


def has_usual_volume(session: Session, settings: Settings, now: dt.datetime) -> Observation:
    """Check that the day before the last has about as many events as usual; the last may be incomplete."""
    if lacks(session, "star.fact_events"):
        return not_checked("volume", "no day is built yet")
    days = session.rows(
        """
        SELECT event_date, count(*) FROM star.fact_events
        WHERE event_date < (SELECT max(event_date) FROM star.fact_events)
        GROUP BY event_date ORDER BY event_date DESC LIMIT $days
        """,
        {"days": WEEK + 1},
    )
    if len(days) <= LEAST_DAYS:
        return not_checked("volume", f"{count(len(days), 'complete day')} of events, which is too few")
    (day, last), *before = days
    share = last / (sum(events for _, events in before) / len(before))
    seen = f"{count(last, 'event')} on {day}, {share:.0%} of the mean of the {len(before)} days before"
    low, high = VOLUME_RANGE
    if share > high:
        sql = (
            "SELECT batch_id FROM ops.batch_days WHERE event_date = CAST($day AS DATE) AND rows_accepted > 0 ORDER BY 1"
        )
        batches = [batch for (batch,) in session.rows(sql, {"day": day})]
        withdraw = f"`analytics-platform withdraw {' '.join(batches[:NAMED])} --reason '…'`"
        remedy = (
            f"If the day was like that, do nothing. If not, take out of its {count(len(batches), 'batch')} what should "
            f"not have come ({withdraw}), then run `analytics-platform materialize`."
        )
    else:
        remedy = (
            f"Drop what is missing of {day} into {settings.landing_place}, then run `analytics-platform materialize`."
        )
    return Observation("volume", low <= share <= high, seen, remedy)


def unknown_events(session: Session, days: int | None = None) -> list[str]:
    """Name the events that the platform gives no meaning to, the most frequent first; of the last `days` of data.

    Of more than ten, each source has its share.
    """
    last = "SELECT max(event_date) FROM cleaned.events"
    found = session.rows(
        f"""
        WITH counted AS (
            SELECT source, event_name, count(*) AS events FROM cleaned.events
            WHERE NOT is_known_event {f"AND event_date > ({last}) - {days}" if days else ""}
            GROUP BY source, event_name
        )
        SELECT source, event_name, events, count(*) OVER () FROM counted
        ORDER BY row_number() OVER (PARTITION BY source ORDER BY events DESC, event_name), events DESC, source LIMIT 10
        """
    )
    shown = sorted(found, key=lambda row: (-row[2], row[0], row[1]))
    names = [f"{name[:40]!r} of {source} ({events:,})" for source, name, events, _ in shown]
    more = found[0][3] - len(found) if found else 0
    return [*names, f"{more:,} more in cleaned.events (NOT is_known_event)"] if more else names


def has_known_event_names(session: Session, settings: Settings, now: dt.datetime) -> Observation:
    """Name the events of the last week of data that the platform gives no meaning to. They are kept: it never fails."""
    if lacks(session, "cleaned.events"):
        return not_checked("event_names", "no event is built yet")
    (last,) = session.one("SELECT max(event_date) FROM cleaned.events")
    names, days = ", ".join(unknown_events(session, WEEK)), f"in the {WEEK} days to {last}" if last else "so far"
    seen = f"not GA4's, map them in the source's events.sql: {names}" if names else "all event names are known"
    return Observation("event_names", True, f"{seen} {days}")


def unread_fields(session: Session) -> list[str]:
    """Name the fields of the records of each source that are kept and that nothing reads."""
    said = session.rows("SELECT DISTINCT source, drift FROM ops.pipeline_logs WHERE drift IS NOT NULL")
    found: dict[tuple[str, str], set[str]] = {}
    for source, drift in said:
        for column, names in _UNREAD.findall(drift) if source in SOURCES else ():
            read = names_read(SOURCES[source].contract, column)
            unread = (name for name in names.split(", ") if not is_read(column, name, read))
            found.setdefault((source, column), set()).update(unread)
    return [
        f"{', '.join(sorted(names)[:10])}"
        f"{f' and {len(names) - 10} more (see ops.pipeline_logs.drift)' if len(names) > 10 else ''} "
        f"in {column} of {source}"
        for (source, column), names in sorted(found.items())
        if names
    ]


def has_read_fields(session: Session, settings: Settings, now: dt.datetime) -> Observation:
    """Name the fields that nothing reads. They are kept: it never fails."""
    names = [] if lacks(session, *LEDGER) else unread_fields(session)
    seen = f"nothing reads {'; '.join(names)}" if names else "every field of the records is read"
    return Observation("fields", True, seen)


def has_the_sources_sessions(session: Session, settings: Settings, now: dt.datetime) -> Observation:
    """Say how many sessions of a source, in the last week of data, are one session here and alone. It never fails."""
    if lacks(session, "cleaned.events", "sessionized.session_events"):
        return not_checked("sessions", "no session is built yet")
    found = session.rows(
        f"""
        WITH pairs AS (
            SELECT DISTINCT source, events.client_id, source_session_id, session_id
            FROM cleaned.events AS events INNER JOIN sessionized.session_events AS entries
                ON events.event_id = entries.event_id AND events.event_date = entries.event_date
            WHERE source_session_id IS NOT NULL
                AND events.event_date > (SELECT max(event_date) FROM cleaned.events) - {WEEK}
        ), counted AS (
            SELECT
                *, count(*) OVER (PARTITION BY source, client_id, source_session_id) AS here,
                count(*) OVER (PARTITION BY session_id) AS there
            FROM pairs
        )
        SELECT source, count(DISTINCT (client_id, source_session_id)), count(*) FILTER (here = 1 AND there = 1)
        FROM counted GROUP BY source ORDER BY source
        """
    )
    said = (
        f"{same:,} of {count(of_source, 'session')} of {source} ({same / of_source:.0%})"
        for source, of_source, same in found
    )
    seen = f"equal to sessions here: {', '.join(said)}" if found else "no source names sessions"
    return Observation("sessions", True, f"{seen}, in the last {WEEK} days of data")


def has_own_domains(session: Session, settings: Settings, now: dt.datetime) -> Observation:
    """Check that the shop's own domains are known where pages lack a host, in the last week of data.

    Of a source whose pages are relative addresses, a referrer of another page of the shop looks like a foreign one.
    """
    if settings.own_domains or lacks(session, "cleaned.events", "cleaned.urls"):
        why = "OWN_DOMAINS names them" if settings.own_domains else "no event is built yet"
        return not_checked("own_domains", why)
    found = session.rows(
        f"""
        WITH seen AS (
            SELECT
                source, min(events.event_date) AS first, max(events.event_date) AS last, origin.domain,
                count(*) AS events,
                count(page.domain) + count(CASE WHEN origin.role IN ('page', 'own') THEN 1 END) AS own
            FROM cleaned.events AS events
            LEFT JOIN cleaned.urls AS page ON events.event_date = page.event_date AND page_url = page.url
            LEFT JOIN cleaned.urls AS origin ON events.event_date = origin.event_date AND referrer = origin.url
            WHERE events.event_date > (SELECT max(event_date) FROM cleaned.events) - {WEEK}
            GROUP BY source, origin.domain
        )
        SELECT source, domain, first, last FROM seen
        WHERE domain IS NOT NULL AND source IN (SELECT source FROM seen GROUP BY source HAVING sum(own) = 0)
        ORDER BY events DESC, source, domain
        """
    )
    if not found:
        return Observation("own_domains", True, "pages name their hosts, or no referrer is foreign")
    sources, domains = (list(dict.fromkeys(row[place] for row in found)) for place in (0, 1))
    days = f"{min(row[2] for row in found)}...{max(row[3] for row in found)}"
    remedy = (
        f"Set OWN_DOMAINS to those of these referrers that are the shop's: {', '.join(domains[:NAMED])}. Then run "
        f"`analytics-platform materialize --days {days}`."
    )
    seen = f"no page of {', '.join(sources)} has a host: referrers of the shop's own domains count as foreign"
    return Observation("own_domains", False, seen, remedy)


def has_few_orphans(session: Session, settings: Settings, now: dt.datetime) -> Observation:
    """Check that hardly any log names a user who is no known customer. Bots are left out, as in the rollup of users."""
    if lacks(session, "ops.orphans", "sessionized.user_totals", "cleaned.users"):
        return not_checked("orphans", "no user is counted yet")
    (logs,) = session.one("SELECT coalesce(sum(log_interactions), 0) FROM sessionized.user_totals")
    if not logs or not session.count("cleaned.users"):
        return not_checked("orphans", "no customer is known yet" if logs else "no log names a user yet")
    sql = "SELECT count(*), coalesce(sum(log_interactions), 0), CAST(max(last_active_at) AS DATE) FROM ops.orphans"
    users, orphaned, last = session.one(sql)
    seen = (
        f"{orphaned:,} of {count(logs, 'log')} ({orphaned / logs:.1%}): {count(users, 'user')} not known as customers"
    )
    remedy = (
        f"Fetch the users and build their last day: `analytics-platform materialize --days {last}`. If ops.orphans "
        "stays long, the users API and the shop's database lack users: compare the ids."
    )
    return Observation("orphans", orphaned / logs <= ORPHANS_ALLOWED, f"{seen}, allowed {ORPHANS_ALLOWED:.0%}", remedy)


def has_the_shops_orders(session: Session, settings: Settings, now: dt.datetime) -> Observation:
    """Check that, in the last week of data, events and the shop's database have the same orders and values."""
    table = "marts.order_reconciliation"
    of_the_shop = f"SELECT min(order_date) FILTER (shop_order_id IS NOT NULL), max(order_date) FROM {table}"
    first, last = (None, None) if lacks(session, table) else session.one(of_the_shop)
    if first is None:
        return not_checked("orders", "no order of the shop's database is built yet")
    found = session.rows(
        f"""
        SELECT outcome, count(*), min(order_date), max(order_date) FROM {table}
        WHERE order_date >= $first AND order_date > CAST($last AS DATE) - CAST($week AS INTEGER)
        GROUP BY outcome ORDER BY outcome
        """,
        {"first": first, "last": last, "week": WEEK},
    )
    wrong = [days for name, _, *days in found if name not in ("equal", "not tracked", "nothing bought")]
    seen = ", ".join(f"{orders:,} {name}" for name, orders, *_ in found)
    remedy = "Look at marts.order_reconciliation for what events or the shop's database lack, and let it arrive again. "
    if wrong:
        days = f"{min(day for day, _ in wrong)}...{max(day for _, day in wrong)}"
        remedy += f"Then run `analytics-platform materialize --days {days}`."
    return Observation("orders", not wrong, f"{seen} in the last {WEEK} days of data", remedy)
