"""Connections: one pool, lost ones by whether it is safe to continue, and no password anywhere."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import polars as pl
import psycopg
import pytest

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.ddl import polars_schema
from analytics_platform.settings import load_settings, masked
from analytics_platform.shop.database import Database as ShopConnections
from analytics_platform.warehouse import LEDGER_TABLES, Session, WarehouseError, open_warehouse
from analytics_platform.warehouse.postgres.connections import pool_of
from analytics_platform.warehouse.postgres.session import PostgresSession
from analytics_platform_tests.kit import Platform, click, load_rows, open_platform
from analytics_platform_tests.postgres import server_url

LISTS = CONTRACTS["star.dim_list"]
OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


def cut_all(server: psycopg.Connection) -> None:
    """End every other connection to the database, as a restart of the server does."""
    server.execute(f"SELECT pg_terminate_backend(pid) {OTHERS}")


@pytest.fixture
def session(platform: Platform) -> Iterator[Session]:
    with platform.session() as session:
        session.ensure(*LEDGER_TABLES)
        yield session


def test_a_process_has_one_pool_and_gives_its_connections_back(platform: Platform, server: psycopg.Connection) -> None:
    for _ in range(5):
        with platform.session() as session:
            session.rows("SELECT 1")
    pool = pool_of(platform.settings.warehouse_url.get_secret_value(), platform.settings.statement_timeout)
    assert pool.get_stats()["requests_num"] == 5
    assert pool.get_stats()["connections_num"] == 1


def test_a_process_that_ends_leaves_no_connection(platform: Platform, server: psycopg.Connection) -> None:
    code = (
        "from analytics_platform.settings import load_settings\n"
        "from analytics_platform.warehouse import open_warehouse\n"
        "with open_warehouse(load_settings()).session() as session: print(session.rows('SELECT 1'))"
    )
    environment = {
        **os.environ,
        "WAREHOUSE_URL": platform.settings.warehouse_url.get_secret_value(),
        "DATA_DIR": str(platform.settings.data_dir),
    }
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert (ended.stdout, ended.stderr) == ("[(1,)]\n", "")
    assert server.execute(f"SELECT count(*) {OTHERS}").fetchone() == (0,)


def test_a_question_is_asked_again_when_the_connection_was_lost(session: Session, server: psycopg.Connection) -> None:
    for ask in (
        lambda: session.rows("SELECT count(*) FROM ops.pipeline_logs") == [(0,)],
        lambda: session.frame("SELECT * FROM ops.pipeline_logs").height == 0,
        lambda: "ops.pipeline_logs" in session.tables(),
    ):
        cut_all(server)
        assert ask()


def test_the_next_session_gets_a_connection_that_works(platform: Platform, server: psycopg.Connection) -> None:
    with platform.session() as session:
        session.rows("SELECT 1")
    cut_all(server)
    with platform.session() as session:
        assert session.rows("SELECT 1") == [(1,)]


def test_a_connection_lost_in_the_middle_of_a_change_is_reported_and_nothing_is_half_stored(
    platform: Platform, server: psycopg.Connection
) -> None:
    def rows() -> pl.DataFrame:
        return pl.DataFrame([(1, "a", "Summer", None, None)], schema=polars_schema(LISTS), orient="row")

    with platform.session() as session:
        session.publish(LISTS, rows(), None)
    with pytest.raises(WarehouseError) as error, platform.session() as session, session.transaction():
        session.execute("DELETE FROM star.dim_list")
        cut_all(server)
        session.execute("DELETE FROM star.dim_list")
    assert str(error.value).startswith(
        f"The connection to the warehouse {masked(platform.settings.warehouse_url.get_secret_value())} was lost"
    )
    with platform.session() as session:
        assert session.count("star.dim_list") == 1


def test_a_statement_that_takes_too_long_names_the_setting(tmp_path: Path, url: str) -> None:
    settings = load_settings(data_dir=tmp_path, warehouse_url=url, statement_timeout=0.05)
    with pytest.raises(WarehouseError, match="STATEMENT_TIMEOUT"), open_warehouse(settings).session() as session:
        session.rows("SELECT pg_sleep(1)")


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("53100", 'could not extend file "base/16384/t1_24590" with FileFallocate(): No space left on device'),
        ("58030", 'could not write to file "base/pgsql_tmp/pgsql_tmp7.0": No space left on device'),
    ],
)
def test_a_full_disk_of_the_server_is_one_sentence(platform: Platform, code: str, what: str) -> None:
    raising = f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}', MESSAGE = '{what}'; END $$"
    with pytest.raises(WarehouseError) as error, platform.session() as session:
        assert isinstance(session, PostgresSession)
        session.connection.execute(raising)
    name = masked(platform.settings.warehouse_url.get_secret_value())
    assert str(error.value) == (
        f"The disk of the warehouse {name} is full: make room and run again; nothing is half written."
    )


@pytest.fixture
def odd_settings(url: str, server: psycopg.Connection) -> Iterator[None]:
    """A database that sets what a session relies on."""
    name = urlsplit(url).path.lstrip("/")
    odd = {"datestyle": "German, DMY", "quote_all_identifiers": "on", "extra_float_digits": "-15"}
    for setting, value in odd.items():
        server.execute(f"ALTER DATABASE {name} SET {setting} = '{value}'")
    yield
    server.execute(f"ALTER DATABASE {name} RESET ALL")  # other tests take it next


@pytest.mark.usefixtures("odd_settings")
def test_what_a_database_sets_changes_no_value(tmp_path: Path, url: str) -> None:
    asked = "SELECT TIMESTAMPTZ '2026-03-02 10:07:00+00', 0.1::DOUBLE + 0.2::DOUBLE AS sum"
    platform = open_platform(tmp_path, warehouse_url=url)
    with platform.session() as session:
        session.ensure(*LEDGER_TABLES)
        assert session.rows(asked) == [(dt.datetime(2026, 3, 2, 10, 7, tzinfo=dt.UTC), 0.1 + 0.2)]
    with platform.session() as session:  # the same tables again
        session.ensure(*LEDGER_TABLES)


@pytest.mark.usefixtures("odd_settings")
def test_what_the_shops_database_sets_changes_no_time(url: str) -> None:
    with ShopConnections(url) as shop, shop.transaction() as connection:
        assert connection.execute("SELECT TIMESTAMPTZ '2026-03-02 10:07:00+00'").fetchall() == [
            (dt.datetime(2026, 3, 2, 10, 7, tzinfo=dt.UTC),)
        ]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("42501", r"\(no\): let its user CREATE in the database and own the tables there\.$"),
        ("25006", r"\(no\): it may only be read: name a server and a user that write\.$"),
        ("42P07", r"\(no\): another program made a table or view of this name: use another database\.$"),
        ("54000", r"\(no\): if another version of the platform made the table, drop it while no run works, then"),
        ("22012", r"rejected a statement: no\.$"),
    ],
)
def test_of_what_a_server_rejects_there_is_a_remedy(platform: Platform, code: str, words: str) -> None:
    with pytest.raises(WarehouseError, match=words), platform.session() as session:
        assert isinstance(session, PostgresSession)
        session.connection.execute(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}', MESSAGE = 'no.'; END $$")


def test_a_database_that_lacks_characters_is_named_with_the_remedy(tmp_path: Path, server: psycopg.Connection) -> None:
    server.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    url = urlsplit(server_url())._replace(path="/latin").geturl()
    try:
        with pytest.raises(WarehouseError, match="has the encoding LATIN1: create a database with ENCODING 'UTF8'"):
            pool_of(url, 60.0)
    finally:
        server.execute("DROP DATABASE latin WITH (FORCE)")


def test_a_read_only_session_changes_nothing(platform: Platform, session: Session) -> None:
    with pytest.raises(WarehouseError, match="read-only"), platform.session(read_only=True) as reader:
        reader.execute("DELETE FROM ops.acceptances")
    with platform.session() as writer:
        writer.execute("DELETE FROM ops.acceptances")


def _with(url: str, **parts: str) -> str:
    split = urlsplit(url)
    host = parts.get("host", f"{split.hostname}:{split.port}")
    return f"postgresql://{parts.get('user', 'postgres')}@{host}{split.path}{parts.get('query', '')}"


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"user": "ada:s3cret%2Fword"}, "password authentication failed"),
        ({"user": "ada:s3cret", "host": "127.0.0.1:1"}, "Connection refused"),
        ({"query": "?password=s3cret&sslmode=require"}, "SSL"),
        ({"user": "ada:s3cret", "host": "127.0.0.1:port"}, "its host, its port or an option is wrong"),
        ({"user": "ada:a@s3cret", "host": "s3cret@nowhere"}, "its host, its port"),
    ],
)
def test_a_server_that_cannot_be_reached_is_one_sentence_without_the_password(
    tmp_path: Path, url: str, parts: dict[str, str], why: str
) -> None:
    platform = open_platform(tmp_path, warehouse_url=_with(url, **parts))
    with pytest.raises(WarehouseError, match=why) as error, platform.session():
        pass
    whole = "".join(traceback.format_exception(error.value)) + repr(platform.settings)
    assert "s3cret" not in whole
    assert str(error.value).startswith("The warehouse postgresql://")
    assert "\n" not in str(error.value)


def test_a_load_that_loses_its_connection_is_not_in_the_ledger_and_can_be_repeated(
    platform: Platform, server: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    from analytics_platform.warehouse import load

    rows = [click("ada", "2024-03-01T10:00:00Z"), click("", "2024-03-01T10:00:00Z")]
    write_days = load.write_days

    def cut_then_write(*arguments: object) -> None:
        cut_all(server)
        write_days(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as broken:
        broken.setattr(load, "write_days", cut_then_write)
        with pytest.raises(WarehouseError, match="was lost"), platform.session() as session:
            load_rows(platform, session, rows)
    with platform.session() as session:
        assert session.count("ops.pipeline_logs") == session.count("ops.quarantine") == 0
        (loaded,) = load_rows(platform, session, rows)
        assert (loaded.rows_accepted, loaded.rows_quarantined) == (1, 1)
        assert session.rows("SELECT min(event_date) FROM cleaned.clickstream") == [(dt.date(2024, 3, 1),)]
