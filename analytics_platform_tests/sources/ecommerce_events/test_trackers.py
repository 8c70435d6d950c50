"""Events as trackers write them give the same columns as a message."""

from __future__ import annotations

import json
from typing import Any

import pytest

from analytics_platform.sources.ecommerce_events.decode import decode_message

AT = "2026-10-01T10:00:00Z"
SEGMENT = {
    "type": "track",
    "event": "Order Completed",
    "messageId": "m1",
    "anonymousId": "a1",
    "userId": "u1",
    "timestamp": AT,
    "context": {
        "page": {"url": "https://shop.example/ok", "referrer": "https://g.example/"},
        "userAgent": "Mozilla/5.0 (X11)",
        "campaign": {"source": "news", "medium": "email", "name": "may & june", "term": "t", "content": None},
    },
    "properties": {
        "order_id": "O1",
        "total": 30,
        "currency": "EUR",
        "products": [
            {
                "product_id": "p",
                "name": "Tee",
                "price": 10,
                "quantity": 3,
                "brand": "B",
                "category": "C",
                "variant": "L",
            }
        ],
    },
}
SHOPIFY = {
    "id": "m1",
    "name": "checkout_completed",
    "clientId": "a1",
    "timestamp": AT,
    "context": {"document": {"location": {"href": "https://shop.example/ok"}, "referrer": "https://g.example/"}},
    "data": {
        "checkout": {
            "order": {"id": "O1"},
            "totalPrice": {"amount": 30},
            "currencyCode": "EUR",
            "lineItems": [
                {
                    "title": "Tee",
                    "quantity": 3,
                    "variant": {"title": "L", "price": {"amount": 10}, "product": {"id": "p", "vendor": "B"}},
                }
            ],
        }
    },
}
ORDER = {"transaction_id": "O1", "revenue": "30", "currency": "EUR"}
CONTEXT = {
    "user_agent": "Mozilla/5.0 (X11)",
    "campaign_tags": "?utm_source=news&utm_medium=email&utm_term=t&utm_campaign=may+%26+june",
}
PAGE = {"page_url": "https://shop.example/ok", "referrer": "https://g.example/"}
CLIENT = {"source_event_id": "m1", "client_id": "a1", "event_at": AT}
VARIANT = {
    "title": "L",
    "price": {"amount": 10},
    "product": {"id": "p", "title": "Tee", "vendor": "B"},
}
TEE = {"item_id": "p", "item_name": "Tee", "item_brand": "B", "item_variant": "L", "price": 10, "quantity": 3}


UA_ORDER = {"id": "O1", "revenue": "30", "tax": "4.90", "shipping": "5.99", "coupon": "SUMMER"}
UA_TEE = {"id": "p", "name": "Tee", "brand": "B", "variant": "L", "price": 10, "quantity": 3}
UA_OF_ORDER = {"coupon": "SUMMER", "shipping": "5.99", "tax": "4.90"}


def of_universal(action: str, **fields: Any) -> dict[str, Any]:
    return {"client_id": "a1", "timestamp": AT, "ecommerce": {"currencyCode": "EUR", action: fields}}


def segment(event: str, **properties: Any) -> dict[str, Any]:
    return {**SEGMENT, "event": event, "properties": properties}


@pytest.mark.parametrize(
    ("message", "expected", "items"),
    [
        (
            SEGMENT,
            {**CLIENT, "user_id": "u1", "event_name": "Order Completed", **ORDER, **PAGE, **CONTEXT},
            [TEE | {"item_category": "C"}],
        ),
        (
            {"event_name": "view_item", "client_id": "a1", "user_agent": "curl/8.5"},
            {"user_agent": "curl/8.5", "campaign_tags": None},
            None,
        ),
        (segment("Order Completed", revenue=25, total=30), {"event_name": "Order Completed", "revenue": "25"}, None),
        (
            segment("Product Viewed", product_id=7, name="Tee", price="5.50", position=2),
            {"event_name": "Product Viewed", "revenue": None},
            [{"item_id": "7", "item_name": "Tee", "price": 5.5, "index": 2}],
        ),
        (segment("Product Added", sku="s", cart_id="c"), {"event_name": "Product Added"}, [{"item_id": "s"}]),
        (
            segment("Order Refunded", order_id="T1", value=100, refund_amount="9.50", currency="EUR"),
            {"transaction_id": "T1", "revenue": "9.50"},
            None,
        ),
        (segment("Order Completed", order_id="T1", orderTotal=7), {"transaction_id": "T1", "revenue": "7"}, None),
        (
            segment("Purchase", value=30, contents=[{"id": "A", "quantity": 2, "item_price": 15}]),
            {"revenue": "30"},
            [{"item_id": "A", "quantity": 2, "item_price": 15}],
        ),
        (
            {"type": "page", "name": "Home", "anonymousId": "a1", "timestamp": AT, "properties": {}},
            {"client_id": "a1", "event_name": "page_view"},
            None,
        ),
        *(
            ({"type": call, "anonymousId": "a1", "timestamp": AT}, {"client_id": "a1", "event_name": name}, None)
            for call, name in [("page", "page_view"), ("screen", "screen_view"), ("identify", "identify")]
        ),
        (
            {"event": "$pageview", "distinct_id": "a1", "timestamp": AT, "properties": {"$current_url": "/x"}},
            {"client_id": "a1", "event_name": "$pageview", "page_url": "/x"},
            None,
        ),
        (
            {
                "event": "purchase",
                "client_id": "a1",
                "timestamp": AT,
                "ecommerce": {"transaction_id": "O1", "value": 30, "currency": "EUR", "items": [TEE]},
            },
            {"client_id": "a1", "event_name": "purchase", **ORDER},
            [TEE],
        ),
        (SHOPIFY, {**CLIENT, "event_name": "checkout_completed", **ORDER, **PAGE}, [TEE]),
        (
            {"event_name": "view_item", "client_id": "a1", "items": "[{'item_id': 'A', 'price': None}]"},
            {"event_name": "view_item"},
            [{"item_id": "A"}],
        ),
        (
            {
                "id": "m1",
                "name": "product_viewed",
                "clientId": "a1",
                "timestamp": AT,
                "context": SHOPIFY["context"],
                "data": {"productVariant": VARIANT | {"sku": "s"}},
            },
            {**CLIENT, "event_name": "product_viewed", **PAGE, "extra": '{"data":{"lines":{"sku":"s"}}}'},
            [TEE | {"quantity": None}],
        ),
        (
            {
                "name": "product_added_to_cart",
                "clientId": "a1",
                "timestamp": AT,
                "data": {"cartLine": {"merchandise": VARIANT, "quantity": 3}},
            },
            {"event_name": "product_added_to_cart", "client_id": "a1", "extra": None},
            [TEE],
        ),
        (
            {
                "name": "collection_viewed",
                "clientId": "a1",
                "timestamp": AT,
                "data": {"collection": {"id": "c1", "title": "Tees", "productVariants": [VARIANT] * 2}},
            },
            {"event_name": "collection_viewed", "list_id": "c1", "list_name": "Tees", "extra": None},
            [TEE | {"quantity": None}] * 2,
        ),
        (
            {"name": "page_viewed", "clientId": "a1", "timestamp": AT, "data": {}, "context": SHOPIFY["context"]},
            {"event_name": "page_viewed", **PAGE, "extra": None},
            None,
        ),
        (
            {
                "Event-Name": "purchase",
                "Client_ID": "a1",
                "EventTimestamp": AT,
                "Params": {"Value": 30, "CURRENCY": "EUR", "Transaction ID": "O1"},
                "Items": [{"ItemId": "p", "Item Name": "Tee", "Price": 10, "QUANTITY": 3, "Colour": "red"}],
            },
            {"event_name": "purchase", "client_id": "a1", "event_at": AT, **ORDER, "extra": None},
            [{"item_id": "p", "item_name": "Tee", "price": 10, "quantity": 3, "Colour": "red"}],
        ),
        ({"event_name": "purchase", "client_id": "a1", "total": 30}, {"revenue": "30", "extra": None}, None),
        (
            of_universal("purchase", actionField=UA_ORDER, products=[UA_TEE]),
            {"event_name": "purchase", **ORDER, "extra": json.dumps(UA_OF_ORDER, separators=(",", ":"))},
            [TEE],
        ),
        (
            of_universal("purchase", actionField=UA_ORDER, products=[UA_TEE]) | {"event": "transaction"},
            {"event_name": "transaction", **ORDER},
            [TEE],
        ),
        (
            {"event": "purchase", "client_id": "a1", "actionField": UA_ORDER, "products": [UA_TEE]},
            {"transaction_id": "O1", "revenue": "30"},
            [TEE],
        ),
        (
            of_universal("detail", actionField={"list": "Search"}, products=[UA_TEE]),
            {"event_name": "view_item", "list_name": "Search", "extra": None},
            [TEE],
        ),
        (
            of_universal("refund", actionField={"id": "O1"}),
            {"event_name": "refund", "transaction_id": "O1", "extra": None},
            None,
        ),
        (
            {"client_id": "a1", "ecommerce": {"impressions": [UA_TEE | {"list": "Search", "position": 2}]}},
            {"event_name": "view_item_list", "extra": None},
            [TEE | {"item_list_name": "Search", "index": 2}],
        ),
        (
            {
                "client_id": "a1",
                "transactionId": "O1",
                "transactionTotal": 30,
                "transactionTax": "4.90",
                "transactionProducts": [{"sku": "p", "name": "Tee", "price": 10, "quantity": 3}],
            },
            {"event_name": "purchase", "transaction_id": "O1", "revenue": "30", "extra": '{"tax":"4.90"}'},
            [{"item_id": "p", "item_name": "Tee", "price": 10, "quantity": 3}],
        ),
        (
            {
                "client_id": "a1",
                "ec_id": "O1",
                "revenue": 30,
                "ec_tx": "4.90",
                "ec_items": '[["p","Tee",["C","D"],10,3],["q","Mug","E",5,1]]',
            },
            {"event_name": "purchase", "transaction_id": "O1", "revenue": "30", "extra": '{"tax":"4.90"}'},
            [
                {"item_id": "p", "item_name": "Tee", "item_category": "C", "item_category2": "D"}
                | {"price": 10, "quantity": 3},
                {"item_id": "q", "item_name": "Mug", "item_category": "E", "price": 5, "quantity": 1},
            ],
        ),
        (
            {"event": "purchase", "client_id": "a1", "currency": "EUR", **of_universal("purchase", actionField=7)},
            {"transaction_id": None, "extra": '{"actionField":7}'},
            None,
        ),
        (
            {"event_name": "search", "client_id": "a1", "total": "12 results"},
            {"revenue": None, "currency": None, "extra": '{"total":"12 results"}'},
            None,
        ),
        (
            {"event_name": "purchase", "client_id": "a1", "value": 25, "Value": 26, "total": 30},
            {"revenue": "25", "extra": '{"Value":26,"total":30}'},
            None,
        ),
        (
            {"event_name": "view_item", "client_id": "a1", "params": [1], "properties": {"list_id": 4}},
            {"list_id": "4", "extra": '{"params":[1]}'},
            None,
        ),
    ],
)
def test_a_trackers_event_is_read_like_a_message(
    message: dict[str, Any], expected: dict[str, str], items: list[dict[str, Any]] | None
) -> None:
    found = decode_message(json.dumps(message))
    assert {name: found[name] for name in expected} == expected
    named = items and [{name: value for name, value in item.items() if value is not None} for item in items]
    assert (found["items"] and json.loads(found["items"])) == named


@pytest.mark.parametrize(
    ("message", "unread"),
    [
        (SEGMENT, {"type": "track"}),
        (SEGMENT | {"context": {**SEGMENT["context"], "ip": "::1"}}, {"type": "track", "context": {"ip": "::1"}}),
        (SHOPIFY, {}),
        (SHOPIFY | {"data": {**SHOPIFY["data"], "email": "x"}}, {"data": {"email": "x"}}),
    ],
)
def test_what_is_read_of_a_trackers_event_is_not_named_as_unread(
    message: dict[str, Any], unread: dict[str, Any]
) -> None:
    assert json.loads(decode_message(json.dumps(message))["extra"] or "{}") == unread


def test_the_address_of_a_page_call_is_the_pages_and_that_of_another_call_is_not() -> None:
    call = {"anonymousId": "a", "timestamp": AT, "properties": {"url": "https://shop.example/?utm_source=news"}}
    page = decode_message(json.dumps({**call, "type": "page", "name": "Home"}))
    viewed = decode_message(json.dumps({**call, "type": "track", "event": "Product Viewed"}))
    assert page["page_url"] == "https://shop.example/?utm_source=news" and "url" not in (page["extra"] or "")
    assert viewed["page_url"] is None and viewed["extra"] is not None
