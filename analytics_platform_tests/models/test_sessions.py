"""The session rule: a pause of more than 30 minutes, else the second midnight, ends a visit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from analytics_platform.demo.simulator.events import DAY, EPOCH, MINUTE, instant_of
from analytics_platform.demo.simulator.tally import find_sessions
from analytics_platform.warehouse import DuckDBSession
from analytics_platform_tests.models.stored import Event, at, days_of, run, run_day_by_day, store

MODEL = "sessionized.session_events"
PAUSE = dt.timedelta(minutes=30)
MICROSECOND = dt.timedelta(microseconds=1)


def sessions_of(warehouse: DuckDBSession, times: Sequence[dt.datetime]) -> list[tuple[dt.datetime, int, str]]:
    """(start, events, split reason) of the sessions of one client with events at these times."""
    events = [Event(f"e{index}", "ada", instant) for index, instant in enumerate(times)]
    store(warehouse, events)
    return _summary(run(warehouse, MODEL, days_of(events)))


def _summary(entries: pl.DataFrame) -> list[tuple[dt.datetime, int, str]]:
    sessions = entries.group_by("session_id", "started_at", "split_reason").len().sort("started_at")
    return list(sessions.select("started_at", "len", "split_reason").iter_rows())


@pytest.mark.parametrize(
    ("pause", "sessions"),
    [
        (dt.timedelta(minutes=31), 2),
        (PAUSE + MICROSECOND, 2),
        (PAUSE, 1),
        (PAUSE - MICROSECOND, 1),
        (dt.timedelta(0), 1),
    ],
)
def test_only_a_pause_of_more_than_thirty_minutes_splits(
    warehouse: DuckDBSession, pause: dt.timedelta, sessions: int
) -> None:
    start = at("2024-03-01 10:00:00.123456")
    assert len(sessions_of(warehouse, [start, start + pause])) == sessions


def test_minute_boundaries_do_not_count(warehouse: DuckDBSession) -> None:
    """10:00:59 to 10:31:00 are 31 boundaries but 30 minutes and one second; 10:00:59 to 10:30:59 are 30."""
    assert len(sessions_of(warehouse, [at("2024-03-01 10:00:59"), at("2024-03-01 10:30:59")])) == 1
    assert len(sessions_of(warehouse, [at("2024-03-01 10:00:59"), at("2024-03-01 10:31:00")])) == 2


def test_the_first_event_ever_starts_a_session_by_pause(warehouse: DuckDBSession) -> None:
    assert sessions_of(warehouse, [at("2024-03-01 00:00")]) == [(at("2024-03-01 00:00"), 1, "pause")]


def test_a_visit_over_one_midnight_is_one_session(warehouse: DuckDBSession) -> None:
    times = [at("2024-03-01 23:50"), at("2024-03-02 00:10"), at("2024-03-02 00:30")]
    assert sessions_of(warehouse, times) == [(times[0], 3, "pause")]


def test_a_visit_that_began_before_the_previous_day_is_cut_at_midnight(warehouse: DuckDBSession) -> None:
    every_20_minutes = [at("2024-03-01 23:40") + n * dt.timedelta(minutes=20) for n in range(3 * 72)]
    assert sessions_of(warehouse, every_20_minutes) == [
        (at("2024-03-01 23:40"), 1 + 72, "pause"),
        (at("2024-03-03 00:00"), 72, "midnight"),
        (at("2024-03-04 00:00"), 71, "midnight"),
    ]


def test_a_visit_that_paused_on_the_day_before_is_not_cut(warehouse: DuckDBSession) -> None:
    until_noon = [at("2024-03-01 12:00") + n * dt.timedelta(minutes=20) for n in range(3 * 24 + 1)]
    after_noon = [at("2024-03-02 13:00") + n * dt.timedelta(minutes=20) for n in range(3 * 24)]
    assert sessions_of(warehouse, until_noon + after_noon) == [
        (at("2024-03-01 12:00"), len(until_noon), "pause"),
        (at("2024-03-02 13:00"), len(after_noon), "pause"),
    ]


def test_events_at_the_same_microsecond_are_in_one_session_in_the_order_of_their_ids(
    warehouse: DuckDBSession,
) -> None:
    instant = at("2024-03-01 10:00")
    store(warehouse, [Event("b", "ada", instant), Event("a", "ada", instant), Event("c", "ada", instant)])
    entries = run(warehouse, MODEL, [instant.date()]).sort("event_index")
    assert entries["event_id"].to_list() == ["a", "b", "c"]
    assert entries["session_id"].n_unique() == 1


def test_clients_do_not_share_sessions(warehouse: DuckDBSession) -> None:
    instant = at("2024-03-01 10:00")
    store(warehouse, [Event("1", "ada", instant), Event("2", "bob", instant)])
    assert run(warehouse, MODEL, [instant.date()])["session_id"].n_unique() == 2


GAPS = st.sampled_from(
    [
        0,
        1,
        10 * MINUTE,
        30 * MINUTE - 1,
        30 * MINUTE,
        30 * MINUTE + 1,
        31 * MINUTE,
        8 * 60 * MINUTE,
        DAY,
        3 * DAY,
    ]
)
SHORT_GAPS = st.sampled_from([29 * MINUTE, 30 * MINUTE])
FIRST_AT = st.integers(0, DAY - 1).map(lambda at: at + 19_783 * DAY)
"""Some moment of 2024-03-01, in milliseconds since 1970."""


@st.composite
def visits(draw: st.DrawFn) -> list[int]:
    """Times of one client: a visitor who comes and goes, now and then never pausing for days."""
    times = [draw(FIRST_AT)]
    for gap in draw(st.lists(GAPS, max_size=12)):
        times.append(times[-1] + gap)
    if draw(st.booleans()):
        gap = draw(SHORT_GAPS)
        times += [times[-1] + n * gap for n in range(1, draw(st.integers(1, 150)))]
    return times


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(visits(), min_size=1, max_size=3))
def test_sessions_are_those_of_the_rule_in_plain_python(warehouse: DuckDBSession, clients: list[list[int]]) -> None:
    events = _events(clients)
    store(warehouse, events)
    entries = run(warehouse, MODEL, days_of(events))
    found = entries.group_by("client_id", "started_at").len().rows()
    expected = [
        (f"client {client}", instant_of(session.starts_at), session.events)
        for client, times in enumerate(clients)
        for session in find_sessions(times)
    ]
    assert sorted(found) == sorted(expected)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(visits(), min_size=1, max_size=2))
def test_each_day_built_on_its_own_gives_the_sessions_of_a_full_build(
    warehouse: DuckDBSession, clients: list[list[int]]
) -> None:
    events = _events(clients)
    store(warehouse, events)
    days = days_of(events)
    day_by_day, at_once = run_day_by_day(warehouse, MODEL, days), run(warehouse, MODEL, days)
    assert_frame_equal(day_by_day.sort("event_id"), at_once.sort("event_id"))


@pytest.mark.parametrize("minutes", [7, 29, 30])
def test_a_visit_that_never_pauses_is_cut_alike_day_by_day_and_at_once(warehouse: DuckDBSession, minutes: int) -> None:
    times = [19_783 * DAY + n * minutes * MINUTE for n in range(6 * 24 * 60 // minutes)]
    events = _events([times])
    store(warehouse, events)
    days = days_of(events)
    day_by_day, at_once = run_day_by_day(warehouse, MODEL, days), run(warehouse, MODEL, days)
    assert_frame_equal(day_by_day.sort("event_id"), at_once.sort("event_id"))
    assert at_once["split_reason"].unique().sort().to_list() == ["midnight", "pause"]


def _events(clients: list[list[int]]) -> list[Event]:
    return [
        Event(f"{client}-{index:05}", f"client {client}", instant_of(time))
        for client, times in enumerate(clients)
        for index, time in enumerate(times)
    ]


def test_sessions_last_at_most_to_the_end_of_the_next_day(warehouse: DuckDBSession) -> None:
    times = [EPOCH + dt.timedelta(days=19_783, minutes=30 * n) for n in range(48 * 6)]
    events = [Event(f"{n:03}", "bot", time) for n, time in enumerate(times)]
    store(warehouse, events)
    entries = run(warehouse, MODEL, days_of(events))
    lasts = (entries["event_at"].dt.date() - entries["session_date"]).max()
    assert lasts == dt.timedelta(days=1)
