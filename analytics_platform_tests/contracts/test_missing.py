"""One list says what is missing: for single values, for columns at the gate, and for values inside JSON."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.contracts.event_names import ga4_name, plain_name
from analytics_platform.contracts.functions import macros
from analytics_platform.contracts.missing import CLIENT, MISSING, known, known_id, own_client
from analytics_platform.gate.layout import Layout
from analytics_platform.gate.records import values_of
from analytics_platform.gate.types import present

PLACEHOLDERS = [
    *(
        "",
        "null",
        "NULL",
        "None",
        "nil",
        "NaN",
        "nan",
        "N/A",
        "n/a",
        "undefined",
        "Undefined",
        "(not set)",
        "(Not Set)",
    ),
    *("#N/A", "<NA>", "<null>", r"\N"),
    *("-", "--", " - "),
    *("(none)", "[object Object]", "00000000-0000-0000-0000-000000000000", "  ", " null\t", "\u00a0undefined\n"),
]
UUID = "6f9619ff-8b86-d011-b42d-00cf4fc964ff"
VALUES = [
    "nullable",
    "none of it",
    "N",
    "a",
    "(not set",
    "object",
    "---",
    "-1",
    "a-b",
    "00",
    "0.5",
    "1.0.0",
    "v1.0",
    "false",
    "ñ",
]
NOT_COMPOSED = ["Cafe\u0301", "\u0344", "\u0374", "\u1100\u1161", "\u212b", "\U0001d15e", "Ba\u0308r ä"]
ODD_TEXTS = st.sampled_from(
    [
        UUID,
        UUID.upper(),
        f"{UUID} ".title(),
        f"{UUID.upper()}A",
        *PLACEHOLDERS,
        *VALUES,
        *NOT_COMPOSED,
        "0",
        "0.0",
        "7.0",
        "Bär",
        "Ÿ˿",
    ]
) | st.text("nulaNUL \t\u00a0/()0.1e\u0301é", max_size=6)


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as connection:
        for statement in macros().values():
            connection.execute(statement)
        yield connection


@pytest.mark.parametrize("text", PLACEHOLDERS)
def test_a_placeholder_is_missing_whatever_its_case_and_the_blanks_around_it(text: str) -> None:
    assert known(text) is None
    assert known_id(text) is None


@pytest.mark.parametrize("text", VALUES)
def test_a_text_that_only_looks_like_a_placeholder_is_a_value(text: str) -> None:
    assert known(f" {text} ") == text
    assert known_id(text) == text


@pytest.mark.parametrize(
    ("text", "value", "own_id"),
    [
        ("0", "0", None),
        (" 0 ", "0", None),
        ("0.0", "0.0", None),
        ("123.0", "123.0", "123"),
        ("123.5", "123.5", "123.5"),
        ("10", "10", "10"),
        ("Cafe\u0301", "Caf\u00e9", "Caf\u00e9"),
        (UUID.upper(), UUID.upper(), UUID),
        (f" {UUID[:9].upper()}{UUID[9:]}", UUID[:9].upper() + UUID[9:], UUID),
        (UUID.upper()[1:], UUID.upper()[1:], UUID.upper()[1:]),
        (f"A{UUID.upper()[1:]}Z", f"A{UUID.upper()[1:]}Z", f"A{UUID.upper()[1:]}Z"),
    ],
)
def test_of_ids_zero_is_missing_and_a_number_is_whole(text: str, value: str, own_id: str | None) -> None:
    assert (known(text), known_id(text)) == (value, own_id)


def test_the_models_have_the_same_list(engine: duckdb.DuckDBPyConnection) -> None:
    found = engine.execute("SELECT count(*), count(known(text)) FROM unnest($1) AS given(text)", [[*MISSING]])
    assert found.fetchall() == [(len(MISSING), 0)]


@pytest.mark.parametrize(("is_id", "one", "macro"), [(False, known, "known"), (True, known_id, "known_id")])
@given(texts=st.lists(st.none() | ODD_TEXTS, max_size=9))
def test_columns_and_values_inside_json_are_read_as_single_values_are(
    is_id: bool,
    one: Callable[[str], str | None],
    macro: str,
    texts: list[str | None],
    engine: duckdb.DuckDBPyConnection,
) -> None:
    expected = [None if text is None else one(text) for text in texts]
    given = pl.DataFrame({"text": pl.Series(texts, dtype=pl.String)})
    assert present(given, {"text"} if is_id else ())["text"].to_list() == expected
    rows = engine.execute(f"SELECT list_transform($1::VARCHAR[], lambda text: {macro}(text))", [texts]).fetchall()
    assert rows == [(expected,)]
    assert all(unicodedata.is_normalized("NFC", text) for text in expected if text is not None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("user:7", "client:user:7"),
        (" user:7 ", "client:user:7"),
        ("client:user:7", "client:client:user:7"),
        ("erased:ada", "client:erased:ada"),
        ("erased:0123456789abcdef", "erased:0123456789abcdef"),
        ("User:7", "User:7"),
        ("7", "7"),
    ],
)
def test_no_id_of_a_client_is_a_name_that_the_platform_gives(text: str, expected: str) -> None:
    assert own_client(text) == expected
    given = pl.DataFrame({CLIENT: [text, None]})
    assert values_of(given, Layout((CLIENT,), 1, {CLIENT: CLIENT}, (), ()))[CLIENT].to_list() == [expected, None]


def test_a_name_that_means_different_things_in_different_trackers_keeps_it() -> None:
    assert [ga4_name(name) for name in ("add2cart", "Add-2-Cart", "buy_now")] == [
        "add_to_cart",
        "add_to_cart",
        "buy_now",
    ]


NAMES = st.sampled_from(["Order Completed", "page_viewed", "add-to-cart", "Refund", "wiggle"]) | st.text(
    "aÄ ._-R/:", max_size=9
)


@given(names=st.lists(NAMES, max_size=9))
def test_the_models_spell_names_of_events_as_single_ones_are(
    names: list[str], engine: duckdb.DuckDBPyConnection
) -> None:
    rows = engine.execute("SELECT list_transform($1::VARCHAR[], lambda x: [plain_name(x), ga4_name(x)])", [names])
    assert rows.fetchall() == [([[plain_name(name), ga4_name(name)] for name in names],)]
