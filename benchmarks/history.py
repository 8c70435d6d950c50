"""The cost of one more day with 10 and with 100 days of history: it should not grow.

`python -m benchmarks.history [--visitors 3000]`. The same last day is loaded and built, through the same calls as the
assets', into a warehouse with 10 days and into one with 100 days of history.
"""

from __future__ import annotations

import argparse
import datetime as dt
import shutil
import time
from pathlib import Path

from analytics_platform.demo.simulator import simulate
from analytics_platform.lake.register import SETTLED_S
from analytics_platform.transform import DayRange
from analytics_platform_tests.kit import build, load_landed, open_platform
from benchmarks.report import Figure, report

FIRST = dt.date(2026, 3, 1)
LONG, SHORT = 100, 10


def measure(folder: Path, history: int) -> tuple[int, float, float]:
    """(rows of the last day, seconds to load it, seconds to build it) after `history` days."""
    files = sorted((folder / "simulated" / "clickstream").iterdir())
    platform = open_platform(folder / f"history-{history}", partition_start=FIRST)
    old, last = files[LONG - history : LONG], files[LONG]
    day = FIRST + dt.timedelta(days=LONG)
    for path in old:
        shutil.copy(path, platform.landing)
    time.sleep(SETTLED_S + 0.5)  # files as old as real ones are when the next day arrives
    with platform.session() as session:
        load_landed(platform, session)
        build(session, DayRange(day - dt.timedelta(days=history), day - dt.timedelta(days=1)), platform.settings)
    shutil.copy(last, platform.landing)
    with platform.session() as session:
        started = time.perf_counter()
        (loaded,) = load_landed(platform, session)
        between = time.perf_counter()
        build(session, DayRange(day, day), platform.settings)
        return loaded.rows_read, between - started, time.perf_counter() - between


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visitors", type=int, default=3000)
    parser.add_argument("--folder", type=Path, default=Path("data/benchmarks/history"))
    options = parser.parse_args()
    shutil.rmtree(options.folder, ignore_errors=True)
    simulate(LONG + 1, options.visitors, 1, options.folder / "simulated", FIRST)
    figures, totals = [], {}
    for history in (SHORT, LONG):
        rows, load_s, build_s = measure(options.folder, history)
        totals[history] = load_s + build_s
        figures.append(Figure(f"load a day after {history} days", rows, load_s))
        figures.append(Figure(f"build a day after {history} days", rows, build_s))
    report("history", figures, {"a day after 100 days / after 10 days": totals[LONG] / totals[SHORT]}, {})


if __name__ == "__main__":
    main()
