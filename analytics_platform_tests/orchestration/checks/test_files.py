"""What a run says at its end of files and batches that are bad."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from analytics_platform.cli.status import read_status
from analytics_platform.orchestration.checks.files import FILES_READABLE, SHOWN, describe_unreadable, lines_of
from analytics_platform.sources.registry import SOURCES
from analytics_platform_tests.kit import open_platform
from analytics_platform_tests.names import CLICKSTREAM


def test_files_that_are_only_counted_are_all_named_where_the_sentence_says(tmp_path: Path) -> None:
    platform = open_platform(tmp_path)
    names = [f"bad{number:02}.csv" for number in range(SHOWN + 3)]
    for name in names:
        platform.landing.joinpath(name).write_text("no,column\n")
    lines = lines_of(FILES_READABLE, describe_unreadable(SOURCES[CLICKSTREAM], platform.settings, platform.lake))
    assert len(lines) == SHOWN + 1
    assert lines[-1] == f"{FILES_READABLE}: and 3 more; `analytics-platform status` names all"
    said = "\n".join(read_status(platform.settings, dt.datetime.now(dt.UTC)).rejected)
    assert all(name in said for name in names)
