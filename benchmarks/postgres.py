"""PostgreSQL as the warehouse: loads against raw COPY and pandas.to_sql, and a day's build against DuckDB.

`python -m benchmarks.postgres [--rows 2000000]`, on an embedded server or that of TEST_POSTGRES_URL. Raw COPY puts
the same rows in the order of the file, as CSV that the server wrote itself, into the same table with its key, in one
transaction. Both are measured in turns, and the fastest of each counts: the first to fill a new server also pays for
its log's files. `to_sql` gets the rows in the same order, with either driver: psycopg2 is what `pandas[postgresql]`
brings along, psycopg 3 is what SQLAlchemy takes from 2.1 on if it is not told.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import psycopg
import sqlalchemy
from sqlalchemy.dialects.postgresql import JSONB

from analytics_platform.catalog import CONTRACTS
from analytics_platform.demo.servers.databases import serve_postgres
from analytics_platform.demo.simulator import simulate
from analytics_platform.gate import Origin, Verdict, read_csv, validate
from analytics_platform.transform import DayRange
from analytics_platform.warehouse import BatchCard, Session, load_batch, open_warehouse
from analytics_platform_tests.kit import build, load_files, open_platform
from benchmarks.clickstream import clickstream
from benchmarks.report import Figure, report

CONTRACT = CONTRACTS["cleaned.clickstream"]
TABLE = "cleaned.clickstream"
AS_IN_THE_FILE = f"SELECT * FROM {TABLE} ORDER BY position"
ARRIVED = dt.datetime(2026, 10, 5, tzinfo=dt.UTC)
EARLIEST = dt.datetime(2010, 1, 1, tzinfo=dt.UTC)
FIRST = dt.date(2026, 3, 1)
DAYS = 5
_BLOCK = 1 << 20


def timed(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def accepted(path: Path, batch: str) -> list[Verdict]:
    """The gate's results for a file, all in memory, so that the load is measured without the gate."""
    with path.open("rb", buffering=_BLOCK) as stream:
        return list(validate(read_csv(stream, CONTRACT), CONTRACT, Origin(batch, ARRIVED, EARLIEST)))


def load(session: Session, verdicts: list[Verdict], batch: str) -> float:
    """Seconds to load these results as a batch."""
    card = BatchCard(batch, "clickstream", f"{batch}.csv", batch, ARRIVED, "benchmark")
    return timed(lambda: load_batch(session, CONTRACT, card, verdicts))


def empty(connection: psycopg.Connection) -> None:
    """Delete all rows of the table and the ledger, if they exist."""
    tables = ("ops.pipeline_logs", "ops.quarantine", "ops.batch_days", TABLE)
    for table in tables:
        if connection.execute("SELECT to_regclass(%s)", (table,)).fetchone() != (None,):
            connection.execute(f"TRUNCATE {table}")
    connection.execute("CHECKPOINT")


def raw_copy(connection: psycopg.Connection, path: Path) -> float:
    """Seconds to COPY the table's own rows back into it."""
    with (
        path.open("wb") as file,
        connection.cursor().copy(f"COPY ({AS_IN_THE_FILE}) TO STDOUT (FORMAT csv)") as out,
    ):
        for row in out:
            file.write(row)
    connection.execute(f"TRUNCATE {TABLE}")
    connection.execute("CHECKPOINT")

    def work() -> None:
        statement = f"COPY {TABLE} FROM STDIN (FORMAT csv)"
        with path.open("rb") as file, connection.transaction(), connection.cursor().copy(statement) as rows:
            while block := file.read(_BLOCK):
                rows.write(block)

    return timed(work)


def to_sql(connection: psycopg.Connection, url: str, driver: str) -> float:
    """Seconds to put the same rows into the table with pandas, over an SQLAlchemy driver."""
    cursor = connection.execute(AS_IN_THE_FILE)
    names = [column.name for column in cursor.description or ()]
    frame = pd.DataFrame(cursor.fetchall(), columns=names)
    connection.execute(f"TRUNCATE {TABLE}")
    engine = sqlalchemy.create_engine(sqlalchemy.make_url(url).set(drivername=f"postgresql+{driver}"))
    schema, _, table = TABLE.partition(".")
    types = {"event_data": JSONB, "extra": JSONB, "received_at": sqlalchemy.DateTime(timezone=True)}
    return timed(lambda: frame.to_sql(table, engine, schema=schema, if_exists="append", index=False, dtype=types))


def a_days_build(folder: Path, url: str | None, visitors: int) -> tuple[int, float]:
    """Events of the last day, and seconds to build all tables for it, on DuckDB or at `url`."""
    shutil.rmtree(folder, ignore_errors=True)
    platform = open_platform(folder, partition_start=FIRST, **({"warehouse_url": url} if url else {}))
    simulated = folder.parent / f"simulated_{visitors}"
    if not simulated.exists():
        simulate(DAYS, visitors, 1, simulated, FIRST)
    last = FIRST + dt.timedelta(days=DAYS - 1)
    with platform.session() as session:
        load_files(platform, session, simulated / "clickstream")
        build(session, DayRange(FIRST, last - dt.timedelta(days=1)), platform.settings)
        seconds = timed(lambda: build(session, DayRange(last, last), platform.settings))
        ((events,),) = session.rows("SELECT count(*) FROM cleaned.events WHERE event_date = $day", {"day": last})
    return int(str(events)), seconds


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """The address of a server that keeps what is committed."""
    given = os.environ.get("TEST_POSTGRES_URL")
    if given:
        yield given
        return
    shutil.rmtree(folder, ignore_errors=True)
    with serve_postgres(folder) as started:
        yield started.url


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--turns", type=int, default=2, help="the fastest counts")
    parser.add_argument("--visitors", type=int, default=5_000, help="of the day that is built")
    parser.add_argument("--folder", type=Path, default=Path("data/benchmarks/postgres"))
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    path = clickstream(options.folder.parent, round(options.rows / 0.943))
    with server(options.folder / "server") as url, psycopg.connect(url, autocommit=True) as connection:
        settings = open_platform(options.folder / "loaded", warehouse_url=url).settings
        first, second = accepted(path, "b1"), accepted(path, "b2")
        loads, copies = [], []
        with open_warehouse(settings).session() as session:
            for turn in range(options.turns):
                empty(connection)
                loads.append(load(session, first, "b1"))
                rows = session.count(TABLE)
                if not turn:
                    connection.execute("CHECKPOINT")
                    again_s = load(session, second, "b2")
                copies.append(raw_copy(connection, options.folder / "raw.csv"))
        load_s, raw_s = min(loads), min(copies)
        pandas_s = {driver: to_sql(connection, url, driver) for driver in ("psycopg2", "psycopg")}
        for schema in ("ops", "cleaned"):
            connection.execute(f"DROP SCHEMA {schema} CASCADE")
        events, on_postgres = a_days_build(options.folder / "on_postgres", url, options.visitors)
    _, on_duckdb = a_days_build(options.folder / "on_duckdb", None, options.visitors)
    figures = [
        Figure("raw COPY", rows, raw_s, "the same rows into the same table with its key"),
        Figure("load_batch", rows, load_s, "with duplicates, quarantine, ledger; the gate's results in memory"),
        Figure("load_batch again", rows, again_s, "the same rows in another batch: all duplicates"),
        Figure("pandas.to_sql, psycopg2", rows, pandas_s["psycopg2"], "the same rows"),
        Figure("pandas.to_sql, psycopg 3", rows, pandas_s["psycopg"], "the same rows"),
        Figure("a day's build on PostgreSQL", events, on_postgres, "all tables"),
        Figure("a day's build on DuckDB", events, on_duckdb, "all tables"),
    ]
    ratios = {
        "load / raw COPY": load_s / raw_s,
        "load again / load": again_s / load_s,
        "load, times faster than to_sql with psycopg2": pandas_s["psycopg2"] / load_s,
        "load, times faster than to_sql with psycopg 3": pandas_s["psycopg"] / load_s,
        "a day on PostgreSQL / on DuckDB": on_postgres / on_duckdb,
    }
    report("postgres", figures, ratios, {})


if __name__ == "__main__":
    main()
