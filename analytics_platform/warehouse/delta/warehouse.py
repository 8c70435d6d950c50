"""The warehouse in Delta tables: where it is, and how sessions are opened."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from analytics_platform.warehouse.delta.failures import explained
from analytics_platform.warehouse.delta.journal import is_there
from analytics_platform.warehouse.delta.maintenance import maintain
from analytics_platform.warehouse.delta.place import DeltaPlace
from analytics_platform.warehouse.delta.session import DeltaSession
from analytics_platform.warehouse.duckdb import UNKNOWN_NAMES, in_memory
from analytics_platform.warehouse.observation import TableState
from analytics_platform.warehouse.session import WarehouseError
from analytics_platform.warehouse.stopping import stopped_by_signals
from analytics_platform.warehouse.versions import explaining_version


@dataclass(frozen=True, slots=True)
class DeltaWarehouse:
    """Delta tables at a place, as they are or were `as_of` a version or time. `memory` is the limit of DuckDB."""

    place: DeltaPlace
    memory: str
    as_of: int | dt.datetime | None = None
    spark_remote: str = field(default="", repr=False)  # it may hold a token

    @property
    def name(self) -> str:
        """The address of the folder or bucket."""
        return self.place.root

    def exists(self) -> bool:
        """Return whether anything was ever stored."""
        with explained(self.place.root):
            return is_there(self.place)

    def maintain(self) -> Iterator[str]:
        """Join small files and delete old versions; yields a sentence for each table that this changed."""
        with explained(self.place.root):
            yield from maintain(self.place)

    def states(self) -> Iterator[TableState]:
        """Yield each table with the version that sessions read, and its rows."""
        with self.session(read_only=True) as session:
            names = sorted(session.tables())
            if not names and self.as_of is not None:
                raise WarehouseError(f"No table has a state of {self.as_of}: without --as-of the latest are listed.")
            for name in names:
                table = self.place.table(name, self.as_of)
                assert table is not None
                # The history of a table that is opened as it was begins with the latest commit all the same.
                latest = self.place.table(name) or table
                commit = latest.history(latest.version() - table.version() + 1)[-1]
                at = dt.datetime.fromtimestamp(commit["timestamp"] / 1000, dt.UTC)
                yield TableState(name, table.version(), at, table.count())

    @contextmanager
    def session(self, read_only: bool = False) -> Iterator[DeltaSession]:
        """Open a DuckDB over the tables. Raises `WarehouseError` for a disk or bucket that cannot be used."""
        with explained(self.place.root), in_memory(self.memory) as (connection, _):
            if (read_only or self.as_of is not None) and not self.exists():
                remedy = "correct WAREHOUSE_URL, or run `analytics-platform materialize`"
                raise WarehouseError(f"There is no warehouse at {self.name} yet: {remedy}.")
            session = DeltaSession(connection, self.place, read_only, self.as_of, self.spark_remote)
            with stopped_by_signals(connection.interrupt), explaining_version(session, *UNKNOWN_NAMES):
                yield session
