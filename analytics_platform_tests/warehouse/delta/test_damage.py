"""Damaged Delta tables: one sentence with table, file and what to do, and doing that gives the tables from before."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet
import pytest
from deltalake.exceptions import DeltaError

from analytics_platform.cli.status import read_status
from analytics_platform.contracts.ops import RuleResults
from analytics_platform.orchestration.build import build_definitions
from analytics_platform.orchestration.launch import materialize
from analytics_platform.warehouse.delta import journal
from analytics_platform.warehouse.session import DamageError, WarehouseError
from analytics_platform_tests.kit import (
    Contents,
    Platform,
    become_nobody,
    build,
    click,
    contents,
    load_landed,
    load_rows,
    needed,
    to_csv,
)
from analytics_platform_tests.warehouse.delta.delta_kit import DAYS, FILES, on_delta

RECORDS, BUILT, LEDGER = "cleaned/clickstream", "cleaned/events", "ops/pipeline_logs"
TABLES = needed("cleaned.events")


def run(platform: Platform) -> Contents:
    with platform.session() as session:
        load_landed(platform, session)
        build(session, DAYS, platform.settings, TABLES)
        return contents(session)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Contents]:
    """A folder with two files, loaded and built, and its tables."""
    folder = tmp_path_factory.mktemp("whole")
    platform = on_delta(folder)
    with platform.session() as session:
        load_rows(platform, session, FILES[0], "0.csv")
    platform.landing.joinpath("1.csv").write_text(platform.landing.joinpath("0.csv").read_text().replace("ada", "kim"))
    return folder, run(platform)


@pytest.fixture
def platform(tmp_path: Path, whole: tuple[Path, Contents]) -> Iterator[Platform]:
    shutil.copytree(whole[0], tmp_path, dirs_exist_ok=True)
    yield on_delta(tmp_path)


def data(table: Path) -> Path:
    return max(table.glob("*.parquet"), key=lambda path: path.stat().st_size)


def log(table: Path) -> Path:
    return max(table.joinpath("_delta_log").glob("*.json"))


def cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def change_a_byte(path: Path) -> Path:
    """Change a byte of a page that every run reads."""
    group = pyarrow.parquet.read_metadata(path).row_group(0)
    columns = {each.path_in_schema: each for each in map(group.column, range(group.num_columns))}
    column = columns.get("entry") or columns["batch_id"]
    content = bytearray(path.read_bytes())
    content[column.dictionary_page_offset or column.data_page_offset] ^= 255  # in the header: values have no checksum
    path.write_bytes(content)
    return path


def change_what_only_duckdb_reads(path: Path) -> Path:
    """Change a bit with which Arrow reads the file, and DuckDB does not."""
    whole = path.read_bytes()
    # In the footer: to look through the values before it, which have no such bit, took half a minute.
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    for place in range(footer, len(whole) - 8):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with suppress(pa.ArrowException, OSError):
            pyarrow.parquet.read_table(path).validate(full=True)
            try:
                duckdb.connect().execute("SELECT count(COLUMNS(*)) FROM read_parquet(?)", [str(path)])
            except duckdb.Error:
                return path
    raise AssertionError("no such bit")


def lose(path: Path) -> Path:
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    return path


def empty(folder: Path) -> Path:
    lose(folder).mkdir()
    return folder


def foreign(table: Path) -> Path:
    path = table / "_delta_log" / f"{99:020}.json"
    path.write_text("foreign")
    return path


def empty_log(table: Path) -> Path:
    log(table).write_bytes(b"")
    return log(table)


DAMAGES: dict[str, Callable[[Path], Path]] = {
    "a data file is missing": lambda table: lose(data(table)),
    "a data file is cut": lambda table: cut(data(table)),
    "a byte is changed": lambda table: change_a_byte(data(table)),
    "the last entry of the log is cut": lambda table: cut(log(table)),
    "the last entry of the log is empty": empty_log,
    "the last entry of the log is missing": lambda table: lose(log(table)),
    "the log has a foreign entry": foreign,
    "the folder is empty": empty,
    "the folder is a file": lambda table: (lose(table), table.write_text("x"), table)[-1],
}


TABLES_DAMAGED = (RECORDS, BUILT, LEDGER, "_journal")
CASES = [
    pytest.param(table, damage, marks=[] if place % len(TABLES_DAMAGED) == number else pytest.mark.slow)
    for number, table in enumerate(TABLES_DAMAGED)
    for place, damage in enumerate(DAMAGES)
    if (table, damage) != ("_journal", "the last entry of the log is missing")  # nothing else knows of it
]
"""Each damage with each table, of which the quick ones have each damage once."""


@pytest.mark.parametrize(("table", "damage"), CASES)
def test_a_damaged_table_is_one_sentence_whose_remedy_restores_the_tables(
    platform: Platform, whole: tuple[Path, Contents], table: str, damage: str
) -> None:
    root = Path(platform.warehouse.name)
    file = DAMAGES[damage](root / table)
    name = table.replace("/", ".")
    with pytest.raises(DamageError) as error:
        run(platform)
    said = str(error.value)
    assert said.startswith(f"{name} in the warehouse {root} is damaged: ") and "\n" not in said and len(said) < 500
    assert file.name in said or damage == "the folder is empty"
    moved, remedy = (root / table, "--days all") if table == BUILT else (root, "builds it again from the lake")
    assert f"move {moved} away, then `analytics-platform materialize" in said and remedy in said
    moved.rename(platform.settings.data_dir / "away")
    assert run(platform) == whole[1]


def test_damage_that_only_duckdb_notices_is_one_sentence_too(platform: Platform) -> None:
    file = change_what_only_duckdb_reads(data(Path(platform.warehouse.name) / LEDGER))
    found = read_status(platform.settings, dt.datetime.now(dt.UTC))
    assert f"{file.name} cannot be decoded: move {platform.warehouse.name} away" in found.next_step


@pytest.mark.parametrize("damage", ["a data file is cut", "the log has a foreign entry"])
def test_a_damaged_mart_fails_its_own_step_and_files_are_loaded(
    tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    platform, mart = on_delta(tmp_path), "marts.daily_trends"
    with platform.session() as session:
        load_rows(platform, session, [click("ada", "2026-03-01T10:00:00")], "0.csv")
        build(session, DAYS, platform.settings, needed(mart))
        session.ensure(RuleResults)
    file = DAMAGES[damage](Path(platform.warehouse.name) / mart.replace(".", "/"))
    platform.landing.joinpath("1.csv").write_text(to_csv([click("kim", "2026-03-02T10:00:00")]))
    chosen = " or ".join(f'key:"{name}"' for name in ("raw/clickstream", "cleaned/clickstream", "marts/daily_trends"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    assert not materialize(build_definitions(platform.settings), platform.settings, chosen, None, debug=False)
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Failed: ")]
    assert len(said) == 2 and len({*said}) == 1, "as it happens, and once more at the end"
    assert said[0].startswith(f"Failed: {mart}: {mart} in the warehouse ") and file.name in said[0]
    with platform.session(read_only=True) as session:
        assert session.count("ops.pipeline_logs") == 2


@pytest.mark.parametrize("table", ["cleaned.daily_rates", "ops.rule_results"])
def test_files_are_loaded_beside_a_damaged_table_that_says_which_days_to_build(
    tmp_path: Path, table: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    platform = on_delta(tmp_path)
    with platform.session() as session:
        load_rows(platform, session, [click("ada", "2026-03-01T10:00:00")], "0.csv")
        build(session, DAYS, platform.settings, needed("cleaned.daily_rates"))
        session.ensure(RuleResults)
    foreign(Path(platform.warehouse.name) / table.replace(".", "/"))
    platform.landing.joinpath("1.csv").write_text(to_csv([click("kim", "2026-03-02T10:00:00")]))
    built = ("raw/clickstream", "cleaned/clickstream", "cleaned/daily_rates", "cleaned/urls")
    chosen = " or ".join(f'key:"{name}"' for name in built)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    assert not materialize(build_definitions(platform.settings), platform.settings, chosen, None, debug=False)
    said = capsys.readouterr().out
    assert f"{table} in the warehouse {platform.warehouse.name} is damaged: " in said
    with platform.session(read_only=True) as session:
        assert session.count("ops.pipeline_logs") == 2
        assert ("cleaned.urls" in session.tables()) is (table == "cleaned.daily_rates")


@pytest.mark.parametrize("table", [BUILT, LEDGER])
def test_status_shows_what_can_be_read_beside_a_damaged_table(platform: Platform, table: str) -> None:
    file = lose(data(Path(platform.warehouse.name) / table))
    found = read_status(platform.settings, dt.datetime.now(dt.UTC))
    said = {each.name: each for each in found.observations}
    assert file.name in said["event_names" if table == BUILT else "fresh"].seen
    assert said["batches" if table == BUILT else "event_names"].passed
    assert bool(found.batches) is (table == BUILT)


def test_the_next_step_is_to_put_damage_right_before_other_checks(platform: Platform) -> None:
    moved = Path(platform.warehouse.name) / BUILT
    lose(data(moved))
    found = read_status(platform.settings, dt.datetime.now(dt.UTC) + dt.timedelta(days=10))
    assert next(each.name for each in found.observations if not each.passed) == "fresh"
    assert found.next_step.startswith(f"Move {moved} away, then `analytics-platform materialize --days all`")


def test_a_folder_that_cannot_be_written_is_named_with_its_cause(platform: Platform) -> None:
    root = Path(platform.warehouse.name)
    become_root = become_nobody(root.parent)
    try:
        with pytest.raises(WarehouseError) as error, platform.session() as session:
            session.execute("DELETE FROM cleaned.clickstream WHERE client_id = 'ada'")
    finally:
        become_root()
    said = str(error.value)
    assert said.startswith(f"The warehouse {root} cannot be read or written: correct its rights")
    assert "Permission denied" in said and "\n" not in said and "\x1b" not in said


def test_a_full_disk_is_one_sentence(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise DeltaError("Failed to parse parquet: External: Generic LocalFileSystem error: No space left on device")

    monkeypatch.setattr(journal, "write_deltalake", full)
    with pytest.raises(WarehouseError) as error, platform.session() as session:
        session.execute("DELETE FROM cleaned.clickstream WHERE client_id = 'ada'")
    words = "is full: make room and run again; nothing is half stored."
    assert str(error.value) == f"The disk of the warehouse {platform.warehouse.name} {words}"


def test_on_a_disk_that_fills_up_nothing_is_half_stored_or_left_and_no_library_panics(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    disk = tmp_path / "tables"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, check=False
    ).returncode:
        pytest.skip("only root may mount a small disk")
    try:
        platform = on_delta(tmp_path)
        rows = [click(f"{number * 7919 % 100_003}", "2026-03-01T10:00:00", data=number) for number in range(1, 30_001)]
        with pytest.raises(WarehouseError, match="is full: make room"), platform.session() as session:
            load_rows(platform, session, rows)
        assert not [*disk.glob("_staged/*")] and "panicked" not in capfd.readouterr().err
        subprocess.run(["mount", "-o", "remount,size=100m", disk], check=True)
        with platform.session() as session:
            load_landed(platform, session)
            assert session.count("cleaned.clickstream") == len(rows)
    finally:
        subprocess.run(["umount", disk], check=True)
