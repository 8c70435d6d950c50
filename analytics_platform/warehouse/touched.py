"""Which days to build again after batches were loaded: those of their events, and those that new versions
touch.

Facts may point to another version of a product or customer now. The days of a version are those on which the product
or client was seen, from the moment on at which the version took effect. They follow from the loaded rows alone, so the
question can be repeated after a failed run. Days whose events are loaded and not built yet follow from their batches.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analytics_platform.contracts.sessionized import ORDER_REPEAT_DAYS
from analytics_platform.contracts.sql import literal, quote
from analytics_platform.settings import Settings
from analytics_platform.transform import DayRange, Query, affected_days, build_order, day_ranges, is_behind
from analytics_platform.transform.lookups.tables import named_currencies, tables_with
from analytics_platform.transform.source_events import events_within
from analytics_platform.warehouse.ledger import known_days, touched_days
from analytics_platform.warehouse.persons import days_of_persons
from analytics_platform.warehouse.session import Session
from analytics_platform.warehouse.stock import ranges_of_stock

_OF_PRODUCTS = """
WITH ordered AS (
    SELECT
        product_id, updated_at, list_contains($batches, batch_id) AS is_new,
        row_number() OVER versions AS place,
        row(name, category, price) AS content,
        lag(row(name, category, price)) OVER versions AS before,
        lead(row(name, category, price)) OVER versions AS after,
        lead(updated_at) OVER versions AS next_at
    FROM cleaned.product_versions
    WHERE product_id IN (SELECT product_id FROM cleaned.product_versions WHERE list_contains($batches, batch_id))
    WINDOW versions AS (PARTITION BY product_id ORDER BY updated_at, arrived_at, batch_id, position)
),
changed AS (
    SELECT product_id, min(updated_at) AS since FROM ordered
    WHERE is_new AND CASE WHEN place > 1 THEN content <> before ELSE next_at IS NOT NULL AND content <> after END
    GROUP BY product_id
)
SELECT DISTINCT event_date FROM sessionized.product_days AS days
INNER JOIN changed ON days.product_id = changed.product_id AND days.event_date >= CAST(changed.since AS DATE)
"""

_OF_CLIENTS = """
WITH links AS (
    SELECT
        order_client(order_key) AS client_id, customer_id,
        bool_and(list_contains($batches, batch_id)) AS is_new
    FROM cleaned.order_versions
    GROUP BY ALL
),
ordered AS (
    SELECT
        links.client_id, versions.updated_at, links.is_new OR list_contains($batches, versions.batch_id) AS is_new,
        row_number() OVER line AS place,
        row(versions.customer_id, name, email, coalesce(city, '')) AS content,
        lag(row(versions.customer_id, name, email, coalesce(city, ''))) OVER line AS before,
        lead(row(versions.customer_id, name, email, coalesce(city, ''))) OVER line AS after,
        lead(versions.updated_at) OVER line AS next_at
    FROM links
    INNER JOIN cleaned.customer_versions AS versions ON links.customer_id = versions.customer_id
    WHERE links.client_id IS NOT NULL
    WINDOW line AS (PARTITION BY links.client_id ORDER BY versions.updated_at, arrived_at, batch_id, position)
),
changed AS (
    SELECT client_id, min(updated_at) AS since FROM ordered
    WHERE is_new AND CASE WHEN place > 1 THEN content <> before ELSE next_at IS NOT NULL AND content <> after END
    GROUP BY client_id
)
SELECT DISTINCT event_date FROM sessionized.client_days AS days
INNER JOIN changed ON days.client_id = changed.client_id AND days.event_date >= CAST(changed.since AS DATE)
"""

_OF_RATES = """
SELECT DISTINCT days.event_date FROM cleaned.daily_rates AS days
INNER JOIN cleaned.exchange_rate_versions AS versions
    ON days.event_date BETWEEN versions.date AND versions.date + 7 AND list_contains($batches, versions.batch_id)
WHERE days.shop_currency IS NOT NULL AND days.currency <> days.shop_currency
"""

UPGRADE = "upgrade"
"""What a row of ops.rule_results is called that says when an upgrade began: of days published before none is built."""

BUILT = "marts.daily_trends"
"""The table whose published days count as built: most tables precede it."""

_NOT_BUILT = f"""
SELECT DISTINCT loads.batch_id FROM (
    SELECT batch_id, finished_at FROM ops.pipeline_logs
    UNION ALL SELECT batch_id, finished_at FROM ops.set_aside WHERE state IN ('withdrawn', 'erased')
) AS loads
INNER JOIN ops.batch_days AS days ON loads.batch_id = days.batch_id
CROSS JOIN (SELECT max(checked_at) AS began_at FROM ops.rule_results WHERE rule = '{UPGRADE}') AS upgrade
LEFT JOIN (
    SELECT first_day, last_day, checked_at FROM ops.rule_results WHERE table_name = $built
    GROUP BY first_day, last_day, checked_at
    HAVING max(CASE WHEN severity = 'error' THEN failing ELSE 0 END) = 0
) AS built ON event_date BETWEEN first_day AND last_day AND greatest(finished_at, began_at) < checked_at
WHERE event_date >= $start AND checked_at IS NULL
"""

_CLIENT_TABLES = ("cleaned.customer_versions", "cleaned.order_versions", "sessionized.client_days")
_QUESTIONS = {
    "products": (("cleaned.product_versions", "sessionized.product_days"), _OF_PRODUCTS),
    "customers": (_CLIENT_TABLES, _OF_CLIENTS),
    "orders": (_CLIENT_TABLES, _OF_CLIENTS),
    "exchange_rates": (("cleaned.exchange_rate_versions", "cleaned.daily_rates"), _OF_RATES),
}
"""Source → the query for the days that its new rows touch, after the tables it reads."""

_NAMED = """
SELECT DISTINCT known(item.item_name) AS product_name, plain_id(item.item_id) AS product_id
FROM (SELECT unnest(items_of(items_json)) AS item FROM ({}) AS each WHERE items_json IS NOT NULL AND {}) AS listed
"""
_NEW_VERSIONS = """
SELECT name FROM cleaned.product_versions GROUP BY name, product_id HAVING bool_and(list_contains($batches, batch_id))
"""

_NEAR = dt.timedelta(ORDER_REPEAT_DAYS + 1)
"""From an event to the days of orders that it may be part of."""

_OF_ORDERS = ("sessionized.purchases", "sessionized.refund_lines")
"""The tables in which a new event may change rows of other days that no window reaches."""

_STOCKED = ("marts.stock_daily",)
"""The table that knows the stock of each day, also of those without events."""

_NUMBERED = ("star.fact_sessions", "star.fact_orders")
"""The tables that number the sessions and orders of a person, over all days."""


@dataclass(frozen=True, slots=True)
class Touched:
    """What changes after batches were loaded, within the days that have events.

    `events` are days whose events, versions, names or persons changed: what they touch in a table follows from its
    windows, of which `settings` give those that are named after one. `orders` are days of earlier orders, and of later
    refunds: they touch orders, refunds and what is built from these. `numbers` are later days of persons with a new
    earlier one: they touch the facts that number sessions and orders, and what is built from these. `stock` are days
    since the shop changed a product, and days without events between those that are built: they touch the table with
    the stock of each day.
    """

    settings: Mapping[str, int | str]
    within: DayRange
    events: frozenset[dt.date] = frozenset()
    orders: frozenset[dt.date] = frozenset()
    numbers: frozenset[dt.date] = frozenset()
    stock: frozenset[dt.date] = frozenset()

    def days_of(self, table: str) -> list[dt.date]:
        """Return the days of a table to build, in order."""
        found = affected_days(table, self.events, self.settings)
        found |= self.orders if is_behind(table, _OF_ORDERS) else set()
        found |= self.numbers if is_behind(table, _NUMBERED) else set()
        found |= self.stock if is_behind(table, _STOCKED) else set()
        return sorted(day for day in found if self.within.first <= day <= self.within.last)

    @property
    def days(self) -> set[dt.date]:
        """The days of all tables together."""
        return {day for table in build_order() for day in self.days_of(table)}

    def is_part_of(self, other: Touched) -> bool:
        """Return whether `other` touches all that this does."""
        # Some days are found by what is built: once a batch is, its own days are among them. Days of events touch all.
        rest = ((self.orders, other.orders), (self.numbers, other.numbers), (self.stock, other.stock))
        return self.events <= other.events and all(mine <= its | other.events for mine, its in rest)

    def __str__(self) -> str:
        """Write the days of events, orders, numbers and stock, a `;` between them, as ranges; `read` reads it."""
        parts = (self.events, self.orders, self.numbers, self.stock)
        return ";".join(" ".join(map(str, day_ranges(days))) for days in parts)

    @classmethod
    def read(cls, text: str, settings: Mapping[str, int | str], within: DayRange) -> Touched:
        """Read what `str` wrote."""
        return cls(settings, within, *(_days_in(map(DayRange.parse, part.split())) for part in text.split(";")))


def _days_in(ranges: Iterable[DayRange]) -> frozenset[dt.date]:
    return frozenset(
        each.first + dt.timedelta(days=day) for each in ranges for day in range((each.last - each.first).days + 1)
    )


def _from(first: dt.date | None, last: dt.date) -> set[dt.date]:
    return set(_days_in([DayRange(first, last)])) if first and first <= last else set()


def days_of_versions(session: Session, batch_ids: Sequence[str]) -> set[dt.date]:
    """Return the days whose facts may point to another version of a product or customer since these batches."""
    existing, batches = session.tables(), {"batches": list(batch_ids)}
    if "ops.pipeline_logs" not in existing:
        return set()
    sql = "SELECT DISTINCT source FROM ops.pipeline_logs WHERE list_contains($batches, batch_id) AND rows_accepted > 0"
    asked = {_QUESTIONS[source] for (source,) in session.rows(sql, batches) if source in _QUESTIONS}
    frames = [session.frame(question, batches) for tables, question in asked if existing.issuperset(tables)]
    return {day for frame in frames for day in frame["event_date"]}


def days_of_names(session: Session, batch_ids: Sequence[str]) -> set[dt.date]:
    """Return the days with a name whose product these batches tell, or a second one, if items have it without id.

    Those on which it stands with an id too: what is counted of its product over all days changes.
    """
    existing = session.tables()
    if not batch_ids or not existing.issuperset(("cleaned.item_names", "cleaned.product_names", "ops.batch_days")):
        return set()
    names = _newly_named(session, batch_ids)
    if "cleaned.product_versions" in existing:
        names |= {name for (name,) in session.rows(_NEW_VERSIONS, {"batches": list(batch_ids)})}
    days = session.rows(
        """
        SELECT DISTINCT event_date FROM cleaned.item_names WHERE product_name IN (
            SELECT product_name FROM cleaned.item_names WHERE product_id = '' AND list_contains($names, product_name)
        )
        """,
        {"names": sorted(names)},
    )
    return {day for (day,) in days}


def _newly_named(session: Session, batch_ids: Sequence[str]) -> set[str]:
    """Return the names that stand with an id in these batches, and not with the same id on other days.

    On the batches' own days they may be known already: so the answer is the same after a run that failed.
    """
    loaded = f"batch_id IN ({', '.join(map(literal, batch_ids))})"
    named = set[tuple[str, str]]()
    for query in events_within(session, loaded).values():
        if "items_json" in query.columns:
            asked = Query(_NAMED.format(query.of("items_json"), loaded), {}, dict.fromkeys(query.inputs, loaded))
            named |= {(name, product) for name, product in session.frame(asked).rows() if name and product}
    days = ", ".join(map(literal, touched_days(session, batch_ids))) or "NULL"
    known = session.rows(
        "SELECT DISTINCT product_name, product_id FROM cleaned.item_names "
        f"WHERE product_id <> '' AND event_date NOT IN ({days}) AND list_contains($names, product_name)",
        {"names": sorted({name for name, _ in named})},
    )
    return {name for name, _ in named.difference(known)}


def days_of_orders(session: Session, batch_ids: Sequence[str]) -> set[dt.date]:
    """Return the days of earlier orders, and of refunds, that the purchases and refunds of these batches change.

    They have the same transaction id, and a client or user in common; or they are so near that they may be one order.
    """
    existing = session.tables()
    if not batch_ids or not existing.issuperset(("sessionized.purchases", "sessionized.refund_lines")):
        return set()
    loaded = f"batch_id IN ({', '.join(map(literal, batch_ids))})"
    new: list[tuple[Any, ...]] = []
    for source, query in events_within(session, loaded).items():
        if "transaction_id" in query.columns:
            user = "user_id" if "user_id" in query.columns else "NULL"
            sql = f"""
                SELECT DISTINCT transaction_id, md5(client_id) AS client, {user} AS user_id, event_date
                FROM ({query.of("client_id", "event_name", "transaction_id", user)}) AS {quote(source)}
                WHERE {loaded} AND ga4_name(event_name) IN ('purchase', 'refund') AND transaction_id IS NOT NULL
            """
            new += session.frame(Query(sql, {}, dict.fromkeys(query.inputs, loaded))).rows()
    if "cleaned.order_versions" in existing:  # one that is cancelled is a refund
        sql = f"""
            SELECT DISTINCT order_number(order_key) AS transaction_id, md5(order_client(order_key)) AS client,
                NULL AS user_id, event_date
            FROM cleaned.order_versions
            WHERE {loaded} AND status = 'cancelled' AND order_number(order_key) IS NOT NULL
        """
        new += session.frame(Query(sql, {}, {"cleaned.order_versions": loaded})).rows()
    keys = {(order, who) for order, client, user, _ in new for who in (client, user) if who is not None}
    days_of: dict[object, list[dt.date]] = {}
    for order, *_, day in new:
        days_of.setdefault(order, []).append(day)
    # Few rows: looked up by their order number, so that PostgreSQL does not hand over the whole table.
    orders = sorted({literal(order) for order, *_ in new})
    named = f" WHERE transaction_id IN ({', '.join(orders)})" if len(orders) <= 10_000 else ""
    found: set[dt.date] = set()
    own = "md5(client_id)"
    tables = {"sessionized.purchases": f"coalesce(clients, {own})", "sessionized.refund_lines": own} if new else {}
    for table, clients in tables.items():
        rows = session.rows(f"SELECT DISTINCT transaction_id, {clients}, user_id, event_date FROM {table}{named}")
        found |= {
            day
            for order, who, user, day in rows
            if not keys.isdisjoint((order, each) for each in (*who.split(), user))
            or any(abs(day - at) <= _NEAR for at in days_of.get(order, ()))
        }
    return found


def _first_of_currency(session: Session, batch_ids: Sequence[str]) -> dt.date | None:
    """Return the first day on which these batches name a currency that no day before did, if events name several.

    Without SHOP_CURRENCY the shop's is the only one that events have named up to a day, so all later days depend on it.
    """
    needed = {"cleaned.daily_rates", *tables_with("currency", "items_json")}
    if not batch_ids or not session.tables().issuperset(needed):
        return None
    named = named_currencies(session, f"batch_id IN ({', '.join(map(literal, batch_ids))})")
    sql = "SELECT currency, min(event_date) FROM cleaned.daily_rates WHERE currency <> '' GROUP BY currency"
    first = dict(session.rows(sql))
    if len(first.keys() | set(named["value"])) < 2:
        return None
    return min((day for day, _, code in named.rows() if first.get(code, day) >= day), default=None)


def _days_of_refunds(session: Session, days: Collection[dt.date]) -> set[dt.date]:
    """Return the later days on which orders of these days are refunded: a refund has channel and device of its order.

    The session of an order may have begun on the day before it.
    """
    if not days or not session.tables().issuperset(("sessionized.refunds", "sessionized.buyers")):
        return set()
    sql = """
        SELECT DISTINCT refunds.event_date FROM sessionized.refunds AS refunds
        INNER JOIN sessionized.buyers AS buyers ON refunds.order_id = buyers.order_id
        WHERE refunds.event_date > buyers.event_date AND buyers.event_date IN ({})
    """
    near = sorted({day + dt.timedelta(days=after) for day in days for after in (0, 1)})
    return {day for (day,) in session.rows(sql.format(", ".join(map(literal, near))))}


def touched_after(session: Session, batch_ids: Sequence[str], settings: Settings) -> Touched | None:
    """Return what these batches touch: days of their events, and of versions they brought; None if no day.

    From the first to the last day with events: windows reach further, but there is nothing to build. These are all days
    after a batch was taken out: a customer or product that it alone had is on no day any more, so only a build of all
    days sees that it is gone.
    """
    touched = {*touched_days(session, batch_ids), *days_of_versions(session, batch_ids)}
    touched |= days_of_names(session, batch_ids)
    of_persons, to_number = days_of_persons(session, batch_ids, settings.shared_device_users)
    touched |= of_persons
    known = known_days(session)
    if known is None or not touched:
        return None
    first = max(settings.partition_start, known[0])
    since = None if settings.shop_currency else _first_of_currency(session, batch_ids)
    sql = "SELECT batch_id FROM ops.set_aside WHERE state IN ('withdrawn', 'erased')"
    if not {batch for (batch,) in session.rows(sql)}.isdisjoint(batch_ids):
        since = first
    touched |= _from(since, known[1])
    if first > known[1]:
        return None
    within = DayRange(first, known[1])
    orders = frozenset(days_of_orders(session, batch_ids) | _days_of_refunds(session, touched))
    stock = _days_in(ranges_of_stock(session, batch_ids, known[1]))
    found = Touched(settings.model_values, within, frozenset(touched), orders, frozenset(to_number), stock)
    return found if found.days else None


def days_after(session: Session, batch_ids: Sequence[str], settings: Settings) -> set[dt.date]:
    """Return the days of any table to build again after these batches were loaded."""
    touched = touched_after(session, batch_ids, settings)
    return touched.days if touched else set()


def days_not_built(session: Session, settings: Settings) -> str:
    """Return the range of days, `FIRST...LAST`, that wait to be built after what was loaded; empty without any."""
    return days_to_build(session, batches_not_built(session, settings), settings)


def batches_not_built(session: Session, settings: Settings) -> list[str]:
    """Return the batches, loaded, withdrawn or erased, with a day that waits to be built.

    A day is built once its row of marts.daily_trends, which most tables precede, was published after the load and the
    latest upgrade.
    """
    tables = session.tables()
    if not tables >= {"ops.pipeline_logs", "ops.batch_days", "ops.set_aside"}:
        return []
    sql, values = "SELECT DISTINCT batch_id FROM ops.batch_days WHERE event_date >= $start", dict[str, object]()
    if "ops.rule_results" in tables:
        sql, values = _NOT_BUILT, {"built": BUILT}  # a table that the SQL named would be read, and may be damaged
    return [batch for (batch,) in session.rows(sql, {"start": settings.partition_start, **values})]


def days_to_build(session: Session, batch_ids: Sequence[str], settings: Settings) -> str:
    """Return the range of days, `FIRST...LAST`, whose tables the rows of these batches change; empty without any."""
    days = days_after(session, batch_ids, settings)
    return f"{min(days)}...{max(days)}" if days else ""
