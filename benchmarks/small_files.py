"""Many small files: what a file costs the command `materialize` beyond its rows, from landing folder to reports.

python -m benchmarks.small_files

The same rows in one file are the baseline, and the difference between few files and many leaves out what a run costs.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from analytics_platform_tests.end_to_end.platform_run import clickstream
from benchmarks.overhead import COMMAND, cpu_seconds
from benchmarks.report import Figure, report

FEW, MANY, ROWS = 50, 450, 10


def measure(folder: Path, files: list[str]) -> float:
    """CPU seconds of the command over a new platform with these files."""
    landing = folder / "landing" / "clickstream"
    landing.mkdir(parents=True)
    for number, content in enumerate(files):
        landing.joinpath(f"{number:04}.csv").write_text(content, "utf-8")
    return cpu_seconds(COMMAND, folder)


def main() -> None:
    """Measure and report."""
    files = [clickstream(ROWS, name=f"n{number}-") for number in range(MANY)]
    header = files[0].partition("\n")[0]
    seconds = {}
    with tempfile.TemporaryDirectory() as name:
        for count in (FEW, MANY):
            rows = (content.partition("\n")[2].strip() for content in files[:count])
            for kind, given in (("one file", ["\n".join([header, *rows, ""])]), ("files", files[:count])):
                seconds[kind, count] = measure(Path(name) / f"{kind} {count}", given)
    one, many = (seconds[kind, MANY] - seconds[kind, FEW] for kind in ("one file", "files"))
    figures = [Figure(f"{kind}, rows of {count} (CPU)", count * ROWS, cpu) for (kind, count), cpu in seconds.items()]
    report(
        "small_files",
        figures,
        {"files / one file, CPU": seconds["files", MANY] / seconds["one file", MANY]},
        {
            "CPU ms per file": 1000 * many / (MANY - FEW),
            "CPU ms per file beyond its rows": 1000 * (many - one) / (MANY - FEW),
        },
    )


if __name__ == "__main__":
    main()
