"""The gate against a bare load of the same file, and against row-wise validation.

`python -m benchmarks.gate` measures in one run, each on a fresh database:
(a) DuckDB's `CREATE TABLE AS read_csv(all varchar)`, which rejects what it cannot parse and checks nothing;
(b) the gate and the load, through the calls the asset uses;
(c) Polars' reader, a pydantic model per row, and an insert, on a slice of the file, scaled by its rows.
`python -m benchmarks.gate --memory` measures the peak memory of a process that does (b) on 2 GB.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import itertools
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl
from pydantic import AwareDatetime, BaseModel, Json, ValidationError, field_validator
from rich.progress import track

from analytics_platform.catalog import CONTRACTS
from analytics_platform.gate import Origin, read_csv, validate
from analytics_platform.settings import load_settings
from analytics_platform.warehouse import BatchCard, load_batch
from analytics_platform.warehouse.duckdb import DuckDBWarehouse
from benchmarks.clickstream import HEADER, clickstream
from benchmarks.report import Figure, report

ARRIVED = dt.datetime(2026, 10, 5, tzinfo=dt.UTC)
EARLIEST = dt.datetime(2010, 1, 1, tzinfo=dt.UTC)
PYDANTIC_ROWS = 200_000
MEMORY = load_settings().warehouse_memory


@dataclass(frozen=True, slots=True)
class Run:
    """One run: rows read, seconds until they are committed, and until the database is closed as well."""

    rows: int
    committed: float
    closed: float


def measured(work: Callable[[duckdb.DuckDBPyConnection], int], database: Path) -> Run:
    """One run of `work` on a fresh database."""
    connection = duckdb.connect(str(database))
    start = time.perf_counter()
    rows = work(connection)
    committed = time.perf_counter()
    connection.close()
    return Run(rows, committed - start, time.perf_counter() - start)


def fastest(runs: Sequence[Run]) -> Run:
    """The rows of the runs and the shortest times."""
    return Run(runs[0].rows, min(run.committed for run in runs), min(run.closed for run in runs))


def bare_load(path: Path, folder: Path) -> Run:
    """Part (a). Its rows are those it could parse."""
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in HEADER)

    def work(connection: duckdb.DuckDBPyConnection) -> int:
        loaded = connection.execute(
            f"""
            CREATE TABLE clickstream AS SELECT * FROM read_csv(
                '{path}', auto_detect=false, columns={{{columns}}}, header=true, delim=',', quote='"',
                escape='"', store_rejects=true, max_line_size=10000000
            )
            """
        )
        return int(str(loaded.fetchall()[0][0]))

    return measured(work, folder / "bare.duckdb")


def gate_load(path: Path, folder: Path) -> Run:
    """Part (b)."""
    contract = CONTRACTS["cleaned.clickstream"]
    card = BatchCard("benchmark", "clickstream", path.name, "-", ARRIVED, "benchmark")
    warehouse = DuckDBWarehouse(folder / "gate.duckdb", MEMORY)
    with warehouse.session() as session, path.open("rb", buffering=1 << 20) as stream:
        start = time.perf_counter()
        verdicts = validate(read_csv(stream, contract), contract, Origin(card.batch_id, ARRIVED, EARLIEST))
        loaded = load_batch(session, contract, card, verdicts)
        committed = time.perf_counter()
    return Run(loaded.rows_read, committed - start, time.perf_counter() - start)


class Event(BaseModel):
    """The contract of the clickstream, as one would write it row-wise."""

    client_id: str
    page_url: str | None
    referrer: str | None
    timestamp: AwareDatetime
    event_name: str
    event_data: Json[object] | None
    user_agent: str | None

    @field_validator("timestamp")
    @classmethod
    def _in_range(cls, value: dt.datetime) -> dt.datetime:
        if not EARLIEST <= value <= ARRIVED + dt.timedelta(days=1):
            raise ValueError("out of range")
        return value


def _slice(path: Path, folder: Path, rows: int) -> Path:
    """The first rows of a file that a strict CSV parser reads, for Polars' reader stops at the first it cannot."""
    whole = folder / f"slice_{rows}.csv"
    with path.open("rb") as source, whole.open("wb") as target:
        lines = (line for line in source if line.count(b'"') % 2 == 0 and line.isascii())
        target.writelines(itertools.islice((line for line in lines if _is_whole(line)), rows + 1))
    return whole


def _is_whole(line: bytes) -> bool:
    return len(next(csv.reader([line.decode()]))) == len(HEADER)


def row_wise_load(path: Path, folder: Path) -> Run:
    """Part (c)."""

    def work(connection: duckdb.DuckDBPyConnection) -> int:
        frame = pl.read_csv(path, infer_schema=False, schema=dict.fromkeys(HEADER, pl.String))
        accepted = []
        for row in frame.iter_rows(named=True):
            with suppress(ValidationError):
                accepted.append(Event.model_validate(row).model_dump(round_trip=True))
        incoming = pl.DataFrame(accepted, schema_overrides={"event_data": pl.String}).to_arrow()
        connection.register("incoming", incoming)
        connection.execute("CREATE TABLE clickstream AS SELECT * FROM incoming")
        return frame.height

    return measured(work, folder / "rows.duckdb")


def compare(folder: Path, rows: int, repeat: int) -> None:
    """Measure the parts in turns, so that other load on the machine affects all equally, and report.

    (a) and (b) also on a file whose quotes all end: after one that does not, DuckDB's reader loses many good rows, and
    takes longer.
    """
    path, small = clickstream(folder, rows), clickstream(folder, 1_000)
    tidy = clickstream(folder, rows, quotes_end=True)
    part = _slice(path, folder, min(PYDANTIC_ROWS, rows))
    with tempfile.TemporaryDirectory() as scratch:
        gate_load(small, Path(scratch))  # imports and caches
    works: dict[str, Callable[[Path], Run]] = {
        "a": lambda scratch: bare_load(path, scratch),
        "b": lambda scratch: gate_load(path, scratch),
        "tidy a": lambda scratch: bare_load(tidy, scratch),
        "tidy b": lambda scratch: gate_load(tidy, scratch),
        "c": lambda scratch: row_wise_load(part, scratch),
    }
    runs: dict[str, list[Run]] = {name: [] for name in works}
    for _ in track(range(repeat), description="measuring"):
        for name, work in works.items():
            with tempfile.TemporaryDirectory() as scratch:
                runs[name].append(work(Path(scratch)))
    _report({name: fastest(found) for name, found in runs.items()}, path, repeat)


def _report(run: dict[str, Run], path: Path, repeat: int) -> None:
    bare, gate, row_wise = run["a"], run["b"], run["c"]
    scaled = row_wise.committed * gate.rows / row_wise.rows
    report(
        "gate",
        [
            Figure("a  CREATE TABLE AS read_csv(all varchar)", bare.rows, bare.committed, "what it could parse"),
            Figure("b  gate and load", gate.rows, gate.committed),
            Figure("c  Polars, pydantic per row, insert", gate.rows, scaled, f"from {row_wise.rows:,} rows"),
            Figure("a  until the database is closed", bare.rows, bare.closed),
            Figure("b  until the database is closed", gate.rows, gate.closed),
            Figure("a  where every quote ends", run["tidy a"].rows, run["tidy a"].committed, "what it could parse"),
            Figure("b  where every quote ends", run["tidy b"].rows, run["tidy b"].committed),
        ],
        {
            "b / a (aim 1.3, at most 2)": gate.committed / bare.committed,
            "b / a until closed": gate.closed / bare.closed,
            "b / a where every quote ends (aim 1.3, at most 2)": run["tidy b"].committed / run["tidy a"].committed,
            "c / b (at least 4)": scaled / gate.committed,
        },
        {"file": f"{path.stat().st_size / 1e6:,.0f} MB", "turns, fastest taken": repeat},
    )


def measure_memory(folder: Path, rows: int) -> None:
    """Report the peak memory of a separate process that gates a large file."""
    path = clickstream(folder, rows)
    start = time.perf_counter()
    found = subprocess.run(
        [sys.executable, "-m", "benchmarks.gate", "--peak-of", str(path)], check=True, capture_output=True, text=True
    )
    seconds = time.perf_counter() - start
    peak = int(found.stdout.split()[-1]) / 1e6
    size = f"{path.stat().st_size / 1e9:.2f} GB"
    report(
        "gate_memory",
        [Figure("gate and load in a separate process", rows, seconds, size)],
        {"peak memory in GB (under 1.5)": peak},
        {"file": size, "warehouse_memory": MEMORY},
    )


def _print_peak(path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        gate_load(path, Path(folder))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 // 1000)


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, help="rows of the file (2 M, or 10.5 M with --memory)")
    parser.add_argument("--repeat", type=int, default=3, help="turns; the fastest counts")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "analytics_platform_benchmarks")
    parser.add_argument("--memory", action="store_true", help="measure peak memory instead of time")
    parser.add_argument("--clean", action="store_true", help="remove the generated files afterwards")
    parser.add_argument("--peak-of", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak_of:
        _print_peak(arguments.peak_of)
    elif arguments.memory:
        measure_memory(arguments.folder, arguments.rows or 10_500_000)
    else:
        compare(arguments.folder, arguments.rows or 2_000_000, arguments.repeat)
    if arguments.clean:
        shutil.rmtree(arguments.folder)


if __name__ == "__main__":
    main()
