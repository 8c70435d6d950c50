"""What runs by the clock, in UTC: loading every hour, and every morning the watchdog and then the findings."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from analytics_platform.orchestration.jobs import INGEST, MAINTAIN, REPORT, WATCH
from analytics_platform.settings import Settings

SCHEDULES = (
    ("every_hour_ingest", INGEST, "15 * * * *", "Loads new data of all sources: collection and API have no sensor."),
    (
        "every_morning_watch",
        WATCH,
        "30 5 * * *",
        "Checks freshness, error rate, revenue, volume, conservation and a sampled day.",
    ),
    ("every_morning_report", REPORT, "0 6 * * *", "Writes the findings."),
)


_OF_DELTA = (
    "every_night_maintain",
    MAINTAIN,
    "45 3 * * *",
    "Joins small files of Delta tables and deletes old versions.",
)


def build_schedules(settings: Settings) -> Sequence[dg.ScheduleDefinition]:
    """Make all schedules; whether they run from the start is the setting AUTOMATION."""
    status = dg.DefaultScheduleStatus.RUNNING if settings.automation else dg.DefaultScheduleStatus.STOPPED
    return [
        dg.ScheduleDefinition(name=name, job_name=job, cron_schedule=cron, description=text, default_status=status)
        for name, job, cron, text in (*SCHEDULES, *([_OF_DELTA] if settings.is_on_delta else []))
    ]
