"""The report says where bots are among the people, and on which days there was nobody else."""

import datetime as dt
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pytest

from analytics_platform.reports.findings import Report, make_report
from analytics_platform_tests.reports.examples import (
    AS_OF,
    LIMIT,
    NOV_1,
    add,
    days,
    facts,
    fill,
    frame,
    read,
    warehouse,
)

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


def with_bots(path: Path, *on: int, last: int = 16) -> Report:
    """The report of people on 1–7 and 9–16 Nov, and of bots on these days."""
    with warehouse(path) as session:
        fill(session)
        session.execute("DELETE FROM marts.daily_trends WHERE day(date) > $last", {"last": last})
        for day in on:
            add(session, "star.fact_sessions", session_date=dt.date(2026, 11, day), events=3, is_bot=True)
    return make_report(read(path), AS_OF, LIMIT)


@pytest.mark.parametrize(
    ("on", "said"),
    [
        ((3, 16), ""),  # people came too
        ((17, 18, 20), "Only bots came on 17–18 Nov and 20 Nov (not in the report)."),
        ((8, 9), "Only bots came on 8 Nov."),
        ((8, 17), "Only bots came on 8 Nov. Only bots came on 17 Nov (not in the report)."),
    ],
)
def test_days_on_which_only_bots_came_are_named_at_the_top_and_among_what_is_not_counted(
    tmp_path: Path, on: tuple[int, ...], said: str
) -> None:
    report = with_bots(tmp_path / "warehouse.duckdb", *on)
    assert report.about.startswith("1–16 Nov 2026 (16 days)")
    assert "".join(note for note in report.notes if "nly bots" in note) == said
    assert f"in no figure of the shop. {said}".rstrip() + " Some" in report.sections[-1].sentence
    assert ("only bots came on 8 Nov" in report.sections[0].sentence) == (8 in on)


def test_the_sum_of_few_days_names_the_later_ones_that_only_bots_have(tmp_path: Path) -> None:
    report = with_bots(tmp_path / "warehouse.duckdb", *range(7, 17), last=6)
    assert report.about.startswith("1–6 Nov 2026 (6 days)")
    assert "; but only bots came on 7–16 Nov (not in the report)" in report.sections[0].sentence


def test_a_load_of_bots_only_names_its_days(tmp_path: Path) -> None:
    report = with_bots(tmp_path / "warehouse.duckdb", 2, 3, last=0)
    assert report.sections[0].sentence.startswith("No event tells of a visit or an order yet; but only bots came on")
