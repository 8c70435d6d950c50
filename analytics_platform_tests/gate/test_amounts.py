"""Amounts as people write them: the same text is the same amount for the gate and for models."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal

import duckdb
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from analytics_platform.contracts.functions import macros
from analytics_platform.gate import types

READ = {
    "19.99": "19.99",
    "1,299.00": "1299",
    "1.299,00": "1299",
    "$19.99": "19.99",
    "19.99 $": "19.99",
    "10 EUR": "10",
    "EUR 10": "10",
    "10€": "10",
    "€ 5,00": "5",
    "-$5": "-5",
    "$-5": "-5",
    "US$1,299": "1299",
    "R$ 1.299,90": "1299.9",
    "Fr. 12.50": "12.5",
    "12.-": "12",
    "12,–": "12",
    "10,- €": "10",
    "10.- CHF": "10",
    "CHF 1'299.–": "1299",
    "1.299,-": "1299",
    "10 Euro": "10",
    "Euro 10": "10",
    "10 euros": "10",
    "10 Dollar": "10",
    "12 Franken": "12",
    "１２": "12",
    "￥１，２００": "1200",
    "12.50 kr": "12.5",
    "1 299,00": "1299",
    "1\u00a0299,00 \u20ac": "1299",
    "1\u202f299,00": "1299",
    "1'299.00": "1299",
    "1,00,000.50": "100000.5",
    "1.299.000": "1299000",
    "1,299": "1299",
    "1.299": "1.299",
    "12,5": "12.5",
    "0,990": "0.99",
    "0,990 €": "0.99",
    "-0,990": "-0.99",
    "00,990": "0.99",
    "01,299": "1.299",
    ",99": "0.99",
    "€ ,990": "0.99",
    ".99": "0.99",
    "99.": "99",
    "+5": "5",
    "0": "0",
}
UNREADABLE = (
    *(
        "free",
        "10.00-",
        "10.-5",
        "10 Taler",
        "12.99-",
        "--5",
        "1.2.3",
        "1,2,3",
        "0,990,000",
        "0,990.00",
        "0.990.000",
        "0.990,00",
        "0'990",
        "0 990",
        ".-",
        ",-",
        "12,34,56",
        "5 5",
        "0x10",
        "٣",
        "EUR",
        "-.",
        "[1]",
        "1e400",
    ),
    "Infinity",
)
MISSING = ("", " ", "null", "None", "NaN", "N/A", "undefined", "(not set)", "[object Object]", "-")


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        for statement in macros().values():
            connection.execute(statement)
        yield connection


def read(engine: duckdb.DuckDBPyConnection, text: str) -> tuple[Decimal | None, bool]:
    # All rows are fetched: the engine takes no other query while a result is open.
    return engine.execute("SELECT amount($text), is_unreadable($text)", {"text": text}).fetchall()[0]


@pytest.mark.parametrize("text", READ)
def test_an_amount_is_read_as_people_write_it(engine: duckdb.DuckDBPyConnection, text: str) -> None:
    assert read(engine, text) == (Decimal(READ[text]), False)


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_is_no_amount_is_told_from_a_missing_one(engine: duckdb.DuckDBPyConnection, text: str) -> None:
    assert read(engine, text) == (None, True)


@pytest.mark.parametrize("text", MISSING)
def test_a_missing_amount_is_unknown(engine: duckdb.DuckDBPyConnection, text: str) -> None:
    assert read(engine, text) == (None, False)


FORMS = ("{:.2f}", "{:,.2f}", "${:,.2f}", "{:.2f} EUR", "USD {:,.2f}", "{:.2f}€")


@given(st.decimals(-9_999_999, 9_999_999, places=2), st.sampled_from(FORMS), st.booleans())
def test_every_amount_comes_back_from_every_form(value: Decimal, form: str, is_european: bool) -> None:
    text = form.format(value).replace("$-", "-$")
    if is_european:
        text = text.translate(str.maketrans(",.", ".,"))
    with duckdb.connect() as connection:
        for statement in macros().values():
            connection.execute(statement)
        assert read(connection, text) == (value, False)


CURRENCIES = {
    "": ("10", "-5", "1e3", "1.299,00", "", "NaN", "N/A", "(not set)", "12,–", "１２"),
    "EUR": ("10 EUR", "€5", "€ 5,00", "1 299,00 €", "eur 5", "10 Euro", "10,- €"),
    "USD": ("usd 5", "12.99USD", "US$1,299", "$10 USD"),
    "GBP": ("GBP10", "£8.50", "-£8"),
    "BRL": ("R$ 10", "R$ 1.299,90"),
    "CAD": ("C$ 10", "CA$10"),
    "AUD": ("A$5",),
    "PLN": ("5 zł", "5,00 ZŁ"),
    "CZK": ("10 Kč",),
    "CHF": ("Fr. 12.50", "CHF 5", "12 Franken", "CHF 1'299.–"),
    "INR": ("₹1,00,000",),
    # of several currencies, or of none that is known: never taken for the shop's
    "$": ("$10", "-$5", "10 Dollars"),
    "¥": ("¥1600", "￥１６００"),
    "KR": ("12.50 kr", "10 kr."),
    "XY": ("10 xy",),
}


def test_a_currency_is_read_from_the_text_of_an_amount(engine: duckdb.DuckDBPyConnection) -> None:
    texts = [text for texts in CURRENCIES.values() for text in texts]
    found = engine.execute("SELECT text, currency_in(text), is_unreadable(text) FROM unnest(?) AS texts(text)", [texts])
    assert found.fetchall() == [(text, code or None, False) for code, texts in CURRENCIES.items() for text in texts]


@pytest.mark.parametrize("text", ["inf", "-inf", "Infinity", "-Infinity", "nan", "NaN"])
def test_what_is_no_number_is_neither_a_currency_nor_an_amount(engine: duckdb.DuckDBPyConnection, text: str) -> None:
    found = engine.execute("SELECT currency_in($text), currency_code($text), amount($text)", {"text": text})
    assert found.fetchall() == [(None, None, None)]


WRITTEN = st.one_of(
    st.sampled_from([*READ, *UNREADABLE, *MISSING]),
    st.integers(),
    st.integers(10**9, 10**13),  # an amount ends in between
    st.floats(allow_nan=False, allow_infinity=False),
    st.none(),
    st.booleans(),
    st.lists(st.integers(), max_size=1),
)
DOCUMENTS = st.lists(
    st.fixed_dictionaries(
        {}, optional={"value": WRITTEN, "items": st.lists(st.fixed_dictionaries({"price": WRITTEN}))}
    ),
    min_size=1,
)


@example([{"value": 10**10}, {"value": 9999999999.99996}], None)
@given(DOCUMENTS, st.sampled_from([None, 1]))
def test_no_unreadable_amount_is_passed_over_for_a_plain_number(
    engine: duckdb.DuckDBPyConnection, documents: list[dict[str, object]], indent: int | None
) -> None:
    texts = pl.Series([json.dumps(document, indent=indent) for document in documents])
    for place in ("value", "items[].price"):
        found = types.find_unreadable_amounts(texts, place, engine)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(types, "_NO_PLAIN_NUMBER", "")  # the engine is asked of every document
            assert found.to_list() == types.find_unreadable_amounts(texts, place, engine).to_list()
