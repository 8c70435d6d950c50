"""Who may write which days of a table: advisory locks, held by a session of the server and gone with it.

A few days are locked one by one, beneath a shared lock on the table, so that runs on other days go on. Many days, and
tables without days, are locked as a whole.
"""

from __future__ import annotations

import datetime as dt
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from analytics_platform.transform import DayRange

_MANY = 64
"""Days from which on the table is locked as a whole: each lock takes a place in the server's memory."""

_WHOLE = 0
"""The place of the lock on a table among those on its days, which are numbered from the year 1."""


@contextmanager
def writing(connection: psycopg.Connection, table: str, days: DayRange | None) -> Iterator[None]:
    """Hold the locks for the length of a `with` block; waits, without a limit, for whoever has them."""
    number = zlib.crc32(table.encode()) - 2**31
    held = list(_places(days))
    connection.execute("SET statement_timeout = 0")
    for place in held:
        mode = "" if place != _WHOLE or len(held) == 1 else "_shared"
        connection.execute(f"SELECT pg_advisory_lock{mode}(%s, %s)", (number, place))
    connection.execute("RESET statement_timeout")
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("SELECT pg_advisory_unlock_all()")


def _places(days: DayRange | None) -> Iterator[int]:
    """Always in the same order, so that no two runs wait for each other."""
    yield _WHOLE
    if days is not None and (days.last - days.first).days < _MANY:
        for offset in range((days.last - days.first).days + 1):
            yield (days.first + dt.timedelta(days=offset)).toordinal()
