"""From the JSON of a user to the columns of cleaned.users: nested objects flattened, names taken apart.

Nothing is coerced and nothing dropped: a value of the wrong type is a reason to reject the record, a field that no
column takes is kept in `extra`. Blank and null are missing; which columns may be missing is for the contract to say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Literal, NamedTuple, TypeAlias

import nameparser

from analytics_platform.gate.exact_json import Fault, JsonError, canonical_json, plain_text, read_json

Path: TypeAlias = tuple[str, ...]
Kind: TypeAlias = Literal["text", "whole number", "number"]


class _Field(NamedTuple):
    """Where a column comes from, what it must be, and whether JSON usually has it as text."""

    column: str
    path: Path
    kind: Kind = "text"
    usually_text: bool = True

    @property
    def name(self) -> str:
        return ".".join(self.path)


_FIELDS = (
    _Field("user_id", ("id",), "whole number", usually_text=False),
    _Field("name", ("name",)),
    _Field("username", ("username",)),
    _Field("email", ("email",)),
    _Field("phone", ("phone",)),
    _Field("website", ("website",)),
    _Field("street", ("address", "street")),
    _Field("suite", ("address", "suite")),
    _Field("city", ("address", "city")),
    _Field("zipcode", ("address", "zipcode")),
    _Field("latitude", ("address", "geo", "lat"), "number"),
    _Field("longitude", ("address", "geo", "lng"), "number"),
    _Field("company_name", ("company", "name")),
    _Field("company_catch_phrase", ("company", "catchPhrase")),
    _Field("company_bs", ("company", "bs")),
)
_BY_PATH: Mapping[Path, _Field] = MappingProxyType({field.path: field for field in _FIELDS})
_OBJECTS = tuple(dict.fromkeys(field.path[:depth] for field in _FIELDS for depth in range(1, len(field.path))))

NAME_PARTS = ("honorific", "first_name", "last_name", "suffix")
COLUMNS = (*(field.column for field in _FIELDS), *NAME_PARTS, "extra")
"""The columns of cleaned.users that come from the record."""

USUAL_TYPES: Mapping[str, str] = MappingProxyType(
    {field.name: "a text" if field.usually_text else "a number" for field in _FIELDS}
)
"""Known field, as reasons name it (`address.geo.lat`) → what JSON usually has there."""

REASONS: tuple[str, ...] = (
    *(f"record: {fault}" for fault in Fault),
    "record: not an object",
    *(f"{'.'.join(path)}: not an object" for path in _OBJECTS),
    *(f"{field.name}: not a {field.kind}" for field in _FIELDS),
)
"""Why the JSON of a user cannot be taken apart, in the order reasons are told."""

_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_LONGEST_NAME = 200


class Name(NamedTuple):
    """A name taken apart. Middle names and nicknames are in neither part: the whole name is kept beside it."""

    honorific: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    suffix: str | None = None


class User(NamedTuple):
    """A user's record as text: `values` has every one of `COLUMNS`, None where the record has nothing.

    A record with `reasons` is to be rejected; values of the wrong type are in `extra` then. `fields` are the known
    fields that the record has, `unknown` those it has besides, `retyped` those that are right but of another JSON type
    than usual.
    """

    values: dict[str, str | None]
    reasons: tuple[str, ...] = ()
    fields: frozenset[str] = frozenset()
    unknown: tuple[str, ...] = ()
    retyped: tuple[str, ...] = ()


def split_name(name: str) -> Name:
    """The parts of a name, by the rules of nameparser: `Mrs. Dennis Schulist` → Mrs., Dennis, Schulist.

    A name of one word is a first name, unless it is an abbreviated honorific (`Dr.`). A text too long for a name has no
    parts.
    """
    if len(name) > _LONGEST_NAME:
        return Name()
    parts = nameparser.parse(name)
    if parts.title and not parts.given and not parts.family and " " not in name and not name.endswith("."):
        return Name(first_name=name)
    return Name(parts.title or None, parts.given or None, parts.family or None, parts.suffix or None)


def decode_user(raw: str) -> User:
    """The columns of a user from the JSON text of the record. Never raises: what is wrong is told in `reasons`."""
    nothing: dict[str, str | None] = dict.fromkeys(COLUMNS)
    try:
        record = read_json(raw)
    except JsonError as error:
        return User(nothing, (f"record: {error.fault}",))
    if not isinstance(record, dict):
        return User({**nothing, "extra": canonical_json(record)}, ("record: not an object",))
    found = _Found()
    extra = found.take_apart(record, ())
    values = nothing | found.values
    values["email"] = values["email"] and values["email"].lower()
    values |= split_name(values["name"] or "")._asdict()
    values["extra"] = canonical_json(extra) if extra else None
    reasons = tuple(sorted(found.reasons, key=REASONS.index))
    return User(values, reasons, frozenset(found.fields), tuple(found.unknown), tuple(found.retyped))


class _Found:
    """What the fields of a record come to."""

    def __init__(self) -> None:
        self.values: dict[str, str | None] = {}
        self.reasons: list[str] = []
        self.fields: list[str] = []
        self.unknown: list[str] = []
        self.retyped: list[str] = []

    def take_apart(self, record: Mapping[str, object], above: Path) -> dict[str, object]:
        """Take the known fields of an object; what is left of it."""
        left: dict[str, object] = {}
        for key, value in record.items():
            path = (*above, key)
            if path in _BY_PATH:
                if not self._take(_BY_PATH[path], value):
                    left[key] = value
            elif path not in _OBJECTS:
                self.unknown.append(".".join(path))
                left[key] = value
            elif isinstance(value, dict):
                if inner := self.take_apart(value, path):
                    left[key] = inner
            elif value is not None:
                self.reasons.append(f"{'.'.join(path)}: not an object")
                left[key] = value
        return left

    def _take(self, field: _Field, value: object) -> bool:
        """Whether the value is what the field must be, or missing."""
        self.fields.append(field.name)
        text = value.strip() if isinstance(value, str) else value
        if text is None or text == "":
            return True
        good = _to_text(field.kind, text)
        if good is None:
            self.reasons.append(f"{field.name}: not a {field.kind}")
            return False
        self.values[field.column] = good
        if isinstance(value, str) != field.usually_text:
            self.retyped.append(field.name)
        return True


def _to_text(kind: Kind, value: object) -> str | None:
    """A value as text, None if it is not of the kind."""
    if kind == "text":
        return value if isinstance(value, str) else None
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        return None
    text = value if isinstance(value, str) else plain_text(value)
    if kind == "number":
        return text if _NUMBER.fullmatch(text) else None
    return text if not isinstance(value, Decimal) and _WHOLE.fullmatch(text) else None
