"""The watchdog names a source that fell silent, and none that is as it always was."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path

import pytest

from analytics_platform.sources.registry import SOURCES
from analytics_platform.warehouse.load import load_new_batches
from analytics_platform.warehouse.silence import has_every_source
from analytics_platform_tests.kit import click, load_rows, open_with_tables
from analytics_platform_tests.names import WEB_LOGS
from analytics_platform_tests.shop_logs import log, put_logs

NOW = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("days", "others", "silent_since"),
    [
        (range(1, 7), range(1, 10), "2026-03-06"),
        (range(1, 7), range(1, 9), None),  # the last day may not be complete, and one day of silence is usual
        ((1, 2, 3, 7, 8), range(1, 14), None),  # it paused for as long before
        ((1, 2, 3, 7, 8), range(1, 15), "2026-03-08"),
        ((1, 2), range(1, 15), None),  # too few days to have an interval
        ((1, 6, 12), range(1, 31), None),  # not on most days
        (range(1, 7), range(1, 41), None),  # given up
    ],
)
def test_a_source_is_silent_once_it_pauses_for_longer_than_ever(
    tmp_path: Path, days: Iterable[int], others: Iterable[int], silent_since: str | None
) -> None:
    first, platform = dt.datetime(2026, 2, 28, 9), open_with_tables(tmp_path)
    put_logs(platform, [log(7, first + dt.timedelta(days=day)) for day in days])
    with platform.session() as session:
        list(load_new_batches(SOURCES[WEB_LOGS], session, platform.settings, platform.lake, "test"))
        load_rows(platform, session, [click("c", f"{first + dt.timedelta(days=day)}Z") for day in others])
        found = has_every_source(session, platform.settings, NOW)
    assert found.passed is (silent_since is None)
    assert silent_since is None or f"web_logs has brought nothing since {silent_since}" in found.seen
