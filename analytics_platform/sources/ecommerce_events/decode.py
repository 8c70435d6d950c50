"""Decodes an e-commerce message into the columns that the gate validates, all of them text.

It is taken out of its envelopes first: JSON in a JSON string or in base64, an SNS notification, an EventBridge event, a
CloudEvent. Known trackers' names of fields become a message's (`trackers.py`), and so does a row of GA4's BigQuery
export (`ga4_rows.py`). The message's fields are read from its object and from the object `params` in it; the outer
field wins. A field is known under several names, the first that has a value wins; `contracts/missing.py` says what is
none. What is left over goes to `extra`, so nothing is dropped in silence.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Callable, Mapping
from decimal import Decimal
from itertools import chain
from typing import NamedTuple

from analytics_platform.contracts.event_names import (
    CURRENCIES,
    ORDER_AMOUNTS,
    ORDER_IDS,
    REFUND_AMOUNTS,
    ga4_name,
    is_spelled,
    plain_name,
    usually_named,
)
from analytics_platform.contracts.missing import CLIENT, IDS, known, known_id, own_client
from analytics_platform.gate.exact_json import (
    JsonError,
    JsonFault,
    canonical_json,
    number_of,
    plain_text,
    read_json,
    unnest,
)
from analytics_platform.gate.records import MalformedError
from analytics_platform.sources.ecommerce_events.ga4_rows import flatten
from analytics_platform.sources.ecommerce_events.items import ItemsError, parse_items
from analytics_platform.sources.ecommerce_events.trackers import plain_event


class _MessageField(NamedTuple):
    """The names of a field, the usual first, how its value becomes text, and what is said of a value it cannot be.

    Without a `fault` such a value stays in `extra`: no purchase is rejected for its city.
    """

    names: tuple[str, ...]
    convert: Callable[[object], str | None]
    fault: str = ""

    @property
    def rule(self) -> str:
        return f"{self.names[0]}: {self.fault}"


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _text_or_number(value: object) -> str | None:
    return plain_text(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else _text(value)


def _text_or_whole(value: object) -> str | None:
    return None if isinstance(value, Decimal) and value % 1 else _text_or_number(value)


_ID = "not a text or whole number"
_FIELDS = {
    "source_event_id": _MessageField(("event_id",), _text_or_whole, _ID),
    "client_id": _MessageField(("client_id", "user_pseudo_id"), _text_or_whole, _ID),
    "user_id": _MessageField(("user_id",), _text_or_whole, _ID),
    "event_at": _MessageField(("event_timestamp", "timestamp"), _text_or_number, "not a time"),
    "event_name": _MessageField(("event_name",), _text, "not a text"),
    "platform": _MessageField(("platform",), _text, "not a text"),
    "transaction_id": _MessageField(("transaction_id",), _text_or_whole, _ID),
    "revenue": _MessageField(("revenue", "ecommerce.purchase_revenue", "value"), _text_or_number, "not a number"),
    "revenue_usd": _MessageField(("ecommerce.purchase_revenue_in_usd",), _text_or_number, "not a number"),
    "currency": _MessageField(("currency",), _text, "not a text"),
    "list_id": _MessageField(("item_list_id", "list_id"), _text_or_whole, _ID),
    "list_name": _MessageField(("item_list_name", "list_name"), _text_or_whole, _ID),
    "page_url": _MessageField(("page_location", "page_url"), _text, "not a text"),
    "referrer": _MessageField(("page_referrer", "referrer"), _text, "not a text"),
    "user_agent": _MessageField(("user_agent",), _text),
    "source_session_id": _MessageField(("ga_session_id",), _text_or_whole, _ID),
    "campaign_tags": _MessageField(("campaign_tags",), _text),
    "first_source": _MessageField(("traffic_source.source",), _text),
    "first_medium": _MessageField(("traffic_source.medium",), _text),
    "first_campaign": _MessageField(("traffic_source.name",), _text),
    "country": _MessageField(("country", "geo.country"), _text),
    "city": _MessageField(("city", "geo.city"), _text),
    "device_type": _MessageField(("device.category",), _text),
    "os": _MessageField(("device.operating_system",), _text),
    "browser": _MessageField(("device.web_info.browser", "device.browser"), _text),
}
"""Column → where it comes from. The wrong type of value is rejected, never made to fit."""

_BATCH_RULE, _TOO_LARGE = "body: a batch of events", "body: too large"
_ITEMS_RULE = "items: cannot be parsed"
_NO_SIGN = re.compile(r"^[-+]?[\d.]+e[-+]?\d+$|[-+\d.,'’–—．，－＋\s]", re.IGNORECASE)
"""What of the text of an amount does not name its currency."""

COLUMNS = (*_FIELDS, "items", "extra")
"""The columns that come from a message.

`client_id` is the message's own, else `user:<user_id>`. `event_at` is as it came, a whole number as its digits.
`platform` is in upper case. `items` is canonical JSON, the same whatever the form of the items; null if there are none.
`revenue` is a number in plain notation, or the text as it came. `extra` is canonical JSON of the other fields, those of
`params` beside the outer ones; under `params` those that differ from an outer field of the same name.
"""

FIELD_RULES = (*(field.rule for field in _FIELDS.values() if field.fault), _ITEMS_RULE)
RULES = (*(f"body: {fault}" for fault in JsonFault), "body: not a JSON object", _TOO_LARGE, _BATCH_RULE, *FIELD_RULES)
"""Every rule that a `MessageError` may name."""


_USUAL = {
    plain_name(name): name
    for name in (
        *(name for field in _FIELDS.values() for name in field.names),
        *("total", "items", "params", "event_params"),
        *("tax", "shipping", "discount", "coupon", "search_term", "query"),  # events.sql reads these in `extra`
        *("page_title", "promotion_id", "promotion_name", "creative_name", "creative_slot"),
    )
}
"""Names of fields, as `plain_name` writes them → as they are usually written."""

MAX_LAYERS = 8
"""The most envelopes that a message is taken out of."""

LONGEST_MESSAGE = 2 << 20
"""Bytes of a message that came compressed, twice what SQS takes. The warehouse needs thirty times that to store it."""


class MessageError(MalformedError):
    """A message cannot be decoded: `rule` is the broken rule (`items: cannot be parsed`), one of `RULES`.

    `detail` says where and how (`position 42: …`, characters counted from 0), or is empty.
    """

    def __init__(self, rule: str, detail: str = "") -> None:
        detail = detail.replace(";", ",")  # a semicolon separates the reasons of a record
        super().__init__(f"{rule} ({detail})" if detail else rule)
        self.rule = rule
        self.detail = detail


def unwrap(body: str) -> dict[str, object]:
    """Take the message's own JSON object out of up to `MAX_LAYERS` envelopes.

    An envelope is a JSON string, base64, which may be of gzip, the `Message` of an SNS notification (`"Type":
    "Notification"`), the `detail` of an EventBridge event (`detail-type`), or the `data` of a CloudEvent
    (`specversion`). The type and the time of the latter two are the event's where it names none. Numbers with point or
    exponent are Decimals, see `read_json`. Raises `MessageError` for anything else, and for what `read_json` rejects:
    it is not stored in part or changed.
    """
    found: object = body
    told: dict[str, object] = {}
    for layer in range(MAX_LAYERS + 1):
        if isinstance(found, str):
            found = _read(found, layer)
        inner = found
        if isinstance(found, dict):
            is_sns, is_event = found.get("Type") == "Notification", "detail-type" in found
            inner = found.get("Message") if is_sns else found.get("detail") if is_event else None
            if "specversion" in found:
                inner = found.get("data", found.get("data_base64"))
        if not isinstance(inner, str | dict):
            break
        if isinstance(found, dict) and not is_sns:
            told |= {"event_name": found.get("detail-type", found.get("type")), "timestamp": found.get("time")}
        found = inner
    else:
        raise MessageError("body: nested too deep", f"more than {MAX_LAYERS} envelopes")
    if not isinstance(found, dict):
        raise MessageError("body: not a JSON object")
    return found | _told_by(told, found)


def _told_by(told: Mapping[str, object], message: Mapping[str, object]) -> dict[str, str]:
    """Give of the name and the time that an envelope tells what its message does not tell itself."""
    inner = (each for each in message.values() if isinstance(each, dict))
    names = set(map(plain_name, chain(message, *inner)))
    has_name = names & {"eventname", "event"} or "type" in message or {"clientId", "name", "data"} <= message.keys()
    found = {"event_name": _named_by(told.get("event_name"))} if not has_name else {}
    found |= {"timestamp": told.get("timestamp")} if not names & {"eventtimestamp", "timestamp"} else {}
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _named_by(kind: object) -> object:
    """Give the name of an event in the type of its envelope, `order.completed` of `com.shop.order.completed.v1`."""
    parts = re.sub(r"[./]v?[0-9]+$", "", kind).split(".") if isinstance(kind, str) else []
    names = (".".join(parts[place:]) for place in range(len(parts)))
    return next(filter(is_spelled, names), kind)


def _read(text: str, layer: int) -> object:
    try:
        return read_json(_decoded(text))
    except JsonError as error:
        place = "" if error.position is None else f"position {error.position}: "
        depth = f", inside {layer} envelope{'s' if layer > 1 else ''}" if layer else ""
        raise MessageError(f"body: {error.fault}", f"{place}{error.detail}{depth}") from error


def _decoded(text: str) -> str:
    """Give the JSON that base64, perhaps of gzip, stands for; any other text as it is."""
    text = text.removeprefix("\ufeff")
    if text.lstrip()[:1] in ("{", "[", '"'):
        return text
    try:
        data = base64.urlsafe_b64decode(f"{text}==".translate({ord("+"): "-", ord("/"): "_"}))
        if data.startswith(b"\x1f\x8b"):
            data = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(data, LONGEST_MESSAGE + 1)
        is_too_large = len(data) > LONGEST_MESSAGE
        found = "" if is_too_large else data.decode("utf-8-sig")
    except (ValueError, zlib.error):
        return text
    if is_too_large:
        raise MessageError(_TOO_LARGE, f"more than {LONGEST_MESSAGE:,} bytes when it is expanded")
    return found if found.lstrip()[:1] in ("{", "[", '"') else text


class _Fields:
    """The fields of a message that have not been taken yet."""

    def __init__(self, message: dict[str, object]) -> None:
        self._outer = dict(message)
        self._inner: dict[str, object] = {}
        params = unnest(message.get("params"))
        if isinstance(params, dict):
            self._inner = usually_named(params, _USUAL)
            del self._outer["params"]

    def spelled(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """List the fields with these names, whatever their case and separators, in the order of the names."""
        found = {key: plain_name(key) for key in (*self._outer, *self._inner)}
        return tuple(key for name in map(plain_name, names) for key, plain in found.items() if plain == name)

    def are_texts(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """List those of these names whose value is a text."""
        return tuple(name for name in names if isinstance(self._outer.get(name, self._inner.get(name)), str))

    def without_words(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Leave out those of these names whose value says something that is no number."""

        def is_one(value: object) -> bool:
            if isinstance(value, str):
                return known(value) is None or number_of(value.strip()) is not None
            return value is None or (isinstance(value, int | Decimal) and not isinstance(value, bool))

        return tuple(name for name in names if is_one(self._outer.get(name)) and is_one(self._inner.get(name)))

    def hold_null(self, names: tuple[str, ...]) -> bool:
        """Tell whether one of these names is there with null."""
        return any(fields.get(name, "") is None for fields in (self._outer, self._inner) for name in names)

    def take(self, names: tuple[str, ...], clean: Callable[[str], str | None] = known) -> object:
        """Take the first value under these names, None if there is none. Others that say the same go with it.

        Of texts and whole numbers those are values that `clean` leaves.
        """
        found: object = None
        for name in names:
            for fields in (self._outer, self._inner):
                value = fields.get(name)
                is_missing = value is None or (isinstance(value, str | int) and clean(str(value)) is None)
                if is_missing or found is None or _is_same(value, found):
                    fields.pop(name, None)
                    found = value if found is None and not is_missing else found
        return found

    def rest(self) -> dict[str, object]:
        """Give what has not been taken."""
        beside = {name: value for name, value in self._inner.items() if name not in self._outer and name != "params"}
        clashing = {
            name: value
            for name, value in self._inner.items()
            if name not in beside and not _is_same(value, self._outer.get(name))
        }
        rest = {**beside, **self._outer, **({"params": clashing} if clashing else {})}
        return {name: unnest(value) for name, value in rest.items()}


def _is_same(value: object, other: object) -> bool:
    # Compared as text, for True equals 1 in Python.
    return canonical_json(value) == canonical_json(other)


def decode_message(body: str) -> dict[str, str | None]:
    """Decode the event in the text of a queue message into `COLUMNS`. Raises `MessageError`, nothing else."""
    message = unwrap(body)
    if isinstance(message.get("batch"), list) and "event" not in message:
        raise MessageError(_BATCH_RULE, "send each event as a message of its own")
    return decode_fields(plain_event(message))


def _names_of(column: str, fields: _Fields, event_name: str) -> tuple[str, ...]:
    """List the fields from which a column of an event of this name of GA4 is read, that which counts first."""
    field = _FIELDS[column]
    match column, event_name:
        case "transaction_id", _:
            return (*fields.spelled(ORDER_IDS), "ecommerce.transaction_id")
        case "currency", _:
            return (*field.names, *fields.spelled(CURRENCIES))
        case "revenue", "purchase":
            return (*field.names, "total", *fields.spelled(ORDER_AMOUNTS))
        case "revenue", "refund":  # GA4's may have the order's revenue beside, or 0
            own = (*fields.spelled(REFUND_AMOUNTS), "ecommerce.refund_value")
            return (*own, *field.names, "total", *fields.spelled(ORDER_AMOUNTS))
        case "revenue", _:  # the value of a click or of a form may be a word
            return (*field.names[:-1], *fields.without_words(field.names[-1:]))
        case "revenue_usd", "refund":
            return ("ecommerce.refund_value_in_usd", *field.names)
    return field.names if field.fault else fields.are_texts(field.names)


def decode_fields(message: Mapping[str, object]) -> dict[str, str | None]:
    """Decode the fields of a message, or a row of GA4's export, into `COLUMNS`. Raises `MessageError`, nothing else."""
    fields = _Fields(flatten(usually_named(message, _USUAL)))
    has_null_time = fields.hold_null(_FIELDS["event_at"].names)
    texts: dict[str, str | None] = dict.fromkeys(COLUMNS)
    for column, field in _FIELDS.items():
        clean = known_id if column in IDS else known
        value = fields.take(_names_of(column, fields, ga4_name(texts["event_name"] or "")), clean)
        text = None if value is None else field.convert(value)
        texts[column] = text and clean(text)
        if texts[column] is None and (value is not None or (column == "event_at" and has_null_time)):
            raise MessageError(field.rule)
    written = fields.take(("items",))
    try:
        items = parse_items([] if written is None else written)
    except ItemsError as error:
        raise MessageError(_ITEMS_RULE, str(error)) from error
    texts["items"] = canonical_json(items) if items else None
    if client := texts[CLIENT]:
        texts[CLIENT] = own_client(client)
    elif texts["user_id"]:
        texts[CLIENT] = f"user:{texts['user_id']}"
    texts["currency"] = texts["currency"] or _NO_SIGN.sub("", texts["revenue"] or "") or None
    texts["platform"] = texts["platform"] and texts["platform"].upper()
    extra = fields.rest()
    texts["extra"] = canonical_json(extra) if extra else None
    return texts
