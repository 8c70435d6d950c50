"""What the sensors decide, given what they saw."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from analytics_platform.orchestration.decisions import (
    RETRY_AFTER,
    Runs,
    Start,
    Wait,
    decide_landing,
    decide_rebuild,
    decide_waiting,
)
from analytics_platform.transform import DayRange
from analytics_platform.warehouse.ledger import Loading
from analytics_platform.warehouse.touched import Touched

NOW = dt.datetime(2024, 3, 10, 12, tzinfo=dt.UTC)
DAY = dt.date(2024, 3, 1)
IDLE, BUSY = Runs(), Runs(unfinished=1)
JUST_FAILED, FAILED_LONG_AGO = Runs(failed_at=NOW - RETRY_AFTER / 2), Runs(failed_at=NOW - RETRY_AFTER)


def arrival(second: int, *days: int) -> Loading:
    return Loading(NOW + dt.timedelta(seconds=second), f"batch{second}", "", tuple(later(day) for day in days))


def later(days: int) -> dt.date:
    return DAY + dt.timedelta(days=days)


def with_next(new: Collection[Loading]) -> Touched | None:
    """What is touched: the days of what arrived and the day after each."""
    days = {day + dt.timedelta(days=shift) for arrival in new for day in arrival.days for shift in (0, 1)}
    return (
        Touched({"attribution_lookback_days": 30}, DayRange(DAY, later(99)), orders=frozenset(days)) if days else None
    )


def rebuild(arrivals: list[Loading], runs: Runs = IDLE, cursor: str | None = None, breach: str | None = None) -> object:
    return decide_rebuild(arrivals, breach, runs, with_next, cursor)


def test_an_empty_queue_starts_nothing() -> None:
    assert isinstance(decide_waiting(0, "the queue", IDLE, NOW), Wait)


def test_messages_start_one_drain_and_no_second_while_it_runs() -> None:
    assert decide_waiting(3, "the queue", IDLE, NOW) == Start(None)
    assert isinstance(decide_waiting(3, "the queue", BUSY, NOW), Wait)


def test_the_same_number_of_messages_may_be_other_messages_and_starts_a_drain_again() -> None:
    assert decide_waiting(3, "the queue", IDLE, NOW) == decide_waiting(3, "the queue", IDLE, NOW) == Start(None)


def test_after_a_failed_drain_the_next_one_waits_a_while() -> None:
    assert isinstance(decide_waiting(3, "the queue", JUST_FAILED, NOW), Wait)
    assert decide_waiting(3, "the queue", FAILED_LONG_AGO, NOW) == Start(None)


def test_new_files_start_one_run_and_the_same_files_no_other() -> None:
    found = decide_landing({"a", "b"}, IDLE, NOW, None)
    assert isinstance(found, Start)
    assert isinstance(decide_landing({"b", "a"}, IDLE, NOW, found.cursor), Wait)
    assert isinstance(decide_landing({"b", "a", "c"}, IDLE, NOW, found.cursor), Start)


def test_a_lost_cursor_asks_for_the_same_work_by_the_same_key() -> None:
    first, again = (decide_landing({"a"}, IDLE, NOW, cursor) for cursor in (None, "another time"))
    assert isinstance(first, Start) and isinstance(again, Start)
    assert first.key == again.key


def test_files_wait_during_a_run_and_are_loaded_afterwards() -> None:
    waiting = decide_landing({"a"}, BUSY, NOW, None)
    assert isinstance(waiting, Wait) and waiting.cursor is None
    assert isinstance(decide_landing({"a"}, IDLE, NOW, None), Start)


def test_exactly_the_affected_days_are_built_each_range_by_a_separate_run() -> None:
    found = rebuild([arrival(1, 0, 1), arrival(2, 5)])
    assert isinstance(found, Start)
    assert found.days == (DayRange(DAY, later(2)), DayRange(later(5), later(6)))
    assert str(found.touched) == f";{found.days[0]} {found.days[1]};;"


def test_what_was_built_is_not_built_again_when_nothing_new_came() -> None:
    found = rebuild([arrival(1, 0)])
    assert isinstance(found, Start)
    assert isinstance(rebuild([arrival(1, 0)], cursor=found.cursor), Wait)
    after = rebuild([arrival(1, 0), arrival(2, 4)], cursor=found.cursor)
    assert isinstance(after, Start) and after.days == (DayRange(later(4), later(5)),)


def test_a_lost_cursor_builds_everything_once_more() -> None:
    found = rebuild([arrival(1, 0), arrival(2, 4)])
    assert isinstance(found, Start) and len(found.days) == 2


def test_batches_that_brought_no_event_are_done_without_a_run() -> None:
    found = rebuild([arrival(1)])
    assert isinstance(found, Wait) and found.cursor == arrival(1).place


def test_after_a_breach_nothing_is_built_and_what_came_stays_to_be_built() -> None:
    stopped = rebuild([arrival(1, 0)], breach="day 2024-03-01: 58 of 1,000 rows rejected")
    assert isinstance(stopped, Wait) and stopped.cursor is None and "58 of 1,000" in stopped.reason
    assert isinstance(rebuild([arrival(1, 0)]), Start)


def test_days_wait_during_a_run_and_are_built_afterwards() -> None:
    waiting = rebuild([arrival(1, 0)], BUSY)
    assert isinstance(waiting, Wait) and waiting.cursor is None
