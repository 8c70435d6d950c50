"""Reads what changed in a table of the shop since the last reading, in the order of `(updated_at, key)`.

A transaction stamps its rows before it commits: a row may appear with a time that was passed already. Two things keep
it from being missed. A position never goes past the start of the oldest transaction that was open when the reading
began, as far as the server lets this user see it (it does for the same user and members of `pg_read_all_stats`). And
each reading looks back `overlap` from the position, which must be longer than the shop's other transactions take. So
rows come again; who stores them drops those with the same content. A deletion is never seen: the shop deletes nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import tuple_row

from analytics_platform.connectors.shop_db.errors import ShopDatabaseError, clear_errors
from analytics_platform.connectors.shop_db.position import Position
from analytics_platform.connectors.shop_db.tables import ShopTable

_Connection = psycopg.Connection[tuple[Any, ...]]

_OPTIONS = "-c timezone=UTC -c default_transaction_read_only=on -c default_transaction_isolation=repeatable\\ read"
_ROWS_AT_A_TIME = 1_000

_SETTLED = """
SELECT least(clock_timestamp(), min(xact_start)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
    AND state <> 'idle' AND xact_start IS NOT NULL
"""
"""Rows stamped before this time are there, or their transaction cannot be seen."""

_CHANGED = """
SELECT row_to_json(found)::text, greatest(least(found.updated_at, %(settled)s), 'epoch'::timestamptz)
FROM ({query}) AS found
WHERE found.updated_at >= %(since)s
ORDER BY {order}
"""


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows, each as the JSON text that PostgreSQL gives (numbers and microseconds exact), and how far that is.

    Commit `position` with the rows or after them, and none is missed.
    """

    rows: Sequence[str]
    position: Position


@dataclass(frozen=True, slots=True)
class BatchSize:
    """A batch is complete when it has `rows` rows or `characters` characters."""

    rows: int = 50_000
    characters: int = 32 << 20


@dataclass(frozen=True, slots=True)
class ShopDatabase:
    """The shop's PostgreSQL. Nothing is ever written: its transactions are read-only.

    `overlap` is how far back is read again. `timeout` bounds the wait for a connection and for each part of an answer.
    """

    url: str = field(repr=False)
    overlap: dt.timedelta = dt.timedelta(minutes=10)
    batch: BatchSize = field(default_factory=BatchSize)
    timeout: dt.timedelta = dt.timedelta(seconds=60)

    @property
    def place(self) -> str:
        """Server and database, without credentials. Raises `ShopDatabaseError` for an address that is none."""
        try:
            parts = conninfo_to_dict(self.url)
        except psycopg.Error:  # its text quotes the address
            raise ShopDatabaseError(
                "The address of the shop's database is not valid: check SHOP_DATABASE_URL, and percent-encode special "
                "characters in its password."
            ) from None
        host, port = parts.get("host") or "localhost", parts.get("port") or "5432"
        return f"postgresql://{host}:{port}/{parts.get('dbname') or ''}"

    def read(self, table: ShopTable, position: Position | None, earliest: dt.datetime) -> Iterator[Rows]:
        """What changed since `position` minus the overlap, or everything for None; orders from `earliest` on.

        All of it is of one moment, read through a cursor on the server, a batch at a time. Raises `ShopDatabaseError`.
        """
        with clear_errors(self.place, table.name), self._connect() as connection:
            (settled,) = connection.execute(_SETTLED).fetchone() or (None,)
            connection.commit()  # what is read is seen after that, not before
            since = "-infinity" if position is None else (position.changed_at - self.overlap).isoformat()
            values = {"settled": settled, "since": since, "earliest": earliest}
            sql = _CHANGED.format(query=table.query, order=table.order)
            with connection.cursor(name="changed") as cursor:
                cursor.itersize = min(_ROWS_AT_A_TIME, self.batch.rows)
                cursor.execute(sql.encode(), values)
                yield from self._gather(cursor)

    def _gather(self, found: Iterator[tuple[Any, ...]]) -> Iterator[Rows]:
        """The rows in batches, none of them empty."""
        rows: list[str] = []
        size = 0
        for row, changed_at in found:
            rows.append(row)
            size += len(row)
            if len(rows) >= self.batch.rows or size >= self.batch.characters:
                yield Rows(rows, Position(changed_at))
                rows, size = [], 0
        if rows:
            yield Rows(rows, Position(changed_at))

    def _connect(self) -> _Connection:
        milliseconds = round(self.timeout.total_seconds() * 1000)
        return psycopg.connect(
            self.url,
            connect_timeout=max(2, round(self.timeout.total_seconds())),
            options=f"{_OPTIONS} -c statement_timeout={milliseconds}",
            application_name="analytics_platform",
            row_factory=tuple_row,
        )
