"""Gives orders and products of Universal Analytics and of Matomo the names that other trackers have.

https://developers.google.com/analytics/devguides/collection/ua/gtm/enhanced-ecommerce describes the actions, and
https://developer.matomo.org/api-reference/tracking-api the parameters `ec_…`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from analytics_platform.gate.exact_json import unnest

_ACTIONS = {
    "purchase": "purchase",
    "refund": "refund",
    "detail": "view_item",
    "click": "select_item",
    "add": "add_to_cart",
    "remove": "remove_from_cart",
    "checkout": "begin_checkout",
}
"""Universal Analytics' actions, each an object with `actionField` and `products` → GA4's name."""
_OF_ACTIONS = {"id": "transaction_id", "list": "item_list_name"}
NAMES: Mapping[str, str] = MappingProxyType(
    {
        "currencyCode": "currency",
        **{"transactionTax": "tax", "transactionShipping": "shipping"},
        **{"ec_id": "transaction_id", "ec_tx": "tax", "ec_sh": "shipping", "ec_dt": "discount"},
    }
)
"""What both call the fields of an order → what a message calls them."""
BODIES = ("actionField", "impressions", "transactionProducts", "ec_items")
"""Fields that only their events have."""

_CELLS = ("item_id", "item_name", "item_category", "price", "quantity")
_CATEGORIES = ("item_category", *(f"item_category{level}" for level in range(2, 6)))


def take_apart(fields: dict[str, object]) -> str | None:
    """Put what an action has inside among the fields themselves, and its products under `products`.

    Returns GA4's name of what was done, None if the fields do not say.
    """
    name = "purchase" if fields.keys() & {"transactionProducts", "transactionTotal", "ec_id"} else None
    for action, called in _ACTIONS.items():
        found = unnest(fields.get(action))
        if isinstance(found, dict) and found.keys() & {"actionField", "products"}:
            name = called
            _put(fields, action, found)
            break
    if isinstance(inner := unnest(fields.get("actionField")), dict):
        _put(fields, "actionField", {str(_OF_ACTIONS.get(key, key)): value for key, value in inner.items()})
    for other in ("transactionProducts", "ec_items", "impressions"):
        products = unnest(fields.get(other))
        if isinstance(products, list) and not fields.keys() & {"products", "items"}:
            name = name or ("view_item_list" if other == "impressions" else None)
            del fields[other]
            fields["products"] = [_named_cells(each) if isinstance(each, list) else each for each in products]
    return name


def _put(fields: dict[str, object], name: str, found: Mapping[str, object]) -> None:
    """Put the values of an object in the place of it; a field that has another value already keeps it."""
    left = {key: value for key, value in found.items() if fields.get(key, value) != value}
    del fields[name]
    fields |= {**found, **fields, **({name: left} if left else {})}


def _named_cells(item: list[object]) -> dict[str, object]:
    """Name the cells of one of Matomo's items: sku, name, category or categories, price, quantity."""
    cells = dict(zip(_CELLS, item, strict=False))
    if isinstance(categories := cells.pop("item_category", None), list):
        return {**cells, **dict(zip(_CATEGORIES, categories, strict=False))}
    return {**cells, "item_category": categories}
