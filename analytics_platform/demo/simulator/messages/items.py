"""Items as JSON and in the serialization of the GA4 export; both name the same fields with the same values."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache

from analytics_platform.demo.simulator.messages.event import Item

Value = str | int | float | None | Sequence["Value"] | Mapping[str, "Value"]

encode = json.JSONEncoder(ensure_ascii=False).encode
_USD_PERCENT = 108
_COUNTS = ("quantity", "int_value", "float_value", "double_value")
"""Fields whose missing value the export writes as `null`; others are `(not set)`."""


def describe_item(item: Item) -> dict[str, Value]:
    """The fields of an item in the words of GA4; missing values are None."""
    fields: dict[str, Value] = {
        "item_id": item.item_id,
        "item_name": item.name,
        "item_brand": item.brand or None,
        "item_category": item.category or None,
        "item_variant": item.variant or None,
        "price": item.cents / 100,
        "price_in_usd": (item.cents * _USD_PERCENT // 100) / 100,
        "quantity": item.quantity,
        "item_list_name": item.list_name or None,
        "item_list_index": item.list_index,
        "coupon": item.coupon or None,
    }
    if item.brand == "Lumen":
        fields["item_badge"] = "neu, solange da"
    if item.total is not None:
        fields["item_params"] = _describe_params(item, item.total)
    return fields


def _describe_params(item: Item, total: int) -> list[Value]:
    """Parameters of an item at a checkout."""
    return [
        {"key": "totalPrice", "value": _describe_value(string_value=f"${total / 100:,.2f}")},
        {"key": "discounts", "value": _describe_value(string_value="CAMPAIGN_A|EXP_01" if item.coupon else None)},
        {"key": "position", "value": _describe_value(int_value=item.list_index)},
        {"key": "share", "value": _describe_value(double_value=item.cents * (item.quantity or 0) * 100 // total / 100)},
    ]


def _describe_value(**value: Value) -> dict[str, Value]:
    """A parameter's value, in the one of four fields that fits its type."""
    return {"string_value": None, "int_value": None, "float_value": None, "double_value": None} | value


def write_json(items: Sequence[Item]) -> str:
    """Items as a JSON array."""
    return f"[{', '.join(map(_write_item_json, items))}]"


def write_ga4(items: Sequence[Item]) -> str:
    """Items as the GA4 export serializes them: `[{item_id=prod_1, item_name=Audífonos, negro, …}, {…}]`."""
    return f"[{', '.join(map(_write_item_ga4, items))}]"


@lru_cache(maxsize=1_000)
def _write_item_json(item: Item) -> str:
    return encode(describe_item(item))


@lru_cache(maxsize=1_000)
def _write_item_ga4(item: Item) -> str:
    return _write_value(describe_item(item))


def _write_value(value: Value) -> str:
    """A value of an item in the export's serialization; a text stands as it is, whatever it holds."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{name}={_write_field(name, each)}' for name, each in value.items())}}}"
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):
        return f"[{', '.join(map(_write_value, value))}]"
    return encode(value)


def _write_field(name: str, value: Value) -> str:
    if value is None and name not in _COUNTS:
        return "(not set)"
    return _write_value(value)
