"""What `gate.validate` promises of any CSV."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import Collection

import polars as pl
import polars.selectors as cs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.event_names import AMOUNTS_OF
from analytics_platform.gate import CSV_REASONS, Origin, Verdict, read_csv, reasons_of, rulebook, validate
from analytics_platform.gate.csv import split
from analytics_platform.gate.types import readable

CONTRACT = CONTRACTS["cleaned.clickstream"]
HEADER = ("client_id", "page_url", "referrer", "timestamp", "event_name", "event_data", "user_agent")
ORIGIN = Origin("b1", dt.datetime(2026, 10, 5, 12, tzinfo=dt.UTC), dt.datetime(2010, 1, 1, tzinfo=dt.UTC))
GOOD = {
    "client_id": "c1",
    "page_url": "/p",
    "referrer": "",
    "timestamp": "2026-10-01T10:00:00Z",
    "event_name": "page_viewed",
    "event_data": '{"a": 1}',
    "user_agent": "UA",
}


def line(**changes: str) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow((GOOD | changes).values())
    return text.getvalue()


def verdict(
    body: bytes | str, only: Collection[int] | None = None, block_bytes: int = 1 << 20, header: str = ",".join(HEADER)
) -> Verdict:
    content = body if isinstance(body, bytes) else body.encode()
    stream = io.BufferedReader(io.BytesIO(header.encode() + b"\n" + content))  # type: ignore[arg-type]
    found = list(validate(read_csv(stream, CONTRACT, only, block_bytes), CONTRACT, ORIGIN))
    return Verdict(pl.concat([part.accepted for part in found]), pl.concat([part.rejected for part in found]))


EXAMPLES = {
    "client_id: missing": line(client_id="  "),
    "timestamp: missing": line(timestamp=""),
    "timestamp: not a time": line(timestamp="yesterday"),
    "event_at: out of range": line(timestamp="2026-10-07T00:00:00Z"),
    "event_name: missing": line(event_name=""),
    "event_data: not JSON": line(event_data="{"),
    **{
        f"event_data: {name} is no amount": line(event_name="refund", event_data=json.dumps({name: "free"}))
        for name in AMOUNTS_OF["refund"]
    },
    "event_data: items[].price is no amount": line(event_data='{"items": [{"price": 1}, {"price": "1,2,3"}]}'),
    "event_data: items[].item_price is no amount": line(event_data='{"items": "[{\\"item_price\\": \\"x\\"}]"}'),
    "event_data: items[].quantity is no amount": line(event_data='{"items": [{"quantity": "two"}]}'),
    "record: too few columns": "c1,/p\n",
    "record: too many columns": line().rstrip("\n") + ",more\n",
    "record: stray quote": line().replace("/p", '/"p"'),
    "record: unterminated quote": line().replace("UA", '"UA'),
    "record: not UTF-8": line(user_agent="U\N{LATIN SMALL LETTER A WITH DIAERESIS}").encode("latin-1"),
    "record: NUL byte": line(user_agent="U\0A"),
}


@pytest.mark.parametrize("reason", EXAMPLES)
def test_a_broken_record_is_rejected_with_its_reason_and_its_text_and_no_other(reason: str) -> None:
    broken = EXAMPLES[reason]
    raw = broken if isinstance(broken, bytes) else broken.encode()
    found = verdict(line().encode() + raw + line(client_id="c2").encode())
    assert found.accepted["client_id"].to_list() == ["c1", "c2"]
    assert found.rejected.select("position", "raw", "error_reason").rows() == [
        (3, readable(raw.removesuffix(b"\n")), reason)
    ]


def test_every_reason_has_an_example() -> None:
    too_slow = {"record: too large"}  # 16 MB; held by the tests of the splitter
    absent = {"received_at: not a time"}  # its column is not in the usual header: below
    assert {*reasons_of(CONTRACT), *CSV_REASONS} == set(EXAMPLES) | too_slow | absent


def test_records_that_keep_every_rule_are_no_error_of_pandera(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    monkeypatch.setattr(rulebook, "_words", lambda schema, usual: found.append(schema))
    assert verdict(line()).accepted.height == 1
    assert not found


def test_an_invalid_time_of_receipt_is_rejected() -> None:
    body = line().rstrip("\n") + ",whenever\n"
    found = verdict(body, header=",".join([*HEADER, "received_at"]))
    assert found.rejected["error_reason"].to_list() == ["received_at: not a time"]


def test_several_broken_rules_are_named_in_the_order_of_the_columns() -> None:
    found = verdict(line(event_data="{", client_id="", timestamp="2031-01-01", event_name=" "))
    assert found.rejected["error_reason"].to_list() == [
        "client_id: missing; event_at: out of range; event_name: missing; event_data: not JSON"
    ]


@pytest.mark.parametrize(
    ("time", "accepted"),
    [
        ("2010-01-01T00:00:00Z", True),
        ("2009-12-31T23:59:59.999999Z", False),
        ("2026-10-06T12:00:00Z", True),
        ("2026-10-06T12:00:00.000001Z", False),
    ],
)
def test_an_event_lies_between_the_first_partition_and_a_day_after_arrival(time: str, accepted: bool) -> None:
    assert verdict(line(timestamp=time)).accepted.height == accepted


def test_what_can_be_read_of_a_rejected_record_says_its_day() -> None:
    found = verdict(line(client_id="") + line(timestamp="never"))
    assert found.rejected["event_date"].to_list() == [dt.date(2026, 10, 1), None]


def test_what_can_be_read_of_a_rejected_record_names_its_event() -> None:
    found = verdict(line(client_id="", event_name="purchase") + line(client_id="", event_name=""))
    assert found.rejected["event_name"].to_list() == ["purchase", None]


def test_a_rejected_record_knows_the_day_of_the_accepted_one_before_it() -> None:
    body = "torn\n" + line() + line(timestamp="never") + line(timestamp="2026-10-02") + "torn\n"
    for block_bytes in (1, 1 << 20):
        dates = verdict(body, block_bytes=block_bytes).rejected["neighbour_date"].to_list()
        assert dates == [None, dt.date(2026, 10, 1), dt.date(2026, 10, 2)]


def test_the_own_id_of_an_event_is_kept_and_a_missing_one_is_left_to_the_load() -> None:
    body = line().rstrip("\n") + ",e1\n" + line().rstrip("\n") + ",\n"
    found = verdict(body, header=",".join([*HEADER, "event_id"]))
    assert found.accepted["source_event_id"].to_list() == ["e1", None]


def test_unknown_columns_are_kept_as_json() -> None:
    found = verdict(line().rstrip("\n") + ",blue\n", header=",".join([*HEADER, "colour"]))
    assert found.accepted["extra"].to_list() == ['{"colour":"blue"}']


values = st.sampled_from(["", " ", "c1", "2026-10-01T10:00:00Z", "2026-10-01", "{", "[]", 'a "b"', "two\nlines", "ü"])
records = st.fixed_dictionaries(dict.fromkeys(HEADER, values)).map(lambda row: line(**row).encode())
pieces = st.one_of(records, st.binary(max_size=20), st.sampled_from([b"\n", b"\r\n", b'"', b"a,b\n", line().encode()]))
bodies = st.lists(pieces, max_size=30).map(b"".join)


@given(bodies)
def test_every_record_is_accepted_or_rejected_once_for_any_bytes(body: bytes) -> None:
    blocks = list(split(io.BytesIO(body), len(HEADER)))
    expected = [int(position) for block in blocks for position in block.positions]
    expected += [int(position) for block in blocks for position in block.malformed.positions]
    found = verdict(body)
    places = [frame["position"].to_list() for frame in (found.accepted, found.rejected) if frame.width]
    assert sorted(place for part in places for place in part) == sorted(expected)


@given(bodies, st.integers(1, 200))
def test_the_result_does_not_depend_on_the_size_of_blocks(body: bytes, block_bytes: int) -> None:
    small, large = verdict(body, block_bytes=block_bytes), verdict(body)
    assert small.accepted.equals(large.accepted)
    assert small.rejected.equals(large.rejected)


@given(bodies, st.sets(st.integers(2, 40)))
def test_only_the_chosen_positions_are_validated_and_validated_alike(body: bytes, only: set[int]) -> None:
    whole, chosen = verdict(body), verdict(body, only)
    for name in ("accepted", "rejected"):
        expected, found = getattr(whole, name), getattr(chosen, name)
        expected = expected.filter(pl.col("position").is_in(list(only)))
        alone = cs.exclude("neighbour_date")  # which accepted record is before depends on what is checked
        assert found.select(alone).rows() == expected.select(alone).rows()


@given(bodies)
def test_accepted_records_keep_the_contract(body: bytes) -> None:
    accepted = verdict(body).accepted
    if accepted.width:
        named = accepted.with_columns(pl.col("event_id").fill_null("made by the load"))
        CONTRACT.to_schema().validate(named, lazy=True)


def test_a_layout_without_a_usual_column_reads_it_as_missing() -> None:
    names = ",".join(name for name in HEADER if name != "referrer")
    found = verdict("c1,/p,2026-10-01,e,,\n", header=names)
    assert found.accepted["referrer"].to_list() == [None]
