"""Draining a queue into Parquet files against a bare boto3 loop that keeps nothing.

`python -m benchmarks.queue` measures in one run, in turns, on the same local queue in a separate process:
(a) boto3 as it comes: 8 threads that receive 10 messages and delete them in one request;
(b) the drain, as the asset uses it, with a store that writes each batch as a Parquet file, durably;
(c) boto3 as it comes: 8 threads that receive 10 messages and delete them one by one, as its examples do.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
from botocore.config import Config
from rich.progress import track

from analytics_platform.connectors.sqs import Message, Queue, drain
from analytics_platform.demo.servers.sqs_server import serve_in_process
from benchmarks.report import Figure, report

THREADS = 8
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": "eu-west-1"}


def body(number: int) -> str:
    """A message of the shop's app, about 1 kB."""
    item = {
        "item_id": f"prod_{number % 997}",
        "item_name": "Audífonos, negro",
        "item_brand": "(not set)",
        "price": "1499.0",
        "quantity": "1",
        "item_list_name": "Los más comprados",
        "item_list_index": str(number % 20),
    }
    event = {"event_timestamp": 1_772_359_200_000_000 + number, "user_id": f"user_{number % 5003}"}
    return json.dumps(event | {"event_name": "view_item", "platform": "ANDROID", "items": [item] * 4})


Delete = Callable[[Any, str, Sequence[Any]], None]


def delete_together(client: Any, url: str, messages: Sequence[Any]) -> None:
    entries = [{"Id": str(place), "ReceiptHandle": each["ReceiptHandle"]} for place, each in enumerate(messages)]
    client.delete_message_batch(QueueUrl=url, Entries=entries)


def delete_one_by_one(client: Any, url: str, messages: Sequence[Any]) -> None:
    for message in messages:
        client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def bare_loop(queue: Queue, endpoint: str, messages: int, delete: Delete) -> float:
    """Parts (a) and (c): seconds until all messages are deleted."""
    client = boto3.client("sqs", endpoint_url=endpoint, config=Config(max_pool_connections=THREADS))
    left, lock = messages, threading.Lock()
    start = time.perf_counter()

    def work() -> float:
        nonlocal left
        while left > 0:
            answer = client.receive_message(
                QueueUrl=queue.url,
                MaxNumberOfMessages=10,
                WaitTimeSeconds=1,
                MessageSystemAttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
                MessageAttributeNames=["All"],
            )
            received = answer.get("Messages", [])
            if received:
                delete(client, queue.url, received)
                last = time.perf_counter()
            with lock:
                left -= len(received)
        return last

    with ThreadPoolExecutor(THREADS) as pool:
        return max(future.result() for future in [pool.submit(work) for _ in range(THREADS)]) - start


def write_parquet(folder: Path, messages: Sequence[Message]) -> None:
    """One durable Parquet file: draft, fsync, rename."""
    columns = {
        "message_id": [message.message_id for message in messages],
        "body": [message.body for message in messages],
        "sent_at": pa.array([message.sent_at for message in messages], pa.timestamp("us", "UTC")),
    }
    draft = folder / f"{messages[0].message_id}.part"
    with draft.open("wb") as file:
        pq.write_table(pa.table(columns), file, compression="zstd")
        file.flush()
        os.fsync(file.fileno())
    draft.rename(draft.with_suffix(".parquet"))


def platform_drain(queue: Queue, messages: int) -> float:
    """Part (b): seconds until all messages are stored and deleted."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        start = time.perf_counter()
        drained = drain(queue, lambda batch: write_parquet(folder, batch), max_messages=messages)
        seconds = time.perf_counter() - start
        stored = sum(pq.read_metadata(path).num_rows for path in folder.glob("*.parquet"))
    assert drained.deleted == stored == messages, drained
    return seconds


def measured(work: Callable[[Queue], float], endpoint: str, messages: int) -> float:
    """Fill the queue, do the work, and see that nothing is left."""
    url = boto3.client("sqs", endpoint_url=endpoint).create_queue(QueueName="events")["QueueUrl"]
    queue = Queue(url, endpoint)
    queue.send(map(body, range(messages)))
    seconds = work(queue)
    left = queue.depth()
    assert (left.visible, left.in_flight) == (0, 0), left
    return seconds


def compare(messages: int, repeat: int) -> None:
    """Measure the parts in turns, so that other load on the machine affects all equally, and report."""
    seconds: dict[str, list[float]] = {"a": [], "b": [], "c": []}
    with patch.dict(os.environ, CREDENTIALS), serve_in_process() as endpoint:
        for _ in track(range(repeat), description="measuring"):
            parts: dict[str, Callable[[Queue], float]] = {
                "a": lambda queue: bare_loop(queue, endpoint, messages, delete_together),
                "b": lambda queue: platform_drain(queue, messages),
                "c": lambda queue: bare_loop(queue, endpoint, messages, delete_one_by_one),
            }
            for name, work in parts.items():
                seconds[name].append(measured(work, endpoint, messages))
    bare, ours, single = (min(seconds[name]) for name in "abc")
    report(
        "queue",
        [
            Figure("a  bare boto3, 8 threads, delete 10 at once", messages, bare, "keeps nothing"),
            Figure("b  drain into Parquet files", messages, ours, "stored, then deleted"),
            Figure("c  bare boto3, 8 threads, delete one by one", messages, single, "keeps nothing"),
        ],
        {"speed of b to a (aim 2, at least 1)": bare / ours, "speed of b to c (aim 2, at least 1)": single / ours},
        {"message": f"{len(body(0))} bytes", "turns, fastest taken": repeat, "boto3": version("boto3")},
    )


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--repeat", type=int, default=3, help="turns; the fastest counts")
    arguments = parser.parse_args()
    compare(arguments.messages, arguments.repeat)


if __name__ == "__main__":
    main()
