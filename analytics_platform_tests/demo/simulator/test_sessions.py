"""The session rule by worked examples, and against its definition on any times."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.demo.simulator.events import DAY, HOUR, MINUTE, SECOND
from analytics_platform.demo.simulator.tally import FoundSession, find_sessions

NOON = 12 * HOUR


def starts(times: list[int]) -> list[int]:
    return [session.starts_at for session in find_sessions(times)]


def test_no_event_makes_no_session() -> None:
    assert find_sessions([]) == []


def test_one_event_is_a_session_of_one() -> None:
    assert find_sessions([NOON]) == [FoundSession(NOON, 1)]


@pytest.mark.parametrize(
    ("pause", "sessions"),
    [(30 * MINUTE - 1, 1), (30 * MINUTE, 1), (30 * MINUTE + 1, 2), (30 * MINUTE + SECOND, 2)],
)
def test_only_a_pause_of_more_than_30_minutes_splits(pause: int, sessions: int) -> None:
    assert len(find_sessions([NOON, NOON + pause])) == sessions


def test_events_may_come_in_any_order() -> None:
    assert find_sessions([NOON + HOUR, NOON]) == [FoundSession(NOON, 1), FoundSession(NOON + HOUR, 1)]


def test_a_visit_goes_on_over_midnight() -> None:
    assert find_sessions([DAY - MINUTE, DAY + MINUTE]) == [FoundSession(DAY - MINUTE, 2)]


def test_a_visit_that_never_pauses_is_cut_at_every_midnight_but_its_first() -> None:
    times = list(range(NOON, 5 * DAY, 20 * MINUTE))
    assert starts(times) == [NOON, 2 * DAY, 3 * DAY, 4 * DAY]


def test_a_pause_on_the_day_before_spares_the_midnight() -> None:
    before_pause = range(NOON, 2 * DAY - HOUR + 1, 20 * MINUTE)
    after_pause = range(2 * DAY - 29 * MINUTE, 2 * DAY + HOUR, 20 * MINUTE)
    assert starts([*before_pause, *after_pause]) == [NOON, 2 * DAY - 29 * MINUTE]


def test_a_late_event_that_fills_a_pause_can_make_a_cut_at_the_next_midnight() -> None:
    paused = [
        *range(NOON, DAY + NOON + 1, 20 * MINUTE),
        *range(DAY + NOON + 31 * MINUTE, 2 * DAY + HOUR, 20 * MINUTE),
    ]
    assert starts(paused) == [NOON, DAY + NOON + 31 * MINUTE]
    filled = [*paused, DAY + NOON + 15 * MINUTE]
    assert starts(filled) == [NOON, min(at for at in paused if at >= 2 * DAY)]


def define_starts(times: list[int]) -> list[int]:
    """The rule, word by word, without looking at speed."""
    made_by_pause = [at for n, at in enumerate(times) if n == 0 or at - times[n - 1] > 30 * MINUTE]
    firsts = [at for n, at in enumerate(times) if n == 0 or at // DAY != times[n - 1] // DAY]
    cuts = [at for at in firsts if not any(start // DAY == at // DAY - 1 for start in made_by_pause)]
    return sorted({*made_by_pause, *cuts})


@given(st.lists(st.integers(1, 40 * MINUTE), max_size=400))
def test_sessions_start_where_the_rule_says_and_hold_every_event_once(pauses: list[int]) -> None:
    times = [sum(pauses[: n + 1]) for n in range(len(pauses))]
    sessions = find_sessions(times)
    assert [session.starts_at for session in sessions] == define_starts(times)
    assert sum(session.events for session in sessions) == len(times)
