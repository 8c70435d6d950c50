"""From a MongoDB collection to `cleaned.web_logs`, and the customers' metrics.

`python -m benchmarks.mongo [--documents 5000 1000000] [--customers 1000000]` measures on the local server, or on the
one that `--uri` names, for each number of documents:
(a) pymongo's `find_raw_batches`, which only counts bytes;
(b) the platform: server, lake, gate, `cleaned.web_logs`; (c) the same again, nothing new; (d) after 1 % new documents;
(e) as in many scripts: pymongo's `find()` into pandas, then one INSERT … ON CONFLICT for each row, on DuckDB;
and then `marts.user_metrics` for these customers: (f) the first build, (g) the next, nothing changed, (h) the next
after 1 % of them changed.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
from pymongo.collection import Collection

from analytics_platform.catalog import CONTRACTS
from analytics_platform.sources.arrivals.collection import read_collection
from analytics_platform.sources.registry import SOURCES
from analytics_platform.transform import all_models, plan
from analytics_platform.warehouse import Session
from analytics_platform.warehouse.load import load_new_batches
from analytics_platform_tests.kit import Platform, open_platform
from analytics_platform_tests.names import WEB_LOGS
from benchmarks.mongo_read import COLLECTION, DATABASE, filled, insert
from benchmarks.report import Figure, report

UPSERTED = 5_000
"""Documents of part (e): a hundred thousand would take an hour."""


def timed(work: Callable[[], int]) -> tuple[int, float]:
    """How many documents or rows, and seconds."""
    start = time.perf_counter()
    return work(), time.perf_counter() - start


def take_in(platform: Platform) -> int:
    """Move what is new from the server to the table: how many documents were read."""
    read = sum(step.documents for step in read_collection(WEB_LOGS, platform.settings, platform.lake))
    with platform.session() as session:
        session.ensure(CONTRACTS["cleaned.web_logs"])
        for _ in load_new_batches(SOURCES[WEB_LOGS], session, platform.settings, platform.lake, run_id="benchmark"):
            pass
    return read


def upsert_by_row(collection: Collection[dict[str, Any]], database: Path) -> int:
    """Part (e)."""
    found = pd.DataFrame(list(collection.find().limit(UPSERTED)))
    found["_id"], found["timestamp"] = found["_id"].astype(str), found["timestamp"].astype(str)
    found["metadata"] = found["metadata"].astype(str)
    names = list(found.columns)
    with duckdb.connect(str(database)) as connection:
        columns = ", ".join(f'"{name}" VARCHAR' for name in names)
        connection.execute(f'CREATE TABLE web_logs ({columns}, PRIMARY KEY ("_id"))')
        changes = ", ".join(f'"{name}" = excluded."{name}"' for name in names if name != "_id")
        values = ", ".join("?" for _ in names)
        connection.begin()
        for row in found.itertuples(index=False):
            connection.execute(
                f'INSERT INTO web_logs VALUES ({values}) ON CONFLICT ("_id") DO UPDATE SET {changes}', row
            )
        connection.commit()
    return len(found)


def measure_documents(documents: int, given: str, folder: Path) -> list[Figure]:
    """Parts (a) to (e) with this number of documents."""
    with filled(documents, given) as (uri, collection):
        platform = open_platform(
            folder / str(documents), mongodb_uri=uri, mongodb_database=DATABASE, mongodb_collection=COLLECTION
        )
        _, bare = timed(lambda: sum(len(part) for part in collection.find_raw_batches(batch_size=50_000)))
        figures = [
            Figure("a  find_raw_batches alone", documents, bare),
            Figure("b  server to table", *timed(lambda: take_in(platform))),
            Figure("c  again, nothing new", *timed(lambda: take_in(platform)), "the overlap"),
        ]
        insert(collection, documents, documents + documents // 100)
        figures.append(Figure("d  again, 1 % new", *timed(lambda: take_in(platform)), "with the overlap"))
        figures.append(
            Figure(
                "e  find, pandas, upsert by row",
                *timed(lambda: upsert_by_row(collection, folder / f"{documents}.duckdb")),
            )
        )
        with platform.session(read_only=True) as session:
            stored = session.count("cleaned.web_logs")
    assert stored == documents + documents // 100, stored
    return figures


def fill_users(session: Session, customers: int) -> None:
    """Customers and their totals, as the models leave them."""
    session.ensure(*(CONTRACTS[name] for name in ("cleaned.users", "sessionized.user_totals", "marts.user_metrics")))
    session.execute(
        f"""
        INSERT INTO cleaned.users (user_id, name, arrived_at)
        SELECT CAST(i AS VARCHAR), 'user ' || i, TIMESTAMPTZ '2026-03-01 00:00:00+00' FROM range({customers}) AS t(i)
        """
    )
    session.execute(
        f"""
        INSERT INTO sessionized.user_totals
            (user_id, interactions, log_interactions, sessions, orders, revenue, first_seen_at, last_active_at)
        SELECT CAST(i AS VARCHAR), i % 90 + 1, 1, 2, i % 3, i % 3 * 9.5,
            TIMESTAMPTZ '2026-03-01 00:00:00+00', TIMESTAMPTZ '2026-03-02 00:00:00+00'
        FROM range({customers}) AS t(i)
        """
    )


def measure_metrics(customers: int, folder: Path) -> list[Figure]:
    """Parts (f) to (h)."""
    platform, name = open_platform(folder / "metrics"), "marts.user_metrics"

    def publish(session: Session) -> int:
        return session.publish(
            CONTRACTS[name], plan(all_models()[name], None, platform.settings.model_values), None
        ).rows

    with platform.session() as session:
        fill_users(session, customers)
        first, again = timed(lambda: publish(session)), timed(lambda: publish(session))
        session.execute("UPDATE sessionized.user_totals SET orders = orders + 1 WHERE interactions = 7")
        changed = timed(lambda: publish(session))
        assert session.count(name) == customers
    return [
        Figure("f  user_metrics, first build", *first),
        Figure("g  again, nothing changed", *again),
        Figure("h  again, 1 % changed", *changed),
    ]


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, nargs="+", default=[5_000, 1_000_000])
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--uri", default="", help="of a server to measure on (default: a local one)")
    options = parser.parse_args()
    figures, ratios = [], {}
    with tempfile.TemporaryDirectory() as folder:
        for documents in options.documents:
            found = measure_documents(documents, options.uri, Path(folder))
            rate = {figure.what[0]: figure.rate for figure in found}
            ratios[f"{documents:,} documents: speed of b to a"] = rate["b"] / rate["a"]
            ratios[f"{documents:,} documents: speed of b to e"] = rate["b"] / rate["e"]
            figures += found
        figures += measure_metrics(options.customers, Path(folder))
    report("mongo", figures, ratios, {})


if __name__ == "__main__":
    main()
