"""Readers see the last published tables while a run writes, never wait for it, and see that it runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from analytics_platform.settings import Settings, load_settings
from analytics_platform.warehouse import WarehouseError
from analytics_platform.warehouse.published import Published, View
from analytics_platform_tests.postgres import new_database

TABLES = ("marts.daily_trends", "ops.pipeline_logs")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path)


@pytest.fixture
def published(settings: Settings, tmp_path: Path) -> Published:
    return Published(settings, TABLES, tmp_path / "dashboard")


def write(settings: Settings, value: int) -> None:
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS marts; CREATE OR REPLACE TABLE marts.daily_trends (day INT)")
        connection.execute("INSERT INTO marts.daily_trends VALUES ($value)", {"value": value})
        connection.execute("CREATE OR REPLACE TABLE marts.other AS SELECT 1 AS a")


@contextmanager
def writing(settings: Settings) -> Iterator[None]:
    """Another process that has the file and changes it."""
    script = (
        "import duckdb, sys; c = duckdb.connect(sys.argv[1]);"
        "c.execute('CREATE TABLE IF NOT EXISTS t AS SELECT 1 AS a'); c.execute('INSERT INTO t VALUES (2)');"
        "print('writing', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(settings.warehouse_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout and process.stdout.readline()
        yield
        process.stdin.close()


def content(view: View) -> list[tuple[object, ...]]:
    assert view.warehouse is not None
    with view.warehouse.session(read_only=True) as session:
        return session.rows("SELECT * FROM marts.daily_trends")


def test_without_a_warehouse_there_is_nothing_to_read(published: Published) -> None:
    assert published.view() == View(None)


def test_only_the_wanted_tables_are_copied_and_only_when_something_changed(
    published: Published, settings: Settings
) -> None:
    write(settings, 1)
    first = published.view()
    assert content(first) == [(1,)] and not first.is_behind
    assert published.view().version == first.version
    assert first.warehouse is not None
    with first.warehouse.session(read_only=True) as session:
        assert session.tables() == {"marts.daily_trends"}

    write(settings, 2)
    second = published.view()
    assert content(second) == [(2,)] and second.version != first.version
    assert content(first) == [(1,)]  # who was about to open it still can

    write(settings, 3)
    published.view()
    assert len(list((settings.data_dir / "dashboard").iterdir())) == 2


def test_while_a_run_writes_the_last_tables_are_read(published: Published, settings: Settings) -> None:
    write(settings, 1)
    before = published.view()
    with writing(settings):
        during = published.view()
        assert during.is_behind and during.version == before.version and during.as_of == before.as_of
        assert content(during) == [(1,)]
    after = published.view()
    assert not after.is_behind and after.version != before.version


def test_runs_that_come_and_go_and_readers_do_not_disturb_each_other(published: Published, settings: Settings) -> None:
    write(settings, 0)
    assert content(published.view()) == [(0,)]
    script = (
        "import sys; from pathlib import Path; from analytics_platform.warehouse import DuckDBWarehouse\n"
        "for value in range(1, 31):\n"
        "    with DuckDBWarehouse(Path(sys.argv[1])).session() as session, session.transaction():\n"
        "        session.execute('UPDATE marts.daily_trends SET day = $value', {'value': value})\n"
    )
    seen = [0]
    with subprocess.Popen([sys.executable, "-c", script, str(settings.warehouse_path)]) as process:
        while process.poll() is None:
            ((value,),) = content(published.view())
            seen.append(int(str(value)))
    assert process.returncode == 0 and seen == sorted(seen)
    assert content(published.view()) == [(30,)]


def test_the_copy_is_still_there_for_the_next_process(published: Published, settings: Settings) -> None:
    write(settings, 1)
    published.view()
    with writing(settings):
        again = Published(settings, TABLES, settings.data_dir / "dashboard")
        assert content(again.view()) == [(1,)]


def test_a_first_run_that_is_writing_is_reported(published: Published, settings: Settings) -> None:
    write(settings, 1)
    with writing(settings), pytest.raises(WarehouseError, match="for the first time: wait until it has ended"):
        published.view()


def test_reading_leaves_the_file_to_writers(published: Published, settings: Settings) -> None:
    write(settings, 1)
    view = published.view()
    assert view.warehouse is not None
    with view.warehouse.session(read_only=True):
        write(settings, 2)  # not rejected
    assert content(published.view()) == [(2,)]


def test_a_copy_cannot_be_written_to_by_a_reader(published: Published, settings: Settings) -> None:
    write(settings, 1)
    view = published.view()
    assert view.warehouse is not None
    with view.warehouse.session(read_only=True) as session, pytest.raises(duckdb.InvalidInputException):
        session.execute("DELETE FROM marts.daily_trends")


def test_a_broken_file_is_reported_in_one_sentence(published: Published, settings: Settings) -> None:
    settings.warehouse_path.write_bytes(b"no database" * 1000)
    with pytest.raises(WarehouseError, match="cannot be copied for readers") as error:
        published.view()
    assert "\n" not in str(error.value)
    assert list((settings.data_dir / "dashboard").iterdir()) == []


def test_postgres_is_read_directly(tmp_path: Path) -> None:
    with new_database() as url:
        view = Published(load_settings(data_dir=tmp_path, warehouse_url=url), TABLES, tmp_path / "dashboard").view()
        assert view.warehouse is not None and view.version == ""
        with view.warehouse.session(read_only=True) as session:
            assert session.tables() == set()
    assert not (tmp_path / "dashboard").exists()
