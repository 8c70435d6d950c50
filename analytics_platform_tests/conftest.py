"""How all tests run."""

from __future__ import annotations

import gc
import multiprocessing
import signal

import pytest
from hypothesis import settings

from analytics_platform.orchestration import retries

# No deadline: machines may be busy. `make test` draws the same inputs each time, so that it fails for the change at
# hand and no other; `make test-slow` draws new ones.
settings.register_profile("platform", deadline=None, max_examples=25, derandomize=True)
settings.register_profile("thorough", deadline=None, max_examples=500)
settings.load_profile("platform")

# One server forks all processes that tests kill. It takes this list when it starts: what is not in it is imported again
# by each of them, for a second or more.
multiprocessing.get_context("forkserver").set_forkserver_preload(
    [
        f"{__package__}.{module}"
        for module in (
            "reliability.postgres_victim",
            "reliability.test_queue_chaos",
            "shop.buyers",
            "sources.arrivals.collection_victim",
            "sources.arrivals.shop_victim",
            "warehouse.delta.test_delta",
        )
    ]
)

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A script's shell lets what it starts in the background ignore SIGINT. Dagster then ignores SIGTERM too, and the
    # servers that the tests start would inherit both and never end.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# To look for cycles among the objects of thousands of tests, again and again, took a quarter of the time in which they
# are collected; they stay until the end.
gc.disable()


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_unconfigure() -> None:
    gc.unfreeze()  # or DuckDB complains of what lives longer than its module


@pytest.fixture(autouse=True)
def retry_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that is tried again does not wait before it, in the process of the test."""
    monkeypatch.setattr(retries, "FIRST_WAIT_S", 0.01)
