"""`analytics-platform materialize`: what people type, and what they see."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeAlias

import dagster as dg
import pytest

from analytics_platform.cli.commands import run_command
from analytics_platform.orchestration import build, launch
from analytics_platform.orchestration.jobs import ARRIVALS, INGEST
from analytics_platform.settings import Settings
from analytics_platform.warehouse.versions import OTHER_VERSION
from analytics_platform_tests.end_to_end.platform_run import clickstream
from analytics_platform_tests.kit import load_landed, needed, open_platform


class Ended(NamedTuple):
    """What a command left: its exit code, and what it wrote."""

    returncode: int
    stdout: str
    stderr: str


Run: TypeAlias = Callable[..., Ended]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """The command line in this process: to start another for each command took half the time of these tests."""

    def call(*arguments: str, command: str = "materialize") -> Ended:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["analytics-platform", command, *arguments])
            own = {"DATA_DIR": str(tmp_path), "PARTITION_START": "2026-01-01", "COLUMNS": "80"}
            for name, value in {**own, "DAGSTER_HOME": "", "DAGSTER_EVENT_BATCH_SIZE": ""}.items():
                patch.setenv(name, value)
            for name in ("DAGSTER_HOME", "DAGSTER_EVENT_BATCH_SIZE"):  # which the command sets
                patch.delenv(name)
            with pytest.raises(SystemExit) as ended:
                run_command()
        return Ended(int(str(ended.value.code or 0)), *capfd.readouterr())

    return call


WHOLE = build.build_definitions
LINE = frozenset(
    dg.AssetKey(name.split("."))
    for name in {"raw.clickstream", "cleaned.clickstream", *needed("marts.daily_trends")}
    if name.split(".") not in [key.path for key in ARRIVALS] or name.endswith(".clickstream")
)


def _only_line(settings: Settings) -> dg.Definitions:
    """Give what lies between files of clickstream and a mart: a run of all other assets takes twice as long again."""
    whole = WHOLE(settings)
    assets = [each for each in whole.assets or () if isinstance(each, dg.AssetsDefinition) and each.key in LINE]
    checks = [each for each in whole.asset_checks or () if {key.asset_key for key in each.check_keys} <= LINE]
    jobs = [dg.define_asset_job(INGEST, [*(ARRIVALS & LINE)])]
    return dg.Definitions(assets, jobs=jobs, asset_checks=checks, resources=whole.resources, executor=whole.executor)


@pytest.fixture
def only_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the commands know the assets of one source and one mart."""
    monkeypatch.setattr(build, "build_definitions", _only_line)


def _drop(folder: Path, content: str, name: str = "day.csv") -> None:
    landing = folder / "landing" / "clickstream"
    landing.mkdir(parents=True, exist_ok=True)
    (landing / name).write_text(content, "utf-8")


@pytest.mark.usefixtures("only_line")
def test_without_days_it_loads_what_arrived_and_builds_the_days_of_all_that_is_not_built(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day was loaded and not built, as after a kill in between; then a file came."""
    monkeypatch.setenv("EXPECTS_ORDERS", "false")
    _drop(tmp_path, clickstream(100))
    platform = open_platform(tmp_path, partition_start="2026-01-01")
    with platform.session() as session:
        load_landed(platform, session)
    _drop(tmp_path, clickstream(50, day="2026-03-02"), "more.csv")

    done = run()

    assert done.returncode == 0, done.stdout + done.stderr
    with platform.session(read_only=True) as session:
        found = session.rows("SELECT date, events FROM marts.daily_trends WHERE events > 0 ORDER BY 1")
    assert found == [(dt.date(2026, 3, 1), 100), (dt.date(2026, 3, 2), 50)]
    # It prints a line per step and no debug lines.
    assert "DEBUG" not in done.stdout + done.stderr
    assert len(done.stdout.splitlines()) < len(LINE) + 10
    assert any(line.split()[:1] == ["marts.daily_trends"] for line in done.stdout.splitlines())
    # Its history is where the UI looks for it.
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    with dg.DagsterInstance.get() as instance:
        assert {each.status for each in instance.get_runs()} == {dg.DagsterRunStatus.SUCCESS}
        assert all(each.remote_job_origin for each in instance.get_runs()), "the timeline does not show it"
    # Of each table only the days that its windows reach are built.
    _drop(tmp_path, clickstream(20, day="2026-03-02", name="late"), "late.csv")
    assert run().returncode == 0
    with platform.session(read_only=True) as session:
        latest = "run_id = (SELECT arg_max(run_id, checked_at) FROM ops.rule_results)"
        built = session.rows(f"SELECT DISTINCT table_name, first_day, last_day FROM ops.rule_results WHERE {latest}")
    days = {table: (first, last) for table, first, last in built}
    assert days["cleaned.events"] == (dt.date(2026, 3, 2), dt.date(2026, 3, 2))
    assert days["sessionized.sessions"] == (dt.date(2026, 3, 1), dt.date(2026, 3, 2))
    # A second run without news reads nothing and logs no failed check.
    again = run()
    assert again.returncode == 0
    assert again.stdout.splitlines()[-1] == "Nothing new was loaded: no day to build."
    assert "check" not in again.stdout
    assert run(command="status").stdout.splitlines()[-1] == "Next: Nothing to do."
    # A table that another version built is replaced, and all days are built again.
    with platform.session() as session:
        sessions = session.count("star.fact_sessions")
        session.execute("ALTER TABLE star.fact_sessions ADD COLUMN colour VARCHAR")
        session.execute("DROP TABLE ops.person_links")
    # Not for some tables or days alone: others would lack rows.
    assert run("--select", "marts/daily_trends") == (1, "", f"{OTHER_VERSION}\n")
    refused = run("--days", "2026-03-02")
    assert refused.stderr.endswith("run `analytics-platform materialize` without --days first, it upgrades it.\n")
    assert (refused.returncode, refused.stdout) == (1, "")
    with platform.session(read_only=True) as session:
        assert session.count("star.fact_sessions") == sessions
    # Killed within an upgrade, it leaves all days to be built, and status says so.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launch, "_run", lambda *_: [("cleaned__clickstream", "killed")])
        upgraded = run().stdout.splitlines()
    waits = "Next: An upgrade has not ended, all days wait to be built: run `analytics-platform materialize`."
    assert run(command="status").stdout.splitlines()[-1] == waits
    assert run("--days", "2026-03-02").stderr == refused.stderr
    assert upgraded[0].startswith(
        "Another version of the platform built this warehouse: star.fact_sessions is replaced, "
    )
    assert "Building 2026-03-01...2026-03-02." in run().stdout.splitlines()
    assert run(command="status").stdout.splitlines()[-1] == "Next: Nothing to do."
    with platform.session(read_only=True) as session:
        assert session.count("star.fact_sessions") == sessions


LOAD = 'key:"raw/clickstream" or key:"cleaned/clickstream"'
HEADER = "a,b\n1,2\n"


def test_a_failed_run_names_each_cause_first_and_last_and_counts_the_steps_that_wait(tmp_path: Path, run: Run) -> None:
    damaged = [f"bad{number}.csv" for number in range(4)]
    lake = open_platform(tmp_path).lake
    for name in damaged:
        lake.put_bytes("clickstream", name, ".csv", name.encode()).path.unlink()
    _drop(tmp_path, clickstream(1000, without_client=60))
    _drop(tmp_path, HEADER, "un\x1bread.csv")

    done = run("--days", "2026-03-01...2026-03-01", "--select", f'+key:"cleaned/urls" or {LOAD}')

    lines = done.stdout.splitlines()
    failed = [line for line in lines if line.startswith("Failed: ")]
    assert done.returncode == 1
    assert failed[0].startswith("Failed: cleaned.clickstream: error_rate: batch")
    assert "60 of 1,000 rows rejected (6.00%): 60 for client_id: missing; also day 2026-03-01" in failed[0]
    for name, words in zip(reversed(damaged), failed[1:5], strict=True):
        assert f"({name}) of clickstream is not loaded: " in words
        assert words.startswith("Failed: cleaned.clickstream: batches_loaded: Batch ")
    assert failed[5].startswith("Failed: clickstream_files_readable: ")
    assert "un\\x1bread.csv: required columns" in failed[5]
    assert failed[6:] == failed[:6] == lines[-6:]
    assert [done.stdout.count(name) for name in ("un\\x1bread.csv", *damaged)] == [2] * 5
    assert lines[-7] == "1 step did not run, waiting for what failed."
    status = run(command="status").stdout
    assert [name in status.splitlines()[-1] for name in damaged] == [True] * 4
    assert "Traceback" not in done.stdout + done.stderr


def test_only_what_is_selected_is_loaded_and_an_unreadable_file_does_not_hold_up_the_days_of_others(
    tmp_path: Path, run: Run
) -> None:
    _drop(tmp_path, clickstream(100))
    _drop(tmp_path, HEADER, "unreadable.csv")

    done = run("--select", f'{LOAD} or key:"cleaned/urls"')

    assert done.returncode == 1
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        *("raw.clickstream", "cleaned.clickstream", "Failed:", "1"),
        *("Building", "cleaned.urls", "1", "Failed:"),
    ]
    assert "1 table loaded in " in done.stdout and "1 table built in " in done.stdout


def test_a_person_is_erased_and_a_search_proves_it(tmp_path: Path, run: Run) -> None:
    _drop(tmp_path, clickstream(60))
    platform = open_platform(tmp_path, partition_start="2026-01-01")
    with platform.session() as session:
        load_landed(platform, session)
        ((client,),) = session.rows("SELECT min(client_id) FROM cleaned.clickstream")
    before = platform.landing.joinpath("day.csv").read_text("utf-8")

    dry = run("--client", client, "--dry-run", command="erase")
    assert (dry.returncode, dry.stdout.splitlines()[0]) == (0, f"To erase: client {client}")
    *counts, end = dry.stdout.splitlines()
    assert end.endswith("times: in records, names, rows and files. Nothing was changed.")
    assert platform.landing.joinpath("day.csv").read_text("utf-8") == before

    done = run("--client", client, command="erase")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[: len(counts)] == counts
    assert done.stdout.splitlines()[-1].endswith("places were searched, nothing is left.")
    with platform.session(read_only=True) as session:
        assert session.rows("SELECT count(*) FROM star.dim_customer WHERE client_id = $id", {"id": client}) == [(0,)]
        assert session.count("star.dim_customer") > 1
    assert not list(tmp_path.rglob("_erasing*"))

    none = run(command="erase")
    assert none.returncode == 2 and "--client, --user or --email" in none.stderr
