"""Orders as events tell of them, compared with the orders in the shop's database, worked out by hand."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

from analytics_platform.catalog import CONTRACTS
from analytics_platform.transform import DayRange
from analytics_platform.warehouse import Session
from analytics_platform.warehouse.touched import days_after
from analytics_platform.warehouse.watchdog import has_the_shops_orders
from analytics_platform_tests.kit import (
    Platform,
    Row,
    both_warehouses,
    build,
    build_touched,
    click,
    contents,
    load_rows,
    needed,
    open_with_tables,
    opened,
)
from analytics_platform_tests.shop_rows import customer, load_shop, order

TABLES = needed("marts.order_reconciliation")

NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
MIDNIGHT = dt.datetime(2026, 3, 3, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)
DAYS = DayRange(dt.date(2026, 3, 1), dt.date(2026, 3, 4))
OUTCOMES = "SELECT order_date, order_key, outcome FROM marts.order_reconciliation ORDER BY order_key"


def bought(client: str, at: dt.datetime, transaction: str, revenue: str = "5") -> Row:
    return click(client, at, "checkout_completed", data={"transaction_id": transaction, "revenue": revenue})


EVENTS = [
    bought("ada", NOON, "T1"),
    bought("ada", NOON, "T2", "5.0001"),
    bought("bob", NOON, "T1"),
    bought("eve", MIDNIGHT - SECOND, "T1"),
    bought("eve", NOON, "T2", "0"),
    bought("eve", NOON - dt.timedelta(days=1), "T0"),
]
ORDERS = [
    order(1, "ada/T1", 1, NOON + SECOND),
    order(2, "ada/T2", 1, NOON, status="cancelled"),
    order(3, "bob/T9", 1, NOON),
    order(4, "eve/T1", 1, MIDNIGHT + SECOND),
    order(5, "by phone", 1, NOON),
]
EXPECTED = [
    (dt.date(2026, 3, 2), "ada/T1", "equal"),
    (dt.date(2026, 3, 2), "ada/T2", "amounts differ"),
    (dt.date(2026, 3, 2), "bob/T1", "only in events"),
    (dt.date(2026, 3, 2), "bob/T9", "only in shop"),
    (dt.date(2026, 3, 2), "by phone", "not tracked"),
    (dt.date(2026, 3, 1), "eve/T0", "no shop orders that day"),
    (dt.date(2026, 3, 3), "eve/T1", "equal"),
    (dt.date(2026, 3, 2), "eve/T2", "nothing bought"),
]


def filled(platform: Platform, session: Session) -> None:
    session.ensure(CONTRACTS["cleaned.clickstream"])
    load_rows(platform, session, EVENTS)
    load_shop(platform, session, "orders", ORDERS)


def test_every_order_of_either_side_is_there_once_with_how_it_compares(tmp_path: Path) -> None:
    platform = open_with_tables(tmp_path)
    with platform.session() as session:
        filled(platform, session)
        made = build(session, DAYS, platform.settings, TABLES)
        assert session.rows(OUTCOMES) == EXPECTED
        (rule,) = (found for found in made["marts.order_reconciliation"].results if found.rule == "orders_reconcile")
        assert (rule.failing, rule.severity) == (3, "warn")
        assert {row["order_key"] for row in rule.sample} == {"ada/T2", "bob/T1", "bob/T9"}
        seen = has_the_shops_orders(session, platform.settings, NOON)
        assert not seen.passed
        assert seen.seen == (
            "1 amounts differ, 2 equal, 1 not tracked, 1 nothing bought, 1 only in events, 1 only in shop "
            "in the last 7 days of data"
        )


def test_an_order_that_arrives_late_on_either_side_makes_good_what_differed(tmp_path: Path) -> None:
    platform = open_with_tables(tmp_path)
    with platform.session() as session:
        filled(platform, session)
        build(session, DAYS, platform.settings, TABLES)
        load_rows(platform, session, [bought("bob", NOON, "T9")], "late.csv")
        load_shop(platform, session, "orders", [order(6, "bob/T1", 1, NOON), order(1, "ada/T1", 1, NOON + SECOND)])
        load_shop(platform, session, "orders", [order(2, "ada/T2", 1, NOON, "5.0001", updated_at=NOON + SECOND)])
        build_touched(session, {NOON.date()}, DAYS, platform.settings, TABLES)
        outcomes = {str(key): outcome for _, key, outcome in session.rows(OUTCOMES)}
        assert {key for key, outcome in outcomes.items() if outcome == "equal"} == {
            "ada/T1",
            "ada/T2",
            "bob/T1",
            "bob/T9",
            "eve/T1",
        }


def test_without_the_shops_database_no_difference_is_reported(tmp_path: Path) -> None:
    platform = open_with_tables(tmp_path)
    with platform.session() as session:
        load_rows(platform, session, EVENTS)
        made = build(session, DAYS, platform.settings, TABLES)
        assert all(result.passed for result in made["marts.order_reconciliation"].results)
        assert has_the_shops_orders(session, platform.settings, NOON).passed


SALES = [
    bought("ada", NOON, "T1", "100"),
    bought("bob", NOON, "T1", "50"),
    click("ada", MIDNIGHT + SECOND, "refund", data={"transaction_id": "T1", "value": 30}),
    click("ada", NOON + dt.timedelta(days=2), "page_view"),
]
PLACED = {"ada/T1": "100", "bob/T1": "50", "eve/T9": "7", "by phone": "7"}
IDENTITIES = needed("star.fact_orders", "star.dim_customer", "marts.order_reconciliation")
MONEY = needed("star.fact_orders", "star.fact_refunds", "marts.daily_trends")


def test_an_order_is_a_refund_of_what_is_left_while_it_is_cancelled_also_late_and_on_postgresql(tmp_path: Path) -> None:
    found = []
    for is_late in (False, True):
        with opened("postgres" if is_late else "duckdb", tmp_path / str(is_late)) as (platform, session):
            load_rows(platform, session, SALES)
            for status in ("placed", "cancelled"):
                at = NOON + SECOND if status == "placed" else NOON + dt.timedelta(days=3)
                rows = enumerate(PLACED.items())
                load_shop(
                    platform,
                    session,
                    "orders",
                    [order(number, key, 1, NOON, total, status=status, updated_at=at) for number, (key, total) in rows],
                )
                batches = [batch for (batch,) in session.rows("SELECT batch_id FROM ops.pipeline_logs")]
                if status == "cancelled":
                    batches = batches[-1:] if is_late else batches
                if status == "cancelled" or is_late:
                    days = days_after(session, batches, platform.settings)
                    build(session, DayRange(min(days), max(days)), platform.settings, MONEY)
            found.append(contents(session, ["star.fact_orders", "star.fact_refunds", "marts.daily_trends"]))
            refunds = "SELECT client_id, refund_date, amount, excess FROM star.fact_refunds ORDER BY 1, 2"
            assert session.rows(refunds) == [
                ("ada", NOON.date(), Decimal(70), Decimal(0)),
                ("ada", MIDNIGHT.date(), Decimal(30), Decimal(0)),
                ("bob", NOON.date(), Decimal(50), Decimal(0)),
            ]
            assert session.rows("SELECT refunded, net_revenue FROM star.fact_orders ORDER BY client_id") == [
                (Decimal(100), Decimal(0)),
                (Decimal(50), Decimal(0)),
            ]
            assert session.rows("SELECT sum(refunds), sum(net_revenue) FROM marts.daily_trends") == [(150, 0)]
            again = [order(0, "ada/T1", 1, NOON, "100", updated_at=NOON + dt.timedelta(days=4))]
            load_shop(platform, session, "orders", again)
            (*_, batch) = [batch for (batch,) in session.rows("SELECT batch_id FROM ops.pipeline_logs")]
            days = days_after(session, [batch], platform.settings)
            build(session, DayRange(min(days), max(days)), platform.settings, MONEY)
            assert session.rows(refunds) == [
                ("ada", MIDNIGHT.date(), Decimal(30), Decimal(0)),
                ("bob", NOON.date(), Decimal(50), Decimal(0)),
            ]
    assert found[0] == found[1]


@both_warehouses
def test_ids_of_clients_and_orders_may_have_any_signs(tmp_path: Path, kind: str) -> None:
    """Two orders have keys that would be the same without escapes; one id of a client looks like an escape."""
    ids = [("a", "b/1", "a/b/1"), ("a/b", "1", "a%2Fb/1"), ("50%", "%2F", "50%25/%2F"), ("%2F", "ü/", "%252F/ü/")]
    with opened(kind, tmp_path) as (platform, session):
        load_rows(platform, session, [bought(client, NOON, number) for client, number, _ in ids])
        build(session, DAYS, platform.settings, IDENTITIES)
        keys = [key for *_, key in ids]
        for status in ("placed", "cancelled"):
            orders = [order(place, key, place, NOON, status=status) for place, key in enumerate(keys, start=1)]
            load_shop(platform, session, "customers", [customer(place, NOON) for place in range(1, 5)])
            load_shop(platform, session, "orders", orders)
            (*_, batch) = [batch for (batch,) in session.rows("SELECT batch_id FROM ops.pipeline_logs")]
            assert NOON.date() in days_after(session, [batch], platform.settings)
            build(session, DAYS, platform.settings, IDENTITIES)
        known = [(client, str(place)) for place, (client, *_) in enumerate(ids, start=1)]
        assert session.rows("SELECT client_id, user_id FROM star.fact_orders ORDER BY user_id") == known
        customers = "SELECT client_id, customer_id FROM star.dim_customer WHERE customer_id <> '-1' ORDER BY 2"
        assert session.rows(customers) == known
        persons = "SELECT client_id, person_id FROM cleaned.person_members WHERE client_id <> '' ORDER BY 2"
        assert session.rows(persons) == [(client, f"user:{customer_id}") for client, customer_id in known]
        assert session.rows("SELECT order_key, outcome FROM marts.order_reconciliation ORDER BY shop_order_id") == [
            (key, "equal") for key in keys
        ]
        assert session.rows("SELECT sum(net_revenue) FROM star.fact_orders") == [(0,)]


def test_an_order_number_may_have_slashes(tmp_path: Path) -> None:
    platform = open_with_tables(tmp_path)
    with platform.session() as session:
        load_rows(platform, session, [bought("ada", NOON, "2026/0815"), bought("ada", NOON, "2026/0816")])
        orders = [order(1, "ada/2026/0815", 1, NOON, status="cancelled"), order(2, "ada/2026/0816", 1, NOON)]
        load_shop(platform, session, "orders", orders)
        build(session, DAYS, platform.settings, needed("star.fact_orders", "marts.order_reconciliation"))
        assert session.rows("SELECT DISTINCT client_id FROM cleaned.orders") == [("ada",)]
        assert {outcome for *_, outcome in session.rows(OUTCOMES)} == {"equal"}
        kept = "SELECT transaction_id, net_revenue FROM star.fact_orders ORDER BY 1"
        assert session.rows(kept) == [("2026/0815", Decimal(0)), ("2026/0816", Decimal(5))]
