"""What the gate promises of a batch of messages: each is accepted or rejected, and nothing of its text is lost."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Collection, Sequence

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.catalog import CONTRACTS
from analytics_platform.connectors.sqs import Message
from analytics_platform.gate import Origin, Verdict, reasons_of, validate
from analytics_platform.gate.types import readable
from analytics_platform.sources.arrivals.queue import encode_messages
from analytics_platform.sources.ecommerce_events.decode import RULES as MESSAGE_REASONS
from analytics_platform.sources.ecommerce_events.records import read_messages

CONTRACT = CONTRACTS["cleaned.ecommerce_events"]
SENT = dt.datetime(2026, 10, 1, 10, 0, 1, 234_000, tzinfo=dt.UTC)
ORIGIN = Origin("b1", dt.datetime(2026, 10, 5, 12, tzinfo=dt.UTC), dt.datetime(2010, 1, 1, tzinfo=dt.UTC))


def body(**changes: object) -> str:
    return json.dumps({"event_timestamp": 1_790_848_800, "user_id": "u1", "event_name": "view_item"} | changes)


def batch(bodies: Sequence[str], sent_at: dt.datetime | None = SENT) -> io.BytesIO:
    return io.BytesIO(encode_messages([Message(f"m{n}", body, sent_at, 1, {}) for n, body in enumerate(bodies)]))


def verdict(bodies: Sequence[str], only: Collection[int] | None = None, sent_at: dt.datetime | None = SENT) -> Verdict:
    found = list(validate(read_messages(batch(bodies, sent_at), only), CONTRACT, ORIGIN))
    return Verdict(pl.concat([part.accepted for part in found]), pl.concat([part.rejected for part in found]))


def rejections(found: Verdict) -> list[tuple[int, str, str]]:
    return found.rejected.select("position", "raw", "error_reason").rows()


def test_what_was_encoded_is_read_message_by_message_in_its_place() -> None:
    found = verdict([body(user_id=f"u{number}") for number in range(3)])

    assert found.accepted.select("position", "client_id", "batch_id").rows() == [
        (1, "user:u0", "b1"), (2, "user:u1", "b1"), (3, "user:u2", "b1"),
    ]  # fmt: skip
    assert found.accepted["event_at"].unique().to_list() == [dt.datetime(2026, 10, 1, 10, tzinfo=dt.UTC)]
    assert found.rejected.is_empty()


def test_a_batch_is_plain_parquet_with_the_text_of_each_message() -> None:
    text = body(note="¡Hola! – «día»")
    table = pq.read_table(batch([text, "no JSON \0"]))

    assert table["body"].to_pylist() == [text, "no JSON \0"]
    assert table["message_id"].to_pylist() == ["m0", "m1"]
    assert table["sent_at"].to_pylist() == [SENT, SENT]


def test_an_empty_batch_holds_no_records() -> None:
    found = verdict([])
    assert (found.accepted.height, found.rejected.height) == (0, 0)


def test_only_the_messages_at_the_given_places_are_validated() -> None:
    bodies = [body(user_id="a"), "poison", body(user_id="b"), "venom", body(user_id="c")]

    found = verdict(bodies, only=[2, 3, 9])

    assert found.accepted.select("position", "user_id").rows() == [(3, "b")]
    assert [(place, raw) for place, raw, _ in rejections(found)] == [(2, "poison")]


def test_when_a_message_was_sent_is_kept_to_the_microsecond_and_may_be_unknown() -> None:
    assert verdict([body()]).accepted["sent_at"].to_list() == [SENT]
    assert verdict([body()], sent_at=None).accepted["sent_at"].to_list() == [None]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("not JSON", "body: not JSON (position 0: "),
        ('{"user_id" "u1"}', "body: not JSON (position 11: "),
        ("[1, 2]", "body: not a JSON object"),
        (json.dumps("{]"), "body: not JSON (position 1: "),
        (body(items="[{item_id=p1"), "items: cannot be parsed (position 12: expected the end of the list, }])"),
        (body(user_id=["u1"]), "user_id: not a text or whole number"),
    ],
)
def test_what_cannot_be_decoded_is_rejected_whole_with_the_place_where_it_went_wrong(text: str, reason: str) -> None:
    ((place, raw, told),) = rejections(verdict([body(), text]))[-1:]

    assert (place, raw) == (2, text)
    assert told.startswith(reason)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (body(event_name=" "), "event_name: missing"),
        (body(user_id=None), "user_id: missing"),
        (body(event_timestamp="yesterday"), "event_timestamp: not a time"),
        (body(event_timestamp=None), "event_timestamp: not a time"),
        (body(event_timestamp=2_000_000_000), "event_at: out of range"),
        (body(event_name="purchase", revenue="a lot"), "revenue: not an amount"),
        (body(event_name="", event_timestamp=""), "event_timestamp: missing; event_name: missing"),
    ],
)
def test_a_message_that_breaks_the_contract_is_rejected_whole_with_every_broken_rule(text: str, reason: str) -> None:
    assert rejections(verdict([text])) == [(1, text, reason)]


def test_each_reason_is_one_that_is_announced_whatever_the_message_holds() -> None:
    """Behind the rule, in brackets, may stand what a hostile message put there."""
    found = verdict(['{"a; b) (c": 1, "a; b) (c": 2}', body(items="[{item_id=a; b"), body(user_id="", event_name="")])
    rules = {rule.partition(" (")[0] for _, _, reason in rejections(found) for rule in reason.split("; ")}
    assert rules <= {*reasons_of(CONTRACT), *MESSAGE_REASONS}


def test_what_no_database_or_file_can_hold_is_written_in_hexadecimal() -> None:
    found = rejections(verdict(["NUL \0", "half a pair \ud83d"]))
    assert [raw for _, raw, _ in found] == ["NUL \\x00", "half a pair \\xed\\xa0\\xbd"]


def test_fields_that_the_contract_does_not_know_are_kept() -> None:
    (extra,) = verdict([body(screen="home", params={"item_list_name": "Top", "x": 1.50})]).accepted["extra"]
    assert json.loads(extra) == {"screen": "home", "x": 1.5}


WELL_MADE = st.builds(
    body,
    event_timestamp=st.one_of(st.integers(-(10**18), 10**18), st.text(max_size=5), st.none()),
    user_id=st.one_of(st.text(max_size=3), st.integers(), st.none()),
    event_name=st.one_of(st.sampled_from(["view_item", "purchase"]), st.text(max_size=3), st.booleans()),
    items=st.one_of(
        st.text(max_size=10), st.sampled_from(["[{item_id=p1}]", [], [{"item_id": "p1"}], "[{"]), st.none()
    ),
    revenue=st.one_of(st.floats(), st.text("0123456789.eE-", max_size=30), st.none()),
)
ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=20)
BODIES = st.lists(
    st.one_of(ANY_TEXT, WELL_MADE, WELL_MADE.map(json.dumps), WELL_MADE.map(lambda t: t[:-3])), max_size=6
)


@given(BODIES, st.sets(st.integers(1, 7)))
def test_every_message_is_accepted_or_rejected_exactly_once(bodies: list[str], only: set[int]) -> None:
    found = verdict(bodies)
    places = [*found.accepted["position"], *found.rejected["position"]]
    assert sorted(places) == list(range(1, len(bodies) + 1))
    for place, raw, _ in rejections(found):
        assert raw == readable(bodies[place - 1].encode("utf-8", "surrogatepass"))

    some = verdict(bodies, only)
    assert some.accepted["position"].to_list() == [place for place in found.accepted["position"] if place in only]
    assert rejections(some) == [rejection for rejection in rejections(found) if rejection[0] in only]
