"""Decodes a raw document into the columns of the contract for interaction logs, all of them text.

A field that is missing or null is null, and its contract decides. `metadata`, `_id` and all fields that no column takes
(`extra`) may be of any type and become canonical Extended JSON. A time becomes ISO 8601 in UTC.

A value of another type than `_FIELDS` keeps breaks a rule (`user_id: not a text or whole number`): an id is a whole
number, a text, an ObjectId or a UUID, and neither 1.5 nor true. 1.0 is 1, of whichever type: JavaScript's are doubles.
Every field of another type than usual is counted, whether it is rejected for it or, like `metadata` that is no document
or a `session_id` that is a string, kept as it is. A text with NUL breaks a rule, for not every database stores it. Lone
surrogates cannot occur: BSON's texts are UTF-8, and a document with any other bytes in a text is not BSON.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias

import bson
from bson.binary import Binary
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.dbref import DBRef
from bson.decimal128 import Decimal128
from bson.errors import BSONError
from bson.int64 import Int64
from bson.objectid import ObjectId

from analytics_platform.connectors.mongo.dumps import TOO_LARGE
from analytics_platform.connectors.mongo.extended_json import DECODING, to_extended_json
from analytics_platform.contracts.event_names import plain_name, usually_named
from analytics_platform.contracts.item_fields import named_item
from analytics_platform.gate.exact_json import unnest
from analytics_platform.gate.records import MalformedError
from analytics_platform.sources.ecommerce_events.trackers import with_others
from analytics_platform.sources.web_logs.data import PLACES, event_data, places, uuid_text

_TYPES: Mapping[type, str] = {
    Int64: "long",
    float: "double",
    Decimal128: "decimal",
    str: "string",
    dict: "object",
    DBRef: "object",
    list: "array",
    dt.datetime: "date",
    DatetimeMS: "date",
    bytes: "binData",
    Binary: "binData",
    Code: "javascript",
}
"""Types as the decoder gives them → their names in MongoDB's own language, unless it has the class's own name."""


def _whole(number: Decimal) -> str | None:
    # The rest of a division by 1 is an error from 29 digits on: 1E+6000 took all documents of its batch out.
    return f"{number:.0f}" if number.is_finite() and number == number.to_integral_value() else None


_Kept: TypeAlias = Mapping[type, Callable[[Any], str | None]]
_TEXT: _Kept = {str: str}
_ID: _Kept = {
    **dict.fromkeys((int, Int64, str, ObjectId), str),
    Decimal128: lambda number: _whole(number.to_decimal()),
    float: lambda number: f"{number:.0f}" if number.is_integer() else None,
    Binary: uuid_text,
}
_TIME: _Kept = {
    dt.datetime: lambda time: f"{time.isoformat(timespec='microseconds')}Z",
    **dict.fromkeys((str, int, Int64), str),
    float: lambda number: f"{number:f}",
}


class _DocumentField(NamedTuple):
    """A field, the types that are kept and how they become text, the usual types, and the reason for any other."""

    path: tuple[str, ...]
    kept: _Kept
    usual: tuple[str, ...]
    reason: str


_FIELDS = {
    "user_id": _DocumentField(
        ("user_id",), _ID, ("int", "long", "string", "objectId"), "user_id: not a text or whole number"
    ),
    "action": _DocumentField(("action",), _TEXT, ("string",), "action: not text"),
    "item_name": _DocumentField(("item_name",), _TEXT, ("string",), "item_name: not text"),
    "event_at": _DocumentField(("timestamp",), _TIME, ("date", "string"), "timestamp: not a time"),
    "device": _DocumentField(("metadata", "device"), _TEXT, ("string",), "device: not text"),
    "session_id": _DocumentField(
        ("metadata", "session_id"), _ID, ("int", "long"), "session_id: not a text or whole number"
    ),
}
PRODUCT_NAMES = ("item_name", "product_name", "product", "item")
"""The fields that may name the product, in the document or its metadata: a text, or a document with a name."""
SPELLINGS = {
    "user_id": ("uid", "customer_id"),
    "action": ("event", "event_name", "event_type"),
    "timestamp": ("ts", "time", "event_time", "created_at"),
}
"""Field → other names that logs have for it; each is read where the document has no field of the usual name."""
_TOP = frozenset({"_id", "metadata", *(field.path[0] for field in _FIELDS.values())})
_USUAL = {plain_name(name): name for name in (*_TOP, *(field.path[-1] for field in _FIELDS.values()))} | {
    plain_name(other): name for name, others in SPELLINGS.items() for other in others
}
_USUAL_PRODUCTS = {plain_name(name): name for name in PRODUCT_NAMES}
_TIME_OUT_OF_RANGE = "event_at: out of range"
_JSON_COLUMNS = ("document_id", "metadata", "extra")
_ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")

LONGEST_DOCUMENT = 8 << 20
"""Characters of all columns together: to store them, the warehouse needs thirty times the memory."""

COLUMNS = ("document_id", *_FIELDS, "event_data", *PLACES, "metadata", "extra")
"""The columns that come from a document."""

DECODE_REASONS = (
    "document: not BSON",
    "document: nested too deep",
    *(field.reason for field in _FIELDS.values()),
    _TIME_OUT_OF_RANGE,
    *(
        f"{name}: NUL character" for name in COLUMNS if name not in ("event_data", *PLACES)
    ),  # their fields are those of metadata and extra
)
"""Why a document cannot be decoded."""


def decode_document(raw: bytes, type_changes: Counter[str]) -> list[str | None]:
    """Decode a raw BSON document into the values of `COLUMNS`; null where the document has nothing.

    Counts the fields of another type than usual: `user_id: double instead of int`. Raises `MalformedError` with every
    broken rule.
    """
    try:
        values, reasons = _decode(bson.decode(raw, DECODING), type_changes)
    except BSONError as error:
        raise MalformedError("document: not BSON") from error
    except RecursionError as error:
        raise MalformedError("document: nested too deep") from error
    for column, value in values.items():
        if value and ("\0" in value or (column in _JSON_COLUMNS and _ESCAPED_NUL.search(value))):
            reasons[column] = f"{column}: NUL character"
    # Of the texts, not the bytes: a control character becomes six.
    if sum(map(len, filter(None, values.values()))) > LONGEST_DOCUMENT:
        raise MalformedError(TOO_LARGE)
    if reasons:
        raise MalformedError("; ".join(reasons[column] for column in COLUMNS if column in reasons))
    return list(values.values())


def _type_of(value: object) -> str:
    kind = type(value)
    return _TYPES.get(kind, kind.__name__[0].lower() + kind.__name__[1:])


def _product(type_changes: Counter[str], *parts: Mapping[str, object]) -> str | None:
    """Give the first name of a product in the document or its metadata; counts what stands there and is no name."""
    named = [usually_named(part, _USUAL_PRODUCTS) for part in parts]
    values = [(name, part[name]) for part in named for name in PRODUCT_NAMES if part.get(name) is not None]
    names = [named_item(value).get("item_name") if type(value) is dict else value for _, value in values]
    found = next((name for name in names if type(name) is str), None)
    if found is None:
        type_changes.update(f"{name}: {_type_of(value)} instead of string" for name, value in values)
    return found


def _decode(found: dict[str, Any], type_changes: Counter[str]) -> tuple[dict[str, str | None], dict[str, str]]:
    """Give the values by column, and the reasons by column."""
    found = found if found.keys() <= _TOP else usually_named(found, _USUAL)
    metadata, reasons = found.get("metadata"), dict[str, str]()
    inner = unnest(metadata) if type(metadata) in (dict, str) else {}
    inner = inner if type(inner) is dict else {}
    named = usually_named(inner, _USUAL)
    if metadata is not None and type(metadata) is not dict:
        type_changes[f"metadata: {_type_of(metadata)} instead of object"] += 1
    # Logs with `product`, and no `item_name`, gave no customer a favourite.
    if found.get("item_name") is None and (product := _product(type_changes, found, named)):
        found = {**found, "item_name": product}
    values = {"document_id": to_extended_json(found["_id"]) if "_id" in found else None}
    for column, field in _FIELDS.items():
        value = (found if len(field.path) == 1 else named).get(field.path[-1])
        to_text = field.kept.get(type(value))
        values[column] = to_text(value) if to_text else None
        if value is None:
            continue
        if _type_of(value) not in field.usual:
            type_changes[f"{'.'.join(field.path)}: {_type_of(value)} instead of {field.usual[0]}"] += 1
        if values[column] is None:
            is_far = column == "event_at" and type(value) is DatetimeMS
            reasons[column] = _TIME_OUT_OF_RANGE if is_far else field.reason
    extra = {name: value for name, value in found.items() if name not in _TOP}
    both = with_others(extra, inner)
    values["event_data"] = event_data(both, values["item_name"])
    values |= places(both)
    values["metadata"] = None if metadata is None else to_extended_json(inner or metadata)
    values["extra"] = to_extended_json(extra) if extra else None
    return values, reasons
