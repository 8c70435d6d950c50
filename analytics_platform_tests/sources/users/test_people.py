"""What becomes of a user's record: names taken apart, values as text, nothing lost and nothing coerced."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.contracts.missing import known
from analytics_platform.gate.layout import usual_names
from analytics_platform.sources.users.records import COLUMNS, NAME_PARTS, REASONS, read_users, split_name
from analytics_platform.sources.users.source import UserVersions

USER = {
    "id": 6,
    "name": "Mrs. Dennis Schulist",
    "username": "Leopoldo_Corkery",
    "email": " Karley_Dach@Jasper.info ",
    "address": {
        "street": "Norberto Crossing",
        "suite": "Apt. 950",
        "city": "South Christy",
        "zipcode": "23505-1337",
        "geo": {"lat": "-71.4197", "lng": "71.7478"},
    },
    "phone": "1-477-935-8478 x6430",
    "website": "ola.org",
    "company": {"name": "Considine-Lockman", "catchPhrase": "Synchronised interface", "bs": "e-enable"},
}


class User(NamedTuple):
    """What is read of a user: its values or the reasons to reject it, and how it differs from the usual."""

    values: dict[str, str | None]
    reasons: tuple[str, ...]
    drift: tuple[str, ...]


def read_user(raw: str) -> User:
    first, last = read_users([raw])
    values = first.values.row(0, named=True) if first.values.height else dict.fromkeys(COLUMNS)
    assert tuple(values) == COLUMNS
    reasons = tuple(reason for told in first.malformed["error_reason"] for reason in told.split("; "))
    return User(values, reasons, last.drift)


NAMES = [
    # The ten of jsonplaceholder.
    ("Leanne Graham", None, "Leanne", "Graham", None),
    ("Ervin Howell", None, "Ervin", "Howell", None),
    ("Clementine Bauch", None, "Clementine", "Bauch", None),
    ("Patricia Lebsack", None, "Patricia", "Lebsack", None),
    ("Chelsey Dietrich", None, "Chelsey", "Dietrich", None),
    ("Mrs. Dennis Schulist", "Mrs.", "Dennis", "Schulist", None),
    ("Kurtis Weissnat", None, "Kurtis", "Weissnat", None),
    ("Nicholas Runolfsdottir V", None, "Nicholas", "Runolfsdottir", "V"),
    ("Glenna Reichert", None, "Glenna", "Reichert", None),
    ("Clementina DuBuque", None, "Clementina", "DuBuque", None),
    # Honorifics in front, suffixes behind.
    ("Clementine Bauch V", None, "Clementine", "Bauch", "V"),
    ("Kurtis Weissnat Jr.", None, "Kurtis", "Weissnat", "Jr."),
    ("Kurtis Weissnat, Jr.", None, "Kurtis", "Weissnat", "Jr."),
    ("Dr. Martin Luther King Jr.", "Dr.", "Martin", "King", "Jr."),
    ("Prof. Dr. Max Planck", "Prof. Dr.", "Max", "Planck", None),
    ("Miss Terrance Kessler DVM", "Miss", "Terrance", "Kessler", "DVM"),
    ("Mr. Jean-Luc O'Shea III", "Mr.", "Jean-Luc", "O'Shea", "III"),
    ("Mrs. Schulist", "Mrs.", None, "Schulist", None),
    ("Dean Martin", None, "Dean", "Martin", None),
    # Particles belong to the last name.
    ("Ludwig van Beethoven", None, "Ludwig", "van Beethoven", None),
    ("Anna-Lena von der Heide", None, "Anna-Lena", "von der Heide", None),
    ("Ms. Ana de la Cruz", "Ms.", "Ana", "de la Cruz", None),
    ("Ali bin Ahmad", None, "Ali", "bin Ahmad", None),
    ("Van Morrison", None, "Van", "Morrison", None),
    # Last name first.
    ("Weissnat, Kurtis", None, "Kurtis", "Weissnat", None),
    ("Weissnat, Mr. Kurtis, Jr.", "Mr.", "Kurtis", "Weissnat", "Jr."),
    ("de la Cruz, Ana Maria", None, "Ana", "de la Cruz", None),
    # One word, nicknames, blanks, little.
    ("Madonna", None, "Madonna", None, None),
    ("Prince", None, "Prince", None, None),
    ("Dr.", "Dr.", None, None, None),
    ("V", None, "V", None, None),
    ('José "Pepe" García', None, "José", "García", None),
    ("  Anna   Lee ", None, "Anna", "Lee", None),
    (",", None, None, None, None),
    ("", None, None, None, None),
]


@pytest.mark.parametrize(("name", "honorific", "first", "last", "suffix"), NAMES)
def test_names_are_split(
    name: str, honorific: str | None, first: str | None, last: str | None, suffix: str | None
) -> None:
    assert split_name(name) == (honorific, first, last, suffix)
    values = read_user(json.dumps({"name": name})).values
    assert [values[part] for part in NAME_PARTS] == [honorific, first, last, suffix]
    assert values["name"] == (name.strip() or None)


@given(st.text(max_size=300) | st.text("Dr. van,()\"'V", max_size=300))
def test_no_text_is_too_odd_for_a_name(text: str) -> None:
    assert all(part is None or part for part in split_name(text))


def test_a_text_too_long_for_a_name_stays_whole() -> None:
    name = "Anna " * 41
    assert split_name(name) == (None,) * 4
    assert read_user(json.dumps({"name": name})).values["name"] == name.strip()


def test_a_user_becomes_the_columns_of_the_table() -> None:
    user = read_user(json.dumps(USER))
    assert user.values == {
        "user_id": "6",
        "name": "Mrs. Dennis Schulist",
        "honorific": "Mrs.",
        "first_name": "Dennis",
        "last_name": "Schulist",
        "suffix": None,
        "username": "Leopoldo_Corkery",
        "email": "karley_dach@jasper.info",
        "phone": "1-477-935-8478 x6430",
        "website": "ola.org",
        "street": "Norberto Crossing",
        "suite": "Apt. 950",
        "city": "South Christy",
        "zipcode": "23505-1337",
        "latitude": "-71.4197",
        "longitude": "71.7478",
        "company_name": "Considine-Lockman",
        "company_catch_phrase": "Synchronised interface",
        "company_bs": "e-enable",
        "extra": None,
    }
    assert (user.reasons, user.drift) == ((), ())


@pytest.mark.parametrize("raw", ["{}", '{"name": null, "email": "  ", "address": null, "company": {}}'])
def test_what_is_missing_or_blank_is_nothing(raw: str) -> None:
    user = read_user(raw)
    assert user.values == dict.fromkeys(COLUMNS)
    assert user.reasons == ()


def test_unknown_fields_are_kept_where_they_were() -> None:
    user = read_user('{"vip": true, "id": 1, "address": {"geo": {"alt": 1.50}, "a.b": null}, "address.city": "x"}')
    assert user.values["extra"] == '{"address":{"a.b":null,"geo":{"alt":1.5}},"address.city":"x","vip":true}'
    assert user.drift[-1] == "unknown fields kept in extra: vip, address.geo.alt, address.a.b, address.city"
    assert user.values["city"] is None and user.reasons == ()


def test_every_wrong_type_is_named_at_once() -> None:
    user = read_user(
        '{"id": 1.5, "name": 5.5, "email": true, "company": 7, "phone": 1.7,'
        ' "address": {"zipcode": [33263], "geo": {"lat": "north", "lng": [1]}}}'
    )
    assert user.reasons == (
        "company: not an object",
        "id: not a text or whole number",
        "name: not a text or whole number",
        "email: not a text",
        "phone: not a text or whole number",
        "address.zipcode: not a text or whole number",
        "address.geo.lat: not a number",
        "address.geo.lng: not a number",
    )


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("[]", "record: not an object"),
        ('"x"', "record: not an object"),
        ("null", "record: not an object"),
        ("", "record: not JSON"),
        ('{"id": NaN}', "record: not JSON"),
        ('{"id": 1, "id": 2}', "record: duplicate key"),
        ('{"name": "\\u0000"}', "record: NUL character"),
        ('{"name": "\\ud800"}', "record: lone surrogate"),
        ('{"x": ' + "[" * 90 + "]" * 90 + "}", "record: nested too deep"),
        ('{"x": ' + "[" * 50_000 + "]" * 50_000 + "}", "record: nested too deep"),
        ('{"id": ' + "9" * 5000 + "}", "record: number too long"),
        ('{"address": 5}', "address: not an object"),
        ('{"address": {"geo": "here"}}', "address.geo: not an object"),
    ],
)
def test_a_record_that_cannot_be_parsed_says_why(raw: str, reason: str) -> None:
    assert read_user(raw).reasons == (reason,)
    assert reason in REASONS


@pytest.mark.parametrize("number", ["0", "1", "-7", "123456789012345678"])
def test_an_id_is_a_whole_number_or_its_text(number: str) -> None:
    for raw in (number, f'" {number} "'):
        user = read_user(f'{{"id": {raw}}}')
        assert (user.values["user_id"], user.reasons) == (number, ())


@pytest.mark.parametrize(
    ("number", "text"), [("4930123456", "4930123456"), ("10115.0", "10115"), ('" 01097 "', "01097")]
)
def test_a_phone_and_a_postal_code_may_be_numbers(number: str, text: str) -> None:
    user = read_user(f'{{"id": 1, "email": "N/A", "phone": {number}, "address": {{"zipcode": {number}}}}}')
    assert (user.values["phone"], user.values["zipcode"], user.values["email"], user.reasons) == (text, text, None, ())


def test_a_company_may_be_its_name_and_names_may_be_numbers() -> None:
    user = read_user('{"id": 1, "name": 5, "company": "Acme", "address": {"city": 7}}')
    found = {column: user.values[column] for column in ("name", "first_name", "company_name", "city")}
    assert (found, user.reasons) == ({"name": "5", "first_name": "5", "company_name": "Acme", "city": "7"}, ())


@pytest.mark.parametrize("text", ["007", "1.5", "65920080c2a6b1d1f3a4b5c6", "6d0c1d6e-0000-4000-8000-1c1c1c1c1c1c"])
def test_an_id_may_be_any_text(text: str) -> None:
    user = read_user(f'{{"id": "{text}"}}')
    assert (user.values["user_id"], user.reasons, user.drift) == (text, (), read_user('{"id": 1}').drift)


NO_IDS = ["1.5", "1.50", "1e3", "true", "1234567890123456789", "[]", "{}"]


@pytest.mark.parametrize("raw", NO_IDS)
def test_nothing_else_is_taken_for_an_id(raw: str) -> None:
    user = read_user(f'{{"id": {raw}}}')
    assert (user.values["user_id"], user.reasons) == (None, ("id: not a text or whole number",))


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ('"-37.3159"', "-37.3159"),
        ('"81.1490"', "81.1490"),
        ("12.345678901234567890123", "12.345678901234567890123"),
        ("-0.5", "-0.5"),
        ("7", "7"),
        ('" 1e-5"', "1e-5"),
    ],
)
def test_coordinates_keep_every_digit(raw: str, text: str) -> None:
    user = read_user(f'{{"address": {{"geo": {{"lat": {raw}}}}}}}')
    assert (user.values["latitude"], user.reasons) == (text, ())


@pytest.mark.parametrize("raw", ['"12,5"', '"1.2.3"', '"inf"', '"0x1F"', '"1_0"', "false", "{}", '"٣"'])
def test_nothing_else_is_taken_for_a_coordinate(raw: str) -> None:
    assert read_user(f'{{"address": {{"geo": {{"lng": {raw}}}}}}}').reasons == ("address.geo.lng: not a number",)


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
SCALARS = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
KNOWN = st.sampled_from(["id", "name", "email", "address", "geo", "lat", "lng", "city", "company", "catchPhrase"])
KEYS = KNOWN | TEXTS
VALUES = SCALARS | TEXTS | st.sampled_from(["1", "-7.5", "Mrs. Ada Lovelace", " A@B.Example "])
DOCUMENTS = st.recursive(VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner), max_leaves=9)
WHOLE: frozenset[str] = frozenset()
PARTS = st.frozensets(st.sampled_from([*USER, "geo", "lat", "city", "bs"])).map(frozenset(["record"]).union)


def record_of(document: Any, keep: frozenset[str], extra: dict[str, Any]) -> Any:
    """The sample with any document in place of some of its parts, and other fields beside them."""
    if not keep:
        return document

    def replace(value: Any, name: str) -> Any:
        if name not in keep:
            return document
        return {key: replace(inner, key) for key, inner in value.items()} | extra if isinstance(value, dict) else value

    return replace(USER, "record")


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value of a record that is not an object, with its path; empty objects too, and lists whole."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    else:
        yield path, value


COLUMN_OF = {
    tuple(name.split(".")): column
    for column, name in usual_names(UserVersions).items()
    if column in COLUMNS and column not in NAME_PARTS
}
NOTHING_THERE = object()


def find(extra: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        if not isinstance(extra, dict) or key not in extra:
            return NOTHING_THERE
        extra = extra[key]
    return extra


def is_kept(value: Any, column: str | None) -> bool:
    """Whether a column holds a value of the record."""
    if isinstance(value, str):
        return column in (known(value), (known(value) or "").lower())
    return column is not None and isinstance(value, Decimal) and Decimal(column) == value


def exact(text: str) -> Any:
    """The document of a JSON text; no two numbers that differ are equal in it."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


@given(DOCUMENTS, st.just(WHOLE) | PARTS, st.dictionaries(TEXTS, VALUES, max_size=3))
def test_no_record_fails_and_every_leaf_is_found_again(document: Any, keep: frozenset[str], extra: Any) -> None:
    raw = json.dumps(record_of(document, keep, extra))
    user = read_user(raw)
    assert set(user.reasons) <= set(REASONS)
    if user.reasons:
        return  # the gate keeps its text
    left = exact(user.values["extra"] or "{}")
    for path, value in leaves(exact(raw)):
        is_nothing = value in (None, {}) or (isinstance(value, str) and not value.strip())
        has_column = any(each[: len(path)] == path for each in COLUMN_OF)
        assert (
            (find(left, path) == value and type(find(left, path)) is type(value))
            or (is_nothing and has_column)
            or (path in COLUMN_OF and is_kept(value, user.values[COLUMN_OF[path]]))
        ), path


@given(st.text() | st.text('{}[]":, 0123456789eE+-.\\u"truefalsn', max_size=60))
def test_no_text_makes_the_parser_fail(text: str) -> None:
    assert set(read_user(text).reasons) <= set(REASONS)


def test_the_gate_gets_text_positions_and_the_rejected_with_their_reasons() -> None:
    rows = [json.dumps(USER), '{"id": true, "name": 5.5}', '{"id": 3}']
    first, last = read_users(rows)
    assert first.values["user_id"].to_list() == ["6", "3"]
    assert first.positions.tolist() == [1, 3]
    assert list(first.raws(first.positions[:0])) == []
    assert list(first.raws(pl.Series([1]).to_numpy())) == ['{"id": 3}']
    assert first.malformed.select("position", "raw", "error_reason").rows() == [
        (2, '{"id": true, "name": 5.5}', "id: not a text or whole number; name: not a text or whole number")
    ]
    assert last.drift == ()


def test_only_the_wanted_records_are_read_again() -> None:
    records, last = read_users(['{"id": 1}', '{"id": 2}', "[]"], only={2})
    assert records.positions.tolist() == [2] and records.malformed.is_empty() and not last.drift


def test_numbers_beside_missing_ones_keep_every_digit() -> None:
    first, _ = read_users(['{"id": 900719925474099301}', "{}", '{"id": "7"}'])
    assert first.values["user_id"].to_list() == ["900719925474099301", None, "7"]


def test_rejected_records_alone_are_loaded() -> None:
    first, _ = read_users(["[]"])
    assert first.values.shape == (0, len(COLUMNS)) and first.malformed.height == 1


def test_a_field_that_is_gone_new_or_of_another_type_is_drift() -> None:
    user = {key: value for key, value in USER.items() if key not in ("email", "company")}
    rows = [json.dumps(user | {"address": {"geo": {"lat": 7}}, "tier\x1b": "gold"}), json.dumps(user | {"since": 2020})]
    *_, last = read_users(rows)
    assert last.drift == (
        "no field email",
        "no field company.name",
        "no field company.catchPhrase",
        "no field company.bs",
        "address.geo.lat is not a text as usual",
        "unknown fields kept in extra: 'tier\\x1b', since",
    )


def test_no_users_are_drift() -> None:
    assert [records.drift for records in read_users([])] == [("no users",)]
