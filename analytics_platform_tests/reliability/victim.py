"""A process that does what a run does, and is killed before its N-th boundary.

A boundary is a statement sent to DuckDB or a file moved into place: everything that can be half done lies between two
of them. SIGKILL leaves no chance to clean up.
"""

from __future__ import annotations

import datetime as dt
import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import duckdb

from analytics_platform.sources.person import Person
from analytics_platform.transform import DayRange
from analytics_platform.warehouse import WarehouseError
from analytics_platform.warehouse.erase import erase
from analytics_platform.warehouse.erasure import end, open_erasure
from analytics_platform.warehouse.ledger import find_batch
from analytics_platform.warehouse.spreadsheet import write_spreadsheets
from analytics_platform.warehouse.withdraw import withdraw_batch
from analytics_platform_tests.kit import Platform, build, load_landed, open_platform

DAYS = DayRange(dt.date(2026, 3, 1), dt.date(2026, 3, 3))
TABLES = frozenset(
    {
        "cleaned.urls",
        "cleaned.user_agents",
        "cleaned.source_categories",
        "cleaned.events",
        "sessionized.client_days",
        "star.dim_customer",
        "star.dim_channel",
    }
)
"""One table or more of every way to publish: days, upsert, whole."""


class Fuse:
    """Counts boundaries; kills the process when it burns down."""

    def __init__(self, length: int | None) -> None:
        self.left = length
        self.passed = 0

    def burn(self) -> None:
        """Pass one boundary."""
        if self.left is not None and self.passed == self.left:
            os.kill(os.getpid(), signal.SIGKILL)
        self.passed += 1


class FusedConnection:
    """A DuckDB connection whose statements burn a fuse."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, fuse: Fuse) -> None:
        self._connection = connection
        self._fuse = fuse

    def execute(self, *arguments: Any) -> Any:
        self._fuse.burn()
        return self._connection.execute(*arguments)

    def __enter__(self) -> Any:
        return self._connection.__enter__()  # a database in memory, on which queries are planned

    def __exit__(self, *error: Any) -> None:
        self._connection.__exit__(*error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def light(fuse: Fuse) -> None:
    """Put the fuse into this process: for good, since the process is its own."""
    connect, rename = duckdb.connect, Path.rename

    def fused_connect(*arguments: Any, **options: Any) -> Any:
        connection = connect(*arguments, **options)
        # Frames are found by the name of a variable; the fused connection puts a call in between.
        connection.execute("SET python_scan_all_frames = true")
        return FusedConnection(connection, fuse)

    def fused_rename(path: Path, target: Path) -> Path:
        fuse.burn()
        return rename(path, target)

    duckdb.connect = fused_connect
    Path.rename = fused_rename  # type: ignore[method-assign]


def run(platform: Platform) -> None:
    """Land, load, write the spreadsheets, publish: the whole way of new files."""
    with platform.session() as session:
        load_landed(platform, session)
        write_spreadsheets(session, platform.settings.quarantine_dir, print)
        build(session, DAYS, platform.settings, TABLES)


def withdraw(platform: Platform) -> None:
    """Withdraw the first file, which others have duplicates of, and do what a run does."""
    with platform.session() as session:
        ((batch_id,),) = session.rows(
            "SELECT batch_id FROM ops.pipeline_logs WHERE input = 'day1.csv' "
            "UNION ALL SELECT batch_id FROM ops.set_aside WHERE input = 'day1.csv'"
        )
        card = find_batch(session, str(batch_id), platform.lake)
        with suppress(WarehouseError):  # it was withdrawn before the kill
            withdraw_batch(session, platform.settings, platform.lake, card, "a wrong export", "grace")
    run(platform)


def erase_client(platform: Platform) -> None:
    """Erase a person who is in every file, and do what a run does; the same every time, hence the key."""
    with platform.session() as session:
        erasure = open_erasure(platform.lake, Person.of(client=["c1"]))
        erasure.key = "the same every time"
        assert not erase(session, platform.settings, platform.lake, erasure, "grace", print)
    run(platform)
    end(platform.lake)


def run_with_fuse(root: Path, length: int | None, work: Callable[[Platform], None]) -> int:
    """Work until the fuse burns down: how many boundaries were passed."""
    fuse = Fuse(length)
    light(fuse)
    work(open_platform(root))
    return fuse.passed


def send_result(sender: Connection, target: Callable[..., int], arguments: Sequence[object]) -> None:
    """Entry point of a child process."""
    sender.send(target(*arguments))


def in_child(target: Callable[..., int], *arguments: object) -> tuple[int, int]:
    """Call in a child that may be killed: (its exit code, what the call gave, or -1).

    Raises:
        TimeoutError: The child hangs. A hanging child is not a child that ended.
    """
    context = multiprocessing.get_context("forkserver")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=send_result, args=(sender, target, arguments))
    child.start()
    sender.close()
    child.join(timeout=120)
    if child.exitcode is None:
        child.kill()
        raise TimeoutError(f"The process {child.pid} neither ended nor was killed within 120 s.")
    return child.exitcode, receiver.recv() if child.exitcode == 0 else -1


def kill_at(root: Path, length: int | None, work: Callable[[Platform], None] = run) -> tuple[int, int]:
    """Work in a child that is killed at the boundary: (its exit code, the boundaries it passed, if it lived)."""
    return in_child(run_with_fuse, root, length, work)
