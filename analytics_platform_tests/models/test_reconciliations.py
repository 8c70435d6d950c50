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
BY_SESSION, OF_NO_PRODUCT = "a session counts on the day it starts", "some of it is of no product"


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
        assert dict(session.rows(compared)) == {"orders": 2, "revenue": 28, "refunds": 4, "sessions": 3}


def test_a_table_that_says_another_figure_is_named_with_the_day(tmp_path: Path) -> None:
    with sold(tmp_path, ROWS) as (platform, session):
        session.execute("UPDATE marts.daily_trends SET revenue = revenue + 1 WHERE date = '2024-03-02'")
        made = build(session, DAYS, platform.settings, {"ops.reconciliations"})["ops.reconciliations"]
        (rule,) = (found for found in made.results if found.rule == "figures_agree")
        assert (rule.failing, rule.severity) == (1, "warn")
        (row,) = rule.sample
        assert (str(row["date"]), row["name"], row["right_table"]) == ("2024-03-02", "revenue", "marts.daily_trends")
        assert (row["left_value"], row["right_value"]) == ("18.0000", "19.0000")
