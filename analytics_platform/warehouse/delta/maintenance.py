"""Keeps Delta tables quick to read: joins small files, and deletes those of old versions.

Neither changes a row. A run that commits at the same moment is not held up: it looks again, or its files are joined the
next time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from contextlib import suppress

from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from analytics_platform.catalog import CONTRACTS
from analytics_platform.lake.durable import LakeUnreachableError
from analytics_platform.warehouse.delta.journal import JOURNAL, STAGED, Journal
from analytics_platform.warehouse.delta.place import WRITTEN, DeltaPlace

HISTORY_HOURS = 7 * 24
"""Hours for which earlier versions of a table can be read."""

KILLED_HOURS = 1
"""Hours after which nobody commits any more what he has written, and an erasure deletes it."""

_JOURNAL_HOURS = 24
"""Hours for which the files of the journal are kept, and what was staged by a process that was killed."""


def maintain(place: DeltaPlace) -> Iterator[str]:
    """Join small files of every table and delete old versions; yields a sentence for each table that changed."""
    journal = Journal(place)
    journal.settle()
    for name in CONTRACTS:
        if table := place.table(name):
            joined = _compact(table)
            deleted = vacuum(place, name, HISTORY_HOURS)
            if joined or deleted:
                yield f"{name}: {joined} files joined, {deleted} old files deleted."
    vacuum(place, JOURNAL, _JOURNAL_HOURS)
    _delete_staged(place, journal, _JOURNAL_HOURS)
    try:
        place.drop_uploads(_JOURNAL_HOURS)
    except LakeUnreachableError as error:
        yield f"Uploads that killed writers left were not dropped: {error}"


def forget(place: DeltaPlace, names: Iterable[str]) -> None:
    """Delete files of earlier versions of tables at once, and what was left `KILLED_HOURS` ago by writers that ended.

    Raises `WarehouseError` as all that asks the disk or the bucket.
    """
    journal = Journal(place)
    journal.settle()
    for name in names:
        vacuum(place, name, 0, is_full=False)
        vacuum(place, name, KILLED_HOURS)
    _delete_staged(place, journal, KILLED_HOURS)
    place.drop_uploads(KILLED_HOURS)


def _delete_staged(place: DeltaPlace, journal: Journal, hours: int) -> None:
    for folder in _left(place, hours) - {journal.last_staged}:
        place.delete(f"{STAGED}/{folder}")


def _left(place: DeltaPlace, hours: int) -> set[str]:
    """Return the folders of what was staged so long ago that whoever did was killed."""
    before = dt.datetime.now(dt.UTC) - dt.timedelta(hours=hours)
    last = dict[str, dt.datetime]()
    for each in place.files(STAGED):
        folder = each.path.split("/")[1]
        last[folder] = max(each.mtime, last.get(folder, each.mtime))
    return {folder for folder, at in last.items() if at < before}


def _compact(table: DeltaTable) -> int:
    """Join small files of a table; returns how many."""
    with suppress(CommitFailedError):  # a run replaced one of them meanwhile
        return int(table.optimize.compact(writer_properties=WRITTEN)["numFilesRemoved"])
    return 0


def vacuum(place: DeltaPlace, name: str, hours: int, is_full: bool = True) -> int:
    """Delete files that no version of a table of the last hours has; returns how many.

    With `is_full` also files of that age that no version ever had: a writer was killed before its commit.
    """
    table = place.table(name)
    return len(table.vacuum(hours, dry_run=False, enforce_retention_duration=False, full=is_full)) if table else 0
