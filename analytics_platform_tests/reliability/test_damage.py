"""A damaged file of the lake or the warehouse is one sentence, holds up nothing else, and the remedy restores all."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from analytics_platform.cli.status import read_status
from analytics_platform.sources.arrivals.api import put_answer
from analytics_platform.sources.arrivals.files import land_files
from analytics_platform.sources.registry import SOURCES
from analytics_platform.warehouse import Session, WarehouseError
from analytics_platform.warehouse.ledger import unloaded_batches
from analytics_platform.warehouse.load import load_new_batches
from analytics_platform.warehouse.replay import replay
from analytics_platform_tests.kit import (
    Contents,
    Platform,
    build,
    click,
    contents,
    load_landed,
    load_rows,
    loaded_days,
    needed,
    open_platform,
    to_csv,
)
from analytics_platform_tests.names import CLICKSTREAM, USERS
from analytics_platform_tests.postgres import new_database
from analytics_platform_tests.shop_logs import put_users, user

TABLES = needed("marts.daily_trends")
FIRST = [click("ada", "2026-03-01T10:00:00Z"), click("ada", "2026-03-01T10:05:00Z"), click("", "2026-03-01T11:00:00Z")]
SECOND = [click("bob", "2026-03-02T09:00:00Z"), FIRST[0], click("bob", "never")]

Damage = Callable[[Path, Path], object]
DAMAGES: Mapping[str, Damage] = {
    "gone": lambda path, other: path.unlink(),
    "cut": lambda path, other: path.write_bytes(path.read_bytes()[: len(path.read_bytes()) * 2 // 3]),
    "one byte changed": lambda path, other: path.write_bytes(_flipped(path.read_bytes())),
    "empty": lambda path, other: path.write_bytes(b""),
    "foreign": lambda path, other: shutil.copy(other, path),
    "a named pipe": lambda path, other: (path.unlink(), os.mkfifo(path)),
    "a link to nothing": lambda path, other: (path.unlink(), path.symlink_to(path.parent / "nothing")),
}


def _flipped(content: bytes) -> bytes:
    place = len(content) // 2
    return content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :]


@dataclass(frozen=True)
class Whole:
    """Two files loaded and built; `killed` has the warehouse of a process that died, with its `.wal`."""

    platform: Platform
    killed: Path
    tables: Contents


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    root = tmp_path_factory.mktemp("whole")
    platform, killed = open_platform(root / "data"), root / "killed"
    killed.mkdir()
    with platform.session() as session:
        load_rows(platform, session, FIRST, "first.csv")
        _build(platform, session)
    with platform.session() as session:
        load_rows(platform, session, SECOND, "second.csv")
        _build(platform, session)
        for path in platform.settings.data_dir.glob("warehouse.duckdb*"):
            shutil.copy(path, killed)
        return Whole(platform, killed, contents(session))


def _build(platform: Platform, session: Session) -> None:
    build(session, loaded_days(session), platform.settings, TABLES)


@pytest.fixture
def copy(whole: Whole, tmp_path: Path) -> Platform:
    """A copy of it all to be damaged."""
    shutil.copytree(whole.platform.settings.data_dir, tmp_path / "data")
    return open_platform(tmp_path / "data")


@pytest.fixture(params=["duckdb", "postgres"])
def bare(request: pytest.FixtureRequest, copy: Platform) -> Iterator[Platform]:
    """The copy with an empty warehouse."""
    _lose_warehouse(copy)
    if request.param == "duckdb":
        yield copy
        return
    with new_database() as url:
        yield open_platform(copy.settings.data_dir, warehouse_url=url)


def _lose_warehouse(platform: Platform) -> None:
    for path in platform.settings.data_dir.glob("warehouse.duckdb*"):
        path.unlink()


def _assert_sentence(words: str) -> None:
    assert "Traceback" not in words and "\n" not in words and words.endswith((".", "`."))


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("what", ["batch", "metadata"])
def test_a_damaged_file_of_the_lake_sets_one_batch_aside_and_the_same_file_dropped_again_restores_all(
    whole: Whole, bare: Platform, what: str, damage: str
) -> None:
    first, second = bare.lake.batches(CLICKSTREAM)
    intact = first.path.read_bytes()
    files = {"batch": (second.path, first.path)}
    files["metadata"] = tuple(each.path.with_name(f"_{each.content_sha256}.json") for each in (second, first))  # type: ignore[assignment]
    DAMAGES[damage](*files[what])
    landed = bare.landing.rename(bare.settings.data_dir / "backup")

    with bare.session() as session:
        assert [each.rows_read for each in load_landed(bare, session)] == [3]
        (failed,) = unloaded_batches(session)
        _assert_sentence(str(failed))
        first_step, second_step = str(failed).split("; after that is put right, load it: ")
        assert str(files[what][0]) in first_step
        assert first_step.endswith(
            "drop that into LANDING_DIR/clickstream again and run `analytics-platform materialize`"
        )
        assert second_step.startswith(f"`analytics-platform replay {failed.batch_id}`")
        landed.rename(bare.landing)
        load_landed(bare, session)
        assert [each.problem for each in replay(session, bare.settings, bare.lake, {failed.batch_id})] == [""]
        found = contents(session)
        assert found == {name: whole.tables[name] for name in found} and found["cleaned.clickstream"]
        if damage == "gone":  # of the same rows the same tables are made, whatever was damaged
            _build(bare, session)
            assert contents(session) == whole.tables
    assert first.path.read_bytes() == intact


@pytest.mark.parametrize("what", ["batch", "metadata", "batch without metadata"])
def test_a_folder_in_place_of_a_file_of_the_lake_sets_one_batch_aside_and_the_remedy_restores_all(
    whole: Whole, copy: Platform, what: str
) -> None:
    _lose_warehouse(copy)
    _, second = copy.lake.batches(CLICKSTREAM)
    metadata = second.path.with_name(f"_{second.content_sha256}.json")
    path = metadata if what == "metadata" else second.path
    path.unlink()
    path.mkdir()
    if what == "batch without metadata":
        metadata.unlink()

    with copy.session() as session:  # the same files lie in the landing folder
        assert [each.rows_read for each in load_landed(copy, session)] == [3]
        (failed,) = unloaded_batches(session)
        _assert_sentence(str(failed))
        assert f"{path} is a folder, which is to be moved away first: put it back" in str(failed)
    assert any(
        failed.batch_id in each.remedy for each in read_status(copy.settings, dt.datetime.now(dt.UTC)).observations
    )
    path.rename(copy.settings.data_dir / "away")
    with copy.session() as session:
        load_landed(copy, session)
        assert [each.problem for each in replay(session, copy.settings, copy.lake, {failed.batch_id})] == [""]
        _build(copy, session)
        assert contents(session) == whole.tables


def test_of_a_batch_that_failed_before_any_was_loaded_status_says_what_to_do(tmp_path: Path) -> None:
    platform = open_platform(tmp_path)
    platform.landing.joinpath("rows.csv").write_text(to_csv(FIRST), "utf-8")
    (batch,) = land_files(SOURCES[CLICKSTREAM], platform.settings, platform.lake).batches
    batch.path.with_name(f"_{batch.content_sha256}.json").write_text("[" * 100_000)
    platform.landing.joinpath("rows.csv").unlink()
    with platform.session() as session:
        assert load_landed(platform, session) == []
    said = read_status(platform.settings, dt.datetime.now(dt.UTC)).next_step
    assert batch.content_sha256 in said and "Nothing was loaded yet" not in said


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_register_is_written_anew_and_nothing_is_loaded_twice(
    whole: Whole, copy: Platform, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analytics_platform.lake.register.SETTLED_S", -1.0)
    path = copy.lake.root / CLICKSTREAM / "_landing.register"
    with copy.session() as session:
        load_landed(copy, session)
        written = path.read_bytes()
        DAMAGES[damage](path, copy.lake.batches(CLICKSTREAM)[0].path)
        assert load_landed(copy, session) == []
        assert path.read_bytes() == written
        assert contents(session) == whole.tables


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("what", ["warehouse.duckdb", "warehouse.duckdb.wal"])
def test_with_a_damaged_warehouse_the_next_run_restores_the_tables_or_is_one_sentence_whose_remedy_does(
    whole: Whole, copy: Platform, what: str, damage: str
) -> None:
    _lose_warehouse(copy)
    for path in whole.killed.iterdir():
        shutil.copy(path, copy.settings.data_dir)
    DAMAGES[damage](copy.settings.data_dir / what, copy.lake.batches(CLICKSTREAM)[0].path)
    try:
        found = _run(copy)
    except WarehouseError as error:
        _assert_sentence(str(error))
        why = (
            "is a named pipe or the like, not a file: move it away" if damage == "a named pipe" else "is damaged or no"
        )
        assert f"The warehouse {copy.settings.data_dir}/warehouse.duckdb" in str(error) and why in str(error)
        _lose_warehouse(copy)
        found = _run(copy)
    assert found == whole.tables


def _run(platform: Platform) -> Contents:
    with platform.session() as session:
        load_landed(platform, session)
        _build(platform, session)
        return contents(session)


def test_a_stored_answer_that_is_not_json_is_set_aside_and_the_next_is_loaded(tmp_path: Path) -> None:
    platform, source = open_platform(tmp_path), SOURCES[USERS]
    put_answer(platform.lake, USERS, [b'[{"id": 1}, {"id": '])
    put_users(platform, user(2))
    with platform.session() as session:
        loaded = [*load_new_batches(source, session, platform.settings, platform.lake, "test")]
        assert [each.rows_accepted for _, each in loaded] == [1]
        (failed,) = unloaded_batches(session)
        assert failed.reason == "the answer breaks off (line 1 column 20): tell the API's owner"
