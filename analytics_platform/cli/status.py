"""Where the platform stands, for people at a terminal and for scripts: sources, last batches, checks, what to do next.

Reads the warehouse without writing, and neither a queue nor an API: it answers at once, also when they are down.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from analytics_platform.lake import open_lake
from analytics_platform.settings import Settings, masked
from analytics_platform.sources.arrivals.files import find_unread, new_files
from analytics_platform.sources.registry import SOURCES, lacks_events
from analytics_platform.warehouse import Session, open_warehouse
from analytics_platform.warehouse.watchdog import Observation, watch

LAST_BATCHES = 5


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """A source: where it comes from or which setting is missing, and what was loaded from it (None: nothing yet)."""

    name: str
    configured: bool
    place: str
    batches: int = 0
    rows: int = 0
    quarantined: int = 0
    last_arrival: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """A loaded batch."""

    batch_id: str
    source: str
    input: str
    arrived_at: dt.datetime
    rows_read: int
    rows_quarantined: int


@dataclass(frozen=True, slots=True)
class Status:
    """The whole picture. `next_step` is one sentence; `unread` says what in the landing folder nothing reads."""

    warehouse: str
    sources: tuple[SourceStatus, ...]
    next_step: str
    batches: tuple[BatchStatus, ...] = ()
    observations: tuple[Observation, ...] = ()
    unread: tuple[str, ...] = ()


def read_status(settings: Settings, now: dt.datetime) -> Status:
    """The status as of `now`. Raises `WarehouseError` if there is a warehouse that cannot be read."""
    places, lake = dict(_places(settings)), open_lake(settings)
    landing = [source for source in SOURCES.values() if source.format.suffixes]
    waiting = sum(len(new_files(source, settings, lake)) for source in landing)
    unread = tuple(words for source in landing for words in find_unread(source, landing, settings))
    where, warehouse = masked(settings.warehouse_url), open_warehouse(settings)
    if not warehouse.exists():
        sources = tuple(SourceStatus(name, *places[name]) for name in SOURCES if name in places)
        return Status(where, sources, _first_step(settings, waiting), unread=unread)
    with warehouse.session(read_only=True) as session:
        if "ops.pipeline_logs" not in session.tables():
            sources = tuple(SourceStatus(name, *places[name]) for name in SOURCES if name in places)
            return Status(where, sources, _first_step(settings, waiting), unread=unread)
        observations = tuple(watch(session, settings, now))
        sources = tuple(_sources(session, places))
        batches = tuple(_batches(session))
        return Status(where, sources, _next_step(observations, waiting), batches, observations, unread)


def _places(settings: Settings) -> Iterator[tuple[str, tuple[bool, str]]]:
    """(source, (configured, where it comes from or what to set))."""
    for source in SOURCES.values():
        address = source.address(settings)
        place = _without_secrets(address) if "://" in address else address
        if place and lacks_events(source):
            place += f" (not in cleaned.events: write sources/{source.name}/events.sql)"
        yield source.name, (bool(address), place or f"{source.arrival.setting} is not set")


def _without_secrets(address: str) -> str:
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{rest.partition('?')[0].rpartition('@')[2]}"


def _first_step(settings: Settings, waiting: int) -> str:
    if waiting:
        return (
            f"{waiting} new files wait: run `analytics-platform materialize`, or set AUTOMATION=true for `dagster dev`."
        )
    return f"Nothing was loaded yet: put exports into a folder of {settings.landing_dir}, or try `make demo`."


def _next_step(observations: tuple[Observation, ...], waiting: int) -> str:
    failing = next((observation for observation in observations if not observation.passed), None)
    if failing is not None:
        return failing.remedy
    if waiting:
        return f"{waiting} new files wait in the landing folder: run `analytics-platform materialize`."
    return "Nothing to do."


def _sources(session: Session, places: dict[str, tuple[bool, str]]) -> Iterator[SourceStatus]:
    loaded = {
        source: counted
        for source, *counted in session.rows(
            "SELECT source, count(*), CAST(sum(rows_accepted) AS BIGINT), CAST(sum(rows_quarantined) AS BIGINT), "
            "max(arrived_at) FROM ops.pipeline_logs GROUP BY source"
        )
    }
    for name in SOURCES:
        configured, place = places.get(name, (True, ""))
        batches, rows, refused, last = loaded.get(name, (0, 0, 0, None))
        yield SourceStatus(name, configured, place, batches, rows, refused, last)


def _batches(session: Session) -> Iterator[BatchStatus]:
    rows = session.rows(
        "SELECT batch_id, source, input, arrived_at, rows_read, rows_quarantined FROM ops.pipeline_logs "
        f"ORDER BY finished_at DESC, batch_id LIMIT {LAST_BATCHES}"
    )
    for row in rows:
        yield BatchStatus(*row)
