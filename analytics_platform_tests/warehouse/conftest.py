"""A platform with an open warehouse, empty, on DuckDB, on PostgreSQL and in Delta tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from analytics_platform.catalog import CONTRACTS
from analytics_platform.warehouse import LEDGER_TABLES, Session
from analytics_platform_tests.kit import Platform, open_platform, platform_on


@pytest.fixture(params=["duckdb", "postgres", pytest.param("delta", marks=pytest.mark.slow)])
def platform(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Platform]:
    if request.param == "delta":
        yield open_platform(tmp_path, warehouse_url=f"lake://{tmp_path}/tables")
        return
    with platform_on(request.param, tmp_path) as platform:
        yield platform


@pytest.fixture
def session(platform: Platform) -> Iterator[Session]:
    with platform.session() as session:
        session.ensure(CONTRACTS["cleaned.clickstream"], *LEDGER_TABLES)
        yield session
