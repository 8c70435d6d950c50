"""A house with an open warehouse, empty."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from analytics_platform.contracts import CONTRACTS
from analytics_platform.warehouse import BOOKS, DuckDBSession
from analytics_platform_tests.kit import House, open_house


@pytest.fixture
def house(tmp_path: Path) -> House:
    return open_house(tmp_path)


@pytest.fixture
def session(house: House) -> Iterator[DuckDBSession]:
    with house.session() as session:
        session.ensure(CONTRACTS["cleaned.clickstream"], *BOOKS)
        yield session
