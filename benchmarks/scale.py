"""All models on N million events, in each place where tables can lie: seconds, peak memory, bytes, requests to S3.

`python -m benchmarks.scale [--events 1000000 …] [--ways duckdb delta sail s3] [--memory 2GB]`. Each way runs in a
separate process: it loads the same clickstream, and builds every table of all days. No speed is promised:
figures say what this machine did. `sail` computes models at a server of Spark Connect on this machine, whose memory
counts; `s3` has lake and tables in moto's S3, a server for tests, so only its requests mean something.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from analytics_platform.catalog import CONTRACTS
from analytics_platform.demo.simulator import simulate
from analytics_platform.transform import build_order
from analytics_platform.warehouse import Session
from analytics_platform.warehouse.build import build_ranges, tables_to_build
from analytics_platform_tests.kit import Platform, load_files, open_platform
from analytics_platform_tests.lake.s3_kit import REGION, serve_bucket
from benchmarks.large import write_traffic
from benchmarks.models import DAYS, EVENTS_PER_VISITOR_DAY, FIRST, whole_range
from benchmarks.report import Figure, report

WAYS = {
    "duckdb": "DuckDB file",
    "delta": "Delta in a folder, DuckDB",
    "sail": "Delta in a folder, Sail",
    "s3": "Delta and lake in moto's S3, DuckDB",
}
SAIL_PORT = 50977

_SIMULATED = 100_000
"""Events up to which a shop is simulated, a file a day. More come from SQL, in one file: a million took minutes."""


@contextmanager
def server_of_spark() -> Iterator[int]:
    """Run Sail; yields the number of its process."""
    command = [str(Path(sys.executable).parent / "sail"), "spark", "server", "--port", str(SAIL_PORT)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
        try:
            yield server.pid
        finally:
            server.terminate()


@contextmanager
def placed(way: str, folder: Path, memory: str) -> Iterator[tuple[Platform, int]]:
    """Open a platform whose tables lie there; yields also the process of Spark."""
    settings: dict[str, object] = {"partition_start": FIRST, "warehouse_memory": memory}
    place = {"warehouse_url": f"lake://{folder}/tables"}
    if way == "s3":
        bucket = {"lake_url": "s3://shop/lake", "warehouse_url": "lake+s3://shop/tables"}
        yield open_platform(folder, **settings, **bucket, aws_default_region=REGION), 0
    elif way == "sail":
        with server_of_spark() as server:
            yield open_platform(folder, **settings, **place, spark_remote=f"sc://127.0.0.1:{SAIL_PORT}"), server
    else:
        yield open_platform(folder, **settings, **(place if way == "delta" else {})), 0


@contextmanager
def counted_s3(calls: Counter[str]) -> Iterator[dict[str, str]]:
    """Serve a bucket that counts requests; yields the variables that lead another process there.

    In the same process Delta's callbacks would hold the interpreter, and the server could not answer.
    """

    class Count(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            # It writes lines of some answers, as that to a part of a file, in colour.
            if found := re.search(r'"(?:\x1b\[\d+m)*([A-Z]+) ', record.getMessage()):
                calls[found[1]] += 1

    with serve_bucket() as bucket:
        log = logging.getLogger("werkzeug")  # a line for each request
        log.handlers, log.propagate = [Count()], False
        log.setLevel(logging.INFO)
        keys = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "test")
        yield {**os.environ, **keys, "AWS_ENDPOINT_URL_S3": bucket.endpoint}


def build(session: Session, platform: Platform) -> None:
    """Build every table of all days as a run does, inputs first."""
    for name in tables_to_build():
        days = None if CONTRACTS[name].table.write == "whole" else whole_range()
        for built in build_ranges(session, name, [days], platform.settings):
            assert not built.publication.breaches, (name, built.publication.breaches)


def peak_of(process: int) -> float:
    """Give the peak memory of another process in GB."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text("utf-8")) if process else None
    return int(found[1]) * 1024 / 1e9 if found else 0.0


def measure(way: str, traffic: Path, folder: Path, memory: str) -> dict[str, float]:
    """Load and build in this process."""
    with placed(way, folder, memory) as (platform, server):
        with platform.session() as session:
            # `load_files` is given the files; tables that no source fills are made empty.
            session.ensure(*(CONTRACTS[name] for name in build_order()))
            started = time.perf_counter()
            load_files(platform, session, traffic)
            loaded = time.perf_counter()
            build(session, platform)
            built = time.perf_counter()
            ((events,),) = session.rows("SELECT count(*) FROM cleaned.clickstream")
        places = (platform.settings.warehouse_path, folder / "tables")
        files = [each for place in places for each in ([place] if place.is_file() else place.rglob("*"))]
        return {
            "events": int(str(events)),
            "load": loaded - started,
            "build": built - loaded,
            "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
            "peak of Spark": peak_of(server),
            "bytes": sum(each.stat().st_size for each in files if each.is_file()),
        }


def run(way: str, traffic: Path, memory: str) -> dict[str, float]:
    """Measure in a separate process, on an empty folder."""
    calls: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        environment = stack.enter_context(counted_s3(calls)) if way == "s3" else dict(os.environ)
        command = [sys.executable, "-m", "benchmarks.scale", "--here", way, str(traffic), folder, memory]
        ran = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
    if ran.returncode:
        raise SystemExit(f"{WAYS[way]} failed.")
    found: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return found | {f"{method} requests": float(times) for method, times in sorted(calls.items())}


def figures_of(way: str, found: dict[str, float]) -> list[Figure]:
    """Say what a way took."""
    events, size = int(found["events"]), found["bytes"] / max(found["events"], 1)
    spark = f" + Spark's {found['peak of Spark']:.1f} GB" if found["peak of Spark"] else ""
    asked = ", ".join(f"{times:,.0f} {name}" for name, times in found.items() if name.endswith("requests"))
    note = asked or f"peak {found['peak']:.1f} GB{spark}, {size:,.0f} bytes an event"
    return [
        Figure(f"{WAYS[way]}: load", events, found["load"]),
        Figure(f"{WAYS[way]}: build", events, found["build"], note),
    ]


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, nargs="+", default=[1_000_000, 4_000_000])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=["duckdb", "delta", "sail"])
    parser.add_argument("--memory", default="2GB")
    parser.add_argument("--here", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        way, traffic, folder, memory = options.here
        print(json.dumps(measure(way, Path(traffic), Path(folder), memory)))
        return
    figures, facts = list[Figure](), {"days": DAYS, "warehouse_memory": options.memory}
    for events in options.events:
        with tempfile.TemporaryDirectory() as folder:
            if events > _SIMULATED:
                files = write_traffic(Path(folder), events).parent
            else:
                simulate(DAYS, round(events / DAYS / EVENTS_PER_VISITOR_DAY), 1, Path(folder), FIRST)
                files = Path(folder) / "clickstream"
            for way in options.ways:
                found = run(way, files, options.memory)
                figures += figures_of(way, found)
                facts |= {f"{WAYS[way]}, {events:,}: {name}": value for name, value in found.items()}
    report("scale", figures, {}, facts)


if __name__ == "__main__":
    main()
