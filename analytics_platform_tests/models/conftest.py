"""An empty warehouse in memory: all tables, and the functions that models share."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from analytics_platform.contracts import CONTRACTS
from analytics_platform.engine import macros
from analytics_platform.warehouse import DuckDBSession


@pytest.fixture
def warehouse() -> Iterator[DuckDBSession]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for macro in macros():
            connection.execute(macro)
        session = DuckDBSession(connection)
        session.ensure(*CONTRACTS.values())
        yield session
