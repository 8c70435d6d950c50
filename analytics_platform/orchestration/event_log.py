"""Dagster's SQLite event log, with connections that are kept.

Dagster's own opens an engine and a connection for each of the ten or so statements behind one event, and compiles every
statement anew: three tenths of the CPU of a run with little data (`benchmarks/overhead.py`). `dagster.yaml` names this
class; on PostgreSQL (`deploy/dagster.yaml`) Dagster keeps its connections by itself.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dagster import EventLogEntry

# Private: Dagster has no option to keep connections. An option of its SQLite storage would replace this file.
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import StaticPool

KEPT = 8
"""Databases that stay open: the index and the latest runs."""


class KeptSqliteEventLogStorage(SqliteEventLogStorage):
    """Keeps one connection per database; stores the same files as Dagster's own class, in the same place."""

    # A planned event per table, not per table and day. The price: the UI shows a failed run at the table, not its days.
    supports_partition_subset_in_asset_materialization_planned_events = True

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._batch: dict[str, Connection] = {}
        super().__init__(base_dir, inst_data)
        self._db_lock = threading.RLock()  # type: ignore[assignment]  # a batch holds it while it stores its events

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> KeptSqliteEventLogStorage:
        """Make the storage below Dagster's home, where its own class has it."""
        return cls(str(Path(config_value["base_dir"], "history", "runs")), inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            if shard in self._batch:
                yield self._batch[shard]
                return
            engine = self._engines.pop(shard) if shard in self._engines else self._open(shard)
            self._engines[shard] = engine  # the latest
            while len(self._engines) > KEPT:
                self._engines.popitem(last=False)[1].dispose()
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events of one run in one transaction per database."""
        run_id = events[0].run_id
        with self._db_lock, self._connect(INDEX_SHARD_NAME) as index, self._connect(run_id) as run:
            self._batch = {INDEX_SHARD_NAME: index, run_id: run}
            try:
                super().store_event_batch(events)
            finally:
                self._batch = {}

    def _open(self, shard: str) -> Engine:
        arguments = {"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False}  # the lock guards it
        engine = create_engine(self.conn_string_for_shard(shard), poolclass=StaticPool, connect_args=arguments)
        event.listen(engine, "connect", _sync_at_checkpoints)
        return engine

    def dispose(self) -> None:
        """Close all connections."""
        with self._db_lock:
            while self._engines:
                self._engines.popitem()[1].dispose()
        super().dispose()


def _sync_at_checkpoints(connection: sqlite3.Connection, _: object) -> None:
    # In WAL mode no process that dies loses an event by this; a machine that loses power may lose the last ones.
    connection.execute("PRAGMA synchronous = NORMAL")
