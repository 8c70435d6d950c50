"""An empty warehouse in a file: all tables, and the functions that models share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from analytics_platform.warehouse import DuckDBSession
from analytics_platform_tests.kit import open_empty


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[DuckDBSession]:
    with open_empty(tmp_path) as session:
        yield session
