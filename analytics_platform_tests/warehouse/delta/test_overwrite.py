"""Rows of a Delta table are replaced file by file, in one commit."""

from __future__ import annotations

import errno
import itertools
import json
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError
from hypothesis import example, given
from hypothesis import strategies as st

from analytics_platform.transform import DayRange
from analytics_platform.warehouse.delta.damage import folder_of
from analytics_platform.warehouse.delta.overwrite import replace_rows
from analytics_platform.warehouse.delta.place import DeltaPlace
from analytics_platform_tests.warehouse.delta.delta_kit import MARCH, NAME, item_names, reader_of, rows_of, stored

Days = list[int]
days = st.lists(st.integers(0, 5), max_size=4)
steps = st.one_of(
    st.tuples(st.just("append"), days),
    st.tuples(st.just("by deltalake"), days),
    st.tuples(st.just("compact"), st.just(Days())),
    st.tuples(st.just("all"), days),
    st.tuples(st.sampled_from([(first, last) for first in range(6) for last in range(first, 6)]), days),
)


def replace(place: DeltaPlace, table: DeltaTable, rows: pl.DataFrame, condition: str | None) -> None:
    place.write("_staged/rows", reader_of(rows))
    replace_rows(place, NAME, table, "_staged/rows", condition, CommitProperties(max_commit_retries=0))
    place.delete("_staged/rows")
    table.update_incremental()


@example([("append", [0, 1, 2]), ((1, 1), [1]), ("compact", []), ((2, 5), [])])
@example([("by deltalake", [0, 0, 5]), ((1, 3), [2]), ("all", []), ("append", [])])
@given(st.lists(steps, max_size=6))
def test_after_any_steps_a_table_has_the_rows_that_were_put_last(taken: list[tuple[object, Days]]) -> None:
    with TemporaryDirectory() as root, item_names(Path(root)) as (place, table):
        expected = list[tuple[object, ...]]()
        for number, (what, numbers) in enumerate(taken):
            new, condition = rows_of(numbers, f"step {number}"), None
            match what:
                case "compact":
                    table.optimize.compact()
                    continue
                case "by deltalake":
                    write_deltalake(table, reader_of(new), mode="append")
                    expected += new.rows()
                    continue
                case "all":
                    condition, expected = "", []
                case (int(first), int(last)):
                    new = new.filter(pl.col("event_date").is_between(MARCH[first], MARCH[last]))
                    condition = DayRange(MARCH[first], MARCH[last]).holds("event_date")
                    expected = [row for row in expected if not MARCH[first] <= row[0] <= MARCH[last]]  # type: ignore[operator]
            version = table.version()
            replace(place, table, new, condition)
            expected += new.rows()
            assert table.version() == version + 1
        assert stored(table) == sorted(expected, key=str)


def test_files_of_other_days_stay_as_they_are(tmp_path: Path) -> None:
    with item_names(tmp_path) as (place, table):
        for number in (0, 1, 2):
            replace(place, table, rows_of([number], "before"), None)
        before = set(table.file_uris())
        replace(place, table, rows_of([1], "after"), DayRange(MARCH[1], MARCH[1]).holds("event_date"))
        assert len(before & set(table.file_uris())) == 2
        assert len(table.file_uris()) == 3


def test_files_of_which_the_log_knows_no_days_are_looked_into(tmp_path: Path) -> None:
    with item_names(tmp_path) as (place, table):
        table.alter.set_table_properties({"delta.dataSkippingNumIndexedCols": "0"})
        write_deltalake(table, reader_of(rows_of([0, 1], "before")), mode="append")
        replace(place, table, rows_of([1], "after"), DayRange(MARCH[1], MARCH[1]).holds("event_date"))
        assert [row[:2] for row in stored(table)] == [(MARCH[0], "before 0"), (MARCH[1], "after 0")]


@pytest.mark.parametrize("has_links", [True, False])
def test_what_is_staged_is_in_the_table_after_it_was_deleted(
    has_links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: str) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    if not has_links:
        monkeypatch.setattr(os, "link", refuse)
    with item_names(tmp_path) as (place, table):
        place.write("_staged/rows", reader_of(rows_of([0], "kept")))
        os.utime(tmp_path / "_staged" / "rows" / "0000.parquet", (1, 1))
        replace_rows(place, NAME, table, "_staged/rows", None, CommitProperties(max_commit_retries=0))
        place.delete("_staged")
        table.update_incremental()
        assert [row[1] for row in stored(table)] == ["kept 0"]
        (file,) = (tmp_path / folder_of(NAME)).glob("*.parquet")
        assert file.stat().st_nlink == 1 and file.stat().st_mtime > time.time() - 60


def test_who_opens_a_table_reads_no_more_than_ten_entries_of_its_log(tmp_path: Path) -> None:
    with item_names(tmp_path) as (place, table):
        for number in range(23):
            replace(place, table, rows_of([0], f"{number}"), "")
        log = tmp_path / folder_of(NAME) / "_delta_log"
        assert json.loads((log / "_last_checkpoint").read_text("utf-8"))["version"] >= table.version() - 10


def test_the_second_of_two_writers_of_a_day_fails_and_leaves_no_file(tmp_path: Path) -> None:
    with item_names(tmp_path) as (place, table):
        replace(place, table, rows_of([0], "before"), None)
        second = place.table(NAME)
        assert second is not None
        that_day = DayRange(MARCH[0], MARCH[0]).holds("event_date")
        replace(place, table, rows_of([0], "first"), that_day)
        with pytest.raises(CommitFailedError):
            replace(place, second, rows_of([0], "second"), that_day)
        assert [row[1] for row in stored(table)] == ["first 0"]
        assert len(list((tmp_path / folder_of(NAME)).glob("*.parquet"))) == 2  # the versions before and after


def test_files_that_were_joined_meanwhile_are_not_replaced(tmp_path: Path) -> None:
    with item_names(tmp_path) as (place, table):
        for number in (0, 1):
            replace(place, table, rows_of([number], "before"), None)
        second = place.table(NAME)
        assert second is not None
        assert table.optimize.compact()["numFilesRemoved"] == 2
        with pytest.raises(CommitFailedError):
            replace(place, second, rows_of([0], "after"), DayRange(MARCH[0], MARCH[0]).holds("event_date"))
        assert [row[1] for row in stored(table)] == ["before 0", "before 0"]


def test_a_commit_that_is_stored_though_the_bucket_says_it_is_not_keeps_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bucket stores the entry of the log, answers 500, is asked again, and refuses what it has."""
    with item_names(tmp_path) as (place, table):
        commit = DeltaTable.create_write_transaction

        def unsure(*arguments: Any, **options: Any) -> None:
            commit(*arguments, **options)
            raise CommitFailedError("version 1 already exists")

        monkeypatch.setattr(DeltaTable, "create_write_transaction", unsure)
        with pytest.raises(CommitFailedError):
            replace(place, table, rows_of([0], "stored"), None)
        table.update_incremental()
        assert [row[1] for row in stored(table)] == ["stored 0"]


def test_a_disk_that_is_full_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with item_names(tmp_path) as (place, table):
        replace(place, table, rows_of([0, 1], "before"), None)
        calls, write = itertools.count(), DeltaPlace.write

        def full(*arguments: object) -> list[str]:
            if next(calls):  # after what is staged
                raise OSError("No space left on device")
            return write(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(DeltaPlace, "write", full)
        with pytest.raises(OSError, match="No space left"):
            replace(place, table, rows_of([1], "after"), DayRange(MARCH[1], MARCH[1]).holds("event_date"))
        assert len(list((tmp_path / folder_of(NAME)).glob("*.parquet"))) == 1
