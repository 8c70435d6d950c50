"""The DuckDB warehouse: its tables follow the contracts, and one process at a time writes the file."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.ddl import column_types
from analytics_platform.contracts.functions import macros, macros_in
from analytics_platform.warehouse import DuckDBSession, DuckDBWarehouse, WarehouseError
from analytics_platform_tests.kit import Platform, become_nobody, open_platform

HOLD_THE_FILE = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return open_platform(tmp_path)


@pytest.fixture
def session(platform: Platform) -> Iterator[DuckDBSession]:
    with DuckDBWarehouse(platform.settings.warehouse_path).session() as session:
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


def test_a_file_in_use_is_one_sentence_that_says_what_to_do(platform: Platform) -> None:
    path = platform.settings.warehouse_path
    command = [sys.executable, "-c", HOLD_THE_FILE, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(WarehouseError) as error, platform.session():
            pass
        other.communicate("")
    assert str(error.value) == (
        f"The warehouse {path} is in use by another process: wait until its run has ended, or stop it."
    )


def _flipped(content: bytes) -> bytes:
    return content[:4100] + bytes(5000) + content[9100:]


@pytest.mark.parametrize(
    ("damage", "wal"),
    [
        (lambda content: b"", None),
        (lambda content: content[:100], None),
        (lambda content: content[:-1], None),
        (lambda content: b"a,b\n1,2\n" * 9000, None),
        (_flipped, None),
        (lambda content: b"SQLite format 3\x00" + content, None),
        (lambda content: content, "of another file"),
    ],
)
def test_a_damaged_or_foreign_file_is_one_sentence_whose_remedy_works(
    tmp_path: Path, damage: Callable[[bytes], bytes], wal: str | None
) -> None:
    warehouse, other = (DuckDBWarehouse(tmp_path / name) for name in ("warehouse.duckdb", "other.duckdb"))
    for each in (warehouse, other):
        with each.session() as session:
            session.ensure(CONTRACTS["star.dim_channel"])
    log = other.path.with_name("other.duckdb.wal")
    if wal:
        with other.session() as session:
            session.execute("INSERT INTO star.dim_channel (channel_key) VALUES (1)")
            shutil.copy(log, tmp_path / "warehouse.duckdb.wal")
    warehouse.path.write_bytes(damage(warehouse.path.read_bytes()))

    with pytest.raises(WarehouseError) as error, warehouse.session() as session:
        session.count("star.dim_channel")

    assert str(error.value).startswith(f"The warehouse {warehouse.path} is damaged or no DuckDB file (")
    assert str(error.value).endswith(
        "): move it and its .wal away, then `analytics-platform materialize` builds it again from the lake."
    )
    assert "download" not in str(error.value)
    for path in tmp_path.glob("warehouse.duckdb*"):
        path.rename(tmp_path / f"away_{path.name}")
    with warehouse.session() as session:
        assert session.tables() == set()


def test_a_file_that_this_user_may_not_open_is_not_called_damaged() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "warehouse.duckdb"
        path.touch(mode=0)
        restore = become_nobody(Path(folder))
        try:
            with (
                pytest.raises(WarehouseError, match=r"cannot be opened: correct its rights"),
                DuckDBWarehouse(path).session(),
            ):
                pass
        finally:
            restore()


FULL = """
mount -t tmpfs -o size=12m tmpfs {folder} && exec {python} -c '
from pathlib import Path
from analytics_platform.lake import FolderLake
from analytics_platform.errors import UserError
from analytics_platform.warehouse import DuckDBWarehouse
big = "CREATE TABLE big AS SELECT range, md5(range::VARCHAR) || md5((range + 1)::VARCHAR) AS text FROM range(2000000)"
folder = Path("{folder}")
warehouse, lake = DuckDBWarehouse(folder / "w.duckdb", "200MB"), FolderLake(folder / "lake")
with warehouse.session() as session:
    session.execute("CREATE TABLE kept AS SELECT 1")
def work():
    with warehouse.session() as session:
        session.execute(big)
for attempt in (work, lambda: lake.put_bytes("users", "a", ".json", b"x" * (20 << 20))):
    try:
        attempt()
    except UserError as error:
        print(f"\\n> {{error}}")
with warehouse.session() as session:
    print("\\n>", session.count("kept"), lake.batches("users"))
'
"""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="only Linux lets a test mount a small disk")
def test_a_full_disk_is_one_sentence_and_nothing_is_half_written(tmp_path: Path) -> None:
    script = FULL.format(folder=tmp_path, python=sys.executable)
    ran = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True)
    if "unshare" in ran.stderr or "mount:" in ran.stderr:
        pytest.skip("this machine lets nobody mount a small disk")

    # DuckDB's progress stands between them.
    assert [line for line in ran.stdout.splitlines() if line.startswith("> ")] == [
        f"> The disk of the warehouse {tmp_path}/w.duckdb is full: make room and run again; nothing is half written.",
        f"> The disk of the lake {tmp_path}/lake is full: make room and run again.",
        "> 1 []",
    ], ran.stderr


def test_the_files_of_a_warehouse_follow_the_umask(platform: Platform) -> None:
    before = os.umask(0o077)
    try:
        with platform.session() as session:
            session.ensure(CONTRACTS["star.dim_channel"])
            files = list(platform.settings.data_dir.glob("warehouse.duckdb*"))
            assert {path.suffix for path in files} == {".duckdb", ".wal"}
            assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    finally:
        os.umask(before)


def test_reading_before_anything_is_stored_says_so(tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(tmp_path / "warehouse.duckdb")
    with pytest.raises(WarehouseError, match=r"There is no warehouse at .* yet"), warehouse.session(read_only=True):
        pass
    assert not warehouse.exists()


def test_a_wider_type_is_taken_over_with_its_rows(session: DuckDBSession) -> None:
    session.connection.execute("CREATE SCHEMA star")
    session.connection.execute(
        "CREATE TABLE star.dim_channel AS SELECT -1::INTEGER AS channel_key, 7::BIGINT AS channel"
    )
    session.ensure(CONTRACTS["star.dim_channel"])
    found = session.rows("SELECT typeof(channel_key), channel_key, typeof(channel), channel FROM star.dim_channel")
    assert found == [("BIGINT", -1, "VARCHAR", "7")]  # ids that were numbers become text


def test_a_column_that_the_contract_lacks_is_rejected_with_the_remedy(session: DuckDBSession) -> None:
    session.connection.execute("CREATE SCHEMA star")
    session.connection.execute("CREATE TABLE star.dim_channel AS SELECT -1::BIGINT AS channel_key, 'red' AS colour")
    with pytest.raises(WarehouseError, match=r"star\.dim_channel\.colour is stored but its contract has no"):
        session.ensure(CONTRACTS["star.dim_channel"])


def test_a_session_defines_the_functions_that_its_sql_calls_with_those_they_call_and_no_others(
    platform: Platform,
) -> None:
    defined = "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type = 'macro' AND NOT internal"
    with platform.session() as session:
        assert session.rows(defined) == []
        assert session.rows("SELECT 'known', PLAIN_ID ('1.0')") == [("known", "1")]
        assert set(session.rows(defined)) == {("known",), ("plain_id",)}


@pytest.mark.parametrize("name", macros())
def test_each_function_can_be_defined_with_only_those_it_calls(name: str) -> None:
    with duckdb.connect() as connection:
        for other in (other for other in macros() if other in macros_in(f"{name}()")):
            connection.execute(macros()[other])
        taken = ", ".join("NULL" for _ in macros()[name].partition(") AS ")[0].partition("(")[2].split(","))
        # A function that is not there is a CatalogException; nulls without a type suit few functions.
        with suppress(duckdb.BinderException):
            connection.execute(f"SELECT {name}({taken})")


def test_the_functions_of_models_are_there_after_a_transaction_that_raised(platform: Platform) -> None:
    sql = "SELECT known('(not set)') AS a, known('b') AS b"
    with platform.session() as session:
        with pytest.raises(KeyboardInterrupt), session.transaction():
            assert session.frame(sql).row(0) == (None, "b")
            raise KeyboardInterrupt
        assert session.frame(sql).row(0) == (None, "b")
