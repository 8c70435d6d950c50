"""One CSV larger than memory, loaded and built into Delta tables: seconds and peak memory of each step.

`python -m benchmarks.large [--events 50000000] [--memory 2GB] [--folder FOLDER]`. The file has some 205 bytes a row, so
50 million rows are 10 GB. Load and build run in processes of their own, so that each has its own peak.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import duckdb

from analytics_platform.catalog import CONTRACTS
from analytics_platform.transform import build_order
from analytics_platform.warehouse.build import build_ranges, tables_to_build
from analytics_platform_tests.kit import load_files, open_platform
from benchmarks.models import DAYS, FIRST, whole_range
from benchmarks.report import Figure, report

_TRAFFIC = """
COPY (
    WITH places AS (SELECT range AS n, range // 8 AS visit, range % 8 AS step FROM range({events})),
    visits AS (
        SELECT
            *,
            hash(visit) % greatest({events} // 40, 1) AS client,
            hash(visit + 1) % 200 AS product,
            hash(visit + 2) % 40 AS browser,
            make_timestamp(epoch_us(TIMESTAMP '{first}') + CAST(visit * {step_us} AS BIGINT) + step * 17000000)
                AS seen_at
        FROM places
    )
    SELECT
        format('{{:016x}}', hash(client)) AS client_id,
        'https://www.shop.example/tables/item-' || product AS page_url,
        CASE step WHEN 0 THEN CASE client % 3 WHEN 0 THEN 'https://www.google.com/' WHEN 1 THEN 'https://t.co/x' END END
            AS referrer,
        strftime(seen_at, '%Y-%m-%dT%H:%M:%S.') || lpad(CAST(n % 1000 AS VARCHAR), 3, '0') || 'Z' AS timestamp,
        CASE step
            WHEN 3 THEN 'view_item_list' WHEN 4 THEN 'view_item' WHEN 5 THEN 'add_to_cart'
            WHEN 7 THEN CASE WHEN visit % 10 = 0 THEN 'purchase' ELSE 'page_view' END
            ELSE 'page_view'
        END AS event_name,
        CASE
            WHEN step IN (3, 4, 5) THEN
                '{{"items": [{{"item_id": "p' || product || '", "item_name": "Bed ' || product
                || '", "price": 12.5}}]}}'
            WHEN step = 7 AND visit % 10 = 0 THEN
                '{{"transaction_id": "T' || visit || '", "value": 12.5, "items": [{{"item_id": "p' || product
                || '", "quantity": 1, "price": 12.5}}]}}'
        END AS event_data,
        'Mozilla/5.0 (X11; Linux x86_64; rv:' || (80 + browser) || '.0) Gecko/20100101 Firefox/' || (80 + browser)
            || '.0' AS user_agent
    FROM visits
) TO '{path}' (FORMAT csv, HEADER)
"""


def write_traffic(folder: Path, events: int) -> Path:
    """Write one CSV with visits of eight events; a tenth of them buy. Kept in the folder for the next run."""
    path = folder / "traffic" / f"clickstream_{events}.csv"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".part")
        step_us = DAYS * 86_400_000_000 * 8 / events * 0.999
        duckdb.execute(_TRAFFIC.format(events=events, first=FIRST, step_us=step_us, path=draft))
        draft.rename(path)
    return path


def measure(step: str, traffic: Path, folder: Path, memory: str) -> dict[str, float]:
    """Load or build in this process; peak in GB."""
    platform = open_platform(
        folder, partition_start=FIRST, warehouse_memory=memory, warehouse_url=f"lake://{folder}/tables"
    )
    started = time.perf_counter()
    with platform.session() as session:
        if step == "load":
            session.ensure(*(CONTRACTS[name] for name in build_order()))
            load_files(platform, session, traffic.parent)
        else:
            for name in tables_to_build():
                days = None if CONTRACTS[name].table.write == "whole" else whole_range()
                for built in build_ranges(session, name, [days], platform.settings):
                    assert not built.publication.breaches, (name, built.publication.breaches)
                print(f"{time.perf_counter() - started:8.0f} s {name}", file=sys.stderr, flush=True)
        ((events,),) = session.rows(
            f"SELECT count(*) FROM {'cleaned.clickstream' if step == 'load' else 'star.fact_events'}"
        )
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "events": int(str(events)),
        "seconds": time.perf_counter() - started,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": usage.ru_maxrss * 1024 / 1e9,
    }


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=50_000_000)
    parser.add_argument("--memory", default="2GB")
    parser.add_argument("--folder", type=Path, default=Path("data/large"))
    parser.add_argument("--steps", nargs="+", choices=["load", "build"], default=["load", "build"])
    parser.add_argument("--here", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        step, traffic, folder = options.here
        print(json.dumps(measure(step, Path(traffic), Path(folder), options.memory)))
        return
    traffic = write_traffic(options.folder.absolute(), options.events)
    figures, facts = list[Figure](), {"warehouse_memory": options.memory, "bytes": traffic.stat().st_size}
    folder = options.folder.absolute() / f"platform_{dt.datetime.now():%H%M%S}"
    for step in options.steps:
        command = [sys.executable, "-m", "benchmarks.large", "--memory", options.memory]
        command += ["--here", step, str(traffic), str(folder)]
        ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        found: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
        note = f"peak {found['peak']:.2f} GB, {found['cpu']:,.0f} CPU s"
        figures.append(Figure(step, int(found["events"]), found["seconds"], note))
        facts |= {f"{step}: {name}": value for name, value in found.items()}
    report("large", figures, {}, facts)


if __name__ == "__main__":
    main()
