"""Where the platform stands, for people at a terminal and for scripts: sources, last batches, checks, what to do next.

Reads the warehouse without writing, and neither a queue nor an API: it answers at once, also when they are down.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analytics_platform.errors import count
from analytics_platform.lake import open_lake
from analytics_platform.orchestration.follow.state import is_followed, read_state
from analytics_platform.settings import Settings
from analytics_platform.sources.arrivals.files import find_left, new_files
from analytics_platform.sources.registry import SOURCES, lacks_events
from analytics_platform.sources.source import Source
from analytics_platform.warehouse import open_warehouse
from analytics_platform.warehouse.erasure import STATE
from analytics_platform.warehouse.ledger import unloaded_batches
from analytics_platform.warehouse.observation import Observation
from analytics_platform.warehouse.session import DamageError
from analytics_platform.warehouse.touched import days_not_built
from analytics_platform.warehouse.upgrade import is_not_built
from analytics_platform.warehouse.watchdog import watch

LAST_BATCHES = 5
_ERASING = (
    "An erasure has not ended: go on with it by `analytics-platform erase`, or without it by "
    "`analytics-platform erase --drop`."
)
_UPGRADING = "An upgrade has not ended, all days wait to be built: run `analytics-platform materialize`."


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """A source: where it comes from or which setting is missing, and what was loaded from it (None: nothing yet)."""

    name: str
    configured: bool
    place: str
    batches: int = 0
    rows: int = 0
    quarantined: int = 0
    id_reused: int = 0
    last_arrival: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """The whole picture: `next_step` in one sentence, `not_set` with what is absent without each setting.

    `unread` says what in the landing folder nothing reads, `rejected` which files there are rejected and why, `lane`
    how the fast lane is, if there ever was one.
    """

    warehouse: str
    sources: tuple[SourceStatus, ...]
    not_set: tuple[str, ...]
    next_step: str
    batches: tuple[dict[str, Any], ...] = ()
    observations: tuple[Observation, ...] = ()
    unread: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()
    lane: str = ""


def read_status(settings: Settings, now: dt.datetime) -> Status:
    """Read the status as of `now`. Raises `WarehouseError` if there is a warehouse that cannot be read."""
    lake, warehouse = open_lake(settings), open_warehouse(settings)
    landing = [source for source in SOURCES.values() if source.format.suffixes]
    left = find_left(SOURCES.values(), settings, lake)
    rejected = {path: why for each in left.values() for path, why in each.rejected.items()}
    waiting = sum(len(new_files(source, settings, lake)) for source in landing) - len(rejected)
    loaded: dict[str, list[Any]] = {}
    batches: tuple[dict[str, Any], ...] = ()
    observations: tuple[Observation, ...] = ()
    damage, days, upgrading, failed = "", "", "", list[str]()
    if warehouse.exists():
        with warehouse.session(read_only=True) as session:
            if "ops.pipeline_logs" in session.tables():
                observations = tuple(watch(session, settings, now))
                try:
                    loaded = {source: counted for source, *counted in session.rows(_LOADED)}
                    batches = tuple(dict(zip(_SHOWN, row, strict=True)) for row in session.rows(_BATCHES))
                    failed = [str(batch) for batch in unloaded_batches(session)]
                    days = "" if is_followed(settings) else days_not_built(session, settings)
                    upgrading = _UPGRADING if days and is_not_built(session) else ""
                except DamageError as error:
                    damage = str(error)
    absent: dict[str, list[str]] = {}
    lane = read_state(settings)
    for source in SOURCES.values():
        if not source.address(settings):
            absent.setdefault(source.arrival.setting, []).append(source.name)
    if not settings.redis_url.get_secret_value():
        absent["REDIS_URL"] = ["cache/best_sellers"]
    return Status(
        warehouse.name,
        tuple(SourceStatus(name, *_place(each, settings), *loaded.get(name, ())) for name, each in SOURCES.items()),
        tuple(f"{setting} ({', '.join(names)})" for setting, names in absent.items()),
        damage
        or (_ERASING if lake.read(STATE) is not None else "")
        or upgrading
        or _next_step(settings, observations if batches else (), waiting, rejected, days, failed),
        batches,
        observations,
        (
            *(words for each in left.values() for words in each.unread),
            *(
                f"{name} is not in cleaned.events: write sources/{name}/events.sql."
                for name, each in SOURCES.items()
                if lacks_events(each)
            ),
        ),
        tuple(f"Rejected: {path}: {why.rstrip('.')}." for path, why in rejected.items()),
        (lane.stalled(now) or f"Fast lane: {lane}.") if lane else "",
    )


def _place(source: Source, settings: Settings) -> tuple[bool, str]:
    """Tell whether a source is configured, and where it comes from or what to set."""
    address, setting = source.address(settings), source.arrival.setting
    if not address:
        return False, f"{setting} is not set"
    place = source.arrival.shown(settings) if setting else address
    place += "" if setting or settings.landing_url or Path(address).is_dir() else " (no such folder yet)"
    return True, place


def _next_step(
    settings: Settings,
    observations: tuple[Observation, ...],
    waiting: int,
    rejected: Mapping[str, str],
    days: str,
    failed: Sequence[str],
) -> str:
    failing = [observation for observation in observations if not observation.passed]
    if failing:
        return max(failing, key=lambda observation: observation.is_damage).remedy
    if waiting:
        files = f"{count(waiting, 'new file')} to load"
        return f"{files}: run `analytics-platform materialize`, or set AUTOMATION=true for `dagster dev`."
    for path, why in rejected.items():
        return f"Correct {path} or remove it: {why.rstrip('.')}."
    if days:
        return f"Days wait to be built: run `analytics-platform materialize --days {days}`."
    if observations:
        return "Nothing to do."
    for sentence in failed:
        return sentence
    name = next(source.name for source in SOURCES.values() if not source.arrival.setting)
    into = f"Nothing was loaded yet into DATA_DIR={settings.data_dir}"
    return f"{into}: put exports into {settings.landing_place}/{name}, connect another source, or try `make demo`."


_LOADED = """
SELECT source, count(*), CAST(sum(rows_accepted) AS BIGINT), CAST(sum(rows_quarantined) AS BIGINT),
    CAST(coalesce(sum(id_reused), 0) AS BIGINT), max(arrived_at)
FROM ops.pipeline_logs GROUP BY source
"""
_SHOWN = ("batch_id", "source", "input", "arrived_at", "rows_read", "rows_quarantined")
_BATCHES = f"""
SELECT {", ".join(_SHOWN)} FROM ops.pipeline_logs
ORDER BY finished_at DESC, batch_id LIMIT {LAST_BATCHES}
"""
