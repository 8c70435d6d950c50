"""Connections to the server, one pool per process and address, and the advisory locks that are held over them."""

from __future__ import annotations

import atexit
import logging
import weakref
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from functools import lru_cache

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from analytics_platform.settings import masked
from analytics_platform.transform import DayRange
from analytics_platform.warehouse.session import WarehouseError

# Of a server that went away they write lines for each connection and attempt. The session's error says it once.
for _name in ("psycopg", "psycopg.pool"):
    logging.getLogger(_name).addFilter(lambda record: record.levelno > logging.WARNING)

OLDEST_SERVER = 160000
"""PostgreSQL 16, as `server_version` counts."""

_MOST = 8
_WAIT_S = 30.0

_MANY = 64
"""Days from which on a table is locked as a whole: each lock takes a place in the server's memory."""

_WHOLE = 0
"""The place of the lock on a table among those on its days, which are numbered from the year 1."""

Pool = ConnectionPool[psycopg.Connection]


@lru_cache(maxsize=4)
def pool_of(url: str, statement_timeout_s: float) -> Pool:
    """Return the pool for an address, closed when the process ends. Raises `WarehouseError` if there is no server."""
    _try(url)

    def configure(connection: psycopg.Connection) -> None:
        for name, value in (
            ("timezone", "UTC"),
            ("client_encoding", "UTF8"),
            # A database or role may set these: times could not be read, columns had other types, and numbers were cut.
            ("datestyle", "ISO, MDY"),
            ("quote_all_identifiers", "off"),
            ("extra_float_digits", "1"),
            ("statement_timeout", str(round(statement_timeout_s * 1000))),
            ("work_mem", "64MB"),  # keys that a window or a search for duplicates asks for are joined in memory
            ("idle_in_transaction_session_timeout", "0"),  # models run while a transaction holds the days they write
        ):
            connection.execute("SELECT set_config(%s, %s, false)", (name, value))

    pool = Pool(
        url,
        kwargs={"autocommit": True, "application_name": "analytics-platform"},
        configure=configure,
        min_size=0,
        max_size=_MOST,
        timeout=_WAIT_S,
        check=Pool.check_connection,
        open=True,
    )
    atexit.register(_close, weakref.ref(pool))
    return pool


def _close(pool: weakref.ref[Pool]) -> None:
    """Close the pool, unless it is gone already."""
    if (still_there := pool()) is not None:
        still_there.close()


def take(pool: Pool, url: str) -> psycopg.Connection:
    """Take a connection that works. Raises `WarehouseError` if there is none, with the reason."""
    try:
        return pool.getconn()
    except PoolTimeout:
        _try(url)
        raise WarehouseError(
            f"All {_MOST} connections to the warehouse {masked(url)} are in use: wait until other work has ended."
        ) from None


def _try(url: str) -> None:
    """Connect once. Raises `WarehouseError` if the server cannot be reached now, is too old, or lacks characters."""
    try:
        with psycopg.connect(url, connect_timeout=10) as connection:
            version = connection.info.server_version
            encoding = connection.info.parameter_status("server_encoding")
    except psycopg.Error as error:
        reason = str(error).strip().splitlines()[0]
        if not reason.startswith("connection failed"):
            # Of an address that it cannot use the driver quotes parts, which may be of the password.
            reason = "its host, its port or an option is wrong"
        raise WarehouseError(f"The warehouse {masked(url)} cannot be reached: {reason}.") from None
    if version < OLDEST_SERVER:
        raise WarehouseError(f"The warehouse {masked(url)} is PostgreSQL {version // 10000}: 16 or later is needed.")
    if encoding not in ("UTF8", "SQL_ASCII"):
        remedy = "create a database with ENCODING 'UTF8' TEMPLATE template0, and name it in WAREHOUSE_URL"
        raise WarehouseError(f"The warehouse {masked(url)} has the encoding {encoding}: {remedy}.")


@contextmanager
def unlocked_after(connection: psycopg.Connection) -> Iterator[None]:
    """Release all locks of the connection at the end of a `with` block."""
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("SELECT pg_advisory_unlock_all()")


@contextmanager
def writing(
    connection: psycopg.Connection, parts: Iterable[tuple[str, DayRange | None]], kept: bool = False
) -> Iterator[None]:
    """Hold the locks on days of tables for the length of a `with` block; waits without a limit for their holder.

    A few days are locked one by one, beneath a shared lock on the table, so that runs on other days go on. Many days,
    and tables without days, are locked as a whole. The locks belong to a session of the server, and end with it.
    With `kept` they are left to an `unlocked_after` around it.
    """
    locks = "; ".join(lock for table, days in parts for lock in _locks(table, days))
    # In one message: to ask for each of the locks of a batch of the fast lane is some two hundred round trips.
    connection.execute(f"SET statement_timeout = 0; {locks}; RESET statement_timeout")
    with nullcontext() if kept else unlocked_after(connection):
        yield


def _locks(table: str, days: DayRange | None) -> Iterator[str]:
    number, places = zlib.crc32(table.encode()) - 2**31, [_WHOLE]
    if days is not None and (days.last - days.first).days < _MANY:
        # Always in the same order, so that no two runs wait for each other.
        places += range(days.first.toordinal(), days.last.toordinal() + 1)
    for place in places:
        mode = "_shared" if place == _WHOLE and len(places) > 1 else ""
        yield f"SELECT pg_advisory_lock{mode}({number}, {place})"
