"""What `decode_message` promises."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from analytics_platform.gate.exact_json import canonical_json
from analytics_platform.sources.ecommerce_events.decode import COLUMNS, RULES, MessageError, decode_message
from analytics_platform.sources.ecommerce_events.items import parse_items
from analytics_platform_tests.sources.ecommerce_events.written_items import TEXTS, Written, written_items


def decode(**fields: object) -> dict[str, str | None]:
    return decode_message(json.dumps(fields))


def rejection(**fields: object) -> MessageError:
    with pytest.raises(MessageError) as caught:
        decode(**fields)
    assert caught.value.rule in RULES
    return caught.value


def test_every_column_is_read_from_the_message() -> None:
    message = decode(
        event_id=" e-1 ",
        user_id=42,
        event_timestamp=1759276800,
        event_name="purchase",
        platform="ios",
        items="[{item_id=prod_1, item_name=Audífonos, negro, price=1499.0}]",
        transaction_id="T1",
        value=1499.50,
        currency="MXN",
        item_list_id=7,
        item_list_name="Los más comprados",
        page_location="https://shop.example/p",
        page_referrer="(not set)",
        app={"version": "5.2.0"},
        city="Bern",
    )
    assert message == dict.fromkeys(COLUMNS) | {
        "source_event_id": "e-1",
        "client_id": "user:42",
        "user_id": "42",
        "event_at": "1759276800",
        "event_name": "purchase",
        "platform": "IOS",
        "items": '[{"item_id":"prod_1","item_name":"Audífonos, negro","price":1499}]',
        "transaction_id": "T1",
        "revenue": "1499.5",
        "list_id": "7",
        "list_name": "Los más comprados",
        "page_url": "https://shop.example/p",
        "referrer": None,
        "city": "Bern",
        "currency": "MXN",
        "extra": '{"app":{"version":"5.2.0"}}',
    }
    assert tuple(message) == COLUMNS


def test_a_batch_of_events_is_rejected_with_the_true_cause() -> None:
    said = "body: a batch of events (send each event as a message of its own)"
    with pytest.raises(MessageError) as caught:
        decode_message(json.dumps({"batch": [{"type": "track", "event": "x"}], "sentAt": "2026-03-02T10:00:00Z"}))
    assert str(caught.value) == said


def test_a_message_without_fields_has_no_values() -> None:
    assert decode_message("{}") == dict.fromkeys(COLUMNS)


@pytest.mark.parametrize(
    ("amount", "currency", "read"),
    [
        ("10 USD", None, "USD"),
        ("EUR 5", None, "EUR"),
        ("10 USD", "EUR", "EUR"),
        ("$10", None, "$"),
        (10, None, None),
        ("1e3", None, None),
    ],
)
def test_the_currency_is_the_messages_own_or_that_of_its_amount(
    amount: object, currency: str | None, read: str | None
) -> None:
    body = {"event_name": "purchase", "user_id": "1", "event_timestamp": 1760000000, "value": amount}
    assert decode_message(json.dumps({**body, "currency": currency}))["currency"] == read


def test_params_are_read_like_outer_fields_and_the_outer_ones_win() -> None:
    message = decode(
        client_id="c",
        currency="EUR",
        app="a",
        params={
            "client_id": "d",
            "page_url": "/p",
            "currency": "USD",
            "app": "a",
            "items": [{"item_id": 1}],
            "n": None,
        },
    )
    assert (message["client_id"], message["page_url"], message["items"]) == ("c", "/p", '[{"item_id":"1"}]')
    assert message["extra"] == '{"app":"a","client_id":"d","currency":"USD","n":null}'


def test_params_and_items_may_be_json_in_a_text() -> None:
    message = decode(
        params=json.dumps({"page_url": "/p", "order-id": 7, "x": '{"b":1,"a":2}'}), items=['{"item_id":1}']
    )
    assert (message["page_url"], message["transaction_id"], message["items"]) == ("/p", "7", '[{"item_id":"1"}]')
    assert message["extra"] == '{"x":{"a":2,"b":1}}'


@pytest.mark.parametrize("name", ["transaction_id", "transactionId", "orderId", "Order ID", "ORDER_NUMBER", "order-no"])
def test_the_id_of_an_order_has_many_spellings(name: str) -> None:
    assert decode(**{name: "T1"})["transaction_id"] == "T1"
    both = decode(**{"order_id": "O1", "transactionId": "T1"})
    assert (both["transaction_id"], both["extra"]) == ("T1", '{"order_id":"O1"}')


def test_params_that_are_not_an_object_are_kept() -> None:
    assert decode(params=[1])["extra"] == '{"params":[1]}'
    assert decode(x=1, params={"x": 2, "params": 3})["extra"] == '{"params":{"params":3,"x":2},"x":1}'


def test_the_first_name_that_has_a_value_wins_and_the_others_are_kept() -> None:
    message = decode(
        event_timestamp=None, timestamp="2026-10-01", revenue="", value=3, page_location="/a", page_url="/b"
    )
    assert (message["event_at"], message["revenue"], message["page_url"]) == ("2026-10-01", "3", "/a")
    assert message["extra"] == '{"page_url":"/b"}'
    assert decode(revenue=13, value=13.0)["extra"] is None


@pytest.mark.parametrize("user", [None, "", "  ", "null", "(not set)", "Undefined", "0", 0, "NaN", "[object Object]"])
def test_a_client_is_named_by_its_user_only_if_there_is_one(user: str | int | None) -> None:
    assert decode(user_id=user)["client_id"] is None
    assert decode(user_id=user, client_id="c")["client_id"] == "c"
    assert decode(user_id="u", client_id=user)["client_id"] == "user:u"
    assert decode(user_id="u", client_id="c")["client_id"] == "c"


@pytest.mark.parametrize("value", [True, 7.5, {"id": 7}, [7]])
@pytest.mark.parametrize(
    "name", ["event_id", "client_id", "user_id", "transaction_id", "item_list_id", "item_list_name"]
)
def test_an_id_is_a_text_or_a_whole_number(name: str, value: object) -> None:
    assert str(rejection(**{name: value})) == f"{name}: not a text or whole number"
    assert str(rejection(params={name: value})) == f"{name}: not a text or whole number"


@pytest.mark.parametrize("value", [True, None, [], {}])
def test_a_time_of_the_wrong_type_is_rejected(value: object) -> None:
    assert str(rejection(event_timestamp=value)) == "event_timestamp: not a time"
    assert str(rejection(timestamp=value)) == "event_timestamp: not a time"


@pytest.mark.parametrize("value", [1759276800, 1759276800000000, "2026-10-01T00:00:00Z", "yesterday", -5, "1.5"])
def test_a_time_is_left_to_the_gate_as_it_came(value: object) -> None:
    assert decode(event_timestamp=value)["event_at"] == str(value)


@pytest.mark.parametrize("name", ["event_name", "platform", "page_location", "page_referrer"])
def test_a_text_is_a_text(name: str) -> None:
    values: list[object] = [True, 7, {}, [""]]
    for value in values:
        assert str(rejection(**{name: value})) == f"{name}: not a text"


def test_revenue_is_a_number_in_plain_notation_or_the_text_as_it_came() -> None:
    body = '{"event_name": "purchase", "revenue": %s}'
    texts = ["1e2", "1499.50", "0.10000000000000000000001", "-3", '"$1,499.00"', '"1499.50"']
    found = [decode_message(body % text)["revenue"] for text in texts]
    assert found == ["100", "1499.5", "0.10000000000000000000001", "-3", "$1,499.00", "1499.50"]
    values: list[object] = [True, {}, []]
    for value in values:
        assert str(rejection(event_name="refund", revenue=value)) == "revenue: not a number"


def test_items_that_are_none_hide_no_others() -> None:
    items = [{"item_id": "A"}]
    message = decode(event_name="purchase", items=[], ecommerce={"items": items})
    assert (message["items"], message["extra"]) == ('[{"item_id":"A"}]', None)


@pytest.mark.parametrize("value", ["Add to basket", "75%", "42 cm", True, {"a": 1}, [2]])
def test_a_value_that_is_no_number_is_kept_where_nothing_is_sold(value: object) -> None:
    message = decode(event_name="form_submit", value=value)
    assert (message["revenue"], message["currency"]) == (None, None)
    assert json.loads(message["extra"] or "") == {"value": value}


@pytest.mark.parametrize("items", [None, "", "null", "(not set)", [], "[]", " [ ] "])
def test_no_items_are_none_in_every_form(items: object) -> None:
    message = decode(items=items)
    assert message["items"] is None
    assert message["extra"] is None


def test_items_that_cannot_be_parsed_are_rejected_with_the_position() -> None:
    error = rejection(items="[{item_id=1, price=3, price=4}]")
    assert error.rule == "items: cannot be parsed"
    assert error.detail == "position 22: price is given twice in one item"
    assert str(error) == "items: cannot be parsed (position 22: price is given twice in one item)"
    assert str(rejection(items={"price": 1})) == "items: cannot be parsed (expected a list of items)"
    assert str(rejection(items=3)) == "items: cannot be parsed (expected a list of items)"
    assert str(rejection(items="A")) == "items: cannot be parsed (position 0: expected a list of items, [{)"


def test_one_object_is_one_item_in_a_message_a_row_of_ga4_s_export_and_a_tracker_s_event() -> None:
    one, expected = {"item_id": "A", "price": 2}, '[{"item_id":"A","price":2}]'
    assert decode(items=one)["items"] == decode(params={"items": json.dumps(one)})["items"] == expected
    row = decode(user_pseudo_id="c1", event_params=[], items=one)
    assert (row["items"], row["extra"]) == (expected, None)
    tracked = decode(event="Product Added", properties={"products": {"product_id": "A", "price": 2}})
    assert (tracked["items"], tracked["extra"]) == (expected, None)


@given(written_items())
@example(Written([{}], [{}], "[{}]"))
def test_a_message_says_the_same_whatever_the_form_of_its_items_and_its_envelope(items: Written) -> None:
    bodies = [
        json.dumps({"user_id": "u", "items": form}, ensure_ascii=ascii_only)
        for form in (items.in_json, json.dumps(items.in_json), items.in_ga4)
        for ascii_only in (True, False)
    ]
    bodies += [json.dumps(body) for body in bodies]
    bodies += [json.dumps({"Type": "Notification", "Message": body}) for body in bodies]
    says = canonical_json(items.says) if items.says else None
    expected = {**dict.fromkeys(COLUMNS), "client_id": "user:u", "user_id": "u", "items": says}
    assert all(decode_message(body) == expected for body in bodies)


def decodes_or_rejects(body: str) -> None:
    """Nothing but a `MessageError` with a known rule, or columns that any database can store."""
    try:
        message = decode_message(body)
    except MessageError as error:
        assert error.rule in RULES
        assert str(error).encode()
        assert len(error.detail) < 200
        return
    for text in message.values():
        assert text is None or "\0" not in text
        assert text is None or text.encode().decode() == text
    assert message["items"] is None or parse_items(message["items"])
    assert message["extra"] is None or isinstance(json.loads(message["extra"]), dict)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
WORDS = """
event_id client_id user_id event_timestamp timestamp event_name platform items transaction_id revenue value
item_list_name page_url page_referrer params x Type Message detail-type detail
"""
NAMES = st.sampled_from(WORDS.split())
MESSAGES = st.dictionaries(NAMES, VALUES | st.dictionaries(NAMES, VALUES, max_size=3), max_size=6)


@given(st.text() | st.text(st.characters(exclude_categories=())) | st.text('{}[]",:0a\\ u', max_size=20))
def test_any_text_is_decoded_or_rejected(body: str) -> None:
    decodes_or_rejects(body)


@given(MESSAGES, st.data())
def test_any_message_whole_or_damaged_is_decoded_or_rejected(message: dict[str, object], data: st.DataObject) -> None:
    body = json.dumps(message)
    decodes_or_rejects(body)
    start = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(start, min(len(body), start + 5)))
    decodes_or_rejects(body[:start] + data.draw(st.text('"{}[],:\\0', max_size=2)) + body[end:])


def test_a_large_message_takes_linear_time() -> None:
    for part in ('"', "\\", '{"a":', "[", "{item_id=", ", price=1", "}, {", "\\u0000", "9", "é"):
        text = part * 200_000
        for body in (
            text,
            f'{{"items": {text}',
            json.dumps({"items": text, "user_id": text}),
            json.dumps(json.dumps(text)),
        ):
            decodes_or_rejects(body)
