"""The gate and documents of any BSON: each is accepted or rejected once, and nothing is coerced."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import bson
import polars as pl
import pytest
from bson import json_util
from bson.binary import OLD_UUID_SUBTYPE, UUID_SUBTYPE, Binary
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.json_util import JSONMode, JSONOptions
from bson.objectid import ObjectId
from hypothesis import example, given
from hypothesis import strategies as st

from analytics_platform.catalog import CONTRACTS
from analytics_platform.connectors.mongo.dumps import MalformedRecord, read_dump
from analytics_platform.connectors.mongo.extended_json import DECODING, document_text, to_extended_json
from analytics_platform.contracts.ddl import polars_schema
from analytics_platform.contracts.missing import known, known_id
from analytics_platform.gate import Origin, Verdict, reasons_of, validate
from analytics_platform.gate import records as gate_records
from analytics_platform.gate.records import no_records
from analytics_platform.gate.types import to_instants
from analytics_platform.sources.web_logs.records import DOCUMENT_REASONS, read_documents
from analytics_platform_tests.connectors.mongo.arbitrary_bson import DOCUMENTS, KEYS, NUMBERS, TEXTS, VALUES

CONTRACT = CONTRACTS["cleaned.web_logs"]
EARLIEST = dt.datetime(2010, 1, 1, tzinfo=dt.UTC)
ORIGIN = Origin("b1", dt.datetime(2026, 10, 5, 12, tzinfo=dt.UTC), EARLIEST)
LATEST = ORIGIN.arrived_at + dt.timedelta(days=1)
CANONICAL = JSONOptions(json_mode=JSONMode.CANONICAL, datetime_conversion=DECODING.datetime_conversion)

LOG: dict[str, Any] = {
    "_id": ObjectId("65920080c2a6b1d1f3a4b5c6"),
    "user_id": 7,
    "action": "view_item",
    "item_name": "Hawaiian",
    "timestamp": dt.datetime(2026, 10, 1, 12, 30, 15, 456_000),
    "metadata": {"device": "Mobile", "session_id": 12345, "app": {"version": 1.5}},
}


def log(**fields: Any) -> bytes:
    """The usual log with some other fields; those that are `...` it lacks."""
    return bson.encode({name: value for name, value in {**LOG, **fields}.items() if value is not ...})


def verdict(documents: Sequence[bytes | MalformedRecord], only: Collection[int] | None = None) -> Verdict:
    found = list(validate(read_documents(documents, only), CONTRACT, ORIGIN))
    drift = tuple(note for part in found for note in part.drift)
    accepted = pl.concat([pl.DataFrame(schema=polars_schema(CONTRACT)), *(part.accepted for part in found)])
    return Verdict(accepted, pl.concat([no_records().malformed, *(part.rejected for part in found)]), drift)


def rejections(found: Verdict) -> list[tuple[int, str, str]]:
    return found.rejected.select("position", "raw", "error_reason").rows()


def test_a_usual_log_becomes_a_row_of_the_table() -> None:
    row = verdict([log(experiment=["b", Int64(3)])]).accepted.row(0, named=True)

    assert row == {
        "event_id": None,
        "document_id": '{"$oid":"65920080c2a6b1d1f3a4b5c6"}',
        "user_id": "7",
        "action": "view_item",
        "item_name": "Hawaiian",
        "event_at": dt.datetime(2026, 10, 1, 12, 30, 15, 456_000, dt.UTC),
        "event_date": dt.date(2026, 10, 1),
        "device": "Mobile",
        "session_id": "12345",
        "event_data": None,
        "page_url": None,
        "referrer": None,
        "user_agent": None,
        "metadata": '{"device":"Mobile","session_id":{"$numberInt":"12345"},"app":{"version":{"$numberDouble":"1.5"}}}',
        "extra": '{"experiment":["b",{"$numberLong":"3"}]}',
        "arrived_at": ORIGIN.arrived_at,
        "batch_id": "b1",
        "position": 1,
    }


@pytest.mark.parametrize(
    "text", ["2026-10-01T12:30:15.456", "2026-10-01 12:30:15.456", "2026-10-01T14:30:15.456+02:00"]
)
def test_a_time_without_zone_is_utc_and_one_with_a_zone_is_that_moment(text: str) -> None:
    assert verdict([log(timestamp=text)]).accepted["event_at"].to_list() == [
        LOG["timestamp"].replace(tzinfo=dt.UTC),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"user_id": 1.5}, "user_id: not a text or whole number"),
        ({"user_id": True}, "user_id: not a text or whole number"),
        ({"user_id": Decimal128("1.5")}, "user_id: not a text or whole number"),
        ({"user_id": ...}, "user_id: missing"),
        ({"user_id": None}, "user_id: missing"),
        ({"user_id": 0}, "user_id: missing"),
        ({"user_id": "null"}, "user_id: missing"),
        ({"action": "undefined"}, "action: missing"),
        ({"action": ""}, "action: missing"),
        ({"action": " \t\n\u00a0"}, "action: missing"),
        ({"action": ...}, "action: missing"),
        ({"timestamp": ...}, "timestamp: missing"),
        ({"timestamp": "yesterday"}, "timestamp: not a time"),
        ({"timestamp": " "}, "timestamp: missing"),
        ({"timestamp": 17_900}, "timestamp: not a time"),
        ({"timestamp": DatetimeMS(2**60)}, "event_at: out of range"),
        ({"timestamp": dt.datetime(2030, 1, 1)}, "event_at: out of range"),
        ({"timestamp": "2009-12-31"}, "event_at: out of range"),
        ({"_id": ..., "user_id": None, "action": " "}, "document_id: missing; user_id: missing; action: missing"),
        ({"user_id": 1.5, "item_name": 2, "action": " "}, "user_id: not a text or whole number; item_name: not text"),
    ],
)
def test_a_document_that_breaks_a_rule_is_rejected_whole_with_its_text(fields: dict[str, Any], reason: str) -> None:
    raw = log(**fields)
    assert rejections(verdict([log(), raw])) == [(2, document_text(raw), reason)]


def test_a_text_is_read_without_blanks_and_a_placeholder_is_missing() -> None:
    found = verdict([log(action=" view item ", item_name="Cafe\u0301", metadata={"device": "(not set)"})]).accepted
    assert found.select("action", "item_name", "device").row(0) == ("view item", "Caf\u00e9", None)


def test_a_whole_number_stays_one_when_it_is_written_as_a_double_or_a_decimal() -> None:
    found = verdict([log(user_id=7.0), log(user_id=Decimal128("7")), log(user_id=Decimal128("7.0"))])
    assert found.accepted["user_id"].to_list() == ["7"] * 3


def test_how_often_a_field_has_another_type_is_counted_over_all_documents_rejected_or_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gate_records, "RECORDS_AT_A_TIME", 2)
    changed = [
        log(user_id=1.5),
        log(metadata={"session_id": "s"}),
        log(user_id=2.5),
        log(user_id=True),
        log(user_id="1"),
    ]

    assert verdict(changed).drift == (
        "metadata.session_id: string instead of int in 1 document",
        "user_id: bool instead of int in 1 document",
        "user_id: double instead of int in 2 documents",
    )
    assert verdict([log(), log(user_id=Int64(2**40), timestamp="2026-10-01", surprise=Binary(b"x"))]).drift == ()


def test_what_is_not_a_document_in_a_dump_is_rejected_in_its_place() -> None:
    found = verdict([log(), MalformedRecord(0, b"\0\xff{", 3, "document: cut short"), b"\x05", log()])
    assert rejections(found) == [
        (2, "\\x00\\xff{", "document: cut short"),
        (3, "05", "document: not BSON"),
    ]
    assert found.accepted["position"].to_list() == [1, 4]


@pytest.mark.parametrize("field", [{"note": "\x01" * 2_000_000}, {"metadata": {"x": "a" * (9 << 20)}}])
def test_a_document_that_is_too_large_as_text_is_rejected(field: dict[str, Any]) -> None:
    found = verdict([log(), log(**field), log()])
    assert [reason for _, _, reason in rejections(found)] == ["document: too large"]
    assert found.accepted["position"].to_list() == [1, 3]


def test_an_empty_batch_holds_no_records() -> None:
    found = verdict([])
    assert (found.accepted.height, found.rejected.height, found.drift) == (0, 0, ())


TIMES = st.one_of(
    VALUES,
    st.datetimes(dt.datetime(2009, 12, 1), dt.datetime(2026, 11, 1)),
    st.datetimes(dt.datetime(2009, 12, 1), dt.datetime(2026, 11, 1)).map(dt.datetime.isoformat),
    st.sampled_from(["2026-10-01T10:00:00Z", "2026-10-01 10:00", "2026-02-30", "1790000000", "", " "]),
)
WHOLES = st.integers(-2, 10) | st.integers(-(2**63), 2**63 - 1).map(Int64) | st.sampled_from([10**18, 10**18 - 1])
NEARLY_LOGS = st.fixed_dictionaries(
    {
        "_id": st.one_of(st.binary(min_size=12, max_size=12).map(ObjectId), VALUES),
        "user_id": WHOLES,
        "action": st.sampled_from(["view_item", "add_to_cart", "", "  "]) | TEXTS,
        "timestamp": TIMES,
    },
    optional={
        "item_name": TEXTS,
        "metadata": st.fixed_dictionaries({}, optional={"device": TEXTS, "session_id": WHOLES | TEXTS, "more": VALUES}),
        "more": VALUES,
    },
)
"""Logs that keep the rules now and then."""
RAWS = st.lists(st.one_of(DOCUMENTS, NEARLY_LOGS, NEARLY_LOGS), max_size=6).map(
    lambda some: list(map(bson.encode, some))
)


def promised(raw: bytes) -> set[str]:
    """The rules that a document breaks, worked out from the words of the contract."""
    document: dict[str, Any] = bson.decode(raw, DECODING)
    return _broken_form(document) or _broken_contract(document)


def _id(value: object) -> str | None:
    """The text of an id; none for a value that is no id."""
    match value:
        case Binary():
            is_uuid = value.subtype in (OLD_UUID_SUBTYPE, UUID_SUBTYPE) and len(value) == 16
            return str(UUID(bytes=value)) if is_uuid else None
        case bool() | Code():
            return None
        case float():
            return f"{value:.0f}" if value.is_integer() else None
        case Decimal128():
            number = value.to_decimal()
            return f"{number:.0f}" if number.is_finite() and number == number.to_integral_value() else None
        case int() | str() | ObjectId():
            return str(value)
    return None


def _has_nul(value: object) -> bool:
    match value:
        case str():
            return "\0" in value
        case dict():
            return any(_has_nul(part) for pair in value.items() for part in pair)
        case list():
            return any(map(_has_nul, value))
    return "\\u0000" in to_extended_json(value)  # code with NUL


def _broken_form(document: dict[str, Any]) -> set[str]:
    metadata = document.get("metadata")
    inner = metadata if isinstance(metadata, dict) else {}
    broken = set()
    if document.get("user_id") is not None and _id(document["user_id"]) is None:
        broken.add("user_id: not a text or whole number")
    for column, value in (
        ("action", document.get("action")),
        ("item_name", document.get("item_name")),
        ("device", inner.get("device")),
    ):
        if value is not None and type(value) is not str:
            broken.add(f"{column}: not text")
    session, time = inner.get("session_id"), document.get("timestamp")
    if session is not None and _id(session) is None:
        broken.add("session_id: not a text or whole number")
    if time is not None and type(time) not in (str, int, Int64, float, dt.datetime, DatetimeMS):
        broken.add("timestamp: not a time")
    if isinstance(time, DatetimeMS):
        broken.add("event_at: out of range")
    texts = {
        "document_id": document.get("_id"),
        "user_id": document.get("user_id"),
        "action": document.get("action"),
        "item_name": document.get("item_name"),
        "event_at": time,
        "device": inner.get("device"),
        "session_id": session,
    }
    broken |= {f"{column}: NUL character" for column, value in texts.items() if type(value) is str and _has_nul(value)}
    known = {"_id", "user_id", "action", "item_name", "timestamp", "metadata"}
    rest = {name: value for name, value in document.items() if name not in known}
    wholes = {"document_id": document.get("_id"), "metadata": metadata, "extra": rest}
    return broken | {f"{column}: NUL character" for column, value in wholes.items() if _has_nul(value)}


def _broken_contract(document: dict[str, Any]) -> set[str]:
    broken = set()
    if document.get("_id") is None:
        broken.add("document_id: missing")
    if known_id(_id(document.get("user_id")) or "") is None:
        broken.add("user_id: missing")
    if known(document.get("action") or "") is None:
        broken.add("action: missing")
    time = document.get("timestamp")
    time = f"{time:f}" if isinstance(time, float) else str(time) if isinstance(time, int) else time
    time = known(time) if isinstance(time, str) else time
    at = to_instants(pl.Series([time]))[0] if isinstance(time, str) else time and time.replace(tzinfo=dt.UTC)
    if at is None:
        broken.add("timestamp: missing" if time is None else "timestamp: not a time")
    elif not EARLIEST <= at <= LATEST:
        broken.add("event_at: out of range")
    return broken


@given(RAWS, st.sets(st.integers(1, 7)))
def test_every_document_is_accepted_or_rejected_exactly_once_as_the_contract_says(
    raws: list[bytes], only: set[int]
) -> None:
    found = verdict(raws)

    assert sorted([*found.accepted["position"], *found.rejected["position"]]) == list(range(1, len(raws) + 1))
    told = {place: set[str]() for place in range(1, len(raws) + 1)}
    told |= {place: set(reason.split("; ")) for place, _, reason in rejections(found)}
    assert told == {place: promised(raw) for place, raw in enumerate(raws, 1)}
    assert set().union(*told.values()) <= {*reasons_of(CONTRACT), *DOCUMENT_REASONS}
    for place, text, _ in rejections(found):
        assert bson.encode(json_util.loads(text, json_options=CANONICAL)) == raws[place - 1]
    some = verdict(raws, only)
    assert some.accepted["position"].to_list() == [place for place in found.accepted["position"] if place in only]
    assert rejections(some) == [rejection for rejection in rejections(found) if rejection[0] in only]


@given(NUMBERS, st.sampled_from([*LOG, "device", "session_id", "price", "value", "quantity", "items", "event_data"]))
@example(Decimal128("1E+6000"), "user_id")
@example(Decimal128("sNaN"), "price")
@example(Decimal128("NaN"), "user_id")
@example(Decimal128("-Infinity"), "session_id")
def test_no_number_in_any_field_holds_up_another_document(number: object, field: str) -> None:
    inside = {"metadata": {**LOG["metadata"], field: number}}
    found = verdict([log(), log(**{field: number}), log(**inside), log()])
    assert {1, 4} <= set(found.accepted["position"])
    assert found.accepted.height + found.rejected.height == 4


@given(st.lists(NEARLY_LOGS, min_size=1, max_size=6))
def test_an_accepted_row_says_what_the_document_said_in_value_and_type(documents: list[dict[str, Any]]) -> None:
    for row in verdict(list(map(bson.encode, documents))).accepted.iter_rows(named=True):
        document: dict[str, Any] = bson.decode(bson.encode(documents[row["position"] - 1]), DECODING)
        assert row["document_id"] == to_extended_json(document.pop("_id"))
        assert row["user_id"] == known_id(_id(document.pop("user_id")) or "")
        assert row["action"] == known(document.pop("action"))
        assert row["item_name"] == known(document.pop("item_name", ""))
        time = document.pop("timestamp")
        assert isinstance(time, str) or row["event_at"] == time.replace(tzinfo=dt.UTC)
        metadata = document.pop("metadata", None)
        assert row["metadata"] == (None if metadata is None else to_extended_json(metadata))
        inner = metadata or {}
        session = inner.get("session_id")
        assert (row["device"], row["session_id"]) == (
            known(inner.get("device", "")),
            known("" if session is None else str(session)),
        )
        assert row["extra"] == (to_extended_json(document) if document else None)


@given(st.lists(NEARLY_LOGS, max_size=4), st.data())
def test_a_damaged_dump_is_loaded_whole_as_documents_and_other_pieces(
    documents: list[dict[str, Any]], data: st.DataObject
) -> None:
    dump = bytearray(b"".join(map(bson.encode, documents)))
    if dump:
        for place in data.draw(st.lists(st.integers(0, len(dump) - 1), max_size=3)):
            dump[place] = data.draw(st.integers(0, 255))
    pieces = list(read_dump(io.BytesIO(bytes(dump)), "logs.bson"))
    found = verdict(pieces)

    assert sorted([*found.accepted["position"], *found.rejected["position"]]) == list(range(1, len(pieces) + 1))
    assert b"".join(one.raw if isinstance(one, MalformedRecord) else one for one in pieces) == bytes(dump)


@example({"PRODUCT": None})
@example({"Item": 1, "item": 2})
@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=4))
def test_fields_that_the_contract_does_not_know_are_kept_with_their_types(unknown: dict[str, Any]) -> None:
    rest = {name: value for name, value in unknown.items() if name not in LOG}
    found = verdict([log(**rest)])
    if found.accepted.is_empty():
        assert [reason for _, _, reason in rejections(found)] == ["extra: NUL character"]
    elif rest:
        (extra,) = found.accepted["extra"]
        assert bson.encode(json_util.loads(extra, json_options=CANONICAL)) == bson.encode(rest)
