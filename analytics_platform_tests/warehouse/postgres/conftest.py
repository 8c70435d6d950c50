"""A platform whose warehouse is an empty database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from analytics_platform_tests.kit import Platform, open_platform
from analytics_platform_tests.postgres import new_database


@pytest.fixture
def url() -> Iterator[str]:
    with new_database() as url:
        yield url


@pytest.fixture
def platform(tmp_path: Path, url: str) -> Platform:
    return open_platform(tmp_path, warehouse_url=url)


@pytest.fixture
def server(url: str) -> Iterator[psycopg.Connection]:
    """Somebody else's connection to the database."""
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection
