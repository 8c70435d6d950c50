"""Two transactions never count as one, and one never as none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from analytics_platform.transform import DayRange
from analytics_platform.warehouse.delta import journal
from analytics_platform.warehouse.delta.journal import STAGED, Journal, JournalStep, Part
from analytics_platform.warehouse.delta.place import DeltaPlace
from analytics_platform.warehouse.session import ConflictError, WarehouseError
from analytics_platform_tests.kit import click, load_rows
from analytics_platform_tests.warehouse.delta.delta_kit import (
    FILES,
    MARCH,
    NAME,
    item_names,
    on_delta,
    reader_of,
    rows_of,
    stored,
)


def commit(of: Journal, place: DeltaPlace, day: int, what: str, base: int = 0) -> int:
    """Put a row on a day, by a writer who saw the transactions up to `base`."""
    place.write(f"{STAGED}/{what}/rows", reader_of(rows_of([day], what)))
    days = DayRange(MARCH[day], MARCH[day])
    step = JournalStep(NAME, "overwrite", days.holds("event_date"), f"{STAGED}/{what}/rows")
    return of.commit(base, what, [Part.of(NAME, days)], [step])


def test_the_first_transactions_of_two_writers_both_count(tmp_path: Path) -> None:
    with item_names(tmp_path) as (place, table):
        writers = [Journal(place), Journal(place)]
        assert [each.settle() for each in writers] == [0, 0]
        assert [commit(each, place, day, f"writer {day}") for day, each in enumerate(writers)] == [1, 2]
        table.update_incremental()
        assert [row[1] for row in stored(table)] == ["writer 0 0", "writer 1 0"]


def test_an_entry_that_is_stored_though_the_bucket_says_it_is_not_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = journal.write_deltalake

    def unsure(table: DeltaTable, *arguments: Any, **options: Any) -> None:
        write(DeltaTable(table.table_uri), *arguments, **options)
        raise CommitFailedError("version 1 already exists")

    with item_names(tmp_path) as (place, table):
        of = Journal(place)
        of.settle()
        monkeypatch.setattr(journal, "write_deltalake", unsure)
        assert commit(of, place, 0, "once") == 1
        table.update_incremental()
        assert [row[1] for row in stored(table)] == ["once 0"]
        assert Journal(place).settle() == 1


def test_a_table_that_refuses_changes_for_good_is_one_sentence(tmp_path: Path) -> None:
    with item_names(tmp_path) as (place, table):
        of = Journal(place)
        of.settle()
        commit(of, place, 0, "before")
        table.update_incremental()
        table.alter.set_table_properties({"delta.appendOnly": "true"})
        with pytest.raises(WarehouseError, match=f"Delta refuses to change {NAME} .*: correct its properties, or move"):
            commit(of, place, 0, "after", of.settle())
        table.alter.set_table_properties({"delta.appendOnly": "false"})
        Journal(place).settle()
        table.update_incremental()
        assert [row[1] for row in stored(table)] == ["after 0"]


def test_rows_that_two_writers_delete_are_gone_and_the_next_writer_goes_on(tmp_path: Path) -> None:
    """Of two transactions that check no part, the second finds nothing left to delete."""
    platform = on_delta(tmp_path)
    gone = "DELETE FROM cleaned.clickstream WHERE client_id = 'ada'"
    with platform.session() as one:
        load_rows(platform, one, FILES[0], "0.csv")
        with one.transaction():
            one.execute(gone)
            with platform.session() as other:
                other.execute(gone)
        load_rows(platform, one, [click("eve", "2026-03-02T10:00:00")], "1.csv")
        assert one.rows("SELECT client_id FROM cleaned.clickstream ORDER BY 1") == [("bob",), ("eve",)]


def test_a_writer_who_is_told_of_a_conflict_leaves_nothing_staged(tmp_path: Path) -> None:
    platform = on_delta(tmp_path)
    with platform.session() as one:
        load_rows(platform, one, FILES[0], "0.csv")
        with pytest.raises(ConflictError), one.transaction("cleaned.clickstream"):
            one.execute("DELETE FROM cleaned.clickstream WHERE client_id = 'ada'")
            with platform.session() as other:
                load_rows(platform, other, FILES[1], "1.csv")
    assert not list((tmp_path / "tables" / "_staged").rglob("*.parquet"))


def test_a_session_opens_a_table_once_and_sees_what_others_commit_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with item_names(tmp_path) as (place, _):
        of, opened = Journal(place), list[str]()
        open_table = DeltaPlace.table

        def counted(place: DeltaPlace, name: str) -> DeltaTable | None:
            opened.append(name)
            return open_table(place, name)

        monkeypatch.setattr(DeltaPlace, "table", counted)
        before = of.table(NAME)
        monkeypatch.undo()
        other = Journal(place)
        other.settle()
        commit(other, place, 1, "new")
        monkeypatch.setattr(DeltaPlace, "table", counted)
        after = of.table(NAME)
    assert before is after is not None and opened == [NAME]
    assert [row[1] for row in stored(after)] == ["new 0"]
