"""Reading interaction logs from MongoDB: the source against a bare read, and what is done with the documents.

`python -m benchmarks.mongo_read` measures on the local server, or on the one that `--uri` names:
(a) pymongo's `find_raw_batches`, which only counts bytes;
(b) the source's first reading, by keys, from the same collection; (c) its next reading after 1 % of new documents;
and without a server: (d) a Parquet file of the documents, (e) taking them apart, (f) the same through
PyMongo's decoder alone; (g) a `.bson` dump, (h) a mongoexport file of canonical Extended JSON.
The local server is Python and SQLite and takes nearly all the time of (a) to (c): it reads every document for each
query, also where MongoDB would use an index.
"""

from __future__ import annotations

import argparse
import datetime as dt
import io
import itertools
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import bson
from bson.objectid import ObjectId
from pymongo import MongoClient
from pymongo.collection import Collection
from rich.progress import track

from analytics_platform.connectors.batches import BatchSize
from analytics_platform.connectors.mongo.collection import gather
from analytics_platform.connectors.mongo.dumps import read_dump
from analytics_platform.connectors.mongo.extended_json import document_text
from analytics_platform.connectors.mongo.position import MongoPosition
from analytics_platform.connectors.mongo.source import MongoSource
from analytics_platform.demo.servers.mongo_server import serve_mongo
from analytics_platform.sources.arrivals.collection import to_parquet
from analytics_platform.sources.web_logs.decode import decode_document
from benchmarks.report import Figure, report

DATABASE, COLLECTION = "mongo_read_benchmark", "web_logs"
START = dt.datetime(2026, 1, 1)
AT_A_TIME = 10_000


def logs(first: int, stop: int) -> Iterator[dict[str, Any]]:
    """Logs of the example's shape, one a second; a tenth with text for its time."""
    rng = Random(first)
    for number in range(first, stop):
        at = START + dt.timedelta(seconds=number)
        yield {
            "_id": ObjectId(ObjectId.from_datetime(at).binary[:4] + number.to_bytes(8, "big")),
            "user_id": rng.randrange(1, 50_000),
            "action": rng.choice(("view_item", "add_to_cart", "remove_from_cart", "click_review", "apply_coupon")),
            "item_name": rng.choice(("Hawaiian", "Margherita", "Quattro Stagioni")),
            "timestamp": at if number % 10 else at.isoformat(),
            "metadata": {"device": rng.choice(("Mobile", "Desktop")), "session_id": rng.randrange(10**6)},
        }


@contextmanager
def filled(rows: int, given: str) -> Iterator[tuple[str, Collection[dict[str, Any]]]]:
    """The address of a server, and a collection on it with this number of documents."""
    with serve_mongo() as local:
        uri = given or local
        client: MongoClient[dict[str, Any]]
        with MongoClient(uri) as client:
            client.drop_database(DATABASE)
            insert(client[DATABASE][COLLECTION], 0, rows)
            yield uri, client[DATABASE][COLLECTION]
            client.drop_database(DATABASE)


def insert(collection: Collection[dict[str, Any]], first: int, stop: int) -> None:
    """Insert the logs with these numbers."""
    documents = logs(first, stop)
    for _ in track(range(first, stop, AT_A_TIME), description="filling"):
        collection.insert_many(itertools.islice(documents, AT_A_TIME))


def timed(work: Callable[[], int]) -> tuple[int, float]:
    """How many documents, and seconds."""
    start = time.perf_counter()
    return work(), time.perf_counter() - start


def measure_server(rows: int, given: str) -> list[Figure]:
    """Parts (a) to (c)."""
    with filled(rows, given) as (uri, collection):
        source = MongoSource(uri, DATABASE, COLLECTION, mode="keyset")
        position: MongoPosition | None = None

        def read() -> int:
            nonlocal position
            found = 0
            for batch in source.read(position):
                position, found = batch.position or position, found + len(batch.documents)
            return found

        _, bare = timed(lambda: sum(len(part) for part in collection.find_raw_batches(batch_size=50_000)))
        first, seconds = timed(read)
        insert(collection, rows, rows + rows // 100)
        second, again = timed(read)
    note = "given server" if given else "local server"
    return [
        Figure("a  find_raw_batches alone", rows, bare, note),
        Figure("b  source, first reading", first, seconds, note),
        Figure("c  source, next reading", second, again, f"{rows // 100:,} new, the rest is the overlap"),
    ]


def measure_documents(rows: int) -> list[Figure]:
    """Parts (d) to (h)."""
    raws = [bson.encode(document) for document in logs(0, rows)]
    lines = "\n".join(map(document_text, raws)).encode()
    works: dict[str, Callable[[], int]] = {
        "   replies cut into documents": lambda: sum(map(len, gather([b"".join(raws)], BatchSize()))),
        "d  Parquet file": lambda: rows if to_parquet(raws) else 0,
        "e  taken apart": lambda: count(decode_document(raw, Counter()) for raw in raws),
        "f  PyMongo's decoder alone": lambda: count(map(bson.decode, raws)),
        "g  .bson dump": lambda: count(read_dump(io.BytesIO(b"".join(raws)), "logs.bson")),
        "h  mongoexport, canonical": lambda: count(read_dump(io.BytesIO(lines), "logs.json")),
        "   json.loads of its lines alone": lambda: count(map(json.loads, lines.split(b"\n"))),
    }
    return [Figure(name, *timed(work)) for name, work in works.items()]


def count(found: Iterable[object]) -> int:
    """How many there are."""
    return sum(1 for _ in found)


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--uri", default="", help="of a server to measure on (default: a local one)")
    arguments = parser.parse_args()
    figures = [*measure_server(arguments.rows, arguments.uri), *measure_documents(arguments.rows)]
    seconds = {figure.what[:1]: figure.seconds for figure in figures}
    report(
        "mongo_read",
        figures,
        {"b / a": seconds["b"] / seconds["a"], "e / f": seconds["e"] / seconds["f"]},
        {"bytes per document": len(bson.encode(next(logs(0, 1))))},
    )


if __name__ == "__main__":
    main()
