"""Numbers, days and foreign text read well, and the same value always reads the same."""

import datetime as dt
import locale
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.reports import wording


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (None, "–"), (0.0, "0 %"), (0.00001, "under 0.1 %"), (0.03, "3.0 %"), (0.0994, "9.9 %"),
        (0.0996, "10 %"), (0.12, "12 %"), (0.994, "99 %"), (0.9999, "99.9 %"), (1.0, "100 %"),
        (12.3, "1,230 %"), (-0.12, "−12 %"), (-0.00001, "above −0.1 %"), (-0.034, "−3.4 %"),
    ],
)  # fmt: skip
def test_percentages_are_short_and_never_round_to_nothing_or_everything(ratio: float | None, text: str) -> None:
    assert wording.percent(ratio) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "0"), ("0.0000", "0"), ("-0.0000", "0"), ("5", "5.00"), ("999.99", "999.99"), ("84120.4", "84,120"),
        ("-1234", "−1,234"),
    ],
)  # fmt: skip
def test_money_has_thousands_separators_and_small_amounts_their_cents(amount: str, text: str) -> None:
    assert wording.money(Decimal(amount)) == text
    with wording.amounts_in("EUR"):
        assert wording.money(Decimal(amount)) == f"EUR {text}"
    assert wording.money(Decimal(amount)) == text


@pytest.mark.parametrize(
    ("first", "last", "text"),
    [
        ("2026-11-11", "2026-11-11", "11 Nov"),
        ("2026-11-11", "2026-11-20", "11–20 Nov"),
        ("2026-10-28", "2026-11-03", "28 Oct – 3 Nov"),
        ("2025-12-30", "2026-01-02", "30 Dec 2025 – 2 Jan 2026"),
        ("2025-11-11", "2026-11-20", "11 Nov 2025 – 20 Nov 2026"),
    ],
)
def test_periods_are_written_as_short_as_possible(first: str, last: str, text: str) -> None:
    assert wording.span(dt.date.fromisoformat(first), dt.date.fromisoformat(last)) == text


def test_a_period_shows_its_year_when_asked() -> None:
    assert wording.span(dt.date(2026, 10, 28), dt.date(2026, 11, 3), year=True) == "28 Oct – 3 Nov 2026"


def test_months_do_not_depend_on_the_locale() -> None:
    kept = locale.setlocale(locale.LC_TIME)
    try:
        for name in ("de_DE.UTF-8", "C.UTF-8", "C"):
            try:
                locale.setlocale(locale.LC_TIME, name)
            except locale.Error:
                continue
            assert wording.day(dt.date(2026, 5, 1), year=True) == "1 May 2026"
    finally:
        locale.setlocale(locale.LC_TIME, kept)


@pytest.mark.parametrize(
    ("before", "after", "text"), [(100, 112, "+12 %"), (100, 90, "−10 %"), (0, 5, "–"), (5, 5, "0 %")]
)
def test_a_change_has_a_sign_and_none_from_nothing(before: int, after: int, text: str) -> None:
    assert wording.change(before, after) == text


@given(st.text(), st.integers(1, 80))
def test_foreign_text_becomes_one_short_line_without_control_characters(text: str, longest: int) -> None:
    line = wording.clean(text, longest)
    assert len(line) <= longest
    assert line.isprintable() or not any(ord(letter) < 32 or letter in "\u202e\u2028\u200f" for letter in line)
    assert wording.clean(line, longest) == line


def test_signs_that_hide_or_reorder_text_are_taken_out() -> None:
    assert wording.clean("a\u202eb\x00c\r\nSubject: x\u2028y\ud800z") == "a b c Subject: x y z"
