"""Decodes an e-commerce message into the columns that the gate validates, all of them text.

The message's fields are read from its object and from the object `params` in it; the outer field wins. A field
is known under several names, the first that has a value wins. Null, blank, `null` and `(not set)` are no values;
blanks around a value are taken off. What is left over goes to `extra`, so nothing is dropped in silence.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

from analytics_platform.gate.exact_json import Fault, canonical_json, plain_text
from analytics_platform.sources.ecommerce_events.envelope import MessageError, unwrap
from analytics_platform.sources.ecommerce_events.items import ItemsError, parse_items

_MISSING = frozenset({"", "null", "(not set)"})


class DecodedMessage(NamedTuple):
    """An event as its message tells it. None is missing; which columns may be missing is for the contract to say."""

    event_id: str | None
    client_id: str | None
    """The message's own, else `user:<user_id>`."""
    user_id: str | None
    event_at: str | None
    """As it came, a whole number as its digits: `gate.types.to_instants` reads both."""
    event_name: str | None
    platform: str | None
    """In upper case."""
    items: str | None
    """Canonical JSON of the items, the same whatever their form; None if there are none."""
    transaction_id: str | None
    revenue: str | None
    """A number in plain notation, or the text as it came."""
    list_id: str | None
    list_name: str | None
    page_url: str | None
    referrer: str | None
    extra: str | None
    """Canonical JSON of the other fields, those of `params` beside the outer ones; under `params` those that
    differ from an outer field of the same name."""


class _Field(NamedTuple):
    """The names of a field, the usual first, how its value becomes text, and what is said of a value it cannot be."""

    names: tuple[str, ...]
    convert: Callable[[object], str | None]
    fault: str

    @property
    def rule(self) -> str:
        return f"{self.names[0]}: {self.fault}"


def _text(value: object) -> str | None:
    return value.strip() if isinstance(value, str) else None


def _text_or_whole(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _text(value)


def _text_or_number(value: object) -> str | None:
    return plain_text(value) if isinstance(value, Decimal) else _text_or_whole(value)


_ID = "not a text or whole number"
_FIELDS = {
    "event_id": _Field(("event_id",), _text_or_whole, _ID),
    "client_id": _Field(("client_id",), _text_or_whole, _ID),
    "user_id": _Field(("user_id",), _text_or_whole, _ID),
    "event_at": _Field(("event_timestamp", "timestamp"), _text_or_whole, "not a time"),
    "event_name": _Field(("event_name",), _text, "not a text"),
    "platform": _Field(("platform",), _text, "not a text"),
    "transaction_id": _Field(("transaction_id",), _text_or_whole, _ID),
    "revenue": _Field(("revenue", "value"), _text_or_number, "not a number"),
    "list_id": _Field(("item_list_id", "list_id"), _text_or_whole, _ID),
    "list_name": _Field(("item_list_name", "list_name"), _text_or_whole, _ID),
    "page_url": _Field(("page_location", "page_url"), _text, "not a text"),
    "referrer": _Field(("page_referrer", "referrer"), _text, "not a text"),
}
"""Column → where it comes from. The wrong type of value is rejected, never made to fit."""

_ITEMS_RULE = "items: cannot be parsed"

RULES = (
    *(f"body: {fault}" for fault in Fault),
    "body: not a JSON object",
    *(field.rule for field in _FIELDS.values()),
    _ITEMS_RULE,
)
"""Every rule that a `MessageError` may name."""


class _Fields:
    """The fields of a message that have not been taken yet."""

    def __init__(self, message: dict[str, object]) -> None:
        self._outer = dict(message)
        self._inner: dict[str, object] = {}
        params = message.get("params")
        if isinstance(params, dict):
            self._inner = dict(params)
            del self._outer["params"]

    def hold_null(self, names: tuple[str, ...]) -> bool:
        """Whether one of these names is there with null."""
        return any(fields.get(name, "") is None for fields in (self._outer, self._inner) for name in names)

    def take(self, names: tuple[str, ...]) -> object:
        """The first value under these names, None if there is none. Others that say the same go with it."""
        found: object = None
        for name in names:
            for fields in (self._outer, self._inner):
                value = fields.get(name)
                if _is_missing(value) or found is None or _is_same(value, found):
                    fields.pop(name, None)
                    found = value if found is None and not _is_missing(value) else found
        return found

    def rest(self) -> dict[str, object]:
        """What has not been taken."""
        beside = {name: value for name, value in self._inner.items() if name not in self._outer and name != "params"}
        clashing = {
            name: value
            for name, value in self._inner.items()
            if name not in beside and not _is_same(value, self._outer.get(name))
        }
        return {**beside, **self._outer, **({"params": clashing} if clashing else {})}


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, str) and value.strip() in _MISSING)


def _is_same(value: object, other: object) -> bool:
    # Compared as text, for True equals 1 in Python.
    return canonical_json(value) == canonical_json(other)


def _taken(fields: _Fields, field: _Field) -> str | None:
    """The text of a field, None if it has no value. Raises `MessageError` if its value has the wrong type."""
    value = fields.take(field.names)
    if value is None:
        return None
    text = field.convert(value)
    if text is None:
        raise MessageError(field.rule)
    return text


def _items(value: object) -> str | None:
    if value is None:
        return None
    try:
        items = parse_items(value)
    except ItemsError as error:
        raise MessageError(_ITEMS_RULE, str(error)) from error
    return canonical_json(items) if items else None


def decode_message(body: str) -> DecodedMessage:
    """The event in the text of a queue message. Raises `MessageError` for whatever cannot be decoded, nothing else."""
    fields = _Fields(unwrap(body))
    times = _FIELDS["event_at"]
    null_time = fields.hold_null(times.names)
    texts = {column: _taken(fields, field) for column, field in _FIELDS.items()}
    if texts["event_at"] is None and null_time:
        raise MessageError(times.rule)
    items = _items(fields.take(("items",)))
    if texts["client_id"] is None and texts["user_id"] is not None:
        texts["client_id"] = f"user:{texts['user_id']}"
    if texts["platform"] is not None:
        texts["platform"] = texts["platform"].upper()
    extra = fields.rest()
    return DecodedMessage(items=items, extra=canonical_json(extra) if extra else None, **texts)
