"""PostgreSQL: killed anywhere, run or server, a re-run ends with the same tables; so do two runs at once."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import polars as pl
import psycopg
import pytest

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.ddl import polars_schema
from analytics_platform.demo.servers.databases import DATABASE, LocalPostgres, serve_postgres
from analytics_platform.transform import DayRange
from analytics_platform.warehouse.postgres.connections import writing
from analytics_platform_tests.kit import Contents, Platform, contents
from analytics_platform_tests.postgres import new_database
from analytics_platform_tests.reliability.postgres_victim import (
    LOST,
    ServerFuse,
    burn_at,
    platform_at,
    run_at_once,
    start,
)
from analytics_platform_tests.reliability.test_kill import rows_of
from analytics_platform_tests.reliability.victim import Fuse, run
from analytics_platform_tests.slow import spread

RUN_SAMPLES = 10
SERVER_SAMPLES = 6

State: TypeAlias = tuple[Contents, dict[str, str]]


class Bench:
    """A server with a database that has one day published and files of two more waiting, and copies of it."""

    def __init__(self, folder: Path, server: LocalPostgres) -> None:
        self.folder = folder
        self.server = server
        self._url = server.url.removesuffix(DATABASE)
        platform = platform_at(folder / "start", server.url)
        platform.landing.joinpath("day1.csv").write_text(rows_of(1, 20), "utf-8")
        run(platform)
        platform.landing.joinpath("day2.csv").write_text(rows_of(2, 30), "utf-8")
        platform.landing.joinpath("late.csv").write_text(rows_of(1, 25), "utf-8")
        (self.boundaries, self.expected) = self._undisturbed()

    @contextmanager
    def copy(self, name: str) -> Iterator[tuple[Path, str]]:
        """(folder, address) of a platform that is as it was at the start."""
        shutil.copytree(self.folder / "start", self.folder / name)
        with psycopg.connect(f"{self._url}postgres", autocommit=True) as connection:
            connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{DATABASE}'")
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {DATABASE}")
        yield self.folder / name, self._url + name
        with psycopg.connect(f"{self._url}postgres", autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _undisturbed(self) -> tuple[int, State]:
        with self.copy("undisturbed") as (root, url):
            code, passed = burn_at(root, url, Fuse(None))
            assert code == 0
            return passed, state(platform_at(root, url))


def state(platform: Platform) -> State:
    """What the tables and the spreadsheets hold."""
    with platform.session(read_only=True) as session:
        tables = contents(session)
    folder = platform.settings.quarantine_dir
    return tables, {path.name: path.read_text("utf-8-sig") for path in folder.glob("*_errors.csv")}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """On a separate server, since tests kill it."""
    folder = tmp_path_factory.mktemp("bench")
    with (
        tempfile.TemporaryDirectory(prefix="postgres-") as reachable,  # by the server's user, unlike pytest's folders
        serve_postgres(Path(reachable) / "server", forgetful=True) as server,
    ):
        yield Bench(folder, server)


def test_a_run_has_boundaries_to_be_killed_at(bench: Bench) -> None:
    assert bench.boundaries > 10 * RUN_SAMPLES
    assert bench.expected[0]["star.dim_customer"]


@pytest.mark.parametrize("sample", spread(RUN_SAMPLES, 2))
def test_a_run_killed_anywhere_ends_the_same_after_a_rerun(sample: int, bench: Bench) -> None:
    with bench.copy(f"run_{sample}") as (root, url):
        code, _ = burn_at(root, url, Fuse((2 * sample + 1) * bench.boundaries // (2 * RUN_SAMPLES)))
        assert code == -signal.SIGKILL
        run(platform_at(root, url))
        assert state(platform_at(root, url)) == bench.expected


@pytest.mark.parametrize("sample", spread(SERVER_SAMPLES, 2))
def test_a_server_killed_anywhere_is_reported_and_a_rerun_ends_the_same(sample: int, bench: Bench) -> None:
    with bench.copy(f"server_{sample}") as (root, url):
        at = (2 * sample + 1) * bench.boundaries // (2 * SERVER_SAMPLES)
        code, _ = burn_at(root, url, ServerFuse(at, bench.server))
        bench.server.start()
        assert code == LOST
        run(platform_at(root, url))
        assert state(platform_at(root, url)) == bench.expected


def test_two_runs_at_once_over_the_same_files_and_days_end_as_one(bench: Bench) -> None:
    with bench.copy("twice") as (root, url):
        barrier = multiprocessing.get_context("forkserver").Barrier(2)
        runs = [start(run_at_once, root, url, barrier) for _ in range(2)]
        for child in runs:
            child.join(timeout=120)
        assert [child.exitcode for child in runs] == [0, 0]
        assert state(platform_at(root, url)) == bench.expected


AGENTS = CONTRACTS["cleaned.user_agents"]
FIRST, SECOND = dt.date(2024, 3, 1), dt.date(2024, 3, 2)


def agents(day: dt.date, version: str, count: int) -> pl.DataFrame:
    """User agents of a day, all of one version."""
    rows = [(day, f"{version} {number}", "desktop", version, None, False) for number in range(count)]
    return pl.DataFrame(rows, schema=polars_schema(AGENTS), orient="row")


def publish(platform: Platform, day: dt.date, version: str, count: int) -> None:
    with platform.session() as session:
        session.publish(AGENTS, agents(day, version, count), DayRange(day, day))


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    with new_database() as url:
        platform = platform_at(tmp_path, url)
        publish(platform, FIRST, "old", 500)
        yield platform


def test_a_day_that_is_being_written_keeps_the_same_day_waiting_and_no_other(platform: Platform) -> None:
    waiting = threading.Thread(target=publish, args=(platform, FIRST, "new", 10))
    with psycopg.connect(platform.settings.warehouse_url.get_secret_value(), autocommit=True) as holder:
        with writing(holder, [("cleaned.user_agents", DayRange(FIRST, FIRST))]):
            waiting.start()
            publish(platform, SECOND, "other", 7)
            while holder.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone() == (0,):
                assert waiting.is_alive()
            with platform.session(read_only=True) as session:
                found = session.rows("SELECT os, count(*) FROM cleaned.user_agents GROUP BY 1 ORDER BY 1")
        waiting.join(timeout=60)
    assert found == [("old", 500), ("other", 7)]
    with platform.session(read_only=True) as session:
        found = session.rows("SELECT os, count(*) FROM cleaned.user_agents GROUP BY 1 ORDER BY 1")
    assert found == [("new", 10), ("other", 7)]


def test_who_will_publish_a_day_in_a_transaction_keeps_others_from_it_from_its_start_on(platform: Platform) -> None:
    waiting = threading.Thread(target=publish, args=(platform, FIRST, "new", 10))
    with platform.session() as session:
        with session.transaction(publishing=[("cleaned.user_agents", DayRange(FIRST, FIRST))]):
            waiting.start()
            while session.rows("SELECT count(*) FROM pg_locks WHERE NOT granted") == [(0,)]:
                assert waiting.is_alive()
            session.publish(AGENTS, agents(FIRST, "first", 3), DayRange(FIRST, FIRST))
        waiting.join(timeout=60)
        assert session.rows("SELECT DISTINCT os FROM cleaned.user_agents") == [("new",)]


def test_readers_never_see_half_a_day(platform: Platform) -> None:
    seen: set[tuple[object, ...]] = set()
    done = threading.Event()

    def read() -> None:
        with platform.session(read_only=True) as session:
            while not done.is_set():
                seen.update(session.rows("SELECT min(os), max(os), count(*) FROM cleaned.user_agents"))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(3):
        publish(platform, FIRST, "new", 900)
        publish(platform, FIRST, "old", 500)
    done.set()
    reader.join(timeout=60)
    assert seen <= {("old", "old", 500), ("new", "new", 900)}
    assert ("old", "old", 500) in seen
