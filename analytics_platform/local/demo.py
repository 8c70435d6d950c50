"""The demo: the main job on simulated traffic, then every figure held against the simulator's truth.

It runs what a user runs (`dagster asset materialize`), twice: on the files of each day, then again when late files have
arrived. The same folder then serves the UI (`make ui`).
"""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType

from rich.console import Console
from rich.table import Table

from analytics_platform.assets.resources import warehouse_of
from analytics_platform.settings import Settings, load_settings
from analytics_platform.simulator import Totals, simulate
from analytics_platform.warehouse import DuckDBSession

MARK = ".demo"
"""A file that says: this folder was made by the demo, which may empty it."""

DAGSTER_YAML = Path(__file__).parent / "dagster.yaml"
_STEP = re.compile(r"Finished execution of step \"(?P<step>\S+)\" in (?P<took>\S+)\.$")
_ERROR = re.compile(r"dagster\._core\.definitions\.events\.Failure: (?P<words>.*)$")


def run_demo(days: int, visitors: int, seed: int) -> bool:
    """Simulate, load, compare, twice; True if every table says what the truth says."""
    console = Console()
    settings = load_settings()
    folder = settings.data_dir
    _empty(folder)
    first = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=days)
    last = first + dt.timedelta(days=days - 1)
    console.print(f"Simulating {days} days of traffic, {first} to {last}, into {folder / 'simulated'} …")
    truth = simulate(days, visitors, seed, folder / "simulated", first)
    environment = _prepare(folder, first)
    ok = True
    for title, part, totals in (
        ("the files of each day", "simulated/clickstream", truth.before_late),
        ("the late files", "simulated/late/clickstream", truth),
    ):
        shutil.copytree(folder / part, settings.landing_dir / "clickstream", dirs_exist_ok=True)
        console.print(f"\nMaterializing all assets for {first}...{last} with {title} …")
        if not _materialize(console, environment, folder / "run.log", f"{first}...{last}"):
            return False
        ok &= _compare(console, settings, totals, f"After {title}")
    _say_where(console, settings, folder)
    return ok


def _empty(folder: Path) -> None:
    """Start from an empty folder; one that the demo did not make is left alone."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARK).exists():
            sys.exit(f"analytics-platform: DATA_DIR={folder} holds other data; give the demo a folder of its own.")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).touch()


def _prepare(folder: Path, first: dt.date) -> Mapping[str, str]:
    """The environment of the demo's runs, also written to `demo.env` for the UI."""
    home = (folder / "dagster").resolve()
    home.mkdir()
    shutil.copy(DAGSTER_YAML, home / "dagster.yaml")
    own = {
        "DAGSTER_HOME": str(home),
        "DATA_DIR": str(folder.resolve()),
        "PARTITION_START": first.isoformat(),
    }
    (folder / "demo.env").write_text("".join(f"{name}={value}\n" for name, value in own.items()), "utf-8")
    return {**os.environ, **own}


def _materialize(console: Console, environment: Mapping[str, str], log: Path, days: str) -> bool:
    command = [sys.executable, "-m", "dagster", "asset", "materialize", "--select", "*"]
    command += ["--partition-range", days, "-m", "analytics_platform.definitions"]
    with log.open("a", encoding="utf-8") as file:
        process = subprocess.Popen(
            command, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert process.stdout is not None
        failures = list(_follow(console, process.stdout, file.write))
    if process.wait() == 0:
        return True
    console.print(f"[red]The run failed.[/] {' '.join(dict.fromkeys(failures))} The whole log is in {log}.")
    return False


def _follow(console: Console, lines: Iterable[str], keep: Callable[[str], object]) -> Iterator[str]:
    """Show the steps as they end and keep the whole log; yields the sentences of failures."""
    for line in lines:
        keep(line)
        if step := _STEP.search(line.rstrip()):
            console.print(f"  {step['step'].replace('__', '.'):36} {step['took']:>8}", highlight=False)
        elif error := _ERROR.search(line.rstrip()):
            yield error["words"]


_TOTALS = """
SELECT
    (SELECT count(*) FROM ops.pipeline_logs) AS files,
    (SELECT sum(rows_read)::BIGINT FROM ops.pipeline_logs) AS rows_read,
    (SELECT count(*) FROM star.fact_events) AS rows_accepted,
    (SELECT sum(rows_duplicate)::BIGINT FROM ops.pipeline_logs) AS rows_duplicate,
    (SELECT count(*) FROM ops.quarantine) AS rows_quarantined,
    (SELECT count(DISTINCT customer_key) FROM star.fact_events) AS clients,
    (SELECT count(*) FROM star.fact_sessions) AS sessions,
    (SELECT count(*) FILTER (WHERE is_bounce) FROM star.fact_sessions) AS bounces,
    (SELECT count(*) FROM star.fact_orders) AS orders,
    (SELECT sum(revenue) FROM star.fact_orders) AS revenue,
    (SELECT count(*) FILTER (WHERE is_bot) FROM star.fact_events) AS bot_events,
    (SELECT count(*) FILTER (WHERE is_bot) FROM star.fact_sessions) AS bot_sessions
"""

_GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "quarantined_by_reason": "SELECT error_reason, count(*) FROM ops.quarantine GROUP BY 1",
        "events_by_day": "SELECT event_date, count(*) FROM star.fact_events GROUP BY 1",
        "sessions_by_day": "SELECT session_date, count(*) FROM star.fact_sessions GROUP BY 1",
        "orders_by_day": "SELECT order_date, count(*) FROM star.fact_orders GROUP BY 1",
        "revenue_by_day": "SELECT order_date, sum(revenue) FROM star.fact_orders GROUP BY 1",
    }
)


def read_totals(session: DuckDBSession) -> dict[str, object]:
    """What the tables say, in the shape of the simulator's `Totals`; money as text."""
    single = session.frame(_TOTALS).row(0, named=True)
    found: dict[str, object] = {name: str(value) if name == "revenue" else value for name, value in single.items()}
    for name, sql in _GROUPS.items():
        as_text = name == "revenue_by_day"
        found[name] = {str(key): str(value) if as_text else value for key, value in session.rows(sql)}
    return found


def _compare(console: Console, settings: Settings, totals: Totals, title: str) -> bool:
    with warehouse_of(settings).session(read_only=True) as session:
        found = read_totals(session)
    table = Table("", "truth", "tables", "", title=title)
    same = True
    for name, expected in asdict(totals).items():
        if name not in found:
            continue
        equal = found[name] == (dict(expected) if isinstance(expected, Mapping) else expected)
        same &= equal
        table.add_row(name, _short(expected), _short(found[name]), "[green]=[/]" if equal else "[red]≠[/]")
    console.print(table)
    return same


def _short(value: object) -> str:
    if isinstance(value, Mapping):
        return f"{len(value)} values"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _say_where(console: Console, settings: Settings, folder: Path) -> None:
    console.print(f"\nTables      {settings.warehouse_path}")
    console.print(f"Findings    {settings.reports_dir / 'findings.html'}")
    console.print(f"Quarantine  {settings.quarantine_dir}")
    console.print("Look        make ui")
