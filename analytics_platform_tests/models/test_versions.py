"""Slowly changing dimensions: facts point to the version valid at their time, in whatever order all arrives."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from analytics_platform.catalog import CONTRACTS
from analytics_platform.transform import DayRange, all_models
from analytics_platform.transform.lookups.tables import LOOKUPS
from analytics_platform.warehouse import Session
from analytics_platform.warehouse.ledger import known_batches, touched_days
from analytics_platform.warehouse.touched import days_of_versions
from analytics_platform_tests.kit import (
    Contents,
    Platform,
    Row,
    build,
    build_touched,
    click,
    contents,
    load_rows,
    open_with_tables,
    platform_on,
)
from analytics_platform_tests.models.test_incremental import differing
from analytics_platform_tests.shop_rows import ShopRow, customer, load_shop, order, product

TODAY = dt.datetime.now(dt.UTC).date()
"""Versions are of the day they are read, so the events are of the days before it."""
FIRST = TODAY - dt.timedelta(days=4)
HORIZON = DayRange(FIRST, TODAY + dt.timedelta(days=1))
START = dt.datetime.combine(FIRST, dt.time(), dt.UTC)
HOUR = dt.timedelta(hours=1)

TABLES = {
    name
    for name in (*all_models(), *LOOKUPS)
    if not name.startswith(("marts.", "ops.", "sessionized.user", "sessionized.product_interactions"))
} | {"marts.order_reconciliation"}
COMPARED = tuple(sorted({*TABLES, "cleaned.product_versions", "cleaned.customer_versions"} & set(CONTRACTS)))


class Step(NamedTuple):
    """Rows that arrive together: of `clickstream` or of a table of the shop."""

    source: str
    rows: Sequence[Row | ShopRow]


def _bought(client: str, at: dt.datetime, products: Sequence[str], transaction: str) -> Row:
    items = [{"item_id": name, "item_name": f"seen {name}", "price": 5} for name in products]
    data = {"transaction_id": transaction, "revenue": 5, "items": items}
    return click(client, at, "checkout_completed", data=data)


def make_steps(seed: int) -> list[Step]:
    """Events, versions and orders of a few days, each kind in some parts, all in random order."""
    chance = random.Random(seed)

    def moments(count: int) -> list[dt.datetime]:
        return [START + minute * dt.timedelta(minutes=1) for minute in chance.sample(range(4 * 24 * 60), count)]

    clicks = [
        _bought(chance.choice("abc"), at, chance.sample(["p1", "p2", "p3"], 2), f"T{number}")
        for number, at in enumerate(moments(16))
    ]
    products = [
        product(chance.choice(["p1", "p2"]), at, chance.choice("57"), stock=chance.randrange(3)) for at in moments(9)
    ]
    customers = [customer(chance.choice([1, 2]), at, chance.choice(["Ada", "Bob"])) for at in moments(6)]
    orders = [
        order(
            number, f"{row['client_id']}/T{number}", chance.choice([1, 2]), dt.datetime.fromisoformat(row["timestamp"])
        )
        for number, row in enumerate(clicks)
        if row["client_id"] != "c" and chance.random() < 0.6
    ]
    steps = [
        Step(source, part)
        for source, rows in (
            ("clickstream", clicks),
            ("products", products),
            ("customers", customers),
            ("orders", orders),
        )
        for part in _parts(chance, rows)
    ]
    chance.shuffle(steps)
    return steps


def _parts(chance: random.Random, rows: Sequence[Row | ShopRow]) -> list[Sequence[Row | ShopRow]]:
    shuffled = chance.sample(rows, len(rows))
    cut = chance.randrange(len(rows))
    return [part for part in (shuffled[:cut], shuffled[cut:]) if part]


def take_in(platform: Platform, session: Session, number: int, step: Step) -> set[dt.date]:
    """Load what arrives: the days it touches."""
    before = known_batches(session)
    if step.source == "clickstream":
        load_rows(platform, session, step.rows, f"{number}.csv")  # type: ignore[arg-type]
    else:
        load_shop(platform, session, step.source, step.rows)
    new = sorted(known_batches(session) - before)
    return {*touched_days(session, new), *days_of_versions(session, new)}


def incrementally(platform: Platform, session: Session, steps: Sequence[Step]) -> Contents:
    """After each arrival build the days it touches, and no others."""
    for number, step in enumerate(steps):
        build_touched(session, take_in(platform, session, number, step), HORIZON, platform.settings, TABLES)
    quiet = [FIRST + dt.timedelta(days=n) for n in range((HORIZON.last - FIRST).days + 1)]
    build_touched(session, quiet, HORIZON, platform.settings, {"star.dim_date"})
    return contents(session, COMPARED)


def at_once(platform: Platform, session: Session, steps: Sequence[Step]) -> Contents:
    for number, step in enumerate(steps):
        take_in(platform, session, number, step)
    build(session, HORIZON, platform.settings, TABLES)
    return contents(session, COMPARED)


def in_platform(
    root: Path,
    make: Callable[[Platform, Session, Sequence[Step]], Contents],
    steps: Sequence[Step],
    kind: str = "duckdb",
) -> Contents:
    with platform_on(kind, root) as platform, platform.session() as session:
        found = make(platform, session, steps)
        check_versions(session, steps)
        return found


def _rows_of(steps: Sequence[Step], source: str) -> list[ShopRow]:
    return sorted(
        (row for step in steps if step.source == source for row in step.rows), key=lambda row: row["updated_at"]
    )  # type: ignore[arg-type, return-value]


def _at(versions: Sequence[ShopRow], column: str, at: object) -> object:
    """The value of the last version until then, of the first before it: from the beginning on."""
    known = [row for row in versions if row["updated_at"] <= at] or versions[:1]  # type: ignore[operator]
    return known[-1][column] if known else None


def check_versions(session: Session, steps: Sequence[Step]) -> None:
    """Hold the versions that facts point to against what was true at their time, worked out one by one."""
    products, customers, orders = (_rows_of(steps, source) for source in ("products", "customers", "orders"))
    items = session.rows(
        """
        SELECT facts.product_id, facts.event_at, known.product_name, known.price, known.product_id
        FROM star.fact_event_items AS facts INNER JOIN star.dim_product AS known USING (product_key)
        """
    )
    assert len(items) == session.count("star.fact_event_items")
    for name, at, told, price, key in items:
        mine = [row for row in products if row["product_id"] == name]
        assert key == name
        assert told == (_at(mine, "name", at) or f"seen {name}")
        assert price == (_at(mine, "price", at) or 5)
    for fact, moment in (("fact_orders", "ordered_at"), ("fact_sessions", "started_at"), ("fact_events", "event_at")):
        found = session.rows(
            f"SELECT known.client_id, {moment}, known.name FROM star.{fact} INNER JOIN star.dim_customer AS known "
            "USING (customer_key)"
        )
        assert len(found) == session.count(f"star.{fact}")
        for client, at, told in found:
            mine_too = {row["customer_id"] for row in orders if str(row["order_key"]).startswith(f"{client}/")}
            versions = [row for row in customers if row["customer_id"] in mine_too]
            assert told == _at(versions, "name", at), (fact, client, at)
    check_periods(session, "star.dim_product", "product_id")
    check_periods(session, "star.dim_customer", "client_id")


def check_periods(session: Session, dimension: str, key: str) -> None:
    """Without gaps from the beginning to the end of time, and one version is the current one."""
    rows = session.rows(f"SELECT {key}, version, valid_from, valid_to, is_current FROM {dimension} ORDER BY 1, 2")
    for name in {row[0] for row in rows}:
        mine = [row for row in rows if row[0] == name]
        assert [row[1] for row in mine] == list(range(1, len(mine) + 1))
        assert [row[2] for row in mine[1:]] == [row[3] for row in mine[:-1]]
        assert (mine[0][2], mine[-1][3]) == (
            dt.datetime(1900, 1, 1, tzinfo=dt.UTC),
            dt.datetime(9999, 12, 31, tzinfo=dt.UTC),
        )
        assert [row[4] for row in mine] == [False] * (len(mine) - 1) + [True]


@pytest.mark.parametrize("seed", range(1))
def test_facts_point_to_the_version_valid_at_their_time_in_any_order_of_arrival(tmp_path: Path, seed: int) -> None:
    steps = make_steps(seed)
    some, full = in_platform(tmp_path / "some", incrementally, steps), in_platform(tmp_path / "all", at_once, steps)
    assert differing(some, full) == {}


@pytest.mark.slow
@settings(
    max_examples=2,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.integers(10, 2**32))
def test_so_they_do_for_any_changes(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    steps, root = make_steps(seed), tmp_path_factory.mktemp("platforms")
    some, full = in_platform(root / "some", incrementally, steps), in_platform(root / "all", at_once, steps)
    assert differing(some, full) == {}


def test_a_version_is_seen_by_facts_only_when_its_dimension_has_it(tmp_path: Path) -> None:
    """Read today, but only yesterday is built: no key dangles. Built today, with the days it touches, all is there."""
    yesterday = START + dt.timedelta(days=3)
    events = [_bought("a", yesterday - 20 * HOUR, ["p1"], "T1"), _bought("b", yesterday + HOUR, ["p1"], "T2")]
    before, after = yesterday - 40 * HOUR, yesterday - 21 * HOUR
    platform = open_with_tables(tmp_path)
    with platform.session() as session:
        load_rows(platform, session, events)
        load_shop(platform, session, "orders", [order(1, "a/T1", 1, yesterday - 20 * HOUR)])
        build(session, DayRange(FIRST, yesterday.date()), platform.settings, TABLES)
        changes = [customer(1, before), customer(1, after, "Bob"), product("p1", before), product("p1", after, "7")]
        new = [
            *load_shop(platform, session, "customers", changes[:2]),
            *load_shop(platform, session, "products", changes[2:]),
        ]
        build(session, DayRange(yesterday.date(), yesterday.date()), platform.settings, TABLES)
        assert session.rows("SELECT DISTINCT version FROM star.dim_product") == [(1,)]
        touched = {*touched_days(session, new), *days_of_versions(session, new)}
        build_touched(session, touched, HORIZON, platform.settings, TABLES)
        assert session.rows(
            """
            SELECT known.name, version, client_id FROM star.fact_orders AS facts
            INNER JOIN star.dim_customer AS known USING (customer_key, client_id) ORDER BY client_id
            """
        ) == [("Bob", 2, "a"), (None, 1, "b")]
        assert session.rows(
            "SELECT DISTINCT known.price FROM star.fact_event_items INNER JOIN star.dim_product AS known "
            "USING (product_key)"
        ) == [(7,)]


def test_a_change_of_the_stock_alone_makes_no_version_and_touches_no_day_before_it_was_read(tmp_path: Path) -> None:
    platform = open_with_tables(tmp_path)
    with platform.session() as session:
        load_rows(platform, session, [_bought("a", START + HOUR, ["p1"], "T1")])
        load_shop(platform, session, "products", [product("p1", START)])
        build(session, HORIZON, platform.settings, TABLES)
        sold = load_shop(platform, session, "products", [product("p1", START + HOUR, stock=2)])
        assert days_of_versions(session, sold) == set()
        raised = load_shop(platform, session, "products", [product("p1", START + HOUR / 2, "6", stock=2)])
        assert days_of_versions(session, raised) == {FIRST}
        read_on = dt.datetime.now(dt.UTC).date()  # of a run over midnight it is another day than that of its start
        build_touched(session, {read_on}, HORIZON, platform.settings, {"cleaned.product_history"})
        assert session.rows("SELECT version, price FROM cleaned.product_history ORDER BY version") == [
            (1, 5),
            (2, 6),
            (3, 5),
        ]
