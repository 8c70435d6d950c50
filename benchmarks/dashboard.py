"""What a page of the dashboard reads from 5 M events: seconds until its frames are there.

`python -m benchmarks.dashboard [--events 5000000] [--folder …] [--postgres]`. The warehouse starts as that of
benchmarks.models: simulated clickstream, all models built, kept in the folder. Pages read published day-grain tables
only, over all days, which is more than they show at first. For DuckDB the copy that readers get is measured too, and
how long it locks out writers. With `--postgres` the same tables lie in PostgreSQL (TEST_POSTGRES_URL, or one
started here).
"""

from __future__ import annotations

import argparse
import datetime as dt
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from analytics_platform.catalog import CONTRACTS
from analytics_platform.reports import queries, records
from analytics_platform.reports.customers import read_cities, read_customer_totals, read_customers
from analytics_platform.settings import load_settings
from analytics_platform.transform import DayRange
from analytics_platform.warehouse import DuckDBSession, Session, Warehouse, open_warehouse
from analytics_platform.warehouse.published import Published
from analytics_platform_tests.kit import Platform, open_platform
from analytics_platform_tests.postgres import new_database
from benchmarks.models import FIRST, prepare, run_platform
from benchmarks.report import Figure, report

LIMIT_S = 2.0
"""What a page may take."""
RUNS = 5


def _days(session: Session) -> tuple[DayRange, dt.date]:
    known = queries.days_with_data(session, dt.datetime.now(dt.UTC))
    assert known is not None, "there are no days"
    return known


def overview(session: Session) -> None:
    days, complete = _days(session)
    queries.read_days(session, days, complete)
    queries.read_days(session, days, complete)  # the days before
    queries.read_funnel(session, days)
    queries.read_devices(session, days)


def channels(session: Session) -> None:
    days, _ = _days(session)
    sources = queries.traffic_sources(session, days, 200)
    queries.read_credits(session, days, sources[:1])


def products(session: Session) -> None:
    days, _ = _days(session)
    queries.read_products(session, days, 25)
    queries.read_products(session, days, 25, "a")
    queries.read_lists(session, 25)


def customers(session: Session) -> None:
    read_customer_totals(session)
    read_cities(session, 25)
    read_customers(session, "revenue", 25)


def quality(session: Session) -> None:
    days, _ = _days(session)
    for _ in range(2):  # and the days before
        records.read_quality(session, 0.05, days)
    records.read_reasons(session, days)
    records.read_rejected(session, days, 501, ["clickstream"], "client_id: missing")


def pipeline(session: Session) -> None:
    records.read_batches(session, 20)
    records.days_of_last_load(session)


PAGES: Mapping[str, Callable[[Session], None]] = {
    "Overview": overview, "Channels": channels, "Products": products, "Customers": customers, "Data quality": quality,
    "Pipeline": pipeline,
}  # fmt: skip


def build(folder: Path, events: int) -> Platform:
    """A platform with all tables built; made once."""
    loaded = prepare(folder, events)
    platform = open_platform(folder / "dashboard", partition_start=FIRST)
    if not (folder / "built").exists():
        shutil.copy(loaded.settings.warehouse_path, platform.settings.warehouse_path)
        with platform.session() as session:
            assert isinstance(session, DuckDBSession)
            run_platform(session, platform)
        (folder / "built").touch()
    return platform


def measure(warehouse: Warehouse, page: Callable[[Session], None]) -> float:
    """The slowest of some looks at a page, each in a new session; the first is not counted."""
    taken = []
    for _ in range(RUNS + 1):
        started = time.perf_counter()
        with warehouse.session(read_only=True) as session:
            queries.missing_tables(session, queries.DASHBOARD)
            records.loaded_at(session)
            page(session)
        taken.append(time.perf_counter() - started)
    return max(taken[1:])


def copy_for_readers(platform: Platform, folder: Path) -> tuple[Warehouse, float]:
    """The copy that pages read, and the seconds it took."""
    shutil.rmtree(folder, ignore_errors=True)
    started = time.perf_counter()
    view = Published(platform.settings, queries.DASHBOARD, folder).view()
    assert view.warehouse is not None
    return view.warehouse, time.perf_counter() - started


@contextmanager
def in_postgres(source: Warehouse) -> Iterator[Warehouse]:
    """A PostgreSQL database with the tables that pages read."""
    with new_database() as url, source.session(read_only=True) as read:
        target = open_warehouse(load_settings(warehouse_url=url))
        with target.session() as write:
            write.ensure(*(CONTRACTS[table] for table in queries.DASHBOARD))
            for table in queries.DASHBOARD:
                write.insert(table, read.frame(f"SELECT * FROM {table}"))
        yield target


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--folder", type=Path, default=Path("data/benchmarks/models"))
    parser.add_argument("--postgres", action="store_true")
    options = parser.parse_args()
    platform = build(options.folder, options.events)
    with platform.session(read_only=True) as session:
        events = session.count("cleaned.events")
    copy, copied_s = copy_for_readers(platform, options.folder / "published")
    figures = [Figure("copy for readers", events, copied_s, "time for which the DuckDB file is closed to writers")]
    figures += [Figure(f"{name}, DuckDB", events, measure(copy, page)) for name, page in PAGES.items()]
    if options.postgres:
        with in_postgres(copy) as warehouse:
            figures += [Figure(f"{name}, PostgreSQL", events, measure(warehouse, page)) for name, page in PAGES.items()]
    slowest = max(figures[1:], key=lambda figure: figure.seconds)
    report("dashboard", figures, {"slowest page / limit": slowest.seconds / LIMIT_S}, {"slowest page": slowest.what})


if __name__ == "__main__":
    main()
