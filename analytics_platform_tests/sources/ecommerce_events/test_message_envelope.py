"""What `unwrap` promises of bodies, envelopes and the JSON in them."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.sources.ecommerce_events.decode import RULES, MessageError, unwrap

MESSAGE: dict[str, object] = {"event_name": "view_item", "título": "Los más 😀", "price": 7}


def in_string(text: str) -> str:
    return json.dumps(text)


def in_sns(text: str) -> str:
    return json.dumps({"Type": "Notification", "MessageId": "1", "TopicArn": "arn:aws:sns:x", "Message": text})


def in_eventbridge(text: str) -> str:
    return f'{{"version": "0", "detail-type": "shop", "detail": {text}}}'


def in_cloudevent(text: str) -> str:
    return f'{{"specversion": "1.0", "type": "shop", "source": "/app", "id": "1", "data": {text}}}'


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def in_gzip(text: str) -> str:
    return base64.urlsafe_b64encode(gzip.compress(text.encode())).decode().rstrip("=")


def in_binary_cloudevent(text: str) -> str:
    return json.dumps({"specversion": "1.0", "data_base64": in_base64(text)})


ENVELOPES = [in_string, in_sns, in_eventbridge, in_cloudevent, in_base64, in_gzip, in_binary_cloudevent]


@given(st.lists(st.sampled_from(ENVELOPES), max_size=4), st.booleans())
def test_a_message_is_found_in_any_few_envelopes(envelopes: list[Callable[[str], str]], ascii_only: bool) -> None:
    text = json.dumps(MESSAGE, ensure_ascii=ascii_only)
    for envelope in envelopes:
        needs_json = envelope not in (in_string, in_sns) and text[0] not in '{"'
        text = envelope(in_string(text) if needs_json else text)
    assert unwrap(text) == MESSAGE


@pytest.mark.parametrize(
    ("envelope", "name"),
    [
        ({"specversion": "1.0", "type": "purchase", "time": "T", "data": {"a": 1}}, "purchase"),
        (
            {"specversion": "1.0", "type": "com.shop.order.completed.v1", "time": "T", "data": {"a": 1}},
            "order.completed",
        ),
        (
            {"specversion": "1.0", "type": "com.shop.customer.added", "time": "T", "data": {"a": 1}},
            "com.shop.customer.added",
        ),
        ({"specversion": "1.0", "type": "com.shop.waved", "time": "T", "data": '{"a": 1}'}, "com.shop.waved"),
        ({"detail-type": "view_item", "time": "T", "detail": {"a": 1}}, "view_item"),
    ],
)
def test_an_envelope_tells_the_name_and_the_time_that_its_message_does_not_tell(
    envelope: dict[str, object], name: str
) -> None:
    assert unwrap(json.dumps(envelope)) == {"a": 1, "event_name": name, "timestamp": "T"}
    for own in ({"event": "x", "timestamp": "own"}, {"type": "page", "properties": {"timestamp": "own"}}):
        inner = {key: own if key in ("data", "detail") else value for key, value in envelope.items()}
        assert unwrap(json.dumps(inner)) == own


def test_a_byte_order_mark_before_json_is_left_out() -> None:
    text = json.dumps(MESSAGE)
    for body in (f"\ufeff{text}", in_base64(f"\ufeff{text}"), in_sns(f"\ufeff{text}")):
        assert unwrap(body) == MESSAGE


def test_a_message_in_too_many_envelopes_is_rejected() -> None:
    text = json.dumps(MESSAGE)
    for _ in range(9):
        text = in_sns(text) if len(text) < 2_000 else in_string(text)
    with pytest.raises(MessageError, match="body: nested too deep"):
        unwrap(text)


def test_a_message_that_only_resembles_an_envelope_is_itself_the_message() -> None:
    messages: list[dict[str, object]] = [
        {"Type": "Notification"},
        {"Type": "Other", "Message": "{}"},
        {"detail-type": "x", "detail": 3},
        {"detail": {}},
        {"specversion": "1.0", "data": 3},
        {"data": {}},
    ]
    for message in messages:
        assert unwrap(json.dumps(message)) == message


def test_numbers_are_exact() -> None:
    assert unwrap('{"a": 12345678901234567890123, "b": 0.1000000000000000000001, "c": 12.0}') == {
        "a": 12345678901234567890123,
        "b": Decimal("0.1000000000000000000001"),
        "c": Decimal("12.0"),
    }


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "body: not JSON (position 0: Expecting value)"),
        ('{"event_name": view}', "body: not JSON (position 15: Expecting value)"),
        ('{"a": 1} x', "body: not JSON (position 9: Extra data)"),
        ('{"a": NaN}', "body: not JSON (position 6: NaN is no number)"),
        (in_string('{"a": 1'), "body: not JSON (position 7: Expecting ',' delimiter, inside 1 envelope)"),
        (in_sns("hello"), "body: not JSON (position 0: Expecting value, inside 1 envelope)"),
        (in_string(in_sns("hello")), "body: not JSON (position 0: Expecting value, inside 2 envelopes)"),
        (in_base64("hello"), "body: not JSON (position 0: Expecting value)"),
        (in_base64('{"a": 1'), "body: not JSON (position 7: Expecting ',' delimiter)"),
        (
            in_string(in_gzip(json.dumps({"a": "é" * (1 << 20)}, ensure_ascii=False))),
            "body: too large (more than 2,097,152 bytes when it is expanded)",
        ),
        ("[1]", "body: not a JSON object"),
        ("7", "body: not a JSON object"),
        ("null", "body: not a JSON object"),
        ('{"a": 1, "b": 2, "a": 1}', "body: duplicate key ('a' is given twice in an object)"),
        ('{"a": {"b": 1, "b": 2}}', "body: duplicate key ('b' is given twice in an object)"),
        ('{"a": 1e400}', "body: number too long (position 6: more than 100 digits)"),
        ('{"a": ' + "9" * 5000 + "}", "body: number too long (position 6: more than 100 digits)"),
        ('{"a": "\0"}', "body: NUL character (position 7: no database stores it)"),
        ('{"a": "\\u0000"}', "body: NUL character (no database stores it)"),
        ('{"\\u0000": 1}', "body: NUL character (no database stores it)"),
        ('{"a": "\ud83d"}', "body: lone surrogate (position 7: UTF-8 cannot write it)"),
        ('{"a": ["\\uD83D"]}', "body: lone surrogate (UTF-8 cannot write it)"),
        ('{"a": ' + "[" * 64 + "]" * 64 + "}", "body: nested too deep (more than 64 levels)"),
        ("[" * 100_000, "body: nested too deep (more than 64 levels)"),
        ('{"a":' * 100_000, "body: nested too deep (more than 64 levels)"),
    ],
)
def test_a_body_that_cannot_be_used_is_rejected_with_rule_and_position(body: str, reason: str) -> None:
    with pytest.raises(MessageError) as caught:
        unwrap(body)
    assert str(caught.value) == reason
    assert caught.value.rule in RULES
    assert reason == (f"{caught.value.rule} ({caught.value.detail})" if caught.value.detail else caught.value.rule)


def test_escapes_that_stand_for_whole_characters_are_fine() -> None:
    assert unwrap('{"a": "\\ud83d\\ude00", "b": "\\\\u0000 \\\\ud83d"}') == {"a": "😀", "b": "\\u0000 \\ud83d"}


def test_nesting_up_to_the_limit_is_read_whatever_stands_in_texts() -> None:
    assert unwrap('{"a": ' + "[" * 63 + "]" * 63 + "}")
    assert unwrap(json.dumps({"a": "[" * 10_000, "b": [[]] * 10_000}))
