"""What the sensors decide, as pure functions of what they read. No Dagster in here."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from analytics_platform.errors import count
from analytics_platform.transform import DayRange, day_ranges
from analytics_platform.warehouse.ledger import Loading
from analytics_platform.warehouse.touched import Touched

RETRY_AFTER = dt.timedelta(minutes=5)
"""After a run that failed, the next is started no sooner than this."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Start nothing, for this reason; what was read so far stays to be done, unless `cursor` says it is.

    `is_later` says of files that a run is to be started for them once the reason has passed.
    """

    reason: str
    cursor: str | None = None
    is_later: bool = False


@dataclass(frozen=True, slots=True)
class Start:
    """Start one run per entry of `days` (None: a run without days). `key` names the work, done once.

    With `touched`, the runs build of each table only what that touches.
    """

    key: str | None
    days: tuple[DayRange | None, ...] = (None,)
    cursor: str | None = None
    touched: Touched | None = None


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of a job: how many are queued or running, and when the last one failed, if the last one did."""

    unfinished: int = 0
    failed_at: dt.datetime | None = None


def _reason_to_wait(runs: Runs, now: dt.datetime) -> str | None:
    if runs.unfinished:
        return "a run has not ended yet"
    if runs.failed_at is not None and now - runs.failed_at < RETRY_AFTER:
        return f"the last run failed at {runs.failed_at:%H:%M:%S} UTC, trying again after {RETRY_AFTER}"
    return None


def decide_waiting(waiting: int, where: str, runs: Runs, now: dt.datetime) -> Wait | Start:
    """Decide whether to take what waits somewhere, of which there is about so much.

    No key: the same number of messages means other messages the next time.
    """
    if not waiting:
        return Wait(f"nothing waits in {where}")
    reason = _reason_to_wait(runs, now)
    return Wait(f"{waiting} wait in {where}: {reason}") if reason else Start(None)


def decide_landing(new_files: Collection[str], runs: Runs, now: dt.datetime, cursor: str | None) -> Wait | Start:
    """Decide whether to take in files, given the identities (name, size, time) of those that are not in the lake.

    The same files are tried once: one that is rejected starts no run again until it changes. A lost cursor does no
    harm, since the key is the same.
    """
    if not new_files:
        return Wait("no new file")
    key = hashlib.sha256("\n".join(sorted(new_files)).encode()).hexdigest()[:16]
    if key == cursor:
        return Wait(f"{count(len(new_files), 'file')} already tried and rejected: see the check files_readable")
    reason = _reason_to_wait(runs, now)
    if reason:
        return Wait(f"{count(len(new_files), 'new file')}: {reason}", is_later=True)
    return Start(f"files-{key}", cursor=key)


def decide_rebuild(
    arrivals: Sequence[Loading],
    breach: str | None,
    runs: Runs,
    affected: Callable[[Sequence[Loading]], Touched | None],
    cursor: str | None,
) -> Wait | Start:
    """Decide which days to build again after `arrivals`, of which those up to `cursor` are done.

    `affected` says what changes with what arrived. While a threshold is breached nothing is built. A lost cursor
    starts at the beginning: safe, since building a day again changes nothing.
    """
    new = [arrival for arrival in arrivals if cursor is None or arrival.place > cursor]
    if not new:
        return Wait("all that was loaded is built")
    last = max(arrival.place for arrival in new)
    touched = affected(new)
    if touched is None:
        return Wait("what was loaded brought no new event", cursor=last)
    if breach is not None:
        return Wait(f"stopped by the check error_rate: {breach}")
    if runs.unfinished:
        return Wait("a run has not ended yet")
    ranges = tuple(day_ranges(touched.days))
    return Start(f"days-{hashlib.sha256(last.encode()).hexdigest()[:16]}", ranges, last, touched)
