"""A process that does what a run does on PostgreSQL, and at its N-th boundary is killed, or kills the server.

A boundary is a statement sent to the server, a piece of a COPY, a COMMIT, or a file moved into place.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import psycopg

from analytics_platform.demo.servers.databases import LocalPostgres
from analytics_platform.warehouse import WarehouseError
from analytics_platform_tests.kit import Platform, open_platform
from analytics_platform_tests.postgres import kill_server
from analytics_platform_tests.reliability.victim import Fuse, in_child, run

LOST = 3
"""Exit code of a run that lost its server and said so."""


class ServerFuse(Fuse):
    """Kills the server instead of the process; what the process does then is its own affair."""

    def __init__(self, length: int, server: LocalPostgres) -> None:
        super().__init__(length)
        self._server = server

    def burn(self) -> None:
        """Pass one boundary."""
        if self.passed == self.left:
            kill_server(self._server)
        self.passed += 1


def light(fuse: Fuse) -> None:
    """Put the fuse into this process: for good, since the process is its own."""
    for owner, name in (
        (psycopg.Connection, "execute"),
        (psycopg.RawCursor, "execute"),
        (psycopg.Cursor, "copy"),
        (psycopg.Copy, "write"),
        (psycopg.transaction.Transaction, "__exit__"),
        (Path, "rename"),
    ):
        setattr(owner, name, _fused(getattr(owner, name), fuse))


def _fused(method: Callable[..., Any], fuse: Fuse) -> Callable[..., Any]:
    def fused(*arguments: Any, **options: Any) -> Any:
        fuse.burn()
        return method(*arguments, **options)

    return fused


def run_with_fuse(root: Path, url: str, fuse: Fuse, work: Callable[[Platform], None]) -> int:
    """Work until the fuse burns down: how many boundaries were passed."""
    light(fuse)
    try:
        work(platform_at(root, url))
    except WarehouseError as error:
        sys.exit(LOST if "lost" in str(error) or "cannot be reached" in str(error) else str(error))
    return fuse.passed


def platform_at(root: Path, url: str) -> Platform:
    return open_platform(root, warehouse_url=url)


def run_at_once(root: Path, url: str, barrier: Barrier) -> None:
    """Entry point of one of several processes that start together."""
    platform = platform_at(root, url)
    barrier.wait()
    run(platform)


def start(target: Callable[..., None], *arguments: object) -> ForkServerProcess:
    """Start a child process."""
    context = multiprocessing.get_context("forkserver")
    child = context.Process(target=target, args=arguments)
    child.start()
    return child


def burn_at(root: Path, url: str, fuse: Fuse, work: Callable[[Platform], None] = run) -> tuple[int, int]:
    """Work in a child with the fuse: (its exit code, the boundaries it passed, if it came to the end)."""
    return in_child(run_with_fuse, root, url, fuse, work)
