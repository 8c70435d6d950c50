"""The PostgreSQL that tests run against: TEST_POSTGRES_URL, else one from a wheel, started once per process."""

from __future__ import annotations

import atexit
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg

from analytics_platform.demo.servers.databases import LocalPostgres


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


@contextmanager
def new_database() -> Iterator[str]:
    """The address of an empty database, which is gone after the `with` block."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(server_url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield urlunsplit(urlsplit(server_url())._replace(path=f"/{name}"))
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
