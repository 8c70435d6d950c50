"""What `gate.types` promises of times, JSON and blanks."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator

import duckdb
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from analytics_platform.gate.exact_json import unnested
from analytics_platform.gate.types import present, to_instants, to_json

MOMENTS = st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2262, 1, 1))
ZONES = st.sampled_from(["Z", "", " UTC", "+00:00", "+05:30", "-0800", "+02"])
SAMPLES = ("2026-10-01T00:00:00Z", "2026-10-01T00:00:00.123Z", "2026-10-01T00:00:00.123456Z", "2026-10-01", "no")


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as connection:
        yield connection


def instant(text: str) -> dt.datetime | None:
    return to_instants(pl.Series([text]))[0]


def micros(texts: list[str]) -> list[int | None]:
    """The times as numbers, for Polars knows years that Python does not."""
    return to_instants(pl.Series(texts)).to_physical().to_list()


def offset(zone: str) -> dt.timedelta:
    digits = zone.lstrip("+-").replace(":", "").ljust(4, "0")
    if not digits.isdigit():
        return dt.timedelta()
    size = dt.timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return -size if zone.startswith("-") else size


@given(MOMENTS, st.sampled_from("T "), ZONES, st.integers(0, 6))
def test_a_written_time_is_read_back_in_any_form_zone_and_precision(
    moment: dt.datetime, separator: str, zone: str, digits: int
) -> None:
    fraction = f".{moment.microsecond:06}"[: digits + 1] if digits else ""
    kept = moment.replace(microsecond=int(fraction[1:].ljust(6, "0")) if fraction else 0)
    text = f"{moment:%Y-%m-%d}{separator}{moment:%H:%M:%S}{fraction}{zone}"
    assert instant(text) == kept.replace(tzinfo=dt.UTC) - offset(zone)


@given(MOMENTS)
def test_a_time_without_seconds_and_a_date_are_read(moment: dt.datetime) -> None:
    minute = moment.replace(second=0, microsecond=0, tzinfo=dt.UTC)
    assert instant(f"{moment:%Y-%m-%dT%H:%M}Z") == minute
    assert instant(f"{moment:%Y-%m-%d}") == minute.replace(hour=0, minute=0)


def is_date(digits: str) -> bool:
    try:
        form = {8: "%Y%m%d", 14: "%Y%m%d%H%M%S"}.get(len(digits), "no digits")
        return 1900 <= dt.datetime.strptime(digits, form).year <= 2099
    except ValueError:
        return False


@given(st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2099, 12, 31)))
def test_fourteen_digits_are_a_date_and_time_and_no_unix_time_centuries_from_now(moment: dt.datetime) -> None:
    """As milliseconds they would be of the years 2572 to 2635."""
    second = moment.replace(microsecond=0, tzinfo=dt.UTC)
    assert instant(f"{moment:%Y%m%d%H%M%S}") == second
    assert instant("20260302106000") == dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(
        milliseconds=20260302106000
    )


@given(st.integers(10**8, 10**11 - 1), st.integers(0, 999_999))
def test_unix_times_are_read_in_seconds_milliseconds_and_microseconds(seconds: int, fraction: int) -> None:
    texts = [str(seconds), f"{seconds}{fraction // 1000:03}", f"{seconds}{fraction:06}"]
    whole = seconds * 1_000_000
    assume(not is_date(texts[1]))
    assert micros(texts) == [whole, whole + fraction // 1000 * 1000, whole + fraction]


@given(st.integers(10**17, 2**63 - 2))
def test_unix_times_in_nanoseconds_are_read_to_the_microsecond(nanoseconds: int) -> None:
    assert micros([str(nanoseconds)]) == [nanoseconds // 1000]


@given(st.integers(0, 19).flatmap(lambda digits: st.integers(-(10**digits), 10**digits)), st.sampled_from(["", "000"]))
def test_a_number_means_one_time_at_most_and_one_between_1973_and_5138(number: int, zeros: str) -> None:
    text = f"-{zeros}{-number}" if number < 0 else f"{zeros}{number}"
    assume(not is_date(text))
    found = micros([text])[0]
    meanings = [number * unit for unit in (1_000_000, 1_000, 1) if 10**14 <= number * unit < 10**17]
    meanings += [number // 1000] if 10**17 <= number < 2**63 - 1 else []
    assert [found] == (meanings or [None])


@given(st.text("0123456789-:TZ+. ", max_size=30))
def test_times_agree_with_python_where_both_accept(text: str) -> None:
    try:
        expected = dt.datetime.fromisoformat(text)
    except ValueError:
        return
    found = instant(text)
    if found is not None and not text.isdigit():
        assert found == (expected if expected.tzinfo else expected.replace(tzinfo=dt.UTC))


@given(MOMENTS, st.sampled_from(["auto", "seconds", "milliseconds", "microseconds"]), st.sampled_from("T "))
def test_what_python_writes_as_iso_is_read_as_python_reads_it(
    moment: dt.datetime, precision: str, separator: str
) -> None:
    text = moment.replace(tzinfo=dt.UTC).isoformat(separator, precision)
    assert instant(text) == dt.datetime.fromisoformat(text)


@given(st.text(max_size=40))
def test_garbage_is_not_a_time_and_raises_no_error(text: str) -> None:
    found = micros([text])
    if not any(character.isdigit() for character in text):
        assert found == [None]


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-30",
        "2026-02-30T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-10-01T25:00:00Z",
        "01/10/2026",
        "2026/13/01 10:00:00",
        "20261001T2500",
        "12345",
        "20261301",
        "18990301",
        "27 Foo 2026 10:00:00 GMT",
        "31 Feb 2026 10:00:00 GMT",
        "Fri Nov 27 10:00:00 CET 2026",
        "0",
        "-1759276800",
        "-1759276800000",
        "99999999",
        "9223372036854775807",
        "9" * 40,
        "1e400",
        "2026-02-30T24:00:00Z",
        "2026-10-01T24:00:01Z",
        "12,5",
        "-0001-01-01",
        "10000-01-01",
        "+10000-01-01T00:00:00Z",
    ],
)
def test_impossible_and_foreign_times_are_null(text: str) -> None:
    assert instant(text) is None


@pytest.mark.parametrize(
    ("text", "usual"),
    [
        ("2024-03-01 12:00:00,123", "2024-03-01T12:00:00.123Z"),
        ("2024-03-01T12:00:00,123+01:00", "2024-03-01T11:00:00.123Z"),
        ("20240301T120000Z", "2024-03-01T12:00:00Z"),
        ("20240301T120000.5+0100", "2024-03-01T11:00:00.5Z"),
        ("20240301T1200", "2024-03-01T12:00:00Z"),
        ("20240301T1200Z", "2024-03-01T12:00:00Z"),
        ("20240301T1300+0100", "2024-03-01T12:00:00Z"),
        ("2024/03/01 12:00:00", "2024-03-01T12:00:00Z"),
        ("2024/03/01T12:00:00.5Z", "2024-03-01T12:00:00.5Z"),
        ("20240301 120000", "2024-03-01T12:00:00Z"),
        ("2024-02-29T24:00:00Z", "2024-03-01T00:00:00Z"),
        ("2023-12-31 24:00", "2024-01-01T00:00:00Z"),
        ("20240229T240000Z", "2024-03-01T00:00:00Z"),
        ("20240301", "2024-03-01T00:00:00Z"),
        ("2024/03/01", "2024-03-01T00:00:00Z"),
        ("Fri Mar 01 2024 13:00:00 GMT+0100 (Central European Standard Time)", "2024-03-01T12:00:00Z"),
        ("Fri Mar 01 2024 12:00:00 GMT+0000", "2024-03-01T12:00:00Z"),
        ("Fri, 1 Mar 2024 13:00:00 +0100", "2024-03-01T12:00:00Z"),
        ("01 Mar 2024 12:00:00 UTC", "2024-03-01T12:00:00Z"),
        ("Fri Mar  1 12:00:00 UTC 2024", "2024-03-01T12:00:00Z"),
        ("01/Mar/2024:13:00:00 +0100", "2024-03-01T12:00:00Z"),
        ("2024-03-01 13:00:00 +01:00", "2024-03-01T12:00:00Z"),
        ("1709294400.0", "2024-03-01T12:00:00Z"),
        ("1709294400.123456", "2024-03-01T12:00:00.123456Z"),
        ("1709294400123.5", "2024-03-01T12:00:00.1235Z"),
        ("1.709294400123E9", "2024-03-01T12:00:00.123Z"),
        ("2024-03-01 12:00:00 GMT", "2024-03-01T12:00:00Z"),
        ("2024-03-01T12:00:00.5GMT+0100", "2024-03-01T11:00:00.5Z"),
        ("Fri, 01 Mar 2024 12:00:00 GMT", "2024-03-01T12:00:00Z"),
        ("2024-03-01t12:00:00z", "2024-03-01T12:00:00Z"),
    ],
)
def test_rare_forms_of_a_time_are_read_wherever_they_stand(text: str, usual: str) -> None:
    assert micros([text, SAMPLES[0], text]) == micros([usual, SAMPLES[0], usual])
    assert instant(usual) is not None


@given(
    st.sampled_from(SAMPLES),
    st.one_of(
        st.text("0123456789-:TZ+. ", max_size=30),
        st.from_regex(
            r"[0-9+ -]{4}-[0-9]{2}-[0-9 ]{2}[T ][0-6][0-9]:[0-6][0-9]:[0-6 ][0-9](\.[0-9 ]{3,6})?Z", fullmatch=True
        ),
    ),
)
def test_how_the_first_time_is_written_changes_no_other(first: str, text: str) -> None:
    assert micros([first, text])[1:] == micros([text])


@given(st.lists(st.none() | st.text(max_size=5) | st.sampled_from(SAMPLES), max_size=20))
def test_nulls_stay_null_and_places_are_kept(texts: list[str | None]) -> None:
    found = to_instants(pl.Series(texts, dtype=pl.String))
    assert found.to_list() == [None if text is None else instant(text) for text in texts]


def documents() -> st.SearchStrategy[str]:
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    )
    whole = values.map(json.dumps)
    return whole | whole.map(lambda text: text[:-1]) | st.text('{}[]",:0a\\ ', max_size=12) | st.text(max_size=8)


@given(st.lists(st.none() | documents(), max_size=12))
def test_json_is_valid_where_duckdb_says_so(engine: duckdb.DuckDBPyConnection, texts: list[str | None]) -> None:
    texts = [text for text in texts if text is None or "\0" not in text]
    valid = [
        text is not None and engine.execute("SELECT json_valid($1)", [text]).fetchall() == [(True,)] for text in texts
    ]
    found = to_json(pl.Series(texts, dtype=pl.String), engine).to_list()
    assert found == [text if fine else None for text, fine in zip(texts, valid, strict=True)]


@given(st.lists(st.none() | st.text(" \t\na\u00a0", max_size=6), max_size=10))
def test_blanks_around_a_value_are_taken_off_and_a_blank_value_is_missing(texts: list[str | None]) -> None:
    found = present(pl.DataFrame({"text": pl.Series(texts, dtype=pl.String)}))["text"].to_list()
    assert found == [(text or "").strip() or None for text in texts]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.sampled_from(["a", "[x", "{", '"', "5.0", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab{", max_size=2), inner, max_size=3),
    max_leaves=6,
)


@given(document=st.dictionaries(st.text("ab", max_size=2), JSON_VALUES, max_size=3), data=st.data())
def test_json_that_is_encoded_again_anywhere_is_the_same_json(document: dict[str, object], data: st.DataObject) -> None:
    def encoded(value: object, layers: int = 2) -> object:
        if isinstance(value, dict):
            value = {key: encoded(each, layers - 1) for key, each in value.items()}
        if isinstance(value, list):
            value = [encoded(each, layers - 1) for each in value]
        again = isinstance(value, dict | list) and layers > 0 and data.draw(st.booleans())
        return json.dumps(value) if again else value

    given_as = encoded(document)
    assert json.loads(unnested(given_as if isinstance(given_as, str) else json.dumps(given_as))) == document
    assert json.loads(unnested(json.dumps(given_as))) == document


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (
            "{'items': [{'item_id': 'A', 'price': None, 'new': True}]}",
            {"items": [{"item_id": "A", "price": None, "new": True}]},
        ),
        (
            """{"items": "[{'item_name': \\"Men's\\", 'price': 9.90}]"}""",
            {"items": [{"item_name": "Men's", "price": 9.9}]},
        ),
        ('{"a": "{\'b\': \\"{}\\"}"}', {"a": {"b": {}}}),
        *(
            (f'{{"a": "{text}"}}', {"a": text})
            for text in (
                *("{'", "[{'a': b}]", "{'a', 'b'}", "{'a': 1e999}", "{'a': 'b'} c", "{'a': open('b')}"),
                *("{'a': Decimal('1e9999999')}", "{'a': datetime.datetime(2026, 13, 1)}", "{'a': OrderedDict(['b'])}"),
                "{'a': datetime.datetime(2026, 3, 1, tzinfo=zone)}",
            )
        ),
    ],
)
def test_what_python_printed_is_read_as_json(text: str, read: object) -> None:
    with duckdb.connect() as engine:
        assert json.loads(to_json(pl.Series([text]), engine)[0]) == read


@pytest.mark.parametrize("text", ['"{\\"a\\": NaN}"', '"[1"', '"\\"{"', "{"])
def test_json_that_holds_broken_json_as_a_whole_is_no_json(text: str) -> None:
    with duckdb.connect() as engine:
        assert to_json(pl.Series([text, "{}", '"text"', None]), engine).to_list() == [None, "{}", '"text"', None]
