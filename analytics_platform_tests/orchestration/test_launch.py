from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from analytics_platform.orchestration.launch import StartError, check_days
from analytics_platform.settings import Settings, load_settings
from analytics_platform.transform import DayRange


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path, partition_start="2026-01-01")


@pytest.mark.parametrize("days", ["2026-01-01...2026-01-31", "2026-01-31"])
def test_days_that_are_partitions_are_accepted(settings: Settings, days: str) -> None:
    assert check_days(days, settings) == DayRange.parse(days)


def test_tomorrow_is_a_partition_and_the_day_after_is_not(settings: Settings) -> None:
    today = dt.datetime.now(dt.UTC).date()
    check_days(f"{today + dt.timedelta(days=1)}", settings)
    with pytest.raises(StartError, match="There is no partition"):
        check_days(f"{today + dt.timedelta(days=3)}", settings)


@pytest.mark.parametrize(
    ("days", "sentence"),
    [
        ("2025-12-31...2026-01-02", "There is no partition 2025-12-31: days run from 2026-01-01"),
        ("2026-01-02...2026-01-01", "2026-01-02...2026-01-01 is no range of days: write YYYY-MM-DD...YYYY-MM-DD"),
        ("soon", "soon is no range of days: write YYYY-MM-DD...YYYY-MM-DD"),
        ("2026-02-30", "2026-02-30 is no range of days: write YYYY-MM-DD...YYYY-MM-DD"),
    ],
)
def test_other_days_are_named_with_what_to_write(settings: Settings, days: str, sentence: str) -> None:
    with pytest.raises(StartError) as error:
        check_days(days, settings)

    assert str(error.value).startswith(sentence)
