"""The fields of an item that have a meaning, and how trackers and logs spell them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from analytics_platform.contracts.event_names import plain_name, usually_named
from analytics_platform.contracts.missing import known

PARAMS = "item_params"

NUMERIC_FIELDS = frozenset(
    (
        *("price_in_usd", "price", "quantity", "item_revenue_in_usd", "item_revenue", "item_refund_in_usd"),
        *("item_refund", "item_list_index", "index", "discount", "item_price"),
    )
)
"""Fields that are numbers: of the GA4 export, of GA4's tags (index, discount) and of the web tracker (item_price)."""

FIELDS = NUMERIC_FIELDS.union(
    ("item_id", "item_name", "item_brand", "item_variant", "item_category", "item_category2", "item_category3"),
    ("item_category4", "item_category5", "coupon", "affiliation", "location_id", "item_list_id", "item_list_name"),
    ("promotion_id", "promotion_name", "creative_name", "creative_slot", "currency", PARAMS),
)
"""The known fields of an item (GA4 BigQuery export schema, record `items`, and the item parameters of GA4's tags)."""

_OTHER_NAMES = {
    "item_id": ("product_id", "sku", "id"),
    "item_name": ("product_name", "name", "title"),
    "item_brand": ("brand", "vendor"),
    "item_category": ("category",),
    "item_variant": ("variant",),
    "price": ("unit_price",),
    "quantity": ("qty", "item_quantity", "pieces", "count"),
    "index": ("position",),
    "item_list_name": ("list",),
}
"""Field → what Universal Analytics, Segment and logs call it; of several the first."""

OTHER_SPELLINGS = tuple(
    dict.fromkeys(x for names in _OTHER_NAMES.values() for name in names for x in (name, plain_name(name)))
)
"""The other names in lower case, with and without underscore."""

_USUAL = {plain_name(name): name for name in FIELDS}
_PLAIN_OTHERS = {field: tuple(map(plain_name, names)) for field, names in _OTHER_NAMES.items()}
_KNOWN = frozenset((*_USUAL, *map(plain_name, OTHER_SPELLINGS)))
_NAME_A_PRODUCT = frozenset(plain_name(x) for name in ("item_id", "item_name") for x in (name, *_OTHER_NAMES[name]))


def names_a_product(fields: Iterable[str]) -> bool:
    """Return whether one of these names of fields says which product an item is."""
    return not _NAME_A_PRODUCT.isdisjoint(map(plain_name, fields))


def named_item(item: Mapping[str, object]) -> dict[str, object]:
    """Give the fields of an item their usual names, unless something of the usual name has a value.

    Only a text or a number gets another name: an object `variant` is not the name of a variant.
    """
    found = usually_named(item, _USUAL)
    plain = {plain_name(name): name for name, value in found.items() if _says_something(value)}
    for field, others in _PLAIN_OTHERS.items():
        if not _says_something(found.get(field)) and (other := next((plain[x] for x in others if x in plain), None)):
            found[field] = found.pop(other)
    return found


def is_known_field(name: str) -> bool:
    """Return whether an item's field of this name, in any spelling, is known."""
    return plain_name(name) in _KNOWN


def _says_something(value: object) -> bool:
    return isinstance(value, str | int | Decimal) and known(str(value)) is not None
