from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from analytics_platform_tests.kit import Contents, click, contents, open_platform, to_csv
from analytics_platform_tests.reliability.victim import kill_at, run
from analytics_platform_tests.slow import spread

SAMPLES, QUICK = 40, 4
"""Boundaries that are tried, spread evenly over all of them, and how many of them `make test` tries."""


def rows_of(day: int, clients: int) -> str:
    """A file of a day: good rows, two broken ones, and a duplicate."""
    good = [click(f"c{number}", f"2026-03-0{day}T10:{number:02}:00+00:00") for number in range(clients)]
    return to_csv([*good, click("", f"2026-03-0{day}T11:00:00+00:00"), click("c1", "yesterday"), good[0]])


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A platform that has loaded and published one day, with files of two more days waiting."""
    root = tmp_path_factory.mktemp("start") / "data"
    platform = open_platform(root)
    platform.landing.joinpath("day1.csv").write_text(rows_of(1, 20), "utf-8")
    run(platform)
    platform.landing.joinpath("day2.csv").write_text(rows_of(2, 30), "utf-8")
    platform.landing.joinpath("late.csv").write_text(rows_of(1, 25), "utf-8")
    return root


def _state(root: Path) -> tuple[Contents, dict[str, str]]:
    platform = open_platform(root)
    with platform.session() as session:
        tables = contents(session)
    folder = platform.settings.quarantine_dir
    return tables, {path.name: path.read_text("utf-8-sig") for path in folder.glob("*_errors.csv")}


@pytest.fixture(scope="module")
def undisturbed(start: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, tuple[Contents, dict[str, str]]]:
    """The number of boundaries of a run that is not killed, and its tables."""
    root = tmp_path_factory.mktemp("undisturbed") / "data"
    shutil.copytree(start, root)
    code, passed = kill_at(root, None)
    assert code == 0
    return passed, _state(root)


def test_a_run_has_boundaries_to_be_killed_at(undisturbed: tuple[int, object]) -> None:
    assert undisturbed[0] > SAMPLES


@pytest.mark.parametrize("sample", spread(SAMPLES, QUICK))
def test_killed_anywhere_a_rerun_ends_with_the_tables_of_an_undisturbed_run(
    sample: int, start: Path, undisturbed: tuple[int, tuple[Contents, dict[str, str]]], tmp_path: Path
) -> None:
    boundaries, expected = undisturbed
    root = tmp_path / "data"
    shutil.copytree(start, root)

    code, _ = kill_at(root, sample * boundaries // SAMPLES)
    assert code == -signal.SIGKILL
    run(open_platform(root))

    assert _state(root) == expected
