"""Which days of which table a change of some event days touches."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.catalog import CONTRACTS
from analytics_platform.transform import DayRange, affected_days, day_ranges

SETTINGS: dict[str, int | str] = {"attribution_lookback_days": 30, "shop_timezone": "UTC"}
TOUCHED = dt.date(2024, 3, 10)

days = st.dates(dt.date(2024, 1, 1), dt.date(2024, 2, 29))


def offsets(table: str, lookback: int = 30) -> tuple[int, int]:
    """First and last affected day of the table, counted from the one day that is touched."""
    found = affected_days(table, [TOUCHED], {"attribution_lookback_days": lookback})
    assert len(found) == (max(found) - min(found)).days + 1, "no gaps"
    return (min(found) - TOUCHED).days, (max(found) - TOUCHED).days


def test_tables_of_the_day_itself() -> None:
    for table in (
        "cleaned.urls",
        "cleaned.events",
        "cleaned.event_items",
        "star.dim_date",
    ):
        assert offsets(table) == (0, 0)


def test_an_event_may_change_the_sessions_of_the_events_of_two_days_after_it_and_of_none_before() -> None:
    assert offsets("sessionized.session_events") == (0, 2)


def test_an_order_may_repeat_one_of_thirty_days_before() -> None:
    assert offsets("sessionized.purchases") == (0, 31)


def test_windows_add_up_from_table_to_table() -> None:
    assert offsets("sessionized.sessions") == (-1, 31)
    assert offsets("star.fact_orders") == (-1, 32)
    assert offsets("star.dim_customer") == (-1, 32)  # a client is a bot if its sessions are
    assert offsets("marts.attribution") == (-1, 61)


def test_the_look_back_setting_moves_the_edge() -> None:
    assert offsets("marts.attribution", lookback=90) == (-1, 121)


@given(st.sampled_from(sorted(CONTRACTS)), st.sets(days), st.sets(days))
def test_days_touched_together_affect_what_they_affect_one_by_one(
    table: str, some: set[dt.date], others: set[dt.date]
) -> None:
    together = affected_days(table, some | others, SETTINGS)
    assert together == affected_days(table, some, SETTINGS) | affected_days(table, others, SETTINGS)
    assert together >= some | others


@given(st.sets(days))
def test_ranges_hold_exactly_their_days_and_do_not_touch_each_other(chosen: set[dt.date]) -> None:
    ranges = list(day_ranges(chosen))
    assert {day for part in ranges for day in _days_in(part)} == chosen
    gaps = [(after.first - before.last).days for before, after in pairwise(ranges)]
    assert all(gap > 1 for gap in gaps)


def _days_in(part: DayRange) -> list[dt.date]:
    return [part.first + dt.timedelta(days=n) for n in range((part.last - part.first).days + 1)]
