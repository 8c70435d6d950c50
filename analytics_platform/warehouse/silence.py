"""Which sources fell silent while others went on: the watchdog's check `sources`."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

from analytics_platform.errors import count
from analytics_platform.settings import Settings
from analytics_platform.sources.registry import EVENTS, SOURCES
from analytics_platform.warehouse.observation import LEDGER, Observation, lacks, not_checked
from analytics_platform.warehouse.session import Session

REMEMBERED = dt.timedelta(days=28)
"""A source that has been silent for longer is taken for one that was given up."""

LEAST_DAYS = 3
"""Days with data that a source needs to have an interval."""


def has_every_source(session: Session, settings: Settings, now: dt.datetime) -> Observation:
    """Check that every source of events which had data on most days still has: none is silent beyond its interval.

    That is its longest pause so far, between days with data or between arrivals. The last day of all is not counted:
    other sources may not have brought theirs yet.
    """
    if lacks(session, *LEDGER):
        return not_checked("sources", "nothing was ever loaded")
    days, arrivals = (_by_source(session, sql) for sql in (_DAYS, _ARRIVALS))
    days = {source: each for source, each in days.items() if source in EVENTS}
    if not days:
        return not_checked("sources", "no event was ever loaded")
    end = max(each[-1] for each in days.values()) - dt.timedelta(days=1)
    silent = {}
    for source, every in days.items():
        heard = [day for day in every if day > every[-1] - REMEMBERED]
        is_regular = len(heard) >= LEAST_DAYS and 2 * len(heard) > (heard[-1] - heard[0]).days + 1
        pauses = [later - earlier for each in (heard, arrivals.get(source, [])) for earlier, later in pairwise(each)]
        if is_regular and max(pauses) < end - heard[-1] <= REMEMBERED:
            silent[source] = heard[-1]
    if not silent:
        return Observation("sources", True, f"{count(len(days), 'source')} of events with data as before")
    seen = ", ".join(f"{source} has brought nothing since {last}" for source, last in sorted(silent.items()))
    remedies = [*(_remedy(source, settings) for source in sorted(silent)), "Then run `analytics-platform materialize`."]
    return Observation("sources", False, f"{seen}; others have data up to {end}", " ".join(remedies))


_DAYS = """
SELECT DISTINCT source, event_date FROM ops.batch_days WHERE rows_accepted + rows_duplicate > 0 ORDER BY event_date
"""
_ARRIVALS = "SELECT DISTINCT source, CAST(arrived_at AS DATE) FROM ops.pipeline_logs ORDER BY 2"


def _by_source(session: Session, sql: str) -> dict[str, list[dt.date]]:
    found: dict[str, list[dt.date]] = {}
    for source, day in session.rows(sql):
        found.setdefault(source, []).append(day)
    return found


def _remedy(source: str, settings: Settings) -> str:
    arrival = SOURCES[source].arrival
    if arrival.setting:
        return f"See why {arrival.system} ({arrival.setting}) gives nothing of {source}."
    return f"Drop the files of {source} into {settings.landing_place}/{source}."
