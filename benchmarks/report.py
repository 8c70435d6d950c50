"""Prints the figures of a benchmark as a table and keeps them as JSON."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measurement: what was done to how many rows, in which time. `note` says what to know of it."""

    what: str
    rows: int
    seconds: float
    note: str = ""

    @property
    def rate(self) -> float:
        """Rows per second."""
        return self.rows / self.seconds


def machine() -> dict[str, str | int | float]:
    """What the figures depend on: processor, memory, load, and versions of what does the work."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    versions = {name: version(name) for name in ("duckdb", "polars", "pandera", "pyarrow", "pydantic", "numpy")}
    return {
        "processor": model,
        "cores": os.cpu_count() or 0,
        "memory_gb": round(memory / 1e9, 1),
        "system": platform.platform(),
        "load_of_others": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        **versions,
    }


def _lines(path: str) -> list[str]:
    file = Path(path)
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def report(
    name: str, figures: Iterable[Figure], ratios: Mapping[str, float], facts: Mapping[str, str | int | float]
) -> None:
    """Print the figures, and write them to `benchmarks/results/<name>.json`."""
    figures = list(figures)
    table = Table("what", "rows", "seconds", "rows/s", "note", title=name)
    for figure in figures:
        table.add_row(figure.what, f"{figure.rows:,}", f"{figure.seconds:.2f}", f"{figure.rate:,.0f}", figure.note)
    console = Console(width=120)
    console.print(table)
    for what, value in [*ratios.items(), *facts.items()]:
        console.print(f"{what}: {value:.2f}" if isinstance(value, float) else f"{what}: {value}")
    content = {
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "figures": [{**asdict(figure), "rows_per_second": round(figure.rate)} for figure in figures],
        "ratios": dict(ratios),
        "facts": dict(facts),
        "machine": machine(),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
