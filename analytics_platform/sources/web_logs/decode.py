"""A raw document taken apart into the text columns of the contract for interaction logs.

What a field may be, and what becomes of it (a field that is missing or null is null, and its contract decides):

| column        | field                 | accepted                  | as text                                  |
| ------------- | --------------------- | ------------------------- | ---------------------------------------- |
| `document_id` | `_id`                 | any type                  | canonical Extended JSON                  |
| `user_id`     | `user_id`             | int, long                 | digits                                   |
| `action`      | `action`              | string                    | as it is                                 |
| `item_name`   | `item_name`           | string                    | as it is                                 |
| `event_at`    | `timestamp`           | date, string              | ISO 8601 in UTC; a string as it is       |
| `device`      | `metadata.device`     | string                    | as it is                                 |
| `session_id`  | `metadata.session_id` | int, long, string         | digits; a string as it is                |
| `metadata`    | `metadata`            | any type                  | canonical Extended JSON                  |
| `extra`       | every other field     | any type                  | canonical Extended JSON of one document  |

Any other type breaks a rule (`user_id: not a whole number`, `timestamp: not a time`): 1.5 is not 1, and neither are
1.0, `"1"`, true or a decimal. Every field of another type than usual is told in `type_changes`, whether it is rejected
for it or, like `metadata` that is no document or a `session_id` that is a string, kept as it is. A text with NUL
breaks a rule too, for not every database stores it. Lone surrogates cannot occur: BSON's texts are UTF-8, and a
document with any other bytes in a text is not BSON.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import bson
from bson.binary import Binary
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.dbref import DBRef
from bson.decimal128 import Decimal128
from bson.errors import BSONError
from bson.int64 import Int64
from bson.max_key import MaxKey
from bson.min_key import MinKey
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp

from analytics_platform.connectors.mongo.extended_json import DECODING, to_extended_json


class DocumentError(ValueError):
    """A document breaks a rule; `rule` names the column and what is wrong with it."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


class DecodedDocument(NamedTuple):
    """The columns of a document as text, all of its broken rules, and its fields of another type than usual.

    `type_changes` reads `user_id: double instead of int`. Of a document with `errors` the other columns are what
    could be read.
    """

    document_id: str | None = None
    user_id: str | None = None
    action: str | None = None
    item_name: str | None = None
    event_at: str | None = None
    device: str | None = None
    session_id: str | None = None
    metadata: str | None = None
    extra: str | None = None
    type_changes: tuple[str, ...] = ()
    errors: tuple[DocumentError, ...] = ()


_TYPES: Mapping[type, str] = MappingProxyType(
    {
        int: "int",
        Int64: "long",
        float: "double",
        Decimal128: "decimal",
        str: "string",
        bool: "bool",
        dict: "object",
        DBRef: "object",
        list: "array",
        dt.datetime: "date",
        DatetimeMS: "date",
        Timestamp: "timestamp",
        ObjectId: "objectId",
        bytes: "binData",
        Binary: "binData",
        Regex: "regex",
        Code: "javascript",
        MinKey: "minKey",
        MaxKey: "maxKey",
    }
)
"""Types as the decoder gives them → their names in MongoDB's own language."""

_ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


class _Report:
    """What is wrong with a document, and what is unusual about it."""

    __slots__ = ("errors", "type_changes")

    def __init__(self) -> None:
        self.errors: list[DocumentError] = []
        self.type_changes: list[str] = []

    def reject(self, rule: str) -> None:
        self.errors.append(DocumentError(rule))

    def change(self, field: str, value: object, usual: str) -> None:
        self.type_changes.append(f"{field}: {_TYPES.get(type(value), type(value).__name__)} instead of {usual}")


def decode_document(raw: bytes) -> DecodedDocument:
    """Take a raw BSON document apart. Never raises: whatever is wrong is in `errors`."""
    try:
        return _decode(bson.decode(raw, DECODING))
    except BSONError:
        return DecodedDocument(errors=(DocumentError("document: not BSON"),))
    except RecursionError:
        return DecodedDocument(errors=(DocumentError("document: nested too deep"),))


def _decode(found: dict[str, object]) -> DecodedDocument:
    """The columns of a decoded document. The known fields are taken out of it."""
    report = _Report()
    metadata = found.pop("metadata", None)
    device = session = None
    if type(metadata) is dict:
        device, session = metadata.get("device"), metadata.get("session_id")
    elif metadata is not None:
        report.change("metadata", metadata, "object")
    return DecodedDocument(
        document_id=_json(found.pop("_id"), "document_id", report) if "_id" in found else None,
        user_id=_whole_number(found.pop("user_id", None), "user_id", "user_id", report),
        action=_text(found.pop("action", None), "action", "action", report),
        item_name=_text(found.pop("item_name", None), "item_name", "item_name", report),
        event_at=_time(found.pop("timestamp", None), "event_at", "timestamp", report),
        device=_text(device, "device", "metadata.device", report),
        session_id=_identifier(session, "session_id", "metadata.session_id", report),
        metadata=None if metadata is None else _json(metadata, "metadata", report),
        extra=_json(found, "extra", report) if found else None,
        type_changes=tuple(report.type_changes),
        errors=tuple(report.errors),
    )


def _whole_number(value: object, column: str, field: str, report: _Report) -> str | None:
    if type(value) is int or type(value) is Int64:
        return str(value)
    if value is not None:
        report.change(field, value, "int")
        report.reject(f"{column}: not a whole number")
    return None


def _text(value: object, column: str, field: str, report: _Report) -> str | None:
    if type(value) is str:
        return _without_nul(value, column, report)
    if value is not None:
        report.change(field, value, "string")
        report.reject(f"{column}: not text")
    return None


def _identifier(value: object, column: str, field: str, report: _Report) -> str | None:
    if type(value) is int or type(value) is Int64:
        return str(value)
    if type(value) is str:
        report.change(field, value, "int")
        return _without_nul(value, column, report)
    if value is not None:
        report.change(field, value, "int")
        report.reject(f"{column}: not a whole number or text")
    return None


def _time(value: object, column: str, field: str, report: _Report) -> str | None:
    if type(value) is dt.datetime:
        return f"{value.isoformat(timespec='microseconds')}Z"
    if type(value) is str:
        return _without_nul(value, column, report)
    if type(value) is DatetimeMS:
        report.reject(f"{column}: out of range")
    elif value is not None:
        report.change(field, value, "date")
        report.reject(f"{field}: not a time")
    return None


def _without_nul(value: str, column: str, report: _Report) -> str | None:
    if "\0" not in value:
        return value
    report.reject(f"{column}: NUL character")
    return None


def _json(value: object, column: str, report: _Report) -> str:
    text = to_extended_json(value)
    if "\\u0000" in text and _ESCAPED_NUL.search(text):
        report.reject(f"{column}: NUL character")
    return text
