"""How long a message takes from the queue to facts and marts, and where the time goes.

`python -m benchmarks.latency [--lane follow|sensors] [--warehouse duckdb|postgres] [--messages 20] [--events 10000]`
starts a local queue and the lane in a new folder in which today has that number of events, sends one message after
the other, each once the one before has arrived, and waits until it is in star.fact_events, marts.list_performance and
marts.product_performance.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import psutil

from analytics_platform.connectors.sqs import Queue
from analytics_platform.demo.servers.databases import serve_postgres
from analytics_platform.demo.servers.start import start_queue
from analytics_platform.orchestration.follow.batch import OVERLAP
from analytics_platform.orchestration.jobs import FOLLOW
from analytics_platform.orchestration.launch import prepare_home
from analytics_platform.settings import Settings, load_settings
from analytics_platform.transform import DayRange
from analytics_platform.warehouse import WarehouseError, open_warehouse
from analytics_platform_tests.kit import build, click, load_rows, open_platform
from benchmarks.report import Figure, report

LONGEST_S = 600.0
LOOK_EVERY_S = 0.1
COMMANDS = {
    "follow": ["analytics_platform.cli.main", "follow"],
    "sensors": ["dagster", "dev", "-m", "analytics_platform.definitions", "-p", "0", "-h", "127.0.0.1"],
}
# With the time, which has an index: to look through a million events ten times a second took one of the two cores.
ARRIVED = """
SELECT
    (SELECT count(*) FROM star.fact_events WHERE user_id = 'reader {0}' AND event_at >= CAST('{1}' AS TIMESTAMPTZ)),
    (SELECT count(*) FROM marts.list_performance WHERE list_id = 'list {0}'),
    (SELECT count(*) FROM marts.product_performance WHERE product_id = 'product {0}')
"""


def body(number: int, list_number: int | None = None) -> str:
    """A message about a list and a product that no other message names, unless it is of the list `list_number`."""
    item = {"item_id": f"product {number}", "item_name": f"Pillow {number}", "price": 10}
    item |= {"item_list_name": f"list {number if list_number is None else list_number}"}
    fields = {"user_id": f"reader {number}", "event_name": "view_item_list", "platform": "IOS", "items": [item]}
    return json.dumps({"event_timestamp": dt.datetime.now(dt.UTC).isoformat(), **fields})


def fill(settings: Settings, events: int) -> None:
    """Load and build this number of events of today: 20 for each client."""
    start = dt.datetime.combine(dt.datetime.now(dt.UTC).date(), dt.time(), dt.UTC)
    names = ("page_viewed", "product_added_to_cart", "email_filled_on_popup", "page_viewed", "checkout_started")
    seconds = max(1.0, (dt.datetime.now(dt.UTC) - start).total_seconds() - 1)
    rows = (
        click(f"c{number % max(1, events // 20)}", start + dt.timedelta(seconds=seconds * number / events), name)
        for number, name in ((number, names[number % len(names)]) for number in range(events))
    )
    platform = open_platform(settings.data_dir, warehouse_url=settings.warehouse_url.get_secret_value())
    with platform.session() as session:
        load_rows(platform, session, list(rows))
        build(session, DayRange(start.date(), start.date()), settings)


@contextmanager
def lane(command: list[str], environment: Mapping[str, str], log: Path) -> Iterator[psutil.Process]:
    """The lane, with all its processes."""
    with (
        log.open("w") as output,
        subprocess.Popen(
            [sys.executable, "-m", *command],
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield psutil.Process(process.pid)
        finally:
            os.killpg(process.pid, signal.SIGTERM)


def has_arrived(settings: Settings, number: int, since: dt.datetime) -> bool:
    """Whether the message is in all three tables; no while a run has the warehouse."""
    try:
        with open_warehouse(settings).session(read_only=True) as session:
            is_made = {"star.fact_events", "marts.list_performance", "marts.product_performance"} <= session.tables()
            return is_made and session.one(ARRIVED.format(number, since)) == (1, 1, 1)
    except WarehouseError:
        return False


def seconds_until_arrived(queue: Queue, number: int, settings: Settings) -> float:
    """Send a message and wait."""
    started, since = time.perf_counter(), dt.datetime.now(dt.UTC).replace(microsecond=0)
    queue.send([body(number)])
    while not has_arrived(settings, number, since):
        if time.perf_counter() - started > LONGEST_S:
            raise SystemExit(f"message {number} did not arrive in {LONGEST_S:g} s")
        time.sleep(LOOK_EVERY_S)
    return time.perf_counter() - started


def cpu_seconds(process: psutil.Process) -> float:
    """CPU seconds of a process and its children so far, those that ended included."""
    parts = [each.cpu_times() for each in (process, *process.children(recursive=True)) if each.is_running()]
    return float(sum(part.user + part.system for part in parts) + process.cpu_times().children_user)


def phases(messages: int) -> dict[str, float]:
    """Median seconds of each part of a run of the fast lane, as its events tell."""
    found: dict[str, list[float]] = {}
    with dg.DagsterInstance.get() as instance:
        for run in instance.get_runs(dg.RunsFilter(job_name=FOLLOW), limit=messages):
            entries = [record.event_log_entry for record in instance.get_records_for_run(run.run_id).records]
            ends = {
                "start a run": "Started execution of step",
                "load": "Materialized value raw",
                "find days and build": "Materialized value cleaned urls",
                "record": "Finished execution of run",
            }
            before = entries[0].timestamp
            for name, words in ends.items():
                at = next(each.timestamp for each in entries if words in each.message)
                found.setdefault(name, []).append(at - before)
                before = at
    return {name: statistics.median(taken) for name, taken in found.items()}


@dataclass(frozen=True, slots=True)
class RunningLane:
    """A lane that runs, and the queue it reads."""

    settings: Settings
    queue: Queue
    process: psutil.Process


@contextmanager
def running_lane(name: str, warehouse: str, events: int) -> Iterator[RunningLane]:
    """Start a queue and the lane on a new warehouse in which today has this number of events."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        start = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=3)
        environment = {
            **stack.enter_context(start_queue()),
            "DAGSTER_HOME": str(Path(folder) / "dagster"),
            "DATA_DIR": str(Path(folder) / "data"),
            "PARTITION_START": start.isoformat(),
            "AUTOMATION": "true",
        }
        if warehouse == "postgres":
            server = stack.enter_context(serve_postgres(Path(folder) / "server"))
            environment["WAREHOUSE_URL"] = server.url
        os.environ.update(environment)
        settings = load_settings()
        prepare_home(settings)
        fill(settings, events)
        log = Path(tempfile.gettempdir()) / "latency_lane.log"
        queue = Queue(environment["SQS_QUEUE_URL"], environment["AWS_ENDPOINT_URL"])
        with lane(COMMANDS[name], environment, log) as process:
            yield RunningLane(settings, queue, process)


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lane", choices=sorted(COMMANDS), default="follow")
    parser.add_argument("--warehouse", choices=("duckdb", "postgres"), default="duckdb")
    parser.add_argument("--messages", type=int, default=20)
    parser.add_argument("--events", type=int, default=10_000)
    options = parser.parse_args()
    with running_lane(options.lane, options.warehouse, options.events) as running:
        queue, settings, process = running.queue, running.settings, running.process
        first = seconds_until_arrived(queue, 1, settings)
        if options.warehouse == "postgres":  # what another process loaded so recently is built with each message
            time.sleep(OVERLAP.total_seconds())
        used = cpu_seconds(process)
        taken = [seconds_until_arrived(queue, number, settings) for number in range(2, options.messages + 2)]
        used = cpu_seconds(process) - used
        parts = phases(options.messages) if options.lane == "follow" else {}
    figures = [
        Figure("first message, the lane starting", 1, first),
        Figure("message to marts, median", 1, statistics.median(taken)),
        Figure("message to marts, slowest", 1, max(taken)),
        *([Figure("CPU a message", 1, used / len(taken))] if options.lane == "follow" else []),
        *(Figure(f"of this: {name}", 1, seconds) for name, seconds in parts.items()),
    ]
    names = ("lane", "warehouse", "messages", "events")
    report("latency", figures, {}, {name: getattr(options, name) for name in names})


if __name__ == "__main__":
    main()
