"""Figures that several tables say: they agree, or there is a reason."""

from __future__ import annotations

from pathlib import Path

from analytics_platform_tests.kit import build, click
from analytics_platform_tests.models.sales import DAYS, buy, give_back, sold

BOT = "Googlebot/2.1 (+http://www.google.com/bot.html)"
LAMP = {"item_id": "p1", "price": 10}
ROWS = [
    click("ada", "2024-03-01T23:50:00Z"),
    buy("ada", "T1", "2024-03-02T00:10:00", items=[LAMP, {"item_name": "wrapping", "price": 3}], value=18),
    buy("bob", "T2", items=[LAMP]),
    give_back("bob", "T2", "2024-03-03T10:00:00", value=4),
    click("robot", "2024-03-01T10:00:00Z", user_agent=BOT),
]
DIFFERENT = "SELECT date, name, right_table, left_value, right_value, reason FROM ops.reconciliations "
DIFFERENT += "WHERE left_value <> right_value ORDER BY ALL"
OF_CUSTOMERS = DIFFERENT.replace("date,", "month,").replace("ops.", "ops.customer_")
BY_SESSION, OF_NO_PRODUCT = "a session counts on the day it starts", "some of it is of no product"
OF_MONTHS = {"star.dim_person", "ops.customer_reconciliations"} | {
    f"marts.{name}" for name in ("customer_revenue", "customer_rfm", "cohort_retention", "monthly_growth")
}


def test_figures_agree_or_differ_for_a_reason(tmp_path: Path) -> None:
    first, second = DAYS.first, DAYS.first.replace(day=2)
    with sold(tmp_path, ROWS) as (_, session):
        assert session.rows(DIFFERENT) == [
            (first, "revenue", "marts.device_daily", 10, 28, BY_SESSION),
            (second, "revenue", "marts.device_daily", 18, 0, BY_SESSION),
            (second, "revenue", "marts.product_daily", 18, 10, OF_NO_PRODUCT),
        ]
        compared = (
            "SELECT name, sum(left_value) FROM ops.reconciliations WHERE right_table = 'marts.daily_trends' GROUP BY 1"
        )
        assert dict(session.rows(compared)) == {"orders": 2, "revenue": 28, "refunds": 4, "sessions": 3, "visitors": 3}
        assert session.rows(OF_CUSTOMERS) == []


def test_a_table_that_says_another_figure_is_named_with_the_day(tmp_path: Path) -> None:
    with sold(tmp_path, ROWS) as (platform, session):
        session.execute("UPDATE marts.daily_trends SET revenue = revenue + 1 WHERE date = '2024-03-02'")
        made = build(session, DAYS, platform.settings, {"ops.reconciliations"})["ops.reconciliations"]
        (rule,) = (found for found in made.results if found.rule == "figures_agree")
        assert (rule.failing, rule.severity) == (1, "warn")
        (row,) = rule.sample
        assert (str(row["date"]), row["name"], row["right_table"]) == ("2024-03-02", "revenue", "marts.daily_trends")
        assert (row["left_value"], row["right_value"]) == ("18.0000", "19.0000")


def test_each_mart_of_customers_that_says_another_figure_is_named_with_the_month(tmp_path: Path) -> None:
    changes = {
        "marts.customer_rfm SET last_order_date = '2024-02-29'": ("customers by last order", "marts.customer_rfm"),
        "marts.cohort_retention SET cohort_size = 3": ("new customers", "marts.cohort_retention"),
        "marts.monthly_growth SET refunds = 5": ("refunds", "marts.monthly_growth"),
        "marts.customer_revenue SET revenue = 1": ("revenue by first order", "marts.customer_revenue"),
        "star.dim_person SET is_customer = FALSE": ("new customers", "star.dim_person, (erased)"),
    }
    with sold(tmp_path, ROWS) as (platform, session):
        for change in changes:
            session.execute(f"UPDATE {change}")
        made = build(session, DAYS, platform.settings, {"ops.customer_reconciliations"})["ops.customer_reconciliations"]
        found = {(name, table) for _, name, table, _, _, reason in session.rows(OF_CUSTOMERS) if reason is None}
    assert set(changes.values()) <= found
    (rule,) = (each for each in made.results if each.rule == "figures_agree")
    assert rule.severity == "warn" and rule.failing >= len(changes)


def test_whoever_was_erased_is_the_reason_why_persons_are_fewer_than_customers(tmp_path: Path) -> None:
    with sold(tmp_path, ROWS) as (platform, session):
        session.execute("UPDATE sessionized.customer_months SET person_id = 'erased:1' WHERE person_id = 'ada'")
        build(session, DAYS, platform.settings, OF_MONTHS)
        (row,) = session.rows(OF_CUSTOMERS)
        assert row[1:] == ("new customers", "star.dim_person", 2, 1, "who was erased is no person")


def test_a_refund_to_someone_who_never_ordered_is_of_no_cohort(tmp_path: Path) -> None:
    with sold(tmp_path, [*ROWS, give_back("eve", "T3", value=2)]) as (_, session):
        (row,) = session.rows(OF_CUSTOMERS)
        assert row[1:5] == ("refunds", "marts.cohort_retention", 6, 4)
