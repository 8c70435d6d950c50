"""Events as text: rows of clickstream files, message bodies in every form, and log documents in Extended JSON."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta, timezone
from functools import lru_cache
from random import Random
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

from bson import ObjectId, json_util

from analytics_platform.demo.simulator.catalogue import ProductList
from analytics_platform.demo.simulator.events import SECOND, USER, Event, Item, Purchase, instant_of

encode = json.JSONEncoder(ensure_ascii=False).encode

_AGREED = ("client_id", "page_url", "referrer", "timestamp", "event_name", "event_data", "user_agent")
_SHUFFLED = ("timestamp", "client_id", "event_name", "page_url", "user_agent", "event_data", "referrer")
_NO_REFERRER = ("client_id", "page_url", "timestamp", "event_name", "event_data", "user_agent")
_WITH_VERSION = (*_AGREED[:-1], "app_version", "user_agent")

_VERSIONS = ("4.1.0", "4.1.2", "4.2.0")
_SUMMER_TIME = timezone(timedelta(hours=2))
_OFFSET_EVERY = 397
"""One of this many events is written at a local offset."""


@dataclass(frozen=True, slots=True)
class FileStyle:
    """One way of writing the agreed clickstream file: the order and names of columns, the time format, line ends.

    Columns that are always quoted are never among the first two.
    """

    order: tuple[str, ...] = _AGREED
    client_header: str = "client_id"
    has_spaced_times: bool = False
    newline: str = "\n"
    has_bom: bool = False
    has_final_newline: bool = True
    is_gzipped: bool = False

    @property
    def header(self) -> str:
        """The first line, without its end."""
        names = ",".join(self.client_header if column == "client_id" else column for column in self.order)
        return f"\ufeff{names}" if self.has_bom else names

    @property
    def is_complete(self) -> bool:
        """Whether a row has the seven agreed columns and no other, so that another file may repeat it."""
        return len(self.order) == len(_AGREED)


DAY_STYLES = (
    FileStyle(),
    FileStyle(client_header="clientId", has_final_newline=False),
    FileStyle(order=_SHUFFLED, has_spaced_times=True),
    FileStyle(is_gzipped=True),
    FileStyle(order=_NO_REFERRER, has_bom=True),
    FileStyle(order=_WITH_VERSION, newline="\r\n"),
    FileStyle(has_spaced_times=True),
)
"""The styles of the daily files, in turn."""

LATE_STYLES = (FileStyle(has_bom=True), FileStyle(order=_SHUFFLED, newline="\r\n"))
"""The styles of the late files, in turn."""


def write_time(at: int, spaced: bool = False) -> str:
    """Write an instant (milliseconds since 1970) in ISO 8601, with T or a space; one in 397 at another offset."""
    instant = instant_of(at)
    if at % _OFFSET_EVERY == 0:
        return instant.astimezone(_SUMMER_TIME).isoformat(timespec="milliseconds")
    if spaced:
        return instant.isoformat(sep=" ", timespec="microseconds")
    return instant.isoformat(timespec="milliseconds")[:-6] + "Z"


def row_values(event: Event, style: FileStyle) -> dict[str, str]:
    """Return the text of every column, before quoting."""
    return {
        "client_id": event.client_id,
        "page_url": event.page_url,
        "referrer": event.referrer,
        "timestamp": write_time(event.at, style.has_spaced_times),
        "event_name": event.name,
        "event_data": event.data,
        "user_agent": event.user_agent,
        "app_version": _VERSIONS[event.at % len(_VERSIONS)],
    }


def quote_values(values: Mapping[str, str], style: FileStyle) -> list[str]:
    """Make the cells of a row in the file's order, quoted according to RFC 4180; user agents always are."""
    cells = []
    for column in style.order:
        value = values[column]
        if column == "user_agent" or '"' in value or "," in value or "\n" in value:
            value = '"' + value.replace('"', '""') + '"'
        cells.append(value)
    return cells


def write_row(event: Event, style: FileStyle) -> str:
    """Write an event as one record, without its line end."""
    return ",".join(quote_values(row_values(event, style), style))


def describe_order(purchase: Purchase, items: Sequence[Item], email: str, *, over_lines: bool = False) -> str:
    """Write the data of `checkout_completed`; `over_lines` puts newlines in."""
    names = ("item_id", "item_name", "item_variant", "quantity", "item_price")
    cells = [(item.item_id, item.name, item.variant, item.quantity, item.price) for item in items]
    lines = [dict(zip(names, each, strict=True)) for each in cells]
    order = {
        "transaction_id": purchase.transaction_id,
        "revenue": purchase.written,
        "currency": purchase.currency,
        **purchase.extras,
        # real orders without revenue have one item of nulls
        "items": [line | _describe_discount(item) for line, item in zip(lines, items, strict=True)]
        or [dict.fromkeys(names)],
        "user_email": email,
    }
    return json.dumps(order, ensure_ascii=False, indent=2) if over_lines else encode(order)


def describe_items(items: Sequence[Item], **fields: object) -> str:
    """Write the data of an event of the web shop with fields and items named as in Google Analytics 4."""
    return encode({**fields, "items": [_describe_ga4(item) for item in items]})


def describe_list(shown: ProductList, first: int, last: int) -> str:
    """Write the data of `view_item_list` and `select_item`: places `first` to `last` of a list, counted from 1."""
    items = (item._replace(quantity=1) for item in shown.items[first - 1 : last])
    described = [{**_describe_ga4(item), "index": item.list_index} for item in items]
    return encode({"item_list_id": shown.list_id, "item_list_name": shown.name, "items": described})


def _describe_ga4(item: Item) -> dict[str, object]:
    return {
        "item_id": item.item_id,
        "item_name": item.name,
        "item_brand": item.brand,
        "item_category": item.category,
        "item_variant": item.variant,
        "price": item.price,
        "quantity": item.quantity,
        **_describe_discount(item),
    }


def _describe_discount(item: Item) -> dict[str, object]:
    return {"discount": item.discount / 100} if item.discount else {}


_USD_PERCENT = 108
_COUNTS = ("quantity", "int_value", "float_value", "double_value")
"""Fields whose missing value the export writes as `null`; others are `(not set)`."""


def _describe_exported(item: Item) -> dict[str, object]:
    """Return the fields of an item in the GA4 export; missing values are None."""
    fields = {
        "item_id": item.item_id,
        "item_name": item.name,
        "item_brand": item.brand or None,
        "item_category": item.category or None,
        "item_variant": item.variant or None,
        "price": item.price,
        "price_in_usd": (item.cents * _USD_PERCENT // 100) / 100,
        "quantity": item.quantity,
        "item_list_name": item.list_name or None,
        "item_list_index": item.list_index,
        "coupon": item.coupon or None,
    }
    badge = {"item_badge": "neu, solange da"} if item.brand == "Lumen" else {}
    return (
        fields
        | badge
        | _describe_discount(item)
        | ({"item_params": _describe_params(item, item.total)} if item.total is not None else {})
    )


def _describe_params(item: Item, total: int) -> list[dict[str, object]]:
    """Return parameters of an item at a checkout; each value is in the one of four fields that fits its type."""
    nothing = dict.fromkeys(("string_value", "int_value", "float_value", "double_value"))
    values: dict[str, dict[str, object]] = {
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
    return encode(_describe_exported(item))


@lru_cache(maxsize=1_000)
def _write_item_ga4(item: Item) -> str:
    return _write_value(_describe_exported(item))


def _write_value(value: object, name: str = "") -> str:
    """Write the value of a field in the export's serialization, which quotes and escapes nothing."""
    if value is None and name and name not in _COUNTS:
        return "(not set)"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{name}={_write_value(each, name)}' for name, each in value.items())}}}"
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):
        return f"[{', '.join(map(_write_value, value))}]"
    return encode(value)


_STAMPS: Mapping[str, Callable[[int], object]] = MappingProxyType(
    {
        "seconds": lambda at: at // SECOND,
        "milliseconds": lambda at: at,
        "microseconds": lambda at: at * 1_000,
        "iso": write_time,
        "spaced": lambda at: write_time(at, spaced=True),
        "naive": lambda at: instant_of(at).replace(tzinfo=None).isoformat(timespec="milliseconds"),
        "date": instant_of,
    }
)
"""How a time is written: a number whose magnitude shows the unit, a text (UTC without a zone), or a BSON date."""

_ITEMS: Mapping[str, Callable[[Sequence[Item]], str]] = MappingProxyType(
    {"list": write_json, "text": lambda items: encode(write_json(items)), "ga4": lambda items: encode(write_ga4(items))}
)

_WRAPS = ("none", "text", "sns")
"""What is around the JSON object of a message: nothing, a JSON string, or the envelope of SNS."""

_TOPIC = "arn:aws:sns:eu-central-1:000000000000:shop-events"
_APP_VERSIONS = ("5.2.0", "5.2.1", "5.3.0")
_NUMERIC_USER_EVERY = 5
"""The id of every n-th user is a number, of the others a text."""


class MessageForm(NamedTuple):
    """One way of writing an event as a message: keys of `_STAMPS` and `_ITEMS`, one of `_WRAPS`."""

    stamp: str
    items: str
    wrap: str


def draw_message_form(rng: Random, event: Event) -> MessageForm:
    """Draw the form in which an event is first sent."""
    stamp = rng.choices(("milliseconds", "microseconds", "iso", "spaced", "naive"), (40, 25, 20, 10, 5))[0]
    if event.at % SECOND == 0 and rng.random() < 0.8:  # only a whole second can be written in seconds
        stamp = "seconds"
    return MessageForm(stamp, rng.choices(tuple(_ITEMS), (35, 20, 45))[0], rng.choices(_WRAPS, (88, 5, 7))[0])


def draw_copy_form(rng: Random, form: MessageForm) -> MessageForm:
    """Draw the form in which an event is sent again: the same, as in a redelivery, or with other items or wrap."""
    if rng.random() >= 0.4:
        return form
    others = [MessageForm(form.stamp, items, wrap) for items in _ITEMS for wrap in _WRAPS]
    others.remove(form)
    return rng.choice(others)


def _write_ids(event: Event) -> dict[str, object]:
    """Write the ids that only some apps write: of a counter that starts again, so that events share them, or none."""
    if event.at % 101 == 0:
        return {"event_id": f"e-{event.at % 7}"}
    return {"event_id": "undefined", "client_id": "(not set)"} if event.at % 101 == 1 else {}


def message_fields(event: Event, form: MessageForm) -> dict[str, object]:
    """Return the fields of the message's object, without the items."""
    user_id = event.user_id
    fields = {
        "event_timestamp": _STAMPS[form.stamp](event.at),
        "user_id": user_id if user_id % _NUMERIC_USER_EVERY == 0 else str(user_id),
        "event_name": event.name,
        **_write_ids(event),
    }
    if event.client_id.startswith(USER):
        fields |= {"platform": "IOS" if user_id % 3 else "ANDROID"}
        fields |= {"app_version": _APP_VERSIONS[user_id % len(_APP_VERSIONS)]}
    else:
        fields |= {"platform": "WEB", "client_id": event.client_id}
    if event.purchase is None:
        return fields
    return fields | event.purchase.fields


def write_object(fields: Mapping[str, object], items: Sequence[Item], form: str) -> str:
    """Write the message's object as JSON; without items it has no such field."""
    text = encode(fields)
    return f'{text[:-1]}, "items": {_ITEMS[form](items)}}}' if items else text


def wrap_object(text: str, event: Event, wrap: str) -> str:
    """Write the object as the queue gets it."""
    if wrap == "none":
        return text
    envelope = {
        "Type": "Notification",
        "MessageId": str(uuid5(NAMESPACE_URL, text)),
        "TopicArn": _TOPIC,
        "Message": text,
        "Timestamp": write_time(event.at),
        "SignatureVersion": "1",
    }
    return encode(text if wrap == "text" else envelope)


def write_message(event: Event, form: MessageForm) -> str:
    """Write an event as a line of a file of messages."""
    text = write_object(message_fields(event, form), event.items, form.items)
    return encode({"body": wrap_object(text, event, form.wrap)})


def draw_document(rng: Random, event: Event) -> dict[str, Any]:
    """Draw the stored document of a log event: its id, the way its time is stored, and fields that only some have."""
    object_id = ObjectId(f"{event.at // SECOND:08x}{rng.getrandbits(64):016x}")
    extra = {"host": f"web-{rng.randrange(4)}"} if rng.random() < 0.1 else {}
    stamp = rng.choices(("date", "iso", "spaced", "naive"), (70, 15, 5, 10))[0]
    return {
        "_id": object_id,
        "user_id": event.user_id,
        "action": event.name,
        **({"item_name": event.items[0].name} if event.items else {}),
        "timestamp": _STAMPS[stamp](event.at),
        "metadata": {"device": event.device, "session_id": event.session_id, **_draw_details(rng)},
        **extra,
    }


def write_document(document: Mapping[str, Any]) -> str:
    """Write a document as a line of canonical Extended JSON."""
    return json_util.dumps(document, json_options=json_util.CANONICAL_JSON_OPTIONS, ensure_ascii=False)


def _draw_details(rng: Random) -> dict[str, object]:
    """Draw fields of the metadata, some nested, some of more than one type."""
    details: dict[str, object] = {}
    if rng.random() < 0.3:
        browser, version = rng.choice(("Chrome", "Firefox", "Safari")), rng.choice((131, "131.0.6778.73", 18.1))
        details["browser"] = {"name": browser, "version": version}
    if rng.random() < 0.1:
        bucket = [rng.randrange(4), rng.randrange(1, 8) / 8]
        details["experiment"] = {"id": "EXP_01", "bucket": bucket, "is_control": rng.random() < 0.5}
    if rng.random() < 0.01:
        details["session_id"] = f"s-{rng.getrandbits(32):08x}"
    if rng.random() < 0.05:
        details["trace"] = rng.getrandbits(60) | 2**59
    if rng.random() < 0.05:
        details["referrer"] = None
    return details
