"""What readers see of the warehouse while runs write it: the last published tables, without waiting for a lock.

PostgreSQL serves readers beside writers, so it is read directly. A DuckDB file is closed to everyone else while a
process writes it. So small tables are copied when the file has changed and is free, which takes a moment, and read from
the copy. While a run is writing, readers keep the last copy, and the view says so.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import duckdb

from analytics_platform.contracts.sql import literal, quote, quote_table
from analytics_platform.settings import Settings
from analytics_platform.warehouse.duckdb import DuckDBWarehouse, is_taken
from analytics_platform.warehouse.open import open_warehouse
from analytics_platform.warehouse.session import Warehouse, WarehouseError

_SUFFIX = ".duckdb"
_KEPT = 2
"""Copies that stay: the newest, and the one before for a reader that is about to open it."""


@dataclass(frozen=True, slots=True)
class View:
    """Where to read, and what is known of it.

    `version` is another text whenever the content of a copy is another; empty where tables are read directly.
    `as_of` is when the copied tables last changed. `is_behind`: a run is writing, and what it wrote is not here yet.
    """

    warehouse: Warehouse | None
    version: str = ""
    as_of: dt.datetime | None = None
    is_behind: bool = False


class Published:
    """The published `tables`. One object serves all threads of a process; copies lie in `folder`."""

    def __init__(self, settings: Settings, tables: Collection[str], folder: Path) -> None:
        self._warehouse = open_warehouse(settings)
        self._memory = settings.warehouse_memory
        self._tables = tables
        self._folder = folder
        self._copying = Lock()

    @property
    def name(self) -> str:
        """The warehouse in words people know."""
        return self._warehouse.name

    def view(self) -> View:
        """Return the newest state that can be read now; without a warehouse while there is none yet.

        Raises `WarehouseError` if the warehouse is broken or the copy cannot be written, and if a run is writing
        before there was ever a copy.
        """
        if not isinstance(self._warehouse, DuckDBWarehouse):
            return View(self._warehouse)
        if not self._warehouse.exists():
            return View(None)
        with self._copying:
            return self._newest_copy(self._warehouse.path)

    def _newest_copy(self, source: Path) -> View:
        copy, is_behind = self._folder / (_version(source) + _SUFFIX), False
        try:
            if not copy.exists():
                copy = self._copy(source)
        except (duckdb.Error, OSError) as error:
            if not is_taken(error):
                reason = str(error).splitlines()[0]
                raise WarehouseError(f"The tables of {source} cannot be copied for readers: {reason}") from error
            if not (copies := self._copies()):
                raise WarehouseError(
                    f"A run is writing the warehouse {source} for the first time: wait until it has ended."
                ) from None
            copy, is_behind = copies[-1], True
        as_of = dt.datetime.fromtimestamp(int(copy.stem.partition("-")[0]) / 1e9, dt.UTC)
        return View(DuckDBWarehouse(copy, self._memory), copy.stem, as_of, is_behind)

    def _copy(self, source: Path) -> Path:
        """Copy the tables into a file named after the state they are in, and remove old copies."""
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._folder / f".{os.getpid()}.part"
        draft.unlink(missing_ok=True)
        try:
            with duckdb.connect(str(draft)) as connection:
                connection.execute(f"ATTACH {literal(str(source))} AS source (READ_ONLY)")  # fails while it is written
                version = _version(source)  # nobody writes it from here on
                self._copy_tables(connection)
                connection.execute("DETACH source")
            copy = draft.rename(self._folder / (version + _SUFFIX))
        finally:
            draft.unlink(missing_ok=True)
        for old in self._copies()[:-_KEPT]:
            old.unlink(missing_ok=True)  # a reader that has it open reads on
        return copy

    def _copy_tables(self, connection: duckdb.DuckDBPyConnection) -> None:
        found = connection.execute(
            "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE database_name = 'source'"
        ).fetchall()
        for table in sorted({name for (name,) in found}.intersection(self._tables)):
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(table.partition('.')[0])}")
            connection.execute(f"CREATE TABLE {quote_table(table)} AS FROM source.{quote_table(table)}")

    def _copies(self) -> list[Path]:
        """Return the copies there are, the oldest first."""
        return sorted(self._folder.glob(f"*{_SUFFIX}"), key=lambda copy: copy.stem)


def _version(path: Path) -> str:
    """Return the state of a DuckDB file: when it changed (nanoseconds since 1970), its size, and that of its log."""
    stats = []
    for file in (path, path.with_name(path.name + ".wal")):
        with suppress(FileNotFoundError):  # the log comes and goes with every run
            stats.append(file.stat())
    changed = max((stat.st_mtime_ns for stat in stats), default=0)
    return "-".join([f"{changed:020d}", *(str(stat.st_size) for stat in stats)])
