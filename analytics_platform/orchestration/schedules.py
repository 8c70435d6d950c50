"""What runs by the clock, in UTC: every hour the intake, every morning the watchdog, then the findings."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from analytics_platform.orchestration.jobs import INGEST, REPORT, WATCH
from analytics_platform.settings import Settings


def build_schedules(settings: Settings) -> Sequence[dg.ScheduleDefinition]:
    """All schedules; whether they run from the start is the setting AUTOMATION."""
    status = dg.DefaultScheduleStatus.RUNNING if settings.automation else dg.DefaultScheduleStatus.STOPPED
    return [
        dg.ScheduleDefinition(
            name="every_hour_ingest",
            job_name=INGEST,
            cron_schedule="15 * * * *",
            default_status=status,
            description="Loads new data of all sources: collection and API have no sensor.",
        ),
        dg.ScheduleDefinition(
            name="every_morning_watch",
            job_name=WATCH,
            cron_schedule="30 5 * * *",
            default_status=status,
            description="Checks freshness, error rate, revenue, volume, conservation and a sampled day.",
        ),
        dg.ScheduleDefinition(
            name="every_morning_report",
            job_name=REPORT,
            cron_schedule="0 6 * * *",
            default_status=status,
            description="Writes the findings.",
        ),
    ]
