"""Customers, products, orders and their items from the shop's own PostgreSQL: what changed since the last reading.

Rows come in the order of `(updated_at, key)`. A transaction stamps its rows before it commits: a row may appear with a
time that was passed already. Two things keep it from being missed. A position never goes past the start of the oldest
transaction that was open when the reading began, as far as the server lets this user see it (it does for the same user
and members of `pg_read_all_stats`). And each reading looks back `overlap` from the position, which must be longer than
the shop's other transactions take. A row without a time comes each time. So rows come again; who stores them drops
those with the same content. A deletion is never seen: the shop deletes nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import AwareDatetime

from analytics_platform.connectors.batches import BatchSize, Gathering
from analytics_platform.errors import UserError, printable
from analytics_platform.settings import masked

_OPTIONS = (
    "-c timezone=UTC -c datestyle=ISO "
    "-c default_transaction_read_only=on -c default_transaction_isolation=repeatable\\ read"
)
_ROWS_AT_A_TIME = 1_000
_BYTES_AT_A_TIME = 64 << 20

_SETTLED = """
SELECT least(clock_timestamp(), min(xact_start)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
    AND state <> 'idle' AND xact_start IS NOT NULL
"""
"""Rows stamped before this time are there, or their transaction cannot be seen."""

# As bytes, which a database in SQL_ASCII gives as they are: its texts may be anything, and the gate tells which.
_CHANGED = """
SELECT
    substr(
        convert_to(
            row_to_json(found.*)::text, CASE getdatabaseencoding() WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END
        ), 1, %(longest)s
    ),
    CASE WHEN found.updated_at IS NOT NULL THEN greatest(least(found.updated_at, %(settled)s), 'epoch'::timestamptz) END
FROM ({query}) AS found
WHERE found.updated_at {which}
ORDER BY {order}
"""


class ShopDatabaseError(UserError):
    """The shop's database cannot be read; the message is one sentence that says why and what to do."""


TABLES = {
    "customers": ("updated_at, customer_id", "SELECT * FROM shop.customers"),
    "products": ("updated_at, product_id", "SELECT * FROM shop.products"),
    "orders": ("updated_at, order_id", "SELECT * FROM shop.orders WHERE (ordered_at >= %(earliest)s) IS NOT FALSE"),
    # With the time of its order, a line is of the same day as the order. As ordered_at, it stood twice in the JSON of a
    # shop whose lines have a column of that name.
    "order_items": (
        "updated_at, order_id, line",
        "SELECT items.*, orders.ordered_at AS time_of_its_order FROM shop.order_items AS items "
        "JOIN shop.orders AS orders USING (order_id) WHERE (orders.ordered_at >= %(earliest)s) IS NOT FALSE",
    ),
}
"""The columns that each table of the schema `shop` is sorted by, and the query that gives its rows whole.

The shop has an index on these columns, so the cost of a reading depends on the rows that changed only.
"""


@dataclass(frozen=True, slots=True)
class ShopPosition:
    """How far a table has been read: every visible row changed before `changed_at` (microseconds)."""

    changed_at: AwareDatetime


@dataclass(frozen=True, slots=True)
class ShopRows:
    """Some rows, each as the JSON text that PostgreSQL gives (numbers and microseconds exact), and how far that is.

    Of a row that is too long, the first bytes. Commit `position` with the rows or after them, and none is missed.
    """

    rows: Sequence[bytes]
    position: ShopPosition


@dataclass(frozen=True, slots=True)
class ShopDatabase:
    """The shop's PostgreSQL. Nothing is ever written: its transactions are read-only.

    `overlap` is how far back is read again. `timeout` bounds the wait for a connection and for each part of an answer.
    `longest` is how many bytes of a row are read.
    """

    url: str = field(repr=False)
    overlap: dt.timedelta = dt.timedelta(minutes=10)
    batch: BatchSize = field(default_factory=BatchSize)
    timeout: dt.timedelta = dt.timedelta(seconds=60)
    longest: int = 16 << 20

    @property
    def place(self) -> str:
        """Server and database, without credentials. Raises `ShopDatabaseError` for an address that is not valid."""
        try:
            parts = conninfo_to_dict(self.url)
        except psycopg.Error:  # its text quotes the address
            raise ShopDatabaseError(
                "The address of the shop's database is not valid: check SHOP_DATABASE_URL, and percent-encode special "
                "characters in its password."
            ) from None
        # Of a password with an @ libpq takes what is behind it for the host.
        host, port = str(parts.get("host") or "localhost").rpartition("@")[2], parts.get("port") or "5432"
        return f"postgresql://{host}:{port}/{parts.get('dbname') or ''}"

    def read(self, table: str, position: ShopPosition | None, earliest: dt.datetime) -> Iterator[ShopRows]:
        """Read what changed in a table since `position` minus the overlap, or all of it; orders from `earliest` on.

        All of it is of one moment, read through a cursor on the server, in batches that are not empty. Raises
        `ShopDatabaseError`.
        """
        seconds = self.timeout.total_seconds()
        with (
            _clear_errors(self.place, table),
            psycopg.connect(
                self.url,
                connect_timeout=max(2, round(seconds)),
                options=f"{_OPTIONS} -c statement_timeout={round(seconds * 1000)}",
                application_name="analytics_platform",
            ) as connection,
        ):
            (settled,) = connection.execute(_SETTLED).fetchone() or (None,)
            connection.commit()  # the snapshot of what is read begins after that, not before
            since = "-infinity" if position is None else (position.changed_at - self.overlap).isoformat()
            given = {"settled": settled, "since": since, "earliest": earliest, "longest": self.longest}
            gathering: Gathering[bytes] = Gathering(self.batch)
            order, query = TABLES[table]
            reached = position.changed_at if position else dt.datetime.fromtimestamp(0, dt.UTC)
            # A row without a time is read each time, that the gate names it. Asked for together, no index would serve.
            for which in (">= %(since)s", "IS NULL"):
                with connection.cursor(name="changed") as cursor:
                    cursor.execute(_CHANGED.format(query=query, which=which, order=order).encode(), given)
                    for row, changed_at in _fetched(connection):
                        reached = changed_at or reached  # that of a row without a time would be the time of reading
                        if gathering.add(row):
                            yield ShopRows(gathering.take(), ShopPosition(reached))
            if rows := gathering.take():
                yield ShopRows(rows, ShopPosition(reached))


def _fetched(connection: psycopg.Connection) -> Iterator[tuple[bytes, dt.datetime | None]]:
    """Yield the rows of the cursor `changed`: of long ones few are asked for at once, and one is held at a time."""
    # Thirty rows of 50 MB took 3.6 GB when all that was asked for was held.
    asked, longest = 10, 1
    while asked:
        came, sql = 0, f"FETCH {asked} FROM changed"
        for row, changed_at in connection.cursor().stream(sql.encode(), binary=True):
            came, longest = came + 1, max(longest, len(row))
            yield row, changed_at
        asked = min(_ROWS_AT_A_TIME, max(1, _BYTES_AT_A_TIME // longest)) if came == asked else 0


@contextmanager
def _clear_errors(place: str, table: str) -> Iterator[None]:
    """Turn the driver's errors into `ShopDatabaseError`. `place` is the address without credentials."""
    where = f"The shop's database {place}"
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        raise ShopDatabaseError(
            f"{where} does not let this user read shop.{table}: grant USAGE on the schema and SELECT on its tables."
        ) from error
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
        raise ShopDatabaseError(
            f"{where} has no table shop.{table} as expected: run its migrations, or correct SHOP_DATABASE_URL."
        ) from error
    except psycopg.errors.QueryCanceled as error:
        raise ShopDatabaseError(
            f"{where} took too long to read shop.{table}: look for what holds it up, and run again."
        ) from error
    # The driver's own words may quote the address, so they are left out of the chain.
    except psycopg.Error as error:
        raise ShopDatabaseError(f"{where} {_why(error, table)}") from None


def _why(error: psycopg.Error, table: str) -> str:
    """Say what is wrong and what to do. A server's reason is about the table, the driver's about the connection."""
    reason, code = error.diag.message_primary, error.sqlstate or ""
    if code in ("28P01", "28000") or "authentication failed" in str(error):
        return "rejected user or password: check SHOP_DATABASE_URL."
    if code == "3D000" or (not code and "does not exist" in str(error)):
        return "does not exist on that server: check SHOP_DATABASE_URL."
    if not reason or code[:2] in ("08", "57"):
        return (
            "did not answer or the connection broke: check that it runs and that SHOP_DATABASE_URL is right; "
            "the next run goes on after the last committed batch."
        )
    reason = masked(printable(reason))[:300].rstrip(".")
    return f"cannot read shop.{table} ({code}: {reason}): look for the cause in that table or view, and run again."
