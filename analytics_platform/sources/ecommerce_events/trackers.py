"""Gives the events of known trackers the field names of a message: Segment, PostHog, GA4's dataLayer, Shopify's pixel.

https://segment.com/docs/connections/spec/ecommerce/v2/ describes `properties`, and
https://shopify.dev/docs/api/web-pixels-api/standard-events/checkout_completed `checkout`.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import reduce
from urllib.parse import urlencode

from analytics_platform.gate.exact_json import canonical_json, unnest

_NAMES = {
    "event": "event_name",
    **dict.fromkeys(("anonymousId", "clientId", "distinct_id"), "client_id"),
    "userId": "user_id",
    "messageId": "event_id",
    **dict.fromkeys(("userAgent", "$raw_user_agent"), "user_agent"),
    "$current_url": "page_url",
    "$referrer": "referrer",
}
_ITEM_NAMES = {
    **dict.fromkeys(("product_id", "sku"), "item_id"),
    "name": "item_name",
    "brand": "item_brand",
    "category": "item_category",
    "variant": "item_variant",
    "position": "index",
}
_OF_AN_ITEM = (*_ITEM_NAMES, "price", "quantity", "coupon")
_CONTEXT = {
    "page_url": "context.page.url",
    "referrer": "context.page.referrer",
    "user_agent": "context.userAgent",
}
_SHOPIFYS_CONTEXT = {
    "page_url": "context.document.location.href",
    "referrer": "context.document.referrer",
    "user_agent": "context.navigator.userAgent",
}
_TAGS = {f"utm_{name}": name for name in ("source", "medium", "term", "content")} | {"utm_campaign": "name"}
_BODIES = frozenset(("properties", "ecommerce", "products", "product_id", "checkout", "data"))
"""Fields that only a tracker's event has."""

_CALLS = {"page": "page_view", "screen": "screen_view"}
"""Segment's calls that name no event."""


def plain_event(message: Mapping[str, object]) -> dict[str, object]:
    """Give a tracker's event as a message, its inner fields in `params`; any other object comes back as it is."""
    if message.keys() & {"event_params", "user_pseudo_id"}:  # a row of GA4's export has an `ecommerce` of another form
        return dict(message)
    outer, inner = _renamed(message, _NAMES), dict[str, object]()
    for name in ("params", "properties", "ecommerce"):
        for fields in (inner, outer):
            if isinstance(found := unnest(fields.get(name)), dict):
                del fields[name]
                inner = {**found, **inner}
    if isinstance(call := outer.get("type"), str) and "event_name" not in outer and "properties" in message:
        outer["event_name"] = _CALLS.get(call, call)
    checkout = _at(outer, "data.checkout") or inner.pop("checkout", None)
    if isinstance(checkout, dict):
        outer, inner = _renamed(outer, {"name": "event_name", "id": "event_id"}), {**_order(checkout), **inner}
    for fields in (inner, outer):
        _list_products(fields)
    inner = _renamed(inner, _NAMES)
    context = _SHOPIFYS_CONTEXT if checkout else _CONTEXT
    told = {name: found for name, path in context.items() if (found := _at(outer, path))}
    tags = {tag: found for tag, name in _TAGS.items() if (found := _at(outer, f"context.campaign.{name}"))}
    inner = {**told, **({"campaign_tags": f"?{urlencode(tags)}"} if tags else {}), **inner}
    if "total" in inner and not {"revenue", "value"} & {*inner, *outer}:
        inner["revenue"] = inner.pop("total")
    return {**outer, "params": inner} if inner and "params" not in outer else {**inner, **outer}


def plain_data(document: str | None) -> str | None:
    """Give the body of a tracker's event, as JSON text, the names of a message; any other text comes back as it is."""
    found = unnest(document)
    if not isinstance(found, dict) or not found.keys() & _BODIES:
        return document
    is_whole = found.keys() & {"properties", "ecommerce", "data"}
    event = plain_event(found if is_whole else {"properties": found})
    inner = event.pop("params", None)
    return canonical_json({**inner, **event} if isinstance(inner, dict) else event)


def _renamed(fields: Mapping[str, object], names: Mapping[str, str]) -> dict[str, object]:
    """Give fields their other names, unless something has that name already. Null, lists and objects stay."""
    found = dict(fields)
    for old, new in names.items():
        if new not in found and isinstance(found.get(old), str | int | Decimal):
            found[new] = found.pop(old)
    return found


def _at(value: object, path: str) -> object:
    """Give what an object has at a path, None if it has nothing there."""
    return reduce(lambda inner, name: inner.get(name) if isinstance(inner, dict) else None, path.split("."), value)


def _list_products(fields: dict[str, object]) -> None:
    """Make `items` of the list `products`, or of the one product that the fields themselves are about."""
    products = unnest(fields.get("products"))
    if "items" in fields or not (isinstance(products, list) or "product_id" in fields):
        return
    if isinstance(products, list):
        del fields["products"]
    else:
        products = [{name: fields.pop(name) for name in _OF_AN_ITEM if name in fields}]
    fields["items"] = [_renamed(each, _ITEM_NAMES) if isinstance(each, dict) else each for each in products]


def _order(checkout: Mapping[str, object]) -> dict[str, object]:
    """Read the order in a checkout of Shopify."""
    lines = checkout.get("lineItems")
    paths = {
        **{"item_id": "variant.product.id", "item_name": "title", "item_brand": "variant.product.vendor"},
        **{"item_variant": "variant.title", "price": "variant.price.amount", "quantity": "quantity"},
    }
    return {
        "transaction_id": _at(checkout, "order.id"),
        "value": _at(checkout, "totalPrice.amount"),
        "currency": checkout.get("currencyCode"),
        "items": [
            {name: _at(line, path) for name, path in paths.items()}
            for line in (lines if isinstance(lines, list) else ())
        ],
    }
