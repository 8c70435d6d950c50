"""Connections to the shop's database, and the driver's errors as `ShopUnavailableError`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import tuple_row
from psycopg_pool import ConnectionPool, PoolTimeout

from analytics_platform.settings import masked
from analytics_platform.shop.errors import ShopUnavailableError

Connection = psycopg.Connection[tuple[Any, ...]]

_WAIT_S = 10.0
_RECONNECT_S = 2.0
"""Seconds for which the pool reconnects by itself, with growing pauses. The next request starts it again."""

_OPTIONS = "-c timezone=UTC -c statement_timeout=30s -c lock_timeout=20s -c datestyle=ISO"


class Database:
    """A pool of connections to one address. Safe to share between threads; each process opens its own."""

    def __init__(self, url: str, most: int = 10) -> None:
        """Prepare without connecting. `most` is the largest number of connections."""
        self._url = url
        self._pool = ConnectionPool[Connection](
            url,
            kwargs={"options": _OPTIONS, "application_name": "shop", "connect_timeout": 5, "row_factory": tuple_row},
            check=ConnectionPool.check_connection,
            min_size=0,
            max_size=most,
            timeout=_WAIT_S,
            reconnect_timeout=_RECONNECT_S,
            open=False,
        )

    def __enter__(self) -> Database:
        self._try()
        self._pool.open()
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.close()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction that is committed at the end of the block, and rolled back if it raises.

        Raises `ShopUnavailableError` if the server does not answer, or stops: whether the transaction was committed is
        then not known.
        """
        try:
            with self._pool.connection() as connection:
                yield connection
        except PoolTimeout:
            self._try()
            raise ShopUnavailableError(f"No connection to the shop's database {self} became free: try again.") from None
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            raise ShopUnavailableError(
                f"The shop's database {self} has no tables yet: run 'analytics-platform shop init'."
            ) from None
        except psycopg.OperationalError as error:
            raise ShopUnavailableError(f"The shop's database {self} fails: {reason_of(error)}.") from error

    def __str__(self) -> str:
        return masked(self._url)

    def _try(self) -> None:
        try:
            psycopg.connect(self._url, connect_timeout=5).close()
        except psycopg.Error as error:
            raise ShopUnavailableError(f"The shop's database {self} cannot be reached: {reason_of(error)}.") from None


def reason_of(error: psycopg.Error) -> str:
    """Return what the server said, without parts of an address, which may be of the password."""
    words = (str(error).strip().splitlines() or ["no reason given"])[0]
    # Of a password with an @ libpq takes what is behind it for the host.
    quotes = isinstance(error, psycopg.ProgrammingError) or words.startswith(("failed to resolve", "connection is bad"))
    return "its host, its port or an option is wrong" if quotes and error.sqlstate is None else words
