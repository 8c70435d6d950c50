"""Random kills over all that changes a platform: load, publish, withdraw, erase, and the runs after them.

python -m analytics_platform_tests.reliability.chaos --kills 300 --seed 1 --warehouse duckdb

A round takes a new platform through all steps. Each step is killed by SIGKILL at some random boundaries, started again
after each, and once not killed. At the end tables, lake, landing folder and spreadsheets must be those of an
undisturbed round. Exits 1 if they differ, and keeps the folder.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TypeAlias

from analytics_platform_tests.kit import Contents, Platform, click, contents, open_platform, to_csv
from analytics_platform_tests.postgres import new_database
from analytics_platform_tests.reliability import postgres_victim, victim
from analytics_platform_tests.reliability.victim import Fuse, erase_client, run, withdraw

KILLS_PER_STEP = 6
"""The most kills of a step before it may come to its end."""

State: TypeAlias = tuple[Contents, dict[str, bytes]]
Step: TypeAlias = tuple[str, dict[str, str], Callable[[Platform], None]]


def rows_of(day: int, clients: int) -> str:
    """A file of a day: good rows, an order, two broken rows, and a duplicate."""
    good = [click(f"c{number}", f"2026-03-0{day}T10:{number:02}:00+00:00") for number in range(clients)]
    order = click("c1", f"2026-03-0{day}T10:30:00Z", "checkout_completed", data={"transaction_id": day, "revenue": 5})
    return to_csv([*good, order, click("", f"2026-03-0{day}T11:00:00+00:00"), click("c1", "yesterday"), good[0]])


STEPS: tuple[Step, ...] = (
    ("load and publish", {"day1.csv": rows_of(1, 8)}, run),
    ("load late data", {"day2.csv": rows_of(2, 9), "late.csv": rows_of(1, 7)}, run),
    ("withdraw", {}, withdraw),
    ("erase", {}, erase_client),
    ("load after", {"day3.csv": rows_of(3, 5)}, run),
    ("erase again", {}, erase_client),
    ("run", {}, run),
)
"""Name of a step, the files that are dropped before it, and what is done."""


class Round:
    """A new platform in a folder, in a DuckDB file or at the address of an empty PostgreSQL database."""

    def __init__(self, root: Path, url: str) -> None:
        self.root, self._url = root, url
        self.platform = postgres_victim.platform_at(root, url) if url else open_platform(root)

    def work(self, step: Step, length: int | None) -> tuple[int, int]:
        """Do a step in a child that is killed at a boundary: (its exit code, the boundaries it passed, if it lived)."""
        _, files, work = step
        for name, text in files.items():
            path = self.platform.landing / name
            if not path.exists():
                path.write_text(text, "utf-8")
        if self._url:
            return postgres_victim.burn_at(self.root, self._url, Fuse(length), work)
        return victim.kill_at(self.root, length, work)

    def state(self) -> State:
        """What the tables and the files hold."""
        with self.platform.session(read_only=True) as session:
            tables = contents(session)
        folders = [self.platform.settings.quarantine_dir, self.platform.landing]
        files = {path.name: path.read_bytes() for folder in folders for path in folder.glob("*.csv")}
        # A kill leaves drafts, which nothing reads: hidden ones, and those of metadata.
        names = (path.name for path in self.platform.lake.root.rglob("*") if path.suffix in (".csv", ".json"))
        lake = {name: b"" for name in names if not name.startswith(".")}
        return tables, lake | files


@contextmanager
def new_round(folder: Path, warehouse: str) -> Iterator[Round]:
    """Make a platform for a round."""
    root = Path(tempfile.mkdtemp(dir=folder)) / "data"
    with new_database() if warehouse == "postgresql" else nullcontext("") as url:
        yield Round(root, url)


def undisturbed(folder: Path, warehouse: str, steps: Sequence[Step]) -> tuple[list[int], State]:
    """Return the boundaries of each step, and what a round without kills leaves."""
    with new_round(folder, warehouse) as found:
        passed = []
        for step in steps:
            code, boundaries = found.work(step, None)
            assert code == 0, f"{step[0]} ended with {code}"
            passed.append(boundaries)
        return passed, found.state()


def chaos(
    folder: Path, warehouse: str, kills: int, seed: int, steps: Sequence[Step] = STEPS, per_step: int = KILLS_PER_STEP
) -> Counter[str]:
    """Kill `kills` times; returns step → its kills. Raises `AssertionError` if a round ends in another state."""
    chance, done = random.Random(seed), Counter[str]()
    boundaries, expected = undisturbed(folder, warehouse, steps)
    number = 0
    while done.total() < kills:
        number += 1
        with new_round(folder, warehouse) as found:
            for step, passed in zip(steps, boundaries, strict=True):
                for _ in range(min(per_step, kills - done.total())):
                    code, lived = found.work(step, chance.randrange(passed))
                    assert code in (0, -signal.SIGKILL), f"{step[0]} of round {number} ended with {code}: {found.root}"
                    passed = passed if code else lived  # what was done before a kill is not done again
                    done[step[0]] += code != 0
                assert found.work(step, None)[0] == 0, f"{step[0]} of round {number} failed: {found.root}"
            tables, files = found.state()
            differing = [name for name in expected[0] if tables.get(name) != expected[0][name]]
            assert not differing, f"round {number}: {differing} differ: {found.root}"
            others = sorted(
                name for name in files.keys() | expected[1].keys() if files.get(name) != expected[1].get(name)
            )
            assert not others, f"round {number}: {others} differ: {found.root}"
        print(f"round {number}: {done.total()} kills, equal", flush=True)
    return done


def main() -> None:
    """Read the options, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--per-step", type=int, default=KILLS_PER_STEP)
    parser.add_argument("--warehouse", choices=["duckdb", "postgresql"], default="duckdb")
    options = parser.parse_args()
    multiprocessing.set_forkserver_preload(["analytics_platform_tests.reliability.postgres_victim"])
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    try:
        done = chaos(folder, options.warehouse, options.kills, options.seed, per_step=options.per_step)
    except AssertionError as error:
        sys.exit(f"seed {options.seed}: {error}")
    figures = ", ".join(f"{count} {name}" for name, count in done.items())
    took = time.monotonic() - started
    print(f"{done.total():,} kills on {options.warehouse}, seed {options.seed}, {took:,.0f} s: all equal ({figures})")


if __name__ == "__main__":
    main()
