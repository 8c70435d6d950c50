"""BSON as canonical Extended JSON (version 2), the one text that keeps the type of every value."""

from __future__ import annotations

from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any

import bson
from bson import json_util
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError
from bson.json_util import JSONMode, JSONOptions
from bson.objectid import ObjectId

SMALLEST_DOCUMENT = 5
"""Bytes of an empty document: its length and the closing zero."""

DECODING: CodecOptions[dict[str, object]] = CodecOptions(
    document_class=dict, tz_aware=False, datetime_conversion=DatetimeConversion.DATETIME_AUTO
)
"""Dates are naive UTC, or `DatetimeMS` outside the years 1 to 9999; identifiers of 16 bytes stay `Binary`."""

_CANONICAL = JSONOptions(json_mode=JSONMode.CANONICAL)
_ID_FIRST = b"\x07_id\x00"
"""How the first field of nearly every document begins: an ObjectId named `_id`."""


def to_extended_json(value: Any) -> str:
    """Write a value as `DECODING` gives it as compact canonical Extended JSON; keys and characters as they are.

    NUL becomes its escape `\\u0000`. What the decoder itself does not tell apart is lost here and kept only in
    the raw document: all but the last value of a key given twice, and the deprecated types (symbol reads as
    string, undefined as null). Raises `RecursionError` for documents nested too deep.
    """
    kind = type(value)
    if kind is str:
        return encode_basestring(value)
    if kind is int:
        return f'{{"$numberInt":"{value}"}}'
    if kind is dict:
        return "{" + ",".join([f"{encode_basestring(key)}:{to_extended_json(value[key])}" for key in value]) + "}"
    if kind is list:
        return "[" + ",".join([to_extended_json(element) for element in value]) + "]"
    if kind is ObjectId:
        return f'{{"$oid":"{value}"}}'
    if kind is Decimal:  # of JSON in a text
        return f'{{"$numberDecimal":"{value}"}}'
    return json_util.dumps(value, json_options=_CANONICAL, separators=(",", ":"), ensure_ascii=False)


def document_text(raw: bytes) -> str:
    """Write a raw document as text to show and to quarantine; bytes that are no BSON as hexadecimal digits."""
    try:
        return to_extended_json(bson.decode(raw, DECODING))
    except (BSONError, RecursionError):
        return raw.hex()


def document_id_of(raw: bytes) -> str | None:
    """Return the `_id` of a raw document as Extended JSON; None if it has none or is not BSON."""
    if raw[4:9] == _ID_FIRST and len(raw) > 21:
        return f'{{"$oid":"{raw[9:21].hex()}"}}'
    try:
        found = bson.decode(raw, DECODING)
        return to_extended_json(found["_id"]) if "_id" in found else None
    except (BSONError, RecursionError):
        return None
