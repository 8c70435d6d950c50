"""The DuckDB warehouse: its tables follow the contracts, and one process at a time writes the file."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.ddl import column_types
from analytics_platform.warehouse import DuckDBSession, DuckDBWarehouse, WarehouseError
from analytics_platform_tests.kit import House, open_house

HOLD_THE_FILE = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def house(tmp_path: Path) -> House:
    return open_house(tmp_path)


@pytest.fixture
def session(house: House) -> Iterator[DuckDBSession]:
    with DuckDBWarehouse(house.settings.warehouse_path).session() as session:
        yield session


def test_a_column_that_is_new_in_the_contract_is_added(session: DuckDBSession) -> None:
    contract = CONTRACTS["star.dim_channel"]
    session.connection.execute("CREATE SCHEMA star")
    session.connection.execute("CREATE TABLE star.dim_channel AS SELECT -1::BIGINT AS channel_key")
    session.ensure(contract)
    described = {row[0]: row[1] for row in session.rows("DESCRIBE star.dim_channel")}
    assert described == column_types(contract)
    assert session.rows("SELECT * FROM star.dim_channel") == [(-1, None, None)]


def test_a_column_of_another_type_is_rejected_with_the_remedy(session: DuckDBSession) -> None:
    session.connection.execute("CREATE SCHEMA star")
    session.connection.execute("CREATE TABLE star.dim_channel (channel_key VARCHAR)")
    with pytest.raises(WarehouseError, match=r"star\.dim_channel\.channel_key is stored as VARCHAR .* says BIGINT"):
        session.ensure(CONTRACTS["star.dim_channel"])


def test_a_file_in_use_is_one_sentence_that_says_what_to_do(house: House) -> None:
    path = house.settings.warehouse_path
    command = [sys.executable, "-c", HOLD_THE_FILE, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(WarehouseError) as error, house.session():
            pass
        other.communicate("")
    assert str(error.value) == (
        f"The warehouse {path} is in use by another process: wait until its run has ended, or stop it."
    )


def test_a_file_that_is_not_a_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    path.write_text("not a database, but long enough to be read as the header of one" * 100)
    with (
        pytest.raises(WarehouseError, match=rf"{path} cannot be opened as a DuckDB file"),
        DuckDBWarehouse(path).session(),
    ):
        pass


def test_reading_before_anything_is_stored_says_so(tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(tmp_path / "warehouse.duckdb")
    with pytest.raises(WarehouseError, match=r"There is no warehouse at .* yet"), warehouse.session(read_only=True):
        pass
    assert not warehouse.exists()


def test_a_wider_type_is_taken_over_with_its_rows(session: DuckDBSession) -> None:
    session.connection.execute("CREATE SCHEMA star")
    session.connection.execute("CREATE TABLE star.dim_channel AS SELECT -1::INTEGER AS channel_key")
    session.ensure(CONTRACTS["star.dim_channel"])
    assert session.rows("SELECT typeof(channel_key), channel_key FROM star.dim_channel") == [("BIGINT", -1)]


def test_a_column_that_the_contract_lacks_is_rejected_with_the_remedy(session: DuckDBSession) -> None:
    session.ensure(CONTRACTS["star.dim_channel"])
    session.connection.execute("ALTER TABLE star.dim_channel ADD COLUMN colour VARCHAR")
    with pytest.raises(WarehouseError, match=r"star\.dim_channel\.colour is stored but its contract has no"):
        session.ensure(CONTRACTS["star.dim_channel"])
