"""Events as text: event data, message bodies in every form, and log documents in Extended JSON."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from functools import lru_cache
from random import Random
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

from analytics_platform.demo.simulator.catalogue import PRODUCTS, Product, Variant
from analytics_platform.demo.simulator.events import SECOND, AppEvent, Bought, Item, LogEvent, Purchase, instant_of
from analytics_platform.demo.simulator.rows import TimeFormat, write_time

encode = json.JSONEncoder(ensure_ascii=False).encode

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
    """Compute the SHA-256 of the made-up e-mail address of a visitor, in hex."""
    return hashlib.sha256(f"visitor{number}@mail.example".encode()).hexdigest()


def make_purchase(transaction_id: str, lines: Iterable[Line]) -> Purchase:
    """Make the order of a basket."""
    basket = tuple(lines)
    bought = tuple(Bought(line.product.item_id, line.variant.name, line.quantity) for line in basket)
    return Purchase(transaction_id, sum(line.variant.cents * line.quantity for line in basket), bought)


def describe_signup(email: str) -> str:
    """Describe the data of `email_filled_on_popup`."""
    return encode({"user_email": email})


def describe_order(purchase: Purchase, lines: Sequence[Line], email: str, *, over_lines: bool = False) -> str:
    """Describe the data of `checkout_completed`; no lines means the item of nulls; `over_lines` puts newlines in."""
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
    return json.dumps(order, ensure_ascii=False, indent=2) if over_lines else encode(order)


def _describe_line(line: Line) -> dict[str, Any]:
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
    """Describe the data of `view_item`, `add_to_cart` and `begin_checkout`."""
    return encode({"items": [_describe_line(line) for line in lines]})


def describe_purchase(purchase: Purchase, lines: Iterable[Line]) -> str:
    """Describe the data of `purchase`."""
    order = {"transaction_id": purchase.transaction_id, "value": purchase.cents / 100, "currency": "EUR"}
    return encode({**order, "items": [_describe_line(line) for line in lines]})


def describe_list(shown: ProductList, first: int, last: int) -> str:
    """Describe the data of `view_item_list` and `select_item`: places `first` to `last` of a list, counted from 1."""
    items = [
        _describe_line(Line(product, product.variants[0], 1)) | {"index": index}
        for index, product in enumerate(shown.products[first - 1 : last], start=first)
    ]
    return encode({"item_list_id": shown.list_id, "item_list_name": shown.name, "items": items})


Value = str | int | float | None | Sequence["Value"] | Mapping[str, "Value"]
_USD_PERCENT = 108
_COUNTS = ("quantity", "int_value", "float_value", "double_value")
"""Fields whose missing value the export writes as `null`; others are `(not set)`."""


def _describe_item(item: Item) -> dict[str, Value]:
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
    """Parameters of an item at a checkout; each value stands in the one of four fields that fits its type."""
    nothing = {"string_value": None, "int_value": None, "float_value": None, "double_value": None}
    values: dict[str, dict[str, Value]] = {
        "totalPrice": {"string_value": f"${total / 100:,.2f}"},
        "discounts": {"string_value": "CAMPAIGN_A|EXP_01" if item.coupon else None},
        "position": {"int_value": item.list_index},
        "share": {"double_value": item.cents * (item.quantity or 0) * 100 // total / 100},
    }
    return [{"key": key, "value": nothing | value} for key, value in values.items()]


def write_json(items: Sequence[Item]) -> str:
    """Write items as a JSON array."""
    return f"[{', '.join(map(_write_item_json, items))}]"


def write_ga4(items: Sequence[Item]) -> str:
    """Write items as the GA4 export serializes them: `[{item_id=prod_1, item_name=Audífonos, negro, …}, {…}]`."""
    return f"[{', '.join(map(_write_item_ga4, items))}]"


@lru_cache(maxsize=1_000)
def _write_item_json(item: Item) -> str:
    return encode(_describe_item(item))


@lru_cache(maxsize=1_000)
def _write_item_ga4(item: Item) -> str:
    return _write_value(_describe_item(item))


def _write_value(value: Value, name: str = "") -> str:
    """The value of a field in the export's serialization; a text stands as it is, whatever it holds."""
    if value is None and name and name not in _COUNTS:
        return "(not set)"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{name}={_write_value(each, name)}' for name, each in value.items())}}}"
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):
        return f"[{', '.join(map(_write_value, value))}]"
    return encode(value)


_TOPIC = "arn:aws:sns:eu-central-1:000000000000:shop-events"
_APP_VERSIONS = ("5.2.0", "5.2.1", "5.3.0")
_NUMERIC_USER_EVERY = 5
"""Every n-th user is named by a number, the others by a text."""


class Stamp(Enum):
    """How a time is written: a number of which the magnitude tells the unit, a text, or a BSON date.

    Only a whole second can be written in seconds; a text without a zone is UTC.
    """

    SECONDS = 0
    MILLISECONDS = 1
    MICROSECONDS = 2
    ISO = 3
    SPACED = 4
    NAIVE = 5
    DATE = 6


class ItemsForm(Enum):
    """How items are written: as a list, as its JSON text, or as the GA4 export's text."""

    LIST = 0
    TEXT = 1
    GA4 = 2


class Wrap(Enum):
    """What is around the JSON object: nothing, a JSON string, or the envelope of SNS."""

    NONE = 0
    TEXT = 1
    SNS = 2


class MessageForm(NamedTuple):
    """One way of writing an event."""

    stamp: Stamp
    items: ItemsForm
    wrap: Wrap


_MESSAGE_STAMPS = (Stamp.MILLISECONDS, Stamp.MICROSECONDS, Stamp.ISO, Stamp.SPACED, Stamp.NAIVE)
_LOG_STAMPS = (Stamp.DATE, Stamp.ISO, Stamp.SPACED, Stamp.NAIVE)


def draw_message_form(rng: Random, event: AppEvent) -> MessageForm:
    """Draw the form in which an event is first sent."""
    stamp = rng.choices(_MESSAGE_STAMPS, (40, 25, 20, 10, 5))[0]
    if event.at % SECOND == 0 and rng.random() < 0.8:
        stamp = Stamp.SECONDS
    return MessageForm(stamp, rng.choices(tuple(ItemsForm), (35, 20, 45))[0], rng.choices(tuple(Wrap), (88, 5, 7))[0])


def draw_other_form(rng: Random, form: MessageForm) -> MessageForm:
    """Draw another form of the same event: with other items text, another wrap, or both."""
    others = [MessageForm(form.stamp, items, wrap) for items in ItemsForm for wrap in Wrap]
    others.remove(form)
    return rng.choice(others)


def write_body(event: AppEvent, form: MessageForm) -> str:
    """Write the message body of an event."""
    return wrap_body(write_object(describe_event(event, form), event.items, form.items), event, form.wrap)


def describe_event(event: AppEvent, form: MessageForm) -> dict[str, Value]:
    """Describe the fields of the body's object, without the items."""
    names_by_number = event.user_id % _NUMERIC_USER_EVERY == 0
    fields: dict[str, Value] = {
        "event_timestamp": _write_stamp(event.at, form.stamp),
        "user_id": event.user_id if names_by_number else str(event.user_id),
        "event_name": event.name,
        "platform": event.platform,
        "app_version": _APP_VERSIONS[event.user_id % len(_APP_VERSIONS)],
    }
    if event.purchase is not None:
        fields |= {
            "transaction_id": event.purchase.transaction_id,
            "value": event.purchase.cents / 100,
            "currency": "EUR",
        }
    return fields


def write_object(fields: dict[str, Value], items: tuple[Item, ...], form: ItemsForm) -> str:
    """Write the body's object as JSON; without items it has no such field."""
    text = encode(fields)
    if not items:
        return text
    written = {
        ItemsForm.LIST: lambda: write_json(items),
        ItemsForm.TEXT: lambda: encode(write_json(items)),
        ItemsForm.GA4: lambda: encode(write_ga4(items)),
    }[form]()
    return f'{text[:-1]}, "items": {written}}}'


def wrap_body(text: str, event: AppEvent, wrap: Wrap) -> str:
    """Write the object as the queue gets it."""
    if wrap is Wrap.NONE:
        return text
    if wrap is Wrap.TEXT:
        return encode(text)
    envelope: dict[str, Value] = {
        "Type": "Notification",
        "MessageId": str(uuid5(NAMESPACE_URL, text)),
        "TopicArn": _TOPIC,
        "Message": text,
        "Timestamp": write_time(event.at, TimeFormat.ISO),
        "SignatureVersion": "1",
    }
    return encode(envelope)


Document = dict[str, object]


class DocumentForm(NamedTuple):
    """What a stored document has beside the event; drawn once, as documents do not change."""

    object_id: str
    stamp: Stamp
    details: Document
    """Of the metadata."""
    extra: Document
    """Of the document itself."""


def draw_document_form(rng: Random, event: LogEvent) -> DocumentForm:
    """Draw the document's id, the way its time is stored, and its further fields."""
    object_id = f"{event.at // SECOND:08x}{rng.getrandbits(64):016x}"
    extra: Document = {"host": f"web-{rng.randrange(4)}"} if rng.random() < 0.1 else {}
    return DocumentForm(object_id, rng.choices(_LOG_STAMPS, (70, 15, 5, 10))[0], _draw_details(rng), extra)


def describe_document(event: LogEvent, form: DocumentForm) -> Document:
    """Describe a document; an event without an item has no such field."""
    document: Document = {
        "_id": {"$oid": form.object_id},
        "user_id": whole(event.user_id),
        "action": event.action,
        "item_name": event.item_name,
        "timestamp": _write_stamp(event.at, form.stamp),
        "metadata": {"device": event.device, "session_id": whole(event.session_id), **form.details},
        **form.extra,
    }
    return {name: value for name, value in document.items() if value is not None}


def whole(value: int) -> Document:
    """Return a 32-bit integer, or a 64-bit one if it does not fit."""
    return {"$numberInt" if -(2**31) <= value < 2**31 else "$numberLong": str(value)}


def double(value: float) -> Document:
    """Return a double."""
    return {"$numberDouble": repr(value)}


def mongo_date(at: int) -> dict[str, Value]:
    """Return a date, from milliseconds since 1970."""
    return {"$date": {"$numberLong": str(at)}}


def _write_stamp(at: int, stamp: Stamp) -> Value:
    """An instant (milliseconds since 1970) in that form."""
    written: dict[Stamp, Callable[[], Value]] = {
        Stamp.SECONDS: lambda: at // SECOND,
        Stamp.MILLISECONDS: lambda: at,
        Stamp.MICROSECONDS: lambda: at * 1_000,
        Stamp.ISO: lambda: write_time(at, TimeFormat.ISO),
        Stamp.SPACED: lambda: write_time(at, TimeFormat.SPACED),
        Stamp.NAIVE: lambda: instant_of(at).replace(tzinfo=None).isoformat(timespec="milliseconds"),
        Stamp.DATE: lambda: mongo_date(at),
    }
    return written[stamp]()


def _draw_details(rng: Random) -> Document:
    """Fields of the metadata that only some documents have, some nested, some of more than one type."""
    versions: Sequence[object] = (whole(131), "131.0.6778.73", double(18.1))
    details: Document = {}
    if rng.random() < 0.3:
        details["browser"] = {"name": rng.choice(("Chrome", "Firefox", "Safari")), "version": rng.choice(versions)}
    if rng.random() < 0.1:
        bucket = [whole(rng.randrange(4)), double(rng.randrange(1, 8) / 8)]
        details["experiment"] = {"id": "EXP_01", "bucket": bucket, "is_control": rng.random() < 0.5}
    if rng.random() < 0.01:
        details["session_id"] = f"s-{rng.getrandbits(32):08x}"
    if rng.random() < 0.05:
        details["trace"] = whole(rng.getrandbits(60) | 2**59)
    if rng.random() < 0.05:
        details["referrer"] = None
    return details
