"""A process that reads a collection and loads what it read, and is killed before its N-th boundary."""

from __future__ import annotations

from pathlib import Path

from analytics_platform.connectors.batches import BatchSize
from analytics_platform.sources.arrivals.collection import read_collection
from analytics_platform_tests.kit import Platform, open_platform
from analytics_platform_tests.names import WEB_LOGS
from analytics_platform_tests.reliability.victim import Fuse, in_child, light
from analytics_platform_tests.shop_logs import load

SMALL = BatchSize(records=50)
"""So that what is read comes in several batches."""


def run(platform: Platform) -> None:
    """Read, and load: the whole way of new documents."""
    for _ in read_collection(WEB_LOGS, platform.settings, platform.lake, SMALL):
        pass
    load(platform, WEB_LOGS)


def platform_at(root: Path, uri: str, database: str) -> Platform:
    return open_platform(root, mongodb_uri=uri, mongodb_database=database)


def run_with_fuse(root: Path, uri: str, database: str, length: int | None) -> int:
    """Run until the fuse burns down: how many boundaries were passed."""
    fuse = Fuse(length)
    light(fuse)
    run(platform_at(root, uri, database))
    return fuse.passed


def kill_at(root: Path, uri: str, database: str, length: int | None) -> tuple[int, int]:
    """Run in a child that is killed at the boundary: (its exit code, the boundaries it passed, if it lived)."""
    return in_child(run_with_fuse, root, uri, database, length)
