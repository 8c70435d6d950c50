"""Gives the events of known trackers the field names of a message: Segment, PostHog, GA4's dataLayer, Shopify's pixel.

Those of Universal Analytics and Matomo are taken apart first (`actions.py`).

https://segment.com/docs/connections/spec/ecommerce/v2/ describes `properties`, and
https://shopify.dev/docs/api/web-pixels-api/standard-events the `data` of Shopify's events.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import reduce
from urllib.parse import urlencode

from analytics_platform.contracts.event_names import CALLS_ABOUT_PEOPLE, plain_name, usually_named
from analytics_platform.contracts.item_fields import OTHER_SPELLINGS, named_item, names_a_product
from analytics_platform.contracts.missing import known
from analytics_platform.gate.exact_json import canonical_json, unnest
from analytics_platform.sources.ecommerce_events import actions
from analytics_platform.sources.ecommerce_events.items import ItemsError, parse_items

_NAMES = {
    "event": "event_name",
    **dict.fromkeys(("anonymousId", "clientId", "distinct_id"), "client_id"),
    "userId": "user_id",
    "messageId": "event_id",
    **dict.fromkeys(("userAgent", "$raw_user_agent"), "user_agent"),
    "$current_url": "page_url",
    "$referrer": "referrer",
    **actions.NAMES,
}
_ONE_PRODUCT = ("product_id", "product_name", "item_id", "item_name", "sku")
"""Fields of an event that say which product it is about."""
_OF_AN_ITEM = (
    *(*_ONE_PRODUCT, "name", "brand", "category", "variant", "item_brand", "item_category", "item_variant"),
    *("position", "index", "price", "item_price", "unit_price", "quantity", "qty", "item_quantity", "pieces", "coupon"),
)
"""What events about one product say of it."""
BESIDE_A_PRODUCT = {
    "price": ("price", "item_price", "unit_price"),
    "quantity": ("quantity", "qty", "item_quantity", "pieces"),
}
"""Field of an item → what it may be called beside the one product of an event."""
_OF_AN_ORDER = {"id": "order_id", "number": "order_number"}
_PRODUCTS = ("products", "line_items", "contents", "product", "item")
"""Fields with the products, or the one product, of an event: as Segment, Shopify's orders, Meta and logs call them."""
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
_SHOPIFYS_DATA = ("checkout", "cart", "cartLine", "productVariant", "collection", "searchResult")
_LINES = (
    *("checkout.lineItems", "cart.lines", "cartLine", "productVariant"),
    *("collection.productVariants", "searchResult.productVariants"),
)
"""Where `data` of an event of Shopify has products: lines of an order or a cart, or variants."""
BODIES = frozenset(
    ("properties", "ecommerce", *actions.BODIES, *_PRODUCTS, "product_id", "order", "data", *_SHOPIFYS_DATA)
)
"""Fields that only a tracker's event has."""

OF_DATA = (
    "revenue",
    "value",
    "total",
    "currency",
    "items",
    *(f"{x}list_{y}" for x in ("", "item_") for y in ("id", "name")),
    *("tax", "shipping", "discount", "coupon", "search_term", "query", "page_title"),
    *("promotion_id", "promotion_name", "creative_name", "creative_slot"),
)
"""What is read of an event's data, beside the id of its order."""
_USUAL = {plain_name(name): name for name in (*OF_DATA, *BODIES, *_ONE_PRODUCT)}
"""How names in a row's `event_data` are compared → how they are read."""
_OTHER_NAMES = "|".join(plain for plain, name in _USUAL.items() if plain != name and name not in _ONE_PRODUCT)
REWRITTEN = (
    rf"""["'](?:{"|".join((*BODIES, _OTHER_NAMES))}|[A-Za-z_ -]*[A-Z -][A-Za-z_ -]*)\\?["']\s*:"""
    # Each item has a name of a product, so these are looked for before any list or object.
    rf"""|^\s*\{{[^\[{{]*["'](?:{"|".join((*_ONE_PRODUCT, *map(plain_name, _ONE_PRODUCT)))})\\?["']\s*:"""
    rf"""|["']items\\?["']\s*:(?s:.*)["'](?:{"|".join(OTHER_SPELLINGS)})\\?["']\s*:"""
    r"""|["']items\\?["']\s*:\s*(?:[^\[\s]|\[\s*[^{\]\s])|\}\s*,\s*(?:[^{"\s]|"(?:[^"\\]|\\.)*"\s*[,\]])"""
)
"""Where JSON has a name that may be read as another, items that are no list, or a list with more than objects."""

_CALLS = {"page": "page_view", "screen": "screen_view", **{name: name for name in CALLS_ABOUT_PEOPLE}}
"""Segment's calls that name no event, and the names that they get."""


def plain_event(message: Mapping[str, object]) -> dict[str, object]:
    """Give a tracker's event as a message, its inner fields in `params`; any other object comes back as it is."""
    if message.keys() & {"event_params", "user_pseudo_id"}:  # a row of GA4's export has an `ecommerce` of another form
        return dict(message)
    outer, inner, action = dict(message), dict[str, object](), None
    for name in ("params", "properties", "ecommerce"):
        for fields in (inner, outer):
            if isinstance(found := unnest(fields.get(name)), dict):
                del fields[name]
                inner = with_others(inner, found)
    for fields in (inner, outer):
        action = actions.take_apart(fields) or action
        for name in [name for name in fields if plain_name(name) == "order"]:
            if isinstance(order := unnest(fields[name]), dict):
                del fields[name]
                named = {str(key): _OF_AN_ORDER.get(plain_name(str(key)), str(key)) for key in order}
                inner = with_others(inner, _renamed(order, named))
    outer = _renamed(outer, _NAMES)
    if (
        isinstance(call := outer.get("type"), str)
        and "event_name" not in outer
        and ("properties" in message or call in _CALLS)
    ):
        outer["event_name"] = _CALLS.get(call, call)
    # Copied, for what is read is taken out of them: it would be named as unread.
    outer |= {name: unnest(outer[name]) for name in ("context", "data") if name in outer}
    data = found if isinstance(found := outer.get("data"), dict) else {}
    data |= {name: inner.pop(name) for name in _SHOPIFYS_DATA if isinstance(inner.get(name), dict)}
    is_shopifys = bool(data.keys() & _SHOPIFYS_DATA) or {"clientId", "name", "data"} <= message.keys()
    if is_shopifys:
        outer, inner = _renamed(outer, {"name": "event_name", "id": "event_id"}), with_others(inner, _shopifys(data))
        outer["data"] = data
    for fields in (inner, outer):
        _list_products(fields)
    inner = _renamed(inner, _NAMES)
    if outer.get("type") == "page":  # of other calls it is the address of the product
        inner = _renamed(inner, {"url": "page_url", "title": "page_title"})
    if action and "event_name" not in outer and "event_name" not in inner:
        outer["event_name"] = action
    context = _SHOPIFYS_CONTEXT if is_shopifys else _CONTEXT
    inner |= {name: found for name, path in context.items() if name not in inner and (found := _take(outer, path))}
    tags = {tag: found for tag, name in _TAGS.items() if (found := _take(outer, f"context.campaign.{name}"))}
    inner = {**({"campaign_tags": f"?{urlencode(tags)}"} if tags else {}), **inner}
    for name in outer.keys() & {"context", "data"}:
        if (left := _pruned(outer.pop(name))) is not None:
            outer[name] = left
    if "items" in outer and not _says(outer["items"]):
        del outer["items"]  # `[]` beside an `ecommerce` with items
    return {**outer, "params": inner} if inner and "params" not in outer else with_others(outer, inner)


def plain_data(document: str | None) -> str | None:
    """Give the body of an event, as JSON text, the names of a message; text that has them comes back as it is."""
    found = unnest(document)
    if not isinstance(found, dict):
        return document
    fields = plain_fields(found)
    return document if fields == found else canonical_json(fields)


def plain_fields(found: Mapping[str, object]) -> dict[str, object]:
    """Give the fields of an event's body the names of a message, and its products as `items`."""
    fields = usually_named(found, _USUAL)
    if fields.keys() & {*BODIES, *_ONE_PRODUCT}:
        is_whole = fields.keys() & {"properties", "ecommerce", "data"}
        event = plain_event(fields if is_whole else {"properties": fields})
        if "event_name" not in fields:  # that of an action: the record around this body has its own
            event.pop("event_name", None)
        inner = event.pop("params", None)
        fields = usually_named(with_others(event, inner) if isinstance(inner, dict) else event, _USUAL)
    # What says nothing is no field that nothing reads.
    fields = {name: value for name, value in fields.items() if name not in BODIES or _says(value)}
    items = fields.get("items")
    if isinstance(items, list) and (others := [x for x in items if not isinstance(x, dict | None)]):
        # As below. Each stays an item of which nothing is known: it was bought as much as those beside it.
        items = [x if isinstance(x, dict) else {} for x in items]
        fields |= {"items": items, "items that are no object": others}
    try:
        fields |= {"items": parse_items(items)} if items and known(str(items)) else {}
    except ItemsError:
        if not isinstance(items, list):
            # An order keeps the rest. This is no name that is read, so the ledger says that nothing reads it.
            fields["items that are no list"] = fields.pop("items")
    return fields


def _says(value: object) -> bool:
    """Tell whether a value says something: null, an empty list or object, and `(not set)` say nothing."""
    return known(value) is not None if isinstance(value, str) else value is not None and value != [] and value != {}


def with_others(fields: Mapping[str, object], others: Mapping[str, object]) -> dict[str, object]:
    """Give the fields, and of `others` those that they lack or of which they say nothing."""
    # A currency of null beside an order in dollars made it one of the shop's currency.
    return {**others, **{name: value for name, value in fields.items() if _says(value) or name not in others}}


def _renamed(fields: Mapping[str, object], names: Mapping[str, str]) -> dict[str, object]:
    """Give fields their other names, unless something has that name already. Null, lists and objects stay."""
    found = dict(fields)
    for old, new in names.items():
        if new not in found and isinstance(found.get(old), str | int | Decimal):
            found[new] = found.pop(old)
    return found


def _take(value: object, path: str) -> object:
    """Take what an object has at a path out of it; None if it has nothing there."""
    *outer, name = path.split(".")
    found = reduce(lambda inner, key: inner.get(key) if isinstance(inner, dict) else None, outer, value)
    return found.pop(name, None) if isinstance(found, dict) else None


def _pruned(value: object) -> object:
    """Leave out what is empty in objects and lists; None for an empty one."""
    match value:
        case dict():
            return {name: left for name, each in value.items() if (left := _pruned(each)) is not None} or None
        case list():
            return [left for each in value if (left := _pruned(each)) is not None] or None
    return value


def _list_products(fields: dict[str, object]) -> None:
    """Make `items` of the list of products, or of the one product that the fields themselves are about."""
    if _says(fields.get("items")):
        return
    for name in _PRODUCTS:
        products = unnest(fields.get(name))
        if isinstance(products, dict) and _is_product(products):
            products = [_with_those_beside(products, fields)]
        if isinstance(products, list) and products and (name == "products" or any(map(_is_product, products))):
            del fields[name]
            fields["items"] = products
            return
    if any(_says(fields.get(name)) for name in _ONE_PRODUCT):
        fields["items"] = [{name: fields.pop(name) for name in _OF_AN_ITEM if name in fields}]


def _is_product(value: object) -> bool:
    return isinstance(value, dict) and names_a_product(name for name, each in value.items() if _says(each))


def has_digit(value: object) -> bool:
    """Tell whether a price or a quantity may be meant: a word there, as `auf Anfrage`, would reject the event."""
    return any(sign.isdigit() for sign in str(value))


def _with_those_beside(product: Mapping[str, object], fields: dict[str, object]) -> dict[str, object]:
    """Give a product the price and the quantity that stand beside it, if it has none: taken out of the fields."""
    found = named_item(product)
    for field, names in BESIDE_A_PRODUCT.items():
        given = [name for name in names if has_digit(fields.get(name))]
        if given and not any(_says(found.get(name)) for name in (field, f"item_{field}")):
            found[field] = fields.pop(given[0])
    return found


def _shopifys(data: dict[str, object]) -> dict[str, object]:
    """Take the order, the list and the products out of the data of an event of Shopify."""
    paths = {
        **{"transaction_id": "checkout.order.id", "value": "checkout.totalPrice.amount"},
        "search_term": "searchResult.query",
        **{"item_list_id": "collection.id", "item_list_name": "collection.title"},
    }
    fields = {name: found for name, path in paths.items() if (found := _take(data, path)) is not None}
    codes = [_take(data, path) for path in ("checkout.currencyCode", "checkout.totalPrice.currencyCode")]
    fields["currency"] = next(filter(None, codes), None)
    lines = data["lines"] = next((found for path in _LINES if (found := _take(data, path))), [])
    items = [_shopifys_item(line) for line in (lines if isinstance(lines, list) else [lines]) if isinstance(line, dict)]
    return {**fields, "items": items} if items else fields


def _shopifys_item(line: dict[str, object]) -> dict[str, object]:
    """Read the product of a line of an order or a cart, or of a variant by itself."""
    variant = line.get("variant") or line.get("merchandise") or line
    paths = {
        **{"item_id": "product.id", "item_name": "product.title", "item_brand": "product.vendor"},
        **{"item_variant": "title", "price": "price.amount", "currency": "price.currencyCode"},
    }
    item = {name: _take(variant, path) for name, path in paths.items()}
    return {**item, "quantity": line.pop("quantity", None), "item_name": item["item_name"] or line.pop("title", None)}
