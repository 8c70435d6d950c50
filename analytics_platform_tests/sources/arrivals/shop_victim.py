"""A process that reads the shop's products and loads what it read, and is killed before its N-th boundary."""

from __future__ import annotations

from pathlib import Path

from analytics_platform.connectors.batches import BatchSize
from analytics_platform.sources.arrivals.tables import read_table
from analytics_platform_tests.kit import Platform, open_platform
from analytics_platform_tests.reliability.victim import Fuse, in_child, light
from analytics_platform_tests.shop_logs import load

SMALL = BatchSize(records=50)
"""So that what is read comes in several batches."""


def run(platform: Platform) -> None:
    """Read, and load: the whole way of new rows."""
    for _ in read_table("products", platform.settings, platform.lake, SMALL):
        pass
    load(platform, "products")


def run_with_fuse(root: Path, url: str, length: int | None) -> int:
    """Run until the fuse burns down: how many boundaries were passed."""
    fuse = Fuse(length)
    light(fuse)
    run(open_platform(root, shop_database_url=url))
    return fuse.passed


def kill_at(root: Path, url: str, length: int | None) -> tuple[int, int]:
    """Run in a child that is killed at the boundary: (its exit code, the boundaries it passed, if it lived)."""
    return in_child(run_with_fuse, root, url, length)
