"""`analytics_platform.read`: a table as a pandas frame."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest

import analytics_platform
from analytics_platform.errors import UserError
from analytics_platform_tests.kit import build, click, load_rows, loaded_days, open_platform

PURCHASE = {"transaction_id": "T1", "revenue": 49.9}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    platform = open_platform(tmp_path_factory.mktemp("data"))
    with platform.session() as session:
        rows = [
            click("ada", "2026-03-01T10:00:00", "checkout_completed", data=PURCHASE),
            click("bob", "2026-03-02T10:00:00"),
        ]
        load_rows(platform, session, rows)
        build(session, loaded_days(session), platform.settings)
    return platform.settings.data_dir


@pytest.fixture
def shop(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", str(folder))


@pytest.mark.usefixtures("shop")
def test_a_table_is_read_as_a_pandas_frame_with_exact_amounts() -> None:
    frame = analytics_platform.read("marts.daily_trends")

    assert list(frame["orders"]) == [1, 0]
    assert frame["revenue"][0] == Decimal("49.9000")


@pytest.mark.usefixtures("shop")
def test_days_select_a_part() -> None:
    frame = analytics_platform.read("marts.daily_trends", days="2026-03-02...2026-03-03")

    assert [str(day)[:10] for day in frame["date"]] == ["2026-03-02"]


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("days", [("2026-03-01", "2026-03-02"), ("2026-03-01", dt.date(2026, 3, 2))])
def test_days_may_be_a_tuple_of_the_first_and_the_last(days: tuple[str | dt.date, ...]) -> None:
    assert len(analytics_platform.read("marts.daily_trends", days)) == 2
    assert len(analytics_platform.read("marts.daily_trends", days[1])) == 1


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("table", "days", "sentence"),
    [
        ("marts.dayly_trend", None, "There is no table 'marts.dayly_trend': did you mean marts.daily_trends"),
        ("daily_trends", None, "There is no table 'daily_trends': did you mean marts.daily_trends"),
        ("cleaned/clickstream", None, "There is no table 'cleaned/clickstream': did you mean cleaned.clickstream"),
        ("?", None, "There is no table '\\?': the tables are listed in docs/data_dictionary.md"),
        ("marts.daily_trends", ("2026-03-01", "2026-03-02", "2026-03-03"), "is no range of days"),
        ("marts.daily_trends", ("2026-03-02", "2026-03-01"), "2026-03-02...2026-03-01 is no range of days"),
        ("marts.customer_rfm", "2026-03-01", "marts.customer_rfm has no days"),
        ("marts.daily_trends", "soon", "soon is no range of days"),
        ("ops.rule_results", None, "ops.rule_results is not built yet"),
    ],
)
def test_a_mistake_is_one_sentence(table: str, days: str | tuple[str, ...] | None, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        analytics_platform.read(table, days)
