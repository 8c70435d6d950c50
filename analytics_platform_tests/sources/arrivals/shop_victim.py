"""A process that reads the shop's products and loads what it read, and is killed before its N-th boundary."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path

from analytics_platform.connectors.batches import BatchSize
from analytics_platform.sources.arrivals.tables import read_table
from analytics_platform_tests.kit import Platform, open_platform
from analytics_platform_tests.reliability.victim import Fuse, light
from analytics_platform_tests.shop_logs import load

SMALL = BatchSize(records=50)
"""So that what is read comes in several batches."""


def run(platform: Platform) -> None:
    """Read, and load: the whole way of new rows."""
    for _ in read_table("products", platform.settings, platform.lake, SMALL):
        pass
    load(platform, "products")


def run_with_fuse(
    root: Path, url: str, length: int | None, report: Callable[[int], None] = lambda passed: None
) -> None:
    """Entry point of the child process."""
    fuse = Fuse(length)
    light(fuse)
    run(open_platform(root, shop_database_url=url))
    report(fuse.passed)


def kill_at(root: Path, url: str, length: int | None) -> tuple[int, int]:
    """Run in a child that is killed at the boundary: (its exit code, the boundaries it passed, if it lived)."""
    context = multiprocessing.get_context("forkserver")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=run_with_fuse, args=(root, url, length, sender.send))
    child.start()
    sender.close()
    child.join(timeout=120)
    passed = receiver.recv() if child.exitcode == 0 else -1
    return child.exitcode or 0, passed
