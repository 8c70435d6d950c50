"""An empty warehouse in memory: all tables, and the functions that models share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from analytics_platform.warehouse import DuckDBSession
from analytics_platform_tests.kit import memory_warehouse


@pytest.fixture
def warehouse() -> Iterator[DuckDBSession]:
    with memory_warehouse() as session:
        yield session
