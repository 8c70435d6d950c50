"""What a run costs beside the SQL: a folder with 50 rows of 5 days, loaded and built by the command people type.

`python -m benchmarks.overhead`. CPU seconds of the whole process, fresh data folder and again without news. The
baseline of the same run is a process that only imports the definitions.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import dagster as dg

from analytics_platform.orchestration.build import build_definitions
from analytics_platform.settings import load_settings
from benchmarks.report import Figure, report

HEADER = "client_id,page_url,referrer,timestamp,event_name,event_data,user_agent"
DAYS, ROWS_A_DAY = 5, 10
COMMAND = [sys.executable, "-m", "analytics_platform.cli.main", "materialize"]


def write_files(landing: Path) -> None:
    """A file a day, with a page view a minute."""
    landing.mkdir(parents=True)
    for day in range(1, DAYS + 1):
        rows = [
            f"c{number},https://shop.example/p/{number},,2026-03-{day:02d}T10:{number:02d}:00Z,page_viewed,,Mozilla/5.0"
            for number in range(ROWS_A_DAY)
        ]
        (landing / f"day{day}.csv").write_text("\n".join([HEADER, *rows]) + "\n", "utf-8")


def cpu_seconds(command: list[str], folder: Path) -> float:
    """User and system time of a process and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
    environment |= {"DATA_DIR": str(folder), "PARTITION_START": "2026-01-01"}
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure and report."""
    folder = Path("data/benchmarks/overhead").resolve()
    shutil.rmtree(folder, ignore_errors=True)
    write_files(folder / "landing" / "clickstream")
    imports = cpu_seconds([sys.executable, "-c", "import analytics_platform.definitions"], folder)
    first = cpu_seconds(COMMAND, folder)  # loads, then builds the days that touches
    again = cpu_seconds(COMMAND, folder)
    os.environ["DAGSTER_HOME"] = str(folder / "dagster")
    with dg.DagsterInstance.get() as instance:
        runs = sorted(instance.get_run_records(), key=lambda record: record.create_timestamp)
        events = [len(instance.all_logs(record.dagster_run.run_id)) for record in runs]
    graph = build_definitions(load_settings(data_dir=folder)).resolve_asset_graph()
    report(
        "overhead",
        [
            Figure("import the definitions (CPU)", DAYS * ROWS_A_DAY, imports),
            Figure("load and build everything (CPU)", DAYS * ROWS_A_DAY, first),
            Figure("again, nothing new (CPU)", DAYS * ROWS_A_DAY, again),
        ],
        {"load and build / import": first / imports, "again / import": again / imports},
        {
            "checks": len(graph.asset_check_keys),
            "events of the load": events[0],
            "events of the build": events[1],
        },
    )


if __name__ == "__main__":
    main()
