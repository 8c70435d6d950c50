"""Dump files: what can be read is read as it was, the rest is reported with its place, and memory is bounded."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import json
import struct
import tracemalloc
from typing import Any, BinaryIO, cast

import bson
import pytest
from bson import json_util
from bson.datetime_ms import DatetimeMS
from bson.int64 import Int64
from bson.json_util import JSONMode, JSONOptions
from bson.objectid import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.connectors.mongo.dumps import DUMP_REASONS, SHOWN_BYTES, MalformedRecord, is_dump, read_dump
from analytics_platform_tests.connectors.mongo.arbitrary_bson import DOCUMENTS

CANONICAL = JSONOptions(json_mode=JSONMode.CANONICAL)
RAWS = [bson.encode({"_id": ObjectId(), "n": n, "text": "ä" * n}) for n in range(20)]
LINES = [json_util.dumps(bson.decode(raw), json_options=CANONICAL, ensure_ascii=False).encode() for raw in RAWS]


class Trickle(io.BytesIO):
    """A file that gives a few bytes at a time, so that documents and lines lie over several reads."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(7)

    read1 = read


def read(content: bytes, name: str) -> list[bytes | MalformedRecord]:
    """What the dump holds, the same however it is read."""
    found = list(read_dump(io.BytesIO(content), name))
    assert list(read_dump(Trickle(content), name)) == found
    return found


def documents(found: list[bytes | MalformedRecord]) -> list[bytes]:
    return [record for record in found if isinstance(record, bytes)]


def malformed(found: list[bytes | MalformedRecord]) -> list[MalformedRecord]:
    return [record for record in found if isinstance(record, MalformedRecord)]


@given(st.lists(DOCUMENTS, max_size=6))
def test_bson_comes_out_as_it_is(given_documents: list[dict[str, Any]]) -> None:
    raws = [bson.encode(document) for document in given_documents]
    assert read(b"".join(raws), "logs.bson") == raws


@given(st.lists(DOCUMENTS, max_size=6), st.sampled_from(["lines", "array", "pretty"]))
def test_canonical_extended_json_is_the_bson_it_stands_for(given_documents: list[dict[str, Any]], form: str) -> None:
    raws = [bson.encode(document) for document in given_documents]
    options = JSONOptions(json_mode=JSONMode.CANONICAL)
    texts = [
        json_util.dumps(document, json_options=options, indent="\t" if form == "pretty" else None)
        for document in given_documents
    ]
    content = f"[{','.join(texts)}]\n" if form == "array" else "".join(f"{text}\n" for text in texts)
    assert read(content.encode(), "logs.json") == raws


def test_relaxed_extended_json_is_read_too() -> None:
    line = b'{"_id":{"$oid":"65920080c2a6b1d1f3a4b5c6"},"n":5,"big":5000000000,"x":1.0,'
    line += b'"at":{"$date":"2024-01-01T12:00:00.5Z"}}'
    expected = {
        "_id": ObjectId("65920080c2a6b1d1f3a4b5c6"),
        "n": 5,
        "big": Int64(5_000_000_000),
        "x": 1.0,
        "at": dt.datetime(2024, 1, 1, 12, 0, 0, 500_000),
    }
    assert read(line, "logs.json") == [bson.encode(expected)]
    assert read(b"[" + line + b"]", "logs.json") == [bson.encode(expected)]


def test_dates_beyond_the_calendar_are_kept() -> None:
    line = b'{"at":{"$date":{"$numberLong":"9223372036854775807"}}}'
    assert read(line, "logs.jsonl") == [bson.encode({"at": DatetimeMS(2**63 - 1)})]


def test_a_bson_file_cut_anywhere_gives_all_whole_documents() -> None:
    content = b"".join(RAWS[:4])
    ends = [0, *(sum(map(len, RAWS[:n])) for n in range(1, 5))]
    for cut in range(len(content)):
        found = read(content[:cut], "logs.bson")
        whole = sum(end <= cut for end in ends) - 1
        assert documents(found) == RAWS[:whole]
        rest = content[ends[whole] : cut]
        expected = MalformedRecord(ends[whole], rest, len(rest), "document: cut short")
        assert malformed(found) == ([expected] if rest else [])


@pytest.mark.parametrize("length", [0, 4, -1, -(2**31), 2**31 - 1, (16 << 20) + (16 << 10) + 1])
def test_a_hostile_length_ends_the_reading_at_its_place(length: int) -> None:
    content = b"".join(RAWS[:3]) + struct.pack("<i", length) + b"".join(RAWS[3:])
    found = read(content, "logs.bson")
    assert documents(found) == RAWS[:3]
    place = len(b"".join(RAWS[:3]))
    assert malformed(found) == [
        MalformedRecord(place, content[place:], len(content) - place, "document: impossible length")
    ]


def test_a_length_that_points_elsewhere_is_noticed() -> None:
    wrong = struct.pack("<i", len(RAWS[1]) - 3) + RAWS[1][4:]
    found = read(RAWS[0] + wrong, "logs.bson")
    assert documents(found) == RAWS[:1]
    assert [record.reason for record in malformed(found)] == ["document: does not end where its length says"]


def test_an_archive_is_recognized() -> None:
    found = read(b"\x6d\xe2\x99\x81" + b"".join(RAWS), "logs.bson")
    assert [record.reason for record in malformed(found)] == [
        "document: a mongodump archive, dump again without --archive"
    ]


def test_damage_never_costs_more_memory_than_a_document() -> None:
    claims_16_mb = struct.pack("<i", 16 << 20)
    for content in (claims_16_mb + b"x" * 20, struct.pack("<i", -5) + b"\0" * (48 << 20)):
        tracemalloc.start()
        found = list(read_dump(io.BytesIO(content), "logs.bson"))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        (record,) = malformed(found)
        assert record.size == len(content)
        assert len(record.raw) <= SHOWN_BYTES
        assert peak < 20 << 20


def test_a_gzip_bomb_is_read_in_pieces() -> None:
    bomb = gzip.compress(b"\0" * (64 << 20))
    tracemalloc.start()
    (record,) = read_dump(unzip(bomb), "logs.bson.gz")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(record, MalformedRecord) and record.size == 64 << 20
    assert peak < 12 << 20


def unzip(content: bytes) -> BinaryIO:
    """The stream that the lake opens for a compressed file."""
    return cast(BinaryIO, gzip.open(io.BytesIO(content)))


@pytest.mark.parametrize(
    ("name", "parts"), [("logs.bson.gz", RAWS), ("logs.json.gz", [line + b"\n" for line in LINES])]
)
def test_a_damaged_gzip_gives_what_can_be_decompressed(name: str, parts: list[bytes]) -> None:
    packed = gzip.compress(b"".join(parts))
    assert documents(list(read_dump(unzip(packed + packed), name))) == RAWS + RAWS, "several members are one file"
    found = list(read_dump(unzip(packed[:-30]), name))
    whole = documents(found)
    assert 0 < len(whole) < len(RAWS)
    assert whole == RAWS[: len(whole)]
    assert malformed(found)[-1].reason == "document: damaged gzip"


@pytest.mark.parametrize("damage", ["no checksum", "another checksum", "more than gzip"])
def test_a_damaged_end_of_a_gzip_is_reported_after_all_documents(damage: str) -> None:
    packed = gzip.compress(b"".join(RAWS))
    ends = {"no checksum": b"", "another checksum": b"\0" * 8, "more than gzip": packed[-8:] + b"more"}
    found = list(read_dump(unzip(packed[:-8] + ends[damage]), "logs.bson.gz"))
    assert documents(found) == RAWS
    assert [record.reason for record in malformed(found)] == ["document: damaged gzip"]


def test_a_line_that_is_not_a_document_loses_no_other_line() -> None:
    broken = [
        b'{"a": 1,,}',
        b"[1, 2]",
        b'"text"',
        b'{"$oid": "x"}',
        b'{"a": "\xff"}',
        b'{"a": 1} {"b": 2}',
        b"{" * 100_000,
    ]
    lines = [LINES[0], *broken, *LINES[1:4]]
    found = read(b"\n".join(lines), "logs.jsonl")
    assert documents(found) == RAWS[:4]
    offsets = [sum(len(line) + 1 for line in lines[:n]) for n in range(1, len(broken) + 1)]
    assert [(record.offset, record.raw) for record in malformed(found)] == list(zip(offsets, broken, strict=True))
    assert {record.reason for record in malformed(found)} == {"document: not Extended JSON"}


def test_a_broken_first_line_does_not_hide_the_others() -> None:
    found = read(b"{oops\n" + b"\n".join(LINES), "logs.json")
    assert documents(found) == RAWS
    assert malformed(found) == [MalformedRecord(0, b"{oops", 5, "document: not Extended JSON")]


def test_a_last_line_that_is_cut_is_reported() -> None:
    found = read(b"\n".join(LINES[:3])[:-4], "logs.json")
    assert documents(found) == RAWS[:2]
    assert [record.reason for record in malformed(found)] == ["document: cut short"]


def test_blank_lines_line_ends_of_windows_and_a_byte_order_mark_do_not_matter() -> None:
    content = b"\xef\xbb\xbf" + b"\r\n\r\n".join(LINES) + b"\r\n  \r\n"
    assert read(content, "logs.json") == RAWS
    assert read(b"\xef\xbb\xbf  [ " + b" ,\r\n".join(LINES) + b" ]\r\n", "logs.json") == RAWS
    assert read(b"", "logs.json") == read(b"\n \n", "logs.json") == read(b"[]", "logs.json") == []


def test_what_follows_a_broken_element_of_an_array_is_one_record() -> None:
    content = b"[" + LINES[0] + b"," + b"{'a': 1}," + LINES[1] + b"]"
    found = read(content, "logs.json")
    assert documents(found) == RAWS[:1]
    place = len(LINES[0]) + 2
    assert malformed(found) == [
        MalformedRecord(place, content[place:], len(content) - place, "document: not Extended JSON")
    ]


def test_an_array_that_does_not_end_is_reported() -> None:
    found = read(b"[" + LINES[0] + b",", "logs.json")
    assert documents(found) == RAWS[:1]
    assert [record.reason for record in malformed(found)] == ["document: cut short"]


def test_an_element_of_an_array_that_is_not_a_document_loses_no_other_element() -> None:
    found = read(b"[1," + LINES[0] + b',{"$date": "never"},' + LINES[1] + b"]", "logs.json")
    assert documents(found) == RAWS[:2]
    assert [record.raw for record in malformed(found)] == [b"1", b'{"$date": "never"}']


def test_a_line_without_end_is_passed_over_without_holding_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analytics_platform.connectors.mongo.dumps.LARGEST_TEXT", 1000)
    content = LINES[0] + b"\n" + b"x" * (3 << 20) + b"\n" + LINES[1]
    found = list(read_dump(io.BytesIO(content), "logs.json"))
    assert documents(found) == RAWS[:2]
    (record,) = malformed(found)
    assert (record.offset, record.size, record.reason) == (len(LINES[0]) + 1, (3 << 20) + 1, "document: too large")


@given(
    st.binary(max_size=300) | st.text().map(str.encode),
    st.sampled_from(["a.bson", "a.json", "a.jsonl"]),
)
def test_any_bytes_are_read_to_the_end(content: bytes, name: str) -> None:
    for record in read(content, name):
        assert isinstance(record, bytes) or record.reason in DUMP_REASONS


@given(DOCUMENTS, st.data())
def test_damaged_extended_json_never_raises(document: dict[str, Any], data: st.DataObject) -> None:
    text = bytearray(json_util.dumps(document, json_options=CANONICAL).encode())
    for place in data.draw(st.lists(st.integers(0, len(text) - 1), max_size=3)):
        text[place] = data.draw(st.sampled_from(b'"{}[]$:,0x9'))
    read(bytes(text), "logs.json")
    read(b"[" + bytes(text) + b"]", "logs.json")


WRAPPERS = [
    "$oid",
    "$date",
    "$numberInt",
    "$numberLong",
    "$numberDouble",
    "$numberDecimal",
    "$binary",
    "$uuid",
    "$code",
]
WRAPPERS += ["$scope", "$timestamp", "$regularExpression", "$regex", "$dbPointer", "$symbol", "$minKey", "$undefined"]
WRAPPERS += ["$ref", "$id", "$db", "base64", "subType", "t", "i", "pattern", "options", "$options", "$type", "$uuid"]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(WRAPPERS), inner, max_size=3),
    )
)
def test_wrong_types_of_extended_json_never_raise(value: Any) -> None:
    read(json.dumps({"a": value}).encode(), "logs.json")
    read(json.dumps(value).encode(), "logs.json")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dump/shop/web_logs.bson", True),
        ("web_logs.BSON.GZ", True),
        ("web_logs.json", True),
        ("web_logs.jsonl.gz", True),
        ("web_logs.metadata.json", False),
        ("web_logs.metadata.json.gz", False),
        ("prelude.json", False),
        ("oplog.bson", False),
        ("web_logs.csv", False),
    ],
)
def test_dumps_are_known_by_their_names(name: str, expected: bool) -> None:
    assert is_dump(name) is expected
