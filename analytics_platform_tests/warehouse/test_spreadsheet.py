"""Rejected records as files that people open in a spreadsheet: whole, and without running anything."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.warehouse import Session
from analytics_platform.warehouse.spreadsheet import harmless, write_sheet, write_spreadsheets
from analytics_platform_tests.kit import Platform, click, load_rows

AT = "2024-03-01T10:00:00Z"
FORMULA = '=HYPERLINK("http://evil.example","click")'


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def cells(sheet: str, separator: str) -> list[str]:
    """Every cell that a spreadsheet makes of a CSV: a field that begins with a quote is quoted up to the next one."""
    found, place = [], 0
    while place < len(sheet):
        cell = ""
        if sheet[place] == '"':
            quoted = re.compile(r'"((?:[^"]|"")*)"?').match(sheet, place)
            assert quoted is not None
            cell, place = quoted[1].replace('""', '"'), quoted.end()
        rest = re.compile(rf"[^{separator}\r\n]*").match(sheet, place)
        assert rest is not None
        found.append(cell + rest[0])
        place = rest.end() + 1
    return found


def is_run(cell: str) -> bool:
    """Whether a spreadsheet that skips all it cannot show would take the cell for a formula."""
    shown = [sign for sign in cell if unicodedata.category(sign)[0] not in "CZ"]
    return bool(shown) and unicodedata.normalize("NFKC", shown[0])[0] in "=+-@"


HOSTILE = st.text(st.sampled_from("=+-@＝＋－＠;,\"'\t\r\n \ufeff\u200b\x00\u00a0a1"), max_size=9) | st.text(max_size=9)


@given(rows=st.lists(st.tuples(HOSTILE, HOSTILE, HOSTILE), min_size=1, max_size=3))
def test_no_cell_is_run_whether_the_list_separator_is_a_comma_or_a_semicolon(rows: list[tuple[str, ...]]) -> None:
    text = io.StringIO(newline="")
    write_sheet(text, ("a", "b", "c"), rows)

    for separator in ",;":
        assert not [cell for cell in cells(text.getvalue(), separator) if is_run(cell)]
    told = list(csv.reader(io.StringIO(text.getvalue(), newline=""), strict=True))[1:]
    assert [[cell.replace("'", "") for cell in row] for row in told] == [[c.replace("'", "") for c in r] for r in rows]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "＝", "\t", "\r", "\t=", "\r=", "  =", "\ufeff=", "\x00 ＋"])
def test_each_start_of_a_formula_is_defused(start: str) -> None:
    assert harmless(f"{start}1+1").startswith("'")
    assert harmless(f"a;{start.strip()}=1+1").startswith("a;'")


def test_what_is_no_formula_stays_as_it_is_and_every_field_is_quoted() -> None:
    text = io.StringIO(newline="")
    write_sheet(text, ("n", "day", "text"), [(-5, dt.date(2026, 3, 1), "a-b = c; d"), (None, "", "x\ny")])

    assert text.getvalue() == '"n","day","text"\r\n"-5","2026-03-01","a-b = c; d"\r\n"","","x\ny"\r\n'


def test_every_rejected_record_is_in_the_file_of_its_input(
    platform: Platform, session: Session, tmp_path: Path
) -> None:
    rows = [click("", AT, page_url=f'/"quoted", {number}\nsecond line') for number in range(20)]
    load_rows(platform, session, [*rows, click("ada", AT)], "some.csv")
    load_rows(platform, session, [{"timestamp": "", **click("ada", "never"), "client_id": FORMULA}], "other.csv")
    paths = write_spreadsheets(session, tmp_path / "rejected", print)
    assert [path.name for path in paths] == ["other.csv_errors.csv", "some.csv_errors.csv"]
    stored = session.rows("SELECT batch_id, position::VARCHAR, error_reason, raw FROM ops.quarantine ORDER BY 1, 2")
    found = [
        (row["batch_id"], row["position"], row["error_reason"], row["raw"]) for path in paths for row in read(path)
    ]
    assert sorted(found) == sorted((*row[:3], harmless(str(row[3]))) for row in stored)
    assert len(found) == 21


def test_a_file_is_removed_when_its_input_has_no_rejected_record_any_more(
    platform: Platform, session: Session, tmp_path: Path
) -> None:
    load_rows(platform, session, [click("", AT)], "some.csv")
    (path,) = write_spreadsheets(session, tmp_path, print)
    session.execute("DELETE FROM ops.quarantine")
    assert write_spreadsheets(session, tmp_path, print, {"some.csv"}) == []
    assert not path.exists()


def test_a_file_that_somebody_removed_is_written_again_and_others_are_left(
    platform: Platform, session: Session, tmp_path: Path
) -> None:
    for name in ("a.csv", "b.csv"):
        load_rows(platform, session, [click("", AT, page_url=name)], name)
    first, second = write_spreadsheets(session, tmp_path, print)
    first.unlink()
    second.write_text("somebody's notes")
    assert write_spreadsheets(session, tmp_path, print) == [first]
    assert second.read_text() == "somebody's notes"


def test_a_gate_writes_the_files_of_its_own_source_only(platform: Platform, session: Session, tmp_path: Path) -> None:
    load_rows(platform, session, [click("", AT)], "some.csv")
    assert write_spreadsheets(session, tmp_path, print, source="web_logs") == []
    assert len(write_spreadsheets(session, tmp_path, print, source="clickstream")) == 1
