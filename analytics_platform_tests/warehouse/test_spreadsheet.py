"""Rejected records as files that people open in a spreadsheet: whole, and without running anything."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.warehouse import Session
from analytics_platform.warehouse.spreadsheet import harmless, write_spreadsheets
from analytics_platform_tests.kit import House, click, load_rows

AT = "2024-03-01T10:00:00Z"
FORMULA = '=HYPERLINK("http://evil.example","click")'


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@given(st.text())
def test_no_cell_starts_a_formula_and_every_cell_can_be_read_back(text: str) -> None:
    cell = harmless(text)
    assert not cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r"))
    assert cell in (text, "'" + text)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", "  ="])
def test_each_start_of_a_formula_is_disarmed(start: str) -> None:
    assert harmless(f"{start}1+1") == f"'{start}1+1"


def test_every_rejected_record_is_in_the_file_of_its_input(house: House, session: Session, tmp_path: Path) -> None:
    rows = [click("", AT, page_url=f'/"quoted", {number}\nsecond line') for number in range(20)]
    load_rows(house, session, [*rows, click("ada", AT)], "some.csv")
    load_rows(house, session, [{"timestamp": "", **click("ada", "never"), "client_id": FORMULA}], "other.csv")
    paths = write_spreadsheets(session, tmp_path / "rejected")
    assert [path.name for path in paths] == ["other.csv_errors.csv", "some.csv_errors.csv"]
    stored = session.rows("SELECT batch_id, position::VARCHAR, error_reason, raw FROM ops.quarantine ORDER BY 1, 2")
    found = [
        (row["batch_id"], row["position"], row["error_reason"], row["raw"]) for path in paths for row in read(path)
    ]
    assert sorted(found) == sorted((*row[:3], harmless(str(row[3]))) for row in stored)
    assert len(found) == 21


def test_a_file_is_removed_when_its_input_has_no_rejected_record_any_more(
    house: House, session: Session, tmp_path: Path
) -> None:
    load_rows(house, session, [click("", AT)], "some.csv")
    (path,) = write_spreadsheets(session, tmp_path)
    session.execute("DELETE FROM ops.quarantine")
    assert write_spreadsheets(session, tmp_path, {"some.csv"}) == {}
    assert not path.exists()


def test_a_file_that_somebody_removed_is_written_again_and_others_are_left(
    house: House, session: Session, tmp_path: Path
) -> None:
    for name in ("a.csv", "b.csv"):
        load_rows(house, session, [click("", AT, page_url=name)], name)
    first, second = write_spreadsheets(session, tmp_path)
    first.unlink()
    second.write_text("somebody's notes")
    assert write_spreadsheets(session, tmp_path) == {first: ""}
    assert second.read_text() == "somebody's notes"
