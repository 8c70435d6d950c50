"""Documents at the gate: nothing is lost, nothing coerced, every broken rule named."""

from __future__ import annotations

import datetime as dt
import io
import struct
from collections import Counter
from typing import Any

import bson
import pyarrow.parquet as pq
import pytest
from bson import json_util
from bson.binary import Binary
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.json_util import JSONMode, JSONOptions
from bson.objectid import ObjectId
from bson.timestamp import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.connectors.mongo.extended_json import DECODING, document_text, to_extended_json
from analytics_platform.gate.records import MalformedError
from analytics_platform.sources.arrivals.collection import to_parquet
from analytics_platform.sources.arrivals.parquet import read_columns
from analytics_platform.sources.web_logs.decode import COLUMNS, SPELLINGS, decode_document
from analytics_platform_tests.connectors.mongo.arbitrary_bson import DOCUMENTS

CANONICAL = JSONOptions(json_mode=JSONMode.CANONICAL, datetime_conversion=DECODING.datetime_conversion)
LOG: dict[str, Any] = {
    "_id": ObjectId("65920080c2a6b1d1f3a4b5c6"),
    "user_id": 7,
    "action": "view_item",
    "item_name": "Hawaiian",
    "timestamp": dt.datetime(2024, 1, 1, 12, 30, 15, 456_000),
    "metadata": {"device": "Mobile", "session_id": 12345, "app": {"version": 1.5}},
    "experiment": ["b", Int64(3)],
}


def decode(raw: bytes) -> tuple[dict[str, str | None], list[str], tuple[str, ...]]:
    """The values by column, the broken rules, and the fields of another type than usual."""
    changes: Counter[str] = Counter()
    try:
        return dict(zip(COLUMNS, decode_document(raw, changes), strict=True)), [], tuple(changes)
    except MalformedError as error:
        return dict.fromkeys(COLUMNS), str(error).split("; "), tuple(changes)


def decoded(**fields: Any) -> dict[str, str | None]:
    """The usual log with some other fields."""
    values, broken, _ = decode(bson.encode({**LOG, **fields}))
    assert not broken
    return values


def rules(**fields: Any) -> list[str]:
    return decode(bson.encode({**LOG, **fields}))[1]


def changes(**fields: Any) -> tuple[str, ...]:
    return decode(bson.encode({**LOG, **fields}))[2]


def test_a_usual_log_becomes_text_columns() -> None:
    assert decoded() == {
        "document_id": '{"$oid":"65920080c2a6b1d1f3a4b5c6"}',
        "user_id": "7",
        "action": "view_item",
        "item_name": "Hawaiian",
        "event_at": "2024-01-01T12:30:15.456000Z",
        "device": "Mobile",
        "session_id": "12345",
        "event_data": None,
        "page_url": None,
        "referrer": None,
        "user_agent": None,
        "metadata": '{"device":"Mobile","session_id":{"$numberInt":"12345"},"app":{"version":{"$numberDouble":"1.5"}}}',
        "extra": '{"experiment":["b",{"$numberLong":"3"}]}',
    }


def test_missing_and_null_fields_are_null_for_the_contract_to_decide() -> None:
    nothing = dict.fromkeys(COLUMNS)
    assert decode(bson.encode({})) == (nothing, [], ())
    nulls = {**nothing, "document_id": "null", "extra": '{"experiment":null}'}
    assert decode(bson.encode(dict.fromkeys(LOG))) == (nulls, [], ())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((number, "42") for number in (42, 42.0, Int64(42), "42")),
        (ObjectId("65920080c2a6b1d1f3a4b5c6"), "65920080c2a6b1d1f3a4b5c6"),
        ("6d0c1d6e-0000-4000-8000-1c1c1c1c1c1c", "6d0c1d6e-0000-4000-8000-1c1c1c1c1c1c"),
        (Binary(bytes(range(16)), 4), "00010203-0405-0607-0809-0a0b0c0d0e0f"),
        (Binary(bytes(range(16)), 3), "00010203-0405-0607-0809-0a0b0c0d0e0f"),
    ],
)
def test_a_user_id_is_a_whole_number_or_text(value: object, text: str) -> None:
    assert decoded(user_id=value)["user_id"] == text


@pytest.mark.parametrize(
    "value",
    [1.5, 2.5e-9, True, Decimal128("1.5"), [1], {"id": 1}, dt.datetime(2024, 1, 1), b"1", Binary(b"short", 4)],
)
def test_a_user_id_of_any_other_type_is_rejected(value: object) -> None:
    assert rules(user_id=value) == ["user_id: not a text or whole number"]
    (change,) = changes(user_id=value)
    assert change.startswith("user_id: ") and change.endswith(" instead of int")


@pytest.mark.parametrize(
    ("field", "value", "rule", "change"),
    [
        ("action", 5, "action: not text", "action: int instead of string"),
        ("item_name", ["a"], "item_name: not text", "item_name: array instead of string"),
        ("timestamp", True, "timestamp: not a time", "timestamp: bool instead of date"),
        ("timestamp", Timestamp(1, 1), "timestamp: not a time", "timestamp: timestamp instead of date"),
        ("metadata", {"device": 1.5}, "device: not text", "metadata.device: double instead of string"),
        (
            "metadata",
            {"session_id": False},
            "session_id: not a text or whole number",
            "metadata.session_id: bool instead of int",
        ),
    ],
)
def test_a_value_of_another_type_is_rejected_and_named(field: str, value: object, rule: str, change: str) -> None:
    assert rules(**{field: value}) == [rule]
    assert changes(**{field: value}) == (change,)


def test_times_are_dates_or_text_as_it_is() -> None:
    assert decoded(timestamp="2024-01-01 09:00")["event_at"] == "2024-01-01 09:00"
    assert decoded(timestamp="yesterday")["event_at"] == "yesterday"
    assert not changes(timestamp="yesterday")
    assert rules(timestamp=DatetimeMS(2**60)) == ["event_at: out of range"]


def test_what_can_be_kept_as_it_is_is_kept_and_only_named() -> None:
    assert decoded(metadata={"session_id": "12345"})["session_id"] == "12345"
    assert changes(metadata={"session_id": "12345"}) == ("metadata.session_id: string instead of int",)
    listed = decoded(metadata=["a", 1])
    assert (listed["metadata"], listed["device"]) == ('["a",{"$numberInt":"1"}]', None)
    assert changes(metadata=["a", 1]) == ("metadata: array instead of object",)


def test_all_broken_rules_of_a_document_are_named() -> None:
    broken = rules(user_id=1.5, action=None, item_name=3, timestamp=False, metadata={"device": []})
    assert broken == [
        "user_id: not a text or whole number",
        "item_name: not text",
        "timestamp: not a time",
        "device: not text",
    ]


def test_nul_is_rejected_wherever_it_stands() -> None:
    assert rules(user_id="a\0", action="a\0b") == ["user_id: NUL character", "action: NUL character"]
    assert rules(metadata={"note": "\0"}) == ["metadata: NUL character"]
    assert rules(other={"deep": ["\\\0"]}) == ["extra: NUL character"]
    assert rules(other="\\u0000 written out", action="\\u0000 too") == []


def test_bytes_that_are_not_a_document_are_rejected_as_such() -> None:
    raw = bson.encode(LOG)
    lone_surrogate = raw.replace(b"Mobile", b"Mob\xed\xa0\x80")
    for broken in (b"", b"\x05\0\0\0", raw[:-1], raw + b"x", raw.replace(b"Mobile", b"Mob\xffle"), lone_surrogate):
        assert decode(broken)[1] == ["document: not BSON"]
        assert document_text(broken) == broken.hex()


def test_deep_nesting_is_rejected_and_ends_no_process() -> None:
    levels = 200_000
    lengths = [5 + 8 * level for level in range(levels, 0, -1)]
    deep = b"".join(struct.pack("<i", length) + b"\x03a\0" for length in lengths) + bson.encode({}) + b"\0" * levels
    assert decode(deep)[1]
    value: object = 1
    for _ in range(300):
        value = {"a": value}
    assert len(rules(metadata=value)) <= 1


@given(DOCUMENTS)
def test_no_type_of_bson_is_lost_in_text(document: dict[str, Any]) -> None:
    raw = bson.encode(document)
    assert bson.encode(json_util.loads(document_text(raw), json_options=CANONICAL)) == raw


@given(DOCUMENTS)
def test_the_text_is_that_of_the_driver(document: dict[str, Any]) -> None:
    decoded = bson.decode(bson.encode(document), DECODING)
    driver = json_util.dumps(decoded, json_options=CANONICAL, separators=(",", ":"), ensure_ascii=False)
    assert to_extended_json(decoded) == driver


@given(st.lists(DOCUMENTS, max_size=5))
def test_documents_come_out_of_parquet_as_they_went_in(documents: list[dict[str, Any]]) -> None:
    raws = [bson.encode(document) for document in documents]
    stored = to_parquet(raws)
    assert [raw for (raw,) in read_columns(io.BytesIO(stored), "document")] == raws
    assert to_parquet(raws) == stored


@pytest.mark.parametrize(
    "fields",
    [
        {"product": "Hawaiian"},
        {"productName": "Hawaiian"},
        {"item": {"name": "Hawaiian", "id": 7}},
        {"metadata": {"product_name": "Hawaiian"}},
        {"metadata": '{"Product": {"name": "Hawaiian"}}'},
        {"item_name": None, "product": "Hawaiian"},
        {"item_name": "Hawaiian", "product": "Pizza"},
    ],
)
def test_the_product_is_read_from_the_fields_that_logs_have_for_it(fields: dict[str, Any]) -> None:
    others = {name: value for name, value in LOG.items() if name != "item_name"}
    values, broken, _ = decode(bson.encode({**others, **fields}))
    assert (values["item_name"], broken) == ("Hawaiian", [])


def test_fields_are_read_in_another_case_and_with_other_separators() -> None:
    usual = {
        "_id": 1,
        "user_id": 7,
        "action": "view",
        "item_name": "Hawaiian",
        "timestamp": "2024-01-01",
        "metadata": {},
    }
    other = {
        "_id": 1,
        "userId": 7,
        "Action": "view",
        "item-name": "Hawaiian",
        "TimeStamp": "2024-01-01",
        "metaData": {},
    }
    assert decode(bson.encode(other)) == decode(bson.encode(usual))
    assert decoded(metadata={"sessionId": 12345, "Device": "Mobile"})["session_id"] == "12345"


def test_a_parquet_file_tells_the_ids_in_text() -> None:
    raws = [bson.encode(LOG), bson.encode({"a": 1, "_id": "x"}), bson.encode({"a": 1}), b"broken"]
    table = pq.read_table(io.BytesIO(to_parquet(raws)))
    assert table["document_id"].to_pylist() == ['{"$oid":"65920080c2a6b1d1f3a4b5c6"}', '"x"', None, None]


@given(DOCUMENTS)
def test_a_document_is_decoded_as_the_table_says(document: dict[str, Any]) -> None:
    values, broken, _ = decode(bson.encode(document))
    user_id = bson.decode(bson.encode(document), DECODING).get("user_id")
    if type(user_id) in (int, Int64, str, ObjectId):
        assert values["user_id"] == (None if broken else str(user_id))
    else:
        assert values["user_id"] is None or isinstance(user_id, float | Decimal128 | Binary)
    item = document.get("item_name")
    assert values["item_name"] == (item if not broken else None)
    assert (item is None) or type(item) is str or "item_name: not text" in broken


@given(DOCUMENTS, st.data())
def test_damaged_bytes_never_raise(document: dict[str, Any], data: st.DataObject) -> None:
    raw = bytearray(bson.encode(document))
    for place in data.draw(st.lists(st.integers(0, len(raw) - 1), max_size=4)):
        raw[place] = data.draw(st.integers(0, 255))
    _, broken, _ = decode(bytes(raw))
    assert all(broken)
    document_text(bytes(raw))
    to_parquet([bytes(raw)])


@given(st.binary(max_size=60))
def test_any_bytes_never_raise(raw: bytes) -> None:
    decode(raw)
    document_text(raw)


def test_uuids_keep_their_kind() -> None:
    uuid = Binary(bytes(range(16)), 4)
    assert decoded(_id=uuid)["document_id"] == '{"$binary":{"base64":"AAECAwQFBgcICQoLDA0ODw==","subType":"04"}}'


def test_metadata_may_be_json_in_a_text() -> None:
    found = decoded(metadata='{"session_id": 5, "device": "tablet"}')
    assert (found["device"], found["session_id"]) == ("tablet", "5")
    assert changes(metadata='{"device": "tablet"}') == ("metadata: string instead of object",)


@pytest.mark.parametrize(
    ("name", "other"), [(name, other) for name, others in SPELLINGS.items() for other in (*others, others[0].upper())]
)
def test_a_field_is_read_under_each_name_that_logs_have_for_it(name: str, other: str) -> None:
    renamed = {other if field == name else field: value for field, value in LOG.items()}
    assert decode(bson.encode(renamed)) == decode(bson.encode(LOG))
    kept, broken, _ = decode(bson.encode({**LOG, other: "x"}))  # the usual name counts, the other is kept
    assert not broken and {**kept, "extra": None} == {**decoded(), "extra": None}
    assert other in (kept["extra"] or "")


@pytest.mark.parametrize("name", ["name", "title", "product_name", "itemName"])
def test_a_product_in_a_document_is_known_by_its_name(name: str) -> None:
    values, broken, _ = decode(bson.encode({**LOG, "item_name": None, "product": {name: "Hawaiian"}}))
    assert (values["item_name"], broken) == ("Hawaiian", [])


@pytest.mark.parametrize("text", ['{"amount": 12.5}', '[{"t": 0.5}]', "{'amount': 12.5}"])
def test_a_fraction_in_json_in_a_text_is_kept(text: str) -> None:
    for metadata in (text, {"debug": text}, {"order": text, "n": 1}):
        values, broken, _ = decode(bson.encode({**LOG, "metadata": metadata}))
        assert broken == []
        assert "0.5" in (values["metadata"] or "") or "12.5" in (values["metadata"] or "")


@pytest.mark.parametrize(
    ("fields", "change"),
    [
        ({"product": 7}, "product: int instead of string"),
        ({"product": ["Hawaiian"]}, "product: array instead of string"),
        ({"item": {"label": "Hawaiian"}}, "item: object instead of string"),
        ({"metadata": {"product_name": True}}, "product_name: bool instead of string"),
    ],
)
def test_a_product_without_a_readable_name_is_reported(fields: dict[str, Any], change: str) -> None:
    others = {name: value for name, value in LOG.items() if name not in ("item_name", "metadata")}
    values, broken, changes = decode(bson.encode({**others, **fields}))
    assert (values["item_name"], broken, changes) == (None, [], (change,))
