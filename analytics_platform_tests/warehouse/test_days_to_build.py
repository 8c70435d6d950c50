"""Which days are built after batches were loaded."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.transform import DayRange, all_models, day_ranges
from analytics_platform.warehouse.ledger import known_batches
from analytics_platform.warehouse.touched import Touched, days_after, touched_after
from analytics_platform_tests.kit import build, click, load_rows, loaded_days, open_platform, open_with_tables
from analytics_platform_tests.models.sales import buy, give_back
from analytics_platform_tests.shop_rows import load_shop, product


def test_no_day_before_the_first_event_or_after_the_last_is_built(tmp_path: Path) -> None:
    platform = open_with_tables(tmp_path)
    with platform.session() as session:
        load_rows(platform, session, [click("ada", f"2024-03-0{day}T10:00:00") for day in (4, 6)])
        batches = [batch for (batch,) in session.rows("SELECT batch_id FROM ops.pipeline_logs")]
        first, last = dt.date(2024, 3, 4), dt.date(2024, 3, 6)
        days = days_after(session, batches, platform.settings)
        assert (min(days), max(days)) == (first, last)
        load_rows(platform, session, [click("bob", "2024-03-05T10:00:00")], "late.csv")
        late = [batch for (batch,) in session.rows("SELECT batch_id FROM ops.pipeline_logs") if batch not in batches]
        assert first in days_after(session, late, platform.settings)


TODAY = dt.date(2024, 3, 10)
SETTINGS: dict[str, int | str] = {"attribution_lookback_days": 30}
UP_TO_TODAY = DayRange(dt.date(2024, 1, 1), TODAY)

BEFORE_SESSIONS = (
    *("cleaned.events", "cleaned.event_items", "sessionized.session_events", "sessionized.purchases"),
    *("sessionized.order_lines", "sessionized.refund_lines", "marts.data_quality_daily"),
)
"""Tables that are built without sessions, which may begin on the day before their events."""

EARLIER = {"ops.reconciliations": 2, "marts.order_reconciliation": 3, **dict.fromkeys(BEFORE_SESSIONS, 0)}
"""Table → days before today that an event of today reaches there; of the others at most one."""


@pytest.mark.parametrize("table", sorted(all_models()))
def test_a_message_of_today_builds_no_day_that_the_windows_of_the_table_do_not_reach(table: str) -> None:
    days = Touched(SETTINGS, UP_TO_TODAY, frozenset({TODAY})).days_of(table)
    assert TODAY - min(days) <= dt.timedelta(days=EARLIER.get(table, 1)) and max(days) == TODAY


def test_an_earlier_order_touches_orders_and_what_is_built_from_them_and_no_events() -> None:
    touched = Touched(SETTINGS, UP_TO_TODAY, frozenset(), frozenset({TODAY}))
    assert touched.days_of("star.fact_orders") == touched.days_of("marts.daily_trends") == [TODAY]
    assert touched.days_of("cleaned.events") == touched.days_of("sessionized.session_events") == []


@given(st.frozensets(st.dates(dt.date(2024, 1, 1), TODAY)), st.frozensets(st.dates(dt.date(2024, 1, 1), TODAY)))
def test_a_run_reads_from_its_tag_what_the_sensor_wrote(events: frozenset[dt.date], orders: frozenset[dt.date]) -> None:
    touched = Touched(SETTINGS, UP_TO_TODAY, events, orders)
    assert Touched.read(str(touched), SETTINGS, UP_TO_TODAY) == touched
    assert {day for part in day_ranges(touched.days) for day in (part.first, part.last)} <= touched.days


A_FEW = st.frozensets(st.dates(TODAY - dt.timedelta(3), TODAY))


@given(st.tuples(A_FEW, A_FEW, A_FEW, A_FEW), st.tuples(A_FEW, A_FEW, A_FEW, A_FEW))
def test_what_is_part_of_something_touches_no_day_of_a_table_that_this_does_not(
    part: Sequence[frozenset[dt.date]], whole: Sequence[frozenset[dt.date]]
) -> None:
    other, events = Touched(SETTINGS, UP_TO_TODAY, *whole), whole[0]
    ours = Touched(
        SETTINGS, UP_TO_TODAY, part[0] & events, *(p & (w | events) for p, w in zip(part[1:], whole[1:], strict=True))
    )
    assert ours.is_part_of(other)
    assert all({*ours.days_of(name)} <= {*other.days_of(name)} for name in all_models())


def test_after_a_first_build_nothing_is_found_to_build_that_was_not_found_before(tmp_path: Path) -> None:
    """What orders and refunds of other days a batch touches is found in tables that are not there before."""
    rows = [buy("ada", f"T{day}", f"2024-03-0{day}T10:00:00", value=5) for day in (1, 2, 4)]
    rows.append(give_back("ada", "T1", "2024-03-03T10:00:00"))
    platform = open_platform(tmp_path)
    with platform.session() as session:
        load_rows(platform, session, rows)
        load_shop(platform, session, "products", [product("p1", dt.datetime(2024, 3, 2, tzinfo=dt.UTC), "5")])
        before = touched_after(session, sorted(known_batches(session)), platform.settings)
        build(session, loaded_days(session), platform.settings)
        after = touched_after(session, sorted(known_batches(session)), platform.settings)
        assert before and after and after.orders and after.numbers
        assert after.is_part_of(before) and not before.orders
