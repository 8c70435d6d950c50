"""The report says where bots are among the people."""

import datetime as dt
from collections.abc import Collection
from dataclasses import replace

import pytest

from analytics_platform.reports.findings import Report, make_report
from analytics_platform_tests.reports.examples import AS_OF, LIMIT, NOV_1, days, facts, frame

LOST = "clickstream has no user_agent on 8–14 Nov (bots count as people then)"


def report_of(clickstream: Collection[int], bots: int = 6) -> Report:
    """The report of a clickstream without user agents on these days of 14, and of logs that never have one."""
    quality = [
        (NOV_1 + dt.timedelta(n), source, 99, 0, 0, "user_agent" if is_empty else "")
        for n in range(14)
        for source, is_empty in (("clickstream", n in clickstream), ("web_logs", True))
    ]
    found = facts(days=days(*[(10, 1, 50)] * 14), quality=frame("quality", quality))
    return make_report(replace(found, bots=(bots, 60)), AS_OF, LIMIT)


def test_every_section_that_leaves_bots_out_says_where_they_cannot_be_known() -> None:
    report = report_of(range(7, 14))
    figures, left_out = report.sections[:-2], report.sections[-1]
    assert [section.name for section in figures if LOST not in section.sentence] == []
    assert f"Bots that buy nothing are left out; but {LOST}. Visitors" in report.notes[0]
    assert left_out.sentence.startswith(f"6 of 60 events are of bots and in no figure of the shop; but {LOST}. Every")


@pytest.mark.parametrize("clickstream", [range(0), range(14)])
def test_user_agents_that_a_source_never_had_are_not_missed(clickstream: Collection[int]) -> None:
    report = report_of(clickstream)
    assert "Bots that buy nothing are left out. " in report.notes[0]
    assert not any("user_agent" in section.sentence for section in report.sections)


def test_a_report_without_any_bot_says_nothing_of_their_events() -> None:
    said = "Every event, amount and field of the loaded records is counted."
    assert report_of(range(7, 14), bots=0).sections[-1].sentence == said
