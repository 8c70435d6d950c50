"""Each sentence stays a sentence whatever the numbers and names are."""

import datetime as dt
import re
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.reports import sentences as say
from analytics_platform_tests.reports.examples import days, frame, product
from analytics_platform_tests.reports.test_sentences import funnel

counts = st.integers(0, 10**12)
money = st.decimals(-(10**12), 10**12, places=4, allow_nan=False, allow_infinity=False) | st.just(Decimal(0))
names = st.text(max_size=30)
dates = st.dates(dt.date(2010, 1, 1), dt.date(2026, 12, 31))
several = {"max_size": 6}


def is_a_sentence(text: str) -> None:
    """One line, capital first, full stop last, and nothing that is not a number passed off as one."""
    assert text == " ".join(text.split()) and text.endswith(".")
    assert not re.search(r"\b(nan|inf|infinity|none,|None)\b", text)


@given(
    st.lists(st.tuples(counts, counts, money), max_size=30),
    st.integers(0, 3),
    st.dates(dt.date(2010, 1, 1), dt.date(2030, 1, 1)),
)
def test_trends_always_make_a_sentence(
    numbers: list[tuple[int, int, Decimal]], unfinished: int, first: dt.date
) -> None:
    is_a_sentence(say.trends_sentence(days(*numbers, first=first, unfinished=min(unfinished, len(numbers)))))


@given(st.tuples(counts, counts, counts, counts))
def test_any_funnel_makes_a_sentence(reached: tuple[int, int, int, int]) -> None:
    is_a_sentence(say.funnel_sentence(funnel(*reached)))


@given(st.lists(st.tuples(counts, counts, counts, money, money, money), **several))
def test_any_credit_makes_a_sentence(rows: list[tuple[object, ...]]) -> None:
    is_a_sentence(
        say.attribution_sentence(frame("attribution", [(f"Channel {n}", *row) for n, row in enumerate(rows)]))
    )


@given(st.lists(st.tuples(st.sampled_from(["mobile", "tv", "x"]), counts, counts, counts, counts, money), **several))
def test_any_devices_make_a_sentence(rows: list[tuple[object, ...]]) -> None:
    is_a_sentence(say.devices_sentence(frame("devices", rows)))


@given(st.lists(st.tuples(names, st.integers(0, 9), money, counts, counts, money), **several))
def test_any_products_make_a_sentence(rows: list[tuple[str, int, Decimal, int, int, Decimal]]) -> None:
    sentence = say.products_sentence(frame("products", [product(*row) for row in rows]))
    assert sentence.endswith(".") and "\n" not in sentence and "\x00" not in sentence
