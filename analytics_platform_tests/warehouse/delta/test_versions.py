"""What Delta tables were: listed, read, joined into fewer files, and forgotten when a person is erased."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from typer.testing import CliRunner

from analytics_platform import read
from analytics_platform.cli.commands import app
from analytics_platform.errors import UserError
from analytics_platform.settings import SettingsError, load_settings
from analytics_platform.warehouse.delta import maintenance
from analytics_platform.warehouse.delta.warehouse import DeltaWarehouse
from analytics_platform.warehouse.open import open_delta, parse_as_of
from analytics_platform_tests.kit import Platform, load_rows, open_platform
from analytics_platform_tests.warehouse.delta.delta_kit import FILES, on_delta


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """Two files, loaded one after the other."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("WAREHOUSE_URL", f"lake://{tmp_path}/tables")
    platform = on_delta(tmp_path)
    with platform.session() as session:
        for number, rows in enumerate(FILES):
            load_rows(platform, session, rows, f"{number}.csv")
    return platform


def test_an_earlier_version_is_read_and_listed(platform: Platform) -> None:
    assert (len(read("cleaned.clickstream")), len(read("cleaned.clickstream", as_of=1))) == (3, 2)
    listed = CliRunner().invoke(app, ["tables", "--as-of", "1", "--json"])
    assert '"table": "cleaned.clickstream",\n    "version": 1,' in listed.stdout and '"rows": 2\n' in listed.stdout


def test_an_earlier_version_is_listed_with_the_time_of_its_commit(platform: Platform) -> None:
    assert isinstance(platform.warehouse, DeltaWarehouse)
    first, last = (
        {each.table: each for each in states}["cleaned.clickstream"]
        for states in (replace(platform.warehouse, as_of=1).states(), platform.warehouse.states())
    )
    assert (first.version, last.version) == (1, 2) and first.at < last.at


@pytest.mark.parametrize("as_of", ["2020-01-01", 99999])
def test_a_state_before_the_first_version_or_after_the_last_is_one_sentence(
    platform: Platform, as_of: str | int
) -> None:
    with pytest.raises(UserError, match=rf"cleaned\.clickstream has no state of {as_of}: `analytics-platform tables`"):
        read("cleaned.clickstream", as_of=as_of)
    assert isinstance(platform.warehouse, DeltaWarehouse)
    with pytest.raises(UserError, match=f"No table has a state of {as_of}"):
        list(replace(platform.warehouse, as_of=parse_as_of(str(as_of))).states())


@pytest.mark.parametrize("as_of", ["soon", -1, 2**70])
def test_what_is_neither_a_version_nor_a_time_is_one_sentence(platform: Platform, as_of: str | int) -> None:
    with pytest.raises(UserError, match=f"{as_of} is neither a version nor a time: write 12"):
        read("cleaned.clickstream", as_of=as_of)


def test_only_delta_tables_keep_what_they_were(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Only Delta tables keep what they were: set WAREHOUSE_URL"):
        open_delta(open_platform(tmp_path).settings)


def test_maintenance_joins_files_and_changes_no_row(platform: Platform) -> None:
    assert isinstance(platform.warehouse, DeltaWarehouse)
    table = platform.warehouse.place.uri("cleaned.clickstream")
    assert len(DeltaTable(table).file_uris()) == 2
    assert any(each.startswith("cleaned.clickstream: 2 files joined") for each in platform.warehouse.maintain())
    assert len(DeltaTable(table).file_uris()) == 1
    assert (len(read("cleaned.clickstream")), len(read("cleaned.clickstream", as_of=1))) == (3, 2)


def test_after_an_erasure_no_file_holds_what_a_table_was(platform: Platform) -> None:
    with platform.session() as session:
        session.execute("DELETE FROM cleaned.clickstream WHERE client_id = $client", {"client": "ada"})
        session.forget_history()
    files = [*Path(platform.warehouse.name).glob("[!_]*/*/*.parquet")]  # ids in the journal may have `ada` in them
    assert files and not [each for each in files if b"ada" in each.read_bytes()]


def test_an_erasure_deletes_what_killed_writers_left_an_hour_ago_and_nothing_that_is_being_written(
    platform: Platform,
) -> None:
    tables = Path(platform.warehouse.name)
    rows = next((tables / "cleaned" / "clickstream").glob("*.parquet")).read_bytes()
    left = [tables / "cleaned" / "clickstream" / "part-left.parquet", tables / "_staged" / "killed" / "0.parquet"]
    written = [tables / "cleaned" / "clickstream" / "part-new.parquet", tables / "_staged" / "alive" / "0.parquet"]
    for path in (*left, *written):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rows)
    for path in left:
        os.utime(path, (time.time() - 3700,) * 2)
    with platform.session() as session:
        session.forget_history()
    assert [path.exists() for path in (*left, *written)] == [False, False, True, True]
    assert len(read("cleaned.clickstream")) == 3


@pytest.mark.parametrize("odd", ["é", "a#b?c", "a*b", "it's"])
def test_a_folder_may_have_an_odd_name(odd: str, tmp_path: Path) -> None:
    platform = on_delta(tmp_path / odd)
    with platform.session() as session:
        load_rows(platform, session, FILES[0], "0.csv")
    with platform.session() as session:
        assert session.count("cleaned.clickstream") == 2


@pytest.mark.parametrize("odd", ["a b", "a%20b", "a[b]", "a|b"])
def test_a_folder_whose_name_delta_cannot_read_is_refused_at_start(odd: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"lake:///absolute/folder \(without blanks and % "):
        load_settings(data_dir=tmp_path, warehouse_url=f"lake://{tmp_path}/{odd}")


def test_rows_that_a_merge_wrote_are_found_by_their_text(platform: Platform) -> None:
    with platform.session() as session:
        session.execute("UPDATE ops.pipeline_logs SET run_id = 'merged'")
        found = [
            session.rows(
                "SELECT count(*) FROM ops.pipeline_logs WHERE list_contains($inputs, input)", {"inputs": inputs}
            )
            for inputs in (["0.csv"], ["0.csv", "1.csv"])
        ]
    assert found == [[(1,)], [(2,)]]


def test_maintenance_deletes_what_a_killed_run_staged_a_day_ago(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(platform.warehouse, DeltaWarehouse)
    place = platform.warehouse.place
    write_deltalake(place.uri("_staged/killed/ops_acceptances"), pa.table({"batch_id": ["1"]}))
    list(platform.warehouse.maintain())
    assert place.files("_staged/killed")
    monkeypatch.setattr(maintenance, "_JOURNAL_HOURS", 0)
    list(platform.warehouse.maintain())
    assert not place.files("_staged")
