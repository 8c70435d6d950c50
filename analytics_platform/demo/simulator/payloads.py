"""What events carry: the JSON text of `event_data`."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from analytics_platform.demo.simulator.catalogue import PRODUCTS, Product, Variant
from analytics_platform.demo.simulator.event import Bought, Purchase

_encode = json.JSONEncoder(ensure_ascii=False).encode

NO_ITEM = {"item_id": None, "item_name": None, "item_variant": None, "quantity": None, "item_price": None}
"""The single item that real zero-revenue orders carry."""


class Line(NamedTuple):
    """One line of a basket."""

    product: Product
    variant: Variant
    quantity: int


class ProductList(NamedTuple):
    """A list of products shown in the app-like part of the shop; items stand in order, from index 1."""

    list_id: str
    name: str
    products: tuple[Product, ...]


LISTS = (
    ProductList("home_best", "Best sellers", PRODUCTS[0:6]),
    ProductList("home_new", "Neu für dich", PRODUCTS[10:15]),
    ProductList("col_linen", "Bettwäsche, alles", PRODUCTS[15:19]),
    ProductList("col_beds", "Betten", PRODUCTS[6:10]),
    ProductList("related", "Passt dazu", PRODUCTS[24:30]),
    ProductList("search", "Search results", PRODUCTS[2:28:5]),
)


def hash_email(number: int) -> str:
    """The SHA-256 of the made-up e-mail address of a visitor, in hex."""
    return hashlib.sha256(f"visitor{number}@mail.example".encode()).hexdigest()


def total_cents(lines: Iterable[Line]) -> int:
    """What a basket costs, in cents."""
    return sum(line.variant.cents * line.quantity for line in lines)


def make_purchase(transaction_id: str, lines: Iterable[Line]) -> Purchase:
    """The order of a basket."""
    basket = tuple(lines)
    bought = (Bought(line.product.item_id, line.variant.name, line.quantity) for line in basket)
    return Purchase(transaction_id, total_cents(basket), tuple(bought))


def describe_signup(email: str) -> str:
    """The data of `email_filled_on_popup`."""
    return _encode({"user_email": email})


def describe_order(purchase: Purchase, lines: Sequence[Line], email: str, *, over_lines: bool = False) -> str:
    """The data of `checkout_completed`; no lines means the item of nulls; `over_lines` puts newlines in."""
    items: list[dict[str, Any]] = [
        {
            "item_id": line.product.item_id,
            "item_name": line.product.name,
            "item_variant": line.variant.name,
            "quantity": line.quantity,
            "item_price": line.variant.cents / 100,
        }
        for line in lines
    ]
    order = {
        "transaction_id": purchase.transaction_id,
        "revenue": purchase.cents / 100,
        "items": items or [NO_ITEM],
        "user_email": email,
    }
    return json.dumps(order, ensure_ascii=False, indent=2) if over_lines else _encode(order)


def _describe_item(line: Line) -> dict[str, Any]:
    """One item in the words of Google Analytics 4."""
    return {
        "item_id": line.product.item_id,
        "item_name": line.product.name,
        "item_brand": line.product.brand,
        "item_category": line.product.category,
        "item_variant": line.variant.name,
        "price": line.variant.cents / 100,
        "quantity": line.quantity,
    }


def describe_items(lines: Iterable[Line]) -> str:
    """The data of `view_item`, `add_to_cart` and `begin_checkout`."""
    return _encode({"items": [_describe_item(line) for line in lines]})


def describe_purchase(purchase: Purchase, lines: Iterable[Line]) -> str:
    """The data of `purchase`."""
    items = [_describe_item(line) for line in lines]
    return _encode(
        {
            "transaction_id": purchase.transaction_id,
            "value": purchase.cents / 100,
            "currency": "EUR",
            "items": items,
        }
    )


def describe_list(shown: ProductList, first: int, last: int) -> str:
    """The data of `view_item_list` and `select_item`: places `first` to `last` of a list, counted from 1."""
    items = [
        _describe_item(Line(product, product.variants[0], 1)) | {"index": index}
        for index, product in enumerate(shown.products[first - 1 : last], start=first)
    ]
    return _encode({"item_list_id": shown.list_id, "item_list_name": shown.name, "items": items})
