"""Tables in Delta Lake: equal to those in DuckDB, whole after a kill anywhere, and read by others as they lie."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import deltalake
import polars as pl
import pytest
from deltalake import DeltaTable

from analytics_platform.transform import DayRange
from analytics_platform.warehouse.delta import journal, place, session
from analytics_platform.warehouse.delta.place import DeltaPlace
from analytics_platform.warehouse.duckdb import ROW_GROUP
from analytics_platform.warehouse.session import ConflictError
from analytics_platform_tests.kit import (
    Contents,
    Platform,
    Row,
    build,
    click,
    contents,
    load_rows,
    needed,
    open_with_tables,
)
from analytics_platform_tests.models.sales import buy
from analytics_platform_tests.reliability.victim import in_child
from analytics_platform_tests.warehouse.delta.delta_kit import DAYS, FILES, on_delta
from analytics_platform_tests.warehouse.postgres.test_parity import differing


def load_and_build(platform: Platform, *tables: str, files: Sequence[Sequence[Row]] = FILES) -> Contents:
    """Each file by itself, and all days after each."""
    with platform.session() as session:
        for number, rows in enumerate(files):
            load_rows(platform, session, rows, f"{number}.csv")
            build(session, DAYS, platform.settings, needed(*tables) if tables else None)
        return contents(session)


@pytest.mark.parametrize("files", [[[*FILES[0], *FILES[1]]], pytest.param(FILES, marks=pytest.mark.slow)])
def test_every_table_is_equal_to_that_in_duckdb(tmp_path: Path, files: Sequence[Sequence[Row]]) -> None:
    in_file = load_and_build(open_with_tables(tmp_path / "file"), files=files)
    in_delta = load_and_build(on_delta(tmp_path / "delta"), files=files)
    assert differing(in_file, in_delta) == []
    assert in_delta["star.fact_sessions"] and in_delta["ops.quarantine"]


def _load_killed(folder: Path, boundary: int) -> int:
    """Load a file, and be killed before the n-th write of a table, or of what is staged for it."""
    passed = 0

    def fused(write: Callable[..., object]) -> Callable[..., object]:
        def counted(*arguments: object, **options: object) -> object:
            nonlocal passed
            if passed == boundary:
                os.kill(os.getpid(), signal.SIGKILL)
            passed += 1
            return write(*arguments, **options)

        return counted

    vars(journal)["write_deltalake"] = fused(deltalake.write_deltalake)
    type.__setattr__(DeltaPlace, "write", fused(DeltaPlace.write))
    type.__setattr__(DeltaPlace, "copy_in", fused(DeltaPlace.copy_in))
    type.__setattr__(DeltaTable, "create_write_transaction", fused(DeltaTable.create_write_transaction))
    platform = on_delta(folder)
    with platform.session() as opened:
        load_rows(platform, opened, FILES[0], "0.csv")
    return passed


def test_a_load_that_is_killed_before_any_write_is_there_once_after_the_next(tmp_path: Path) -> None:
    code, writes = in_child(_load_killed, tmp_path / "whole", -1)
    assert (code, writes) == (0, 13)  # four tables staged, the entry, four times a copy and its commit
    with on_delta(tmp_path / "whole").session() as opened:
        expected = contents(opened)
    for boundary in (0, 5, 6, 9):
        folder = tmp_path / str(boundary)
        assert in_child(_load_killed, folder, boundary)[0] == -signal.SIGKILL
        assert in_child(_load_killed, folder, -1)[0] == 0
        with on_delta(folder).session() as opened:
            assert contents(opened) == expected, boundary
        assert not [*(folder / "tables" / "_staged").glob("*")] or boundary < 5


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    platform = on_delta(tmp_path)
    with platform.session() as opened:
        load_rows(platform, opened, FILES[0], "0.csv")
    return platform


def test_many_rows_are_staged_in_several_files_and_all_of_them_belong_to_the_table(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "FILE_ROWS", ROW_GROUP)
    monkeypatch.setattr(session, "ROW_GROUP", 2)
    with platform.session() as opened:
        load_rows(platform, opened, [click(f"c{n}", "2026-03-01T12:00:00") for n in range(5)], "many.csv")
        assert opened.count("cleaned.clickstream") == 7
    assert len(DeltaTable(f"{platform.warehouse.name}/cleaned/clickstream").file_uris()) == 4


def test_of_two_runs_that_publish_different_days_both_land(platform: Platform) -> None:
    with platform.session() as one, platform.session() as other:
        days = [DayRange(each, each) for each in (DAYS.first, DAYS.last)]
        for opened in (one, other):
            build(opened, DAYS, platform.settings, needed("cleaned.events") - {"cleaned.events"})
        with one.transaction(publishing=[("cleaned.events", days[0])]):
            build(one, days[0], platform.settings, {"cleaned.events"})
            build(other, days[1], platform.settings, {"cleaned.events"})
    with platform.session(read_only=True) as opened:
        assert opened.rows("SELECT event_date, count(*) FROM cleaned.events GROUP BY 1 ORDER BY 1") == [
            (DAYS.first, 1),
            (DAYS.last, 1),
        ]


def test_of_two_runs_that_publish_the_same_day_the_second_is_told_in_a_sentence(platform: Platform) -> None:
    words = "Another run changed cleaned.events for 2026-03-01...2026-03-02 while this one did: nothing"
    with platform.session() as one, platform.session() as other:
        build(one, DAYS, platform.settings, needed("cleaned.events") - {"cleaned.events"})
        with pytest.raises(ConflictError, match=words), one.transaction():
            build(one, DAYS, platform.settings, {"cleaned.events"})
            build(other, DAYS, platform.settings, {"cleaned.events"})
    with platform.session(read_only=True) as opened:
        assert opened.count("cleaned.events") == 2


def test_a_run_that_publishes_alone_what_another_published_meanwhile_makes_it_again(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, others = journal.Journal.commit, [platform]

    def late(*arguments: object) -> int:
        if others:
            with others.pop().session() as other:
                build(other, DAYS, platform.settings, {"cleaned.events"})
        return commit(*arguments)  # type: ignore[arg-type]

    with platform.session() as one:
        build(one, DAYS, platform.settings, needed("cleaned.events") - {"cleaned.events"})
        monkeypatch.setattr(journal.Journal, "commit", late)
        build(one, DAYS, platform.settings, {"cleaned.events"})
        assert one.count("cleaned.events") == 2


@pytest.mark.parametrize("is_copied", [False, True])
def test_a_run_goes_on_when_another_one_makes_the_steps_of_its_transaction_first(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, is_copied: bool
) -> None:
    copy_in, others = DeltaPlace.copy_in, [platform]

    def slow(place: DeltaPlace, folder: str, name: str) -> object:
        """Wait until another process that saw the entry has made all its steps, before or after the copy."""
        copied = copy_in(place, folder, name) if is_copied else None
        if others:
            with others.pop().session() as other, other.transaction():
                pass
        return copied or copy_in(place, folder, name)

    monkeypatch.setattr(DeltaPlace, "copy_in", slow)
    with platform.session() as opened:
        load_rows(platform, opened, FILES[1], "1.csv")
        assert (opened.count("cleaned.clickstream"), opened.count("ops.pipeline_logs")) == (3, 2)
    folder = Path(platform.warehouse.name, "cleaned", "clickstream")
    assert len([*folder.glob("*.parquet")]) == len(DeltaTable(str(folder)).file_uris())


def test_steps_that_failed_are_made_before_the_same_session_goes_on(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_in, steps = DeltaPlace.copy_in, iter(range(99))

    def failing(*arguments: Any) -> object:
        if next(steps) == 1:
            raise OSError("the bucket is away")
        return copy_in(*arguments)

    monkeypatch.setattr(DeltaPlace, "copy_in", failing)
    with platform.session() as opened:
        with pytest.raises(OSError, match="the bucket is away"):
            load_rows(platform, opened, FILES[1], "1.csv")
        load_rows(platform, opened, [click("zoe", "2026-03-02T10:00:00")], "2.csv")
        accepted = opened.rows("SELECT input, rows_accepted FROM ops.pipeline_logs ORDER BY 1")
        assert (accepted, opened.count("cleaned.clickstream")) == ([("0.csv", 2), ("1.csv", 1), ("2.csv", 1)], 4)


def test_polars_reads_orders_and_what_they_were_before_the_last_file(tmp_path: Path) -> None:
    files = [[buy("ada", "T1", "2026-03-01T10:00:00")], [buy("eve", "T2", "2026-03-02T11:00:00")]]
    load_and_build(on_delta(tmp_path), "star.fact_orders", files=files)
    uri = f"{tmp_path}/tables/star/fact_orders"
    versions = (None, DeltaTable(uri).version() - 1)
    orders = [pl.scan_delta(uri, version=each).select("transaction_id").collect().to_series() for each in versions]
    assert [sorted(each) for each in orders] == [["T1", "T2"], ["T1"]]
