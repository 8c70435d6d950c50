"""The watchdog names what is stored and not as the models give it: table, number of rows, and the key of one."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from analytics_platform.warehouse.consistency import is_as_if_built_at_once
from analytics_platform_tests.kit import build, click, load_rows, loaded_days, open_with_tables

DAY = dt.date(2024, 3, 1)


def test_a_day_that_differs_from_its_models_is_named_with_table_and_key(tmp_path: Path) -> None:
    platform, now = open_with_tables(tmp_path), dt.datetime.combine(DAY, dt.time(12), dt.UTC)
    with platform.session() as session:
        load_rows(platform, session, [click(client, f"{DAY}T10:00:00Z") for client in ("ada", "bob")])
        build(session, loaded_days(session), platform.settings)
        assert is_as_if_built_at_once(session, platform.settings, now).passed

        (event,) = session.one("SELECT event_id FROM star.fact_events WHERE client_id = 'bob'")
        session.execute("UPDATE star.fact_events SET event_name = 'other' WHERE client_id = 'bob'")
        session.execute("DELETE FROM marts.daily_trends")
        found = is_as_if_built_at_once(session, platform.settings, now)

    trend = f"marts.daily_trends (1 row, such as date {DAY})"
    pair = f"ops.reconciliations (2 rows, such as date {DAY} name sessions right_table marts.daily_trends)"
    fact = f"star.fact_events (1 row, such as event_id {event})"
    assert (found.passed, found.seen) == (False, f"{DAY} is behind in {trend}, {pair}, {fact}")
