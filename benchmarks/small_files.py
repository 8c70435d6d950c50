"""Many small files: what a file costs beyond its rows. The same rows as one file are the baseline.

python -m benchmarks.small_files
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from analytics_platform_tests.end_to_end.platform_run import clickstream
from analytics_platform_tests.kit import load_landed, open_house_of_tables
from benchmarks.report import Figure, report

FILES, ROWS = 500, 10


def measure(folder: Path, files: list[str]) -> tuple[float, float]:
    """Seconds, and CPU seconds of this process, to land and load files with these contents."""
    platform = open_house_of_tables(folder)
    for number, content in enumerate(files):
        platform.landing.joinpath(f"{number:04}.csv").write_text(content, "utf-8")
    with platform.session() as session:
        start, cpu = time.perf_counter(), time.process_time()
        loaded = load_landed(platform, session)
        assert sum(each.rows_accepted for each in loaded) == FILES * ROWS
        return time.perf_counter() - start, time.process_time() - cpu


def main() -> None:
    """Measure and report."""
    files = [clickstream(ROWS, name=f"n{number}-") for number in range(FILES)]
    header = files[0].partition("\n")[0]
    whole = "\n".join([header, *(content.partition("\n")[2].strip() for content in files), ""])
    with tempfile.TemporaryDirectory() as name:
        measure(Path(name) / "warm", [whole])
        one_s, one_cpu = measure(Path(name) / "one", [whole])
        many_s, many_cpu = measure(Path(name) / "many", files)
    report(
        "small_files",
        [
            Figure("one file", FILES * ROWS, one_s, f"{one_cpu:.2f} s CPU"),
            Figure(f"{FILES} files", FILES * ROWS, many_s, f"{many_cpu:.2f} s CPU"),
        ],
        {"many / one, CPU": many_cpu / one_cpu, "many / one, seconds": many_s / one_s},
        {
            "CPU ms per file beyond its rows": 1000 * (many_cpu - one_cpu) / (FILES - 1),
            "ms per file beyond its rows": 1000 * (many_s - one_s) / (FILES - 1),
        },
    )


if __name__ == "__main__":
    main()
