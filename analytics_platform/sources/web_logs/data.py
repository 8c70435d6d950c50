"""Reads what an interaction log says of its order, its list and its products, as the data of an event in a message."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from decimal import Decimal
from itertools import chain
from uuid import UUID

from bson.binary import OLD_UUID_SUBTYPE, UUID_SUBTYPE, Binary
from bson.decimal128 import Decimal128
from bson.objectid import ObjectId

from analytics_platform.contracts.event_names import AMOUNTS_OF, CURRENCIES, ORDER_IDS, plain_name
from analytics_platform.contracts.item_fields import named_item
from analytics_platform.contracts.missing import known
from analytics_platform.gate.exact_json import canonical_json, unnest
from analytics_platform.sources.ecommerce_events.trackers import (
    BESIDE_A_PRODUCT,
    BODIES,
    OF_DATA,
    has_digit,
    plain_fields,
    with_others,
)

_OF_ORDERS = (*AMOUNTS_OF["refund"], *CURRENCIES, *ORDER_IDS)
"""How logs spell the amount, the currency and the id of an order or a refund."""
_NUMBERS = tuple(chain(*BESIDE_A_PRODUCT.values()))
_OF_ONE_ITEM = (
    *("item_id", "product_id", "sku", "item_name", *_NUMBERS),
    *(f"{prefix}{name}" for name in ("brand", "category", "variant") for prefix in ("item_", "")),
)
_PRODUCTS = ("product", "item")
_BODIES = ("event_data", "data", "params", "properties")
PLACES = {
    "page_url": ("page_url", "url", "page", "page_location", "current_url"),
    "referrer": ("referrer", "referer", "page_referrer"),
    "user_agent": ("user_agent", "ua"),
}
"""Column → the fields of a document, or of its metadata, that say where and with what it was done; the first counts."""
DATA_NAMES = tuple(dict.fromkeys((*_BODIES, *_OF_ORDERS, *_OF_ONE_ITEM, *OF_DATA, *sorted(BODIES), *_PRODUCTS)))
"""The fields of a document, or of its metadata, that the data of its event are read from."""
_USUAL = {plain_name(name): name for name in DATA_NAMES}


def event_data(fields: Mapping[str, object], item_name: str | None) -> str | None:
    """Write the data of the event that a document with these fields, and the name of its product, is; None without."""
    found = {_USUAL[plain]: _plain(value) for name, value in fields.items() if (plain := plain_name(name)) in _USUAL}
    if not found:
        return None
    found = {name: unnest(value) for name, value in found.items()}
    for name in _BODIES:
        if isinstance(body := found.get(name), dict):
            del found[name]
            found = with_others(body, found)
    one = named_item({name: found.pop(name) for name in _OF_ONE_ITEM if _is_of_an_item(name, found.get(name))})
    one = with_others(one, {"item_name": item_name} if item_name else {})
    for name in _PRODUCTS:
        if isinstance(inner := found.get(name), dict):
            one = with_others(named_item(inner), one)
        if isinstance(inner, dict | str):  # a text is the name of the product, which `item_name` has
            del found[name]
    found = plain_fields(found)
    if not found.get("items") and any(name in one for name in ("item_id", "item_name", "price", "item_price")):
        found["items"] = [one]
    else:
        found = with_others(found, one)
    # The name of a product beside others has a column. All else is kept: the ledger names what nothing reads.
    data = {
        name: value for name, value in found.items() if name not in ("item_name", "product_name") and value is not None
    }
    return canonical_json(data) if data else None


def _is_of_an_item(name: str, value: object) -> bool:
    """Tell whether a field of a document says this of its product."""
    is_plain = isinstance(value, str | int | float | Decimal) and not isinstance(value, bool)
    return is_plain and (name not in _NUMBERS or has_digit(value))


def places(fields: Mapping[str, object]) -> dict[str, str | None]:
    """Give the addresses and the user agent that a document with these fields names, by column."""
    # What holds NUL is rejected for the field itself.
    texts = {plain_name(name): text for name, text in fields.items() if isinstance(text, str) and "\0" not in text}
    named = {column: [texts.get(plain_name(name), "") for name in names] for column, names in PLACES.items()}
    return {column: next((text for text in said if known(text) is not None), None) for column, said in named.items()}


def uuid_text(data: Binary) -> str | None:
    """Write a UUID of BSON; None for other bytes.

    Those of old drivers (subtype 3) are written in the order of their bytes: which driver wrote them nothing says.
    """
    is_uuid = data.subtype in (UUID_SUBTYPE, OLD_UUID_SUBTYPE) and len(data) == 16
    return str(UUID(bytes=bytes(data))) if is_uuid else None


def _plain(value: object) -> object:
    """Give a value of a document as JSON has it; None for what JSON has no form for."""
    match value:
        case dict():
            return {str(name): _plain(each) for name, each in value.items()}
        case list():
            return [_plain(each) for each in value]
        case Decimal128():
            number = value.to_decimal()
            return number if number.is_finite() else None
        case float():
            return value if math.isfinite(value) else None
        case Binary():
            return uuid_text(value)
        case ObjectId() | dt.datetime():
            return str(value)
        case str() | int() | Decimal() | None:  # a fraction in JSON in a text is a Decimal
            return value
    return None
