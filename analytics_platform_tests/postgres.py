"""The PostgreSQL that tests run against: TEST_POSTGRES_URL, else one from a wheel, started once per process."""

from __future__ import annotations

import atexit
import os
import secrets
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg

from analytics_platform.catalog import CONTRACTS
from analytics_platform.demo.servers.databases import LocalPostgres
from analytics_platform.settings import load_settings
from analytics_platform.warehouse import open_warehouse


@lru_cache(maxsize=1)
def server_url() -> str:
    """The address of a database on the server."""
    given = os.environ.get("TEST_POSTGRES_URL")
    if given:
        return given
    folder = tempfile.TemporaryDirectory(prefix="postgres-")
    server = LocalPostgres(Path(folder.name) / "server", forgetful=True)
    server.start()
    atexit.register(folder.cleanup)
    atexit.register(server.stop)
    return server.url


def kill_server(server: LocalPostgres) -> None:
    """Kill a server, as in a crash; its `start` recovers. Returns when all its processes have ended."""
    pid = server.folder.joinpath("data", "postmaster.pid").read_text("utf-8").split()[0]
    process = psutil.Process(int(pid))
    processes = [process, *process.children()]
    process.kill()
    psutil.wait_procs(processes, timeout=30)


@lru_cache(maxsize=1)
def _unused() -> list[str]:
    """The empty databases that tests are done with; they go at the end."""
    names: list[str] = []
    atexit.register(_drop, names)
    return names


def _drop(names: Sequence[str]) -> None:
    with psycopg.connect(server_url(), autocommit=True) as connection:
        for name in names:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def new_database() -> Iterator[str]:
    """The address of an empty database, which is gone after the `with` block."""
    with psycopg.connect(server_url(), autocommit=True) as connection:
        if not _unused():
            _unused().append(_new_name())
            connection.execute(f"CREATE DATABASE {_unused()[-1]}")
        name = _unused().pop()
        try:
            yield _address(name)
        finally:
            # To drop a database and create another takes a quarter of a second, to empty one a tenth of that.
            _unused().append(_emptied(connection, name))


@lru_cache(maxsize=1)
def _with_tables() -> str:
    """Name a database with all tables, none with a row, to be copied: making and dropping them takes 1.5 s of CPU."""
    name = _new_name()
    with psycopg.connect(server_url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        atexit.register(_drop, [name])
        with open_warehouse(load_settings(warehouse_url=_address(name))).session() as session:
            session.ensure(*CONTRACTS.values())
        _let_nobody_in(connection, name)  # a database to which somebody is connected is not copied
    return name


@contextmanager
def database_with_tables() -> Iterator[str]:
    """The address of a database with all tables, none with a row, which is gone after the `with` block."""
    model, name = _with_tables(), _new_name()
    with psycopg.connect(server_url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {model}")
        try:
            yield _address(name)
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _new_name() -> str:
    return f"test_{secrets.token_hex(6)}"


def _address(name: str) -> str:
    return urlunsplit(urlsplit(server_url())._replace(path=f"/{name}"))


def _emptied(connection: psycopg.Connection, name: str) -> str:
    """Drop all that is in a database; return its new name, which no pool of connections knows."""
    new = _new_name()
    _let_nobody_in(connection, name)
    connection.execute(f"ALTER DATABASE {name} RENAME TO {new}")
    connection.execute(f"ALTER DATABASE {new} ALLOW_CONNECTIONS true")
    with psycopg.connect(_address(new), autocommit=True) as inside:
        schemas = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema$)'"
        for (schema,) in inside.execute(schemas).fetchall():
            inside.execute(f'DROP SCHEMA "{schema}" CASCADE')
        inside.execute("CREATE SCHEMA public")
    return new


def _let_nobody_in(connection: psycopg.Connection, name: str) -> None:
    connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
    time.sleep(0.01)  # until they have ended: the server itself would look again after a tenth of a second
