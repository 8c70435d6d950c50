"""Which days are built after batches were loaded."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from analytics_platform.warehouse.touched import days_after
from analytics_platform_tests.kit import click, load_rows, open_house_of_tables


def test_no_day_before_the_first_event_or_after_the_last_is_built(tmp_path: Path) -> None:
    platform = open_house_of_tables(tmp_path)
    with platform.session() as session:
        load_rows(platform, session, [click("ada", f"2024-03-0{day}T10:00:00") for day in (4, 6)])
        batches = [batch for (batch,) in session.rows("SELECT batch_id FROM ops.pipeline_logs")]
        first, last = dt.date(2024, 3, 4), dt.date(2024, 3, 6)
        days = days_after(session, batches, platform.settings)
        assert (min(days), max(days)) == (first, last)
        load_rows(platform, session, [click("bob", "2024-03-05T10:00:00")], "late.csv")
        late = [batch for (batch,) in session.rows("SELECT batch_id FROM ops.pipeline_logs") if batch not in batches]
        assert first in days_after(session, late, platform.settings)
