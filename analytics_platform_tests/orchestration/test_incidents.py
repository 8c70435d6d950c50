from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.orchestration.alerts.incidents import (
    FORGET_AFTER,
    REMIND_AFTER,
    EndedRun,
    Incident,
    News,
    Problem,
    update_incidents,
)
from analytics_platform.transform import DayRange

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


def _days(first: int, last: int) -> DayRange:
    return DayRange(dt.date(2026, 3, first), dt.date(2026, 3, last))


def _run(failed: str = "", passed: str = "", days: DayRange | None = None, at: dt.datetime = NOW) -> EndedRun:
    """A run in which each letter of `failed` is a problem, and each of `passed` is not."""
    problems = tuple(Problem(key=key, title=key, days=days) for key in failed)
    return EndedRun(run_id="r", job="j", ended_at=at, problems=problems, passed=dict.fromkeys(passed, days))


def _reported(*runs: EndedRun) -> list[tuple[str, str]]:
    _, messages = update_incidents({}, runs, NOW)
    return [(message.kind, _keys(message)) for message in messages]


def _keys(message: News) -> str:
    return "".join(problem.title for problem in message.problems) or "".join(i.title for i in message.incidents)


def test_a_problem_is_reported_once_however_often_it_happens_and_once_when_it_is_resolved() -> None:
    runs = [_run("a"), _run("a"), _run("a"), _run(passed="a"), _run(passed="a")]

    assert _reported(*runs) == [("failed", "a"), ("recovered", "a")]


def test_a_resolved_problem_says_how_often_it_happened() -> None:
    _, messages = update_incidents({}, [_run("a"), _run("a"), _run("a"), _run(passed="a")], NOW)

    assert messages[-1].incidents[0].count == 3


def test_new_problems_of_one_run_make_one_message_without_the_known_ones() -> None:
    assert _reported(_run("a"), _run("abc")) == [("failed", "a"), ("failed", "bc")]


def test_a_run_of_other_days_does_not_resolve_a_problem() -> None:
    assert _reported(_run("a", days=_days(1, 2)), _run(passed="a", days=_days(2, 3))) == [("failed", "a")]


def test_a_problem_of_several_days_is_resolved_when_all_of_them_pass() -> None:
    runs = [_run("a", days=_days(1, 1)), _run("a", days=_days(5, 6)), _run(passed="a", days=_days(5, 6))]

    assert _reported(*runs) == [("failed", "a")]
    assert _reported(*runs, _run(passed="a", days=_days(1, 3)))[-1] == ("recovered", "a")


def test_a_run_of_all_days_resolves_a_problem_of_some() -> None:
    assert _reported(_run("a", days=_days(1, 1)), _run(passed="a"))[-1] == ("recovered", "a")


def test_open_incidents_are_repeated_once_a_day_in_one_message() -> None:
    known, _ = update_incidents({}, [_run("a"), _run("b")], NOW)
    known, early = update_incidents(known, [], NOW + REMIND_AFTER / 2)
    known, late = update_incidents(known, [], NOW + REMIND_AFTER)
    _, again = update_incidents(known, [], NOW + REMIND_AFTER)

    assert (early, again) == ([], [])
    assert [(message.kind, _keys(message)) for message in late] == [("still failing", "ab")]


def test_what_is_never_checked_again_is_dropped_with_its_last_reminder() -> None:
    known, _ = update_incidents({}, [_run("a")], NOW)

    known, messages = update_incidents(known, [], NOW + FORGET_AFTER)

    assert known == {}
    assert [message.kind for message in messages] == ["still failing"]


_RUNS = st.lists(
    st.builds(
        lambda marks, first, length: _run(
            "".join(key for key, mark in marks.items() if mark == "failed"),
            "".join(key for key, mark in marks.items() if mark == "passed"),
            _days(first, first + length) if length >= 0 else None,
        ),
        st.dictionaries(st.sampled_from("abc"), st.sampled_from(["failed", "passed"]), max_size=3),
        st.integers(1, 5),
        st.integers(-1, 4),
    ),
    max_size=30,
)


@given(_RUNS)
def test_beginning_and_end_of_a_problem_are_reported_in_turn(runs: list[EndedRun]) -> None:
    going_on, messages = update_incidents({}, runs, NOW)

    for key in "abc":
        reported = [message.kind for message in messages if key in _keys(message)]
        assert reported == ["failed", "recovered"] * (len(reported) // 2) + ["failed"] * (len(reported) % 2)
        assert (key in going_on) == (len(reported) % 2 == 1)


@given(_RUNS, st.integers(0, 30))
def test_it_makes_no_difference_how_runs_fall_into_ticks(runs: list[EndedRun], cut: int) -> None:
    known: dict[str, Incident]
    known, first = update_incidents({}, runs[:cut], NOW)
    known, second = update_incidents(known, runs[cut:], NOW)

    assert (known, [*first, *second]) == update_incidents({}, runs, NOW)
