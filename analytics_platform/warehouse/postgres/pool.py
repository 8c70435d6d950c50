"""Connections to the server: one pool per process and address, closed when the process ends."""

from __future__ import annotations

import atexit
import weakref
from functools import lru_cache

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from analytics_platform.settings import masked
from analytics_platform.warehouse.types import WarehouseError

OLDEST_SERVER = 160000
"""PostgreSQL 16, as `server_version` counts."""

_MOST = 8
_WAIT_S = 30.0

Pool = ConnectionPool[psycopg.Connection]


@lru_cache(maxsize=4)
def pool_of(url: str, statement_timeout_s: float) -> Pool:
    """The pool for an address. Raises `WarehouseError` if the server cannot be reached now."""
    _try(url)

    def configure(connection: psycopg.Connection) -> None:
        for name, value in (
            ("timezone", "UTC"),
            ("client_encoding", "UTF8"),
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
    """A connection that works. Raises `WarehouseError` if there is none, with the reason."""
    try:
        return pool.getconn()
    except PoolTimeout:
        _try(url)
        raise WarehouseError(
            f"All {_MOST} connections to the warehouse {masked(url)} are in use: wait until other work has ended."
        ) from None


def _try(url: str) -> None:
    try:
        with psycopg.connect(url, connect_timeout=10) as connection:
            version = connection.info.server_version
    except psycopg.Error as error:
        raise WarehouseError(f"The warehouse {masked(url)} cannot be reached: {_reason(error)}.") from None
    if version < OLDEST_SERVER:
        raise WarehouseError(f"The warehouse {masked(url)} is PostgreSQL {version // 10000}: 16 or later is needed.")


def _reason(error: psycopg.Error) -> str:
    """What a server said. Of an address it cannot use the driver quotes parts, which may be of the password."""
    first = str(error).strip().splitlines()[0]
    return first if first.startswith("connection failed") else "its host, its port or an option is wrong"
