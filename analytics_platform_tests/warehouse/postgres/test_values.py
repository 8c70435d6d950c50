"""Values survive the way into PostgreSQL and back, whatever they are."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from decimal import Decimal

import duckdb
import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from analytics_platform.contracts.base import (
    Contract,
    Day,
    Flag,
    Instant,
    Money,
    Ratio,
    Text,
    Whole,
    column,
)
from analytics_platform.contracts.ddl import polars_schema
from analytics_platform.transform import Query
from analytics_platform.warehouse import Session
from analytics_platform.warehouse.postgres import tables
from analytics_platform.warehouse.postgres.transfer import as_jsonb, is_kept
from analytics_platform_tests.kit import open_platform
from analytics_platform_tests.postgres import new_database


class Everything(
    Contract,
    table="marts.everything",
    key=("place",),
    write="whole",
):
    """One of each type."""

    place: Whole = column("Number.")
    whole: Whole = column("A whole number.", nullable=True)
    text: Text = column("A text.", nullable=True)
    flag: Flag = column("Yes or no.", nullable=True)
    day: Day = column("A day.", nullable=True)
    ratio: Ratio = column("A float.", nullable=True)
    money: Money = column("An amount.", nullable=True)
    instant: Instant = column("A moment.", nullable=True)
    document: Text = column("A document.", nullable=True, json=True)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    patch = pytest.MonkeyPatch()
    known = {**tables.schema(), "marts.everything": tables.typed_columns(Everything)}
    patch.setattr(tables, "schema", lambda: known)
    with (
        patch.context(),
        new_database() as url,
        open_platform(tmp_path_factory.mktemp("platform"), warehouse_url=url).session() as opened,
    ):
        yield opened
    patch.undo()


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00")) | st.sampled_from(
    ["", "\\N", "\\.", '"', '""', "a,b", "a\nb", "a\r\nb", "\t", "'", "NULL", "\ufeff", "a\\nb", "€😀"]
)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
ROWS = st.lists(
    st.tuples(
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | TEXT,
        st.none() | st.booleans(),
        st.none() | st.dates(dt.date(1, 1, 1), dt.date(9999, 12, 31)),
        st.none() | st.floats(),
        st.none() | st.decimals(-(10**13), 10**13, places=4),
        st.none() | st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1), timezones=st.just(dt.UTC)),
        st.none() | DOCUMENTS.map(json.dumps) | DOCUMENTS.map(lambda value: json.dumps(value, ensure_ascii=False)),
    ),
    max_size=20,
)


def frame_of(rows: list[tuple[object, ...]]) -> pl.DataFrame:
    numbered = [(place, *row) for place, row in enumerate(rows)]
    return pl.DataFrame(numbered, schema=polars_schema(Everything), orient="row")


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@example([(2**63 - 1, "\\N", True, dt.date(1, 1, 1), float("inf"), Decimal("99999999999999.9999"), None, '"x"')])
@example([(None, "", None, None, float("nan"), Decimal("-0.0001"), None, "{}"), (None, None, *[None] * 6)])
@given(ROWS)
def test_every_value_of_every_type_is_read_back_unchanged(session: Session, rows: list[tuple[object, ...]]) -> None:
    frame = frame_of(rows)
    publication = session.publish(Everything, frame, None)
    assert publication.breaches == ()
    back = session.frame("SELECT * FROM marts.everything ORDER BY place")
    assert back.schema == frame.schema
    assert back.drop("document").equals(frame.drop("document"), null_equal=True)
    for stored, given_ in zip(back["document"], frame["document"], strict=True):
        assert (stored is None) == (given_ is None)
        assert stored is None or json.loads(stored) == json.loads(given_)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(ROWS)
def test_a_window_of_a_table_is_the_rows_that_duckdb_would_take(
    session: Session, rows: list[tuple[object, ...]]
) -> None:
    session.publish(Everything, frame_of(rows), None)
    sql = "SELECT place FROM marts.everything WHERE NOT flag AND (day > DATE '2000-01-01' OR money <= 7) ORDER BY 1"
    alone = session.frame("SELECT place, flag, day, money FROM marts.everything")
    expected = alone.filter(~pl.col("flag") & ((pl.col("day") > dt.date(2000, 1, 1)) | (pl.col("money") <= 7)))
    assert session.frame(sql)["place"].to_list() == sorted(expected["place"])


ODD = [
    '{"a":1,"a":2}',
    '{"a":"x\\u0000y"}',
    '{"a":"\\ud800"}',
    '{"a":1e2}',
    '{"a":-0.0}',
    '"just a text"',
    '"{\\"a\\": 1}"',
    '{"b":{"a":1,"a":2}}',
    "[" * 3000 + "]" * 3000,
    '{"a":' + "9" * 5000 + "}",
]


@pytest.mark.parametrize("document", ODD, ids=lambda text: text[:20])
def test_a_document_that_jsonb_would_change_is_kept_whole(session: Session, document: str) -> None:
    row = (None, None, None, None, None, None, None, document)
    session.publish(Everything, frame_of([row]), None)
    assert session.frame("SELECT document FROM marts.everything")["document"].to_list() == [document]
    assert session.rows("SELECT count(*) FROM marts.everything WHERE document IS NOT NULL") == [(1,)]


@pytest.mark.parametrize("document", ["{}", "[]", "null", "7", '{"a": 1.50, "b": ["\\ud83d\\ude00", {"c": null}]}'])
def test_an_ordinary_document_is_stored_as_what_it_is(document: str) -> None:
    assert is_kept(document)
    assert as_jsonb(document) is document


@pytest.mark.parametrize("text", ["\ufeff", "\ufeffa", "\ufeff\ufeffa", "\ufeffa\nb", '\ufeff"', ""])
def test_the_first_text_that_is_read_keeps_a_byte_order_mark(session: Session, text: str) -> None:
    assert not session.publish(
        Everything, frame_of([(None, each, *[None] * 6) for each in (text, text)]), None
    ).breaches
    found = session.frame("SELECT text FROM marts.everything")
    assert found["text"].to_list() == [text, text]


def test_text_with_the_one_character_postgresql_has_not_is_stored_with_its_stand_in(session: Session) -> None:
    session.publish(Everything, frame_of([(None, "a\x00b", None, None, None, None, None, None)]), None)
    assert session.rows("SELECT text FROM marts.everything") == [("a\ufffdb",)]


def test_a_model_sees_the_same_documents_as_on_duckdb(session: Session) -> None:
    valid = [text for text in ODD[:8] if "ud800" not in text]
    rows = [(None, None, None, None, None, None, None, text) for text in valid]
    session.publish(Everything, frame_of(rows), None)
    sql = "SELECT place, json_extract_string(document, '$.a') AS a FROM {} ORDER BY place"
    made = frame_of(rows)  # noqa: F841
    expected = duckdb.sql(sql.format("made")).fetchall()
    query = Query(sql.format("marts.everything"), {})
    assert session.frame(query.sql).rows() == expected
