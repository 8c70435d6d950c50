"""How long a message takes from the queue to the marts under `dagster dev`, sensors on.

`python -m benchmarks.latency [--messages 5]` starts a local queue and `dagster dev` in a new folder, sends one
message after the other, each once the one before has arrived, and waits until its list is in marts.list_performance.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from analytics_platform.connectors.sqs import Queue
from analytics_platform.demo.servers.start import start_queue
from analytics_platform.orchestration.launch import INSTANCE
from analytics_platform.settings import load_settings
from analytics_platform.warehouse import WarehouseError, open_warehouse
from benchmarks.report import Figure, report

LONGEST_S = 300.0
LOOK_EVERY_S = 0.5


def body(number: int) -> str:
    """A message about a list that no other message names."""
    item = {"item_id": "p1", "item_name": "Pillow", "price": 10, "item_list_name": f"list {number}"}
    now = dt.datetime.now(dt.UTC).isoformat()
    return json.dumps(
        {
            "event_timestamp": now,
            "user_id": str(number),
            "event_name": "view_item_list",
            "platform": "IOS",
            "items": [item],
        }
    )


@contextmanager
def dagster_dev(environment: Mapping[str, str], log: Path) -> Iterator[None]:
    """`dagster dev` with all sensors running."""
    command = [
        sys.executable,
        "-m",
        "dagster",
        "dev",
        "-m",
        "analytics_platform.definitions",
        "-p",
        "0",
        "-h",
        "127.0.0.1",
    ]
    with (
        log.open("w") as output,
        subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        ) as process,
    ):
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)  # its daemon and code server with it


def lists_known(settings_of: Mapping[str, str]) -> set[str]:
    """The lists in the mart; none while a run has the warehouse."""
    warehouse = open_warehouse(load_settings(data_dir=Path(settings_of["DATA_DIR"])))
    try:
        with warehouse.session(read_only=True) as session:
            if "marts.list_performance" not in session.tables():
                return set()
            return {str(name) for (name,) in session.rows("SELECT list_id FROM marts.list_performance")}
    except WarehouseError:
        return set()


def seconds_until_known(queue: Queue, number: int, environment: Mapping[str, str]) -> float:
    """Send a message and wait."""
    started = time.perf_counter()
    queue.send([body(number)])
    while f"list {number}" not in lists_known(environment):
        if time.perf_counter() - started > LONGEST_S:
            raise SystemExit(f"message {number} did not arrive in {LONGEST_S:g} s")
        time.sleep(LOOK_EVERY_S)
    return time.perf_counter() - started


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, start_queue() as queue_settings:
        home = Path(folder) / "dagster"
        home.mkdir()
        shutil.copy(INSTANCE, home / "dagster.yaml")
        today = dt.datetime.now(dt.UTC).date()
        environment = {
            **queue_settings,
            "DAGSTER_HOME": str(home),
            "DATA_DIR": str(Path(folder) / "data"),
            "PARTITION_START": (today - dt.timedelta(days=3)).isoformat(),
            "AUTOMATION": "true",
        }
        os.environ.update(queue_settings)
        with dagster_dev(environment, Path(tempfile.gettempdir()) / "latency_dagster.log"):
            queue = Queue(queue_settings["SQS_QUEUE_URL"], queue_settings["AWS_ENDPOINT_URL"])
            first = seconds_until_known(queue, 0, environment)
            taken = [seconds_until_known(queue, number, environment) for number in range(1, options.messages + 1)]
    figures = [
        Figure("first message, dagster dev starting", 1, first),
        Figure("message to mart, median", 1, statistics.median(taken)),
        Figure("message to mart, slowest", 1, max(taken)),
    ]
    report("latency", figures, {}, {"messages": options.messages, "sensors look every": "5 s"})


if __name__ == "__main__":
    main()
