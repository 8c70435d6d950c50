"""From the users of an API's answer to the records that the gate validates.

pandas flattens the nested objects, nameparser splits the names. Nothing is coerced and nothing dropped: a value of the
wrong type is a reason to reject the user, a field that no column takes is kept in `extra`. `contracts/missing.py` says
which values are missing, the contract which columns may be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import chain, count, islice
from typing import Any, BinaryIO, TypeAlias

import nameparser
import pandas as pd

from analytics_platform.connectors.rest_api.content import BadAnswerError, decode_pages, encode_pages, split_records
from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.event_names import plain_name
from analytics_platform.contracts.missing import known
from analytics_platform.gate import FileRejectedError
from analytics_platform.gate.exact_json import JsonFault, canonical_json
from analytics_platform.gate.json_rows import read_object
from analytics_platform.gate.records import MalformedError, Positions, Records, no_records, numbered, parse_records
from analytics_platform.lake import Batch
from analytics_platform.sources.source import Edits, Format

_FIELDS: Mapping[str, tuple[str, str]] = {
    "id": ("user_id", "text or whole number"),
    "name": ("name", "text or whole number"),
    "username": ("username", "text or whole number"),
    "email": ("email", "text"),
    "phone": ("phone", "text or whole number"),
    "website": ("website", "text or whole number"),
    "address.street": ("street", "text or whole number"),
    "address.suite": ("suite", "text or whole number"),
    "address.city": ("city", "text or whole number"),
    "address.zipcode": ("zipcode", "text or whole number"),
    "address.geo.lat": ("latitude", "number"),
    "address.geo.lng": ("longitude", "number"),
    "company.name": ("company_name", "text or whole number"),
    "company.catchPhrase": ("company_catch_phrase", "text"),
    "company.bs": ("company_bs", "text"),
}
"""Flat name of a field → its column, and what its value must be."""

_OBJECTS = ("address", "address.geo", "company")
_KNOWN = frozenset(tuple(name.split(".")) for name in (*_FIELDS, *_OBJECTS))
_FORMS = {
    "text or whole number": re.compile(r"-?(0|[1-9][0-9]{0,17})(\.0)?"),
    "number": re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?"),
}

_NO_EMAIL = frozenset(("unknown", "notavailable", "noemail", "na", "nomail"))
"""What people write for an e-mail address that they do not have, as `plain_name` writes it."""

_FARTHEST = {"latitude": 90, "longitude": 180}
"""Degrees beyond which there is no place on the globe."""

NAME_PARTS = ("honorific", "first_name", "last_name", "suffix")
COLUMNS = (*(column for column, _ in _FIELDS.values()), *NAME_PARTS, "extra")
"""The columns that come from a user."""

REASONS: tuple[str, ...] = (
    *(f"record: {fault}" for fault in JsonFault),
    "record: not an object",
    *(f"{name}: not an object" for name in _OBJECTS),
    *(f"{name}: not a {kind}" for name, (_, kind) in _FIELDS.items()),
)
"""Why a user cannot be parsed, in the order reasons are named."""

_FlatUser: TypeAlias = tuple[str, dict[str, Any], Any]
"""A user: its text, its known fields by flat name as JSON text, and its other fields or the `MalformedError`."""

_USERS_AT_A_TIME = 10_000
_NAMES_SHOWN = 20
_LONGEST_NAME = 200


class Answers(Format):
    """The pages of an API's answer, which lists users."""

    reasons = REASONS

    def read(self, batch: Batch, stream: BinaryIO, contract: ContractType, only: Positions) -> Iterator[Records]:
        """Parse the users."""
        pages = decode_pages(stream.read())
        try:
            yield from read_users(chain.from_iterable(map(split_records, pages)), only)
        except BadAnswerError as error:
            raise FileRejectedError(f"the answer {error.what}: {error.remedy}") from error

    def edit(self, batch: Batch, contract: ContractType, edits: Edits, out: BinaryIO) -> None:
        """Leave users out of their pages; the others stay as they are written."""
        with batch.open() as stream:
            data = stream.read()
        place, bodies = count(1), []
        for body in decode_pages(data):
            users = [(next(place), user) for user in split_records(body)]
            kept = [user for number, user in users if number not in edits]
            bodies.append(body if len(kept) == len(users) else f"[{','.join(kept)}]".encode())
        out.write(encode_pages(json.loads(data.split(b"\n")[0])["endpoint"], bodies))


def read_users(texts: Iterable[str], only: Positions = None) -> Iterator[Records]:
    """Parse users, given as JSON texts, by their position from 1; with `only`, those at these positions.

    The last records say how all of them differ from the usual: fields nobody has, unknown fields, other types.
    """
    parser = _UserParser()
    yield from parse_records(numbered(parser.flatten(texts), only), COLUMNS, parser.parse, lambda user: user[0])
    yield no_records(*(parser.drift() if only is None else ()))


class _UserParser:
    """Parses users, and remembers how they differ from the usual."""

    def __init__(self) -> None:
        self._fields: set[str] = set()
        self._retyped: dict[str, None] = {}
        self._unknown: dict[str, None] = {}
        self._nowhere = 0

    def flatten(self, texts: Iterable[str]) -> Iterator[_FlatUser]:
        """Flatten users, some at a time."""
        left = iter(texts)
        while some := list(islice(left, _USERS_AT_A_TIME)):
            users: list[tuple[dict[str, Any], Any]] = []
            for text in some:
                try:
                    users.append(self._divide(read_object(text)))
                except MalformedError as error:
                    users.append(({}, error))
            flat = pd.json_normalize([known for known, _ in users], sep=".").to_dict("records")
            yield from zip(some, flat, (rest for _, rest in users), strict=True)

    def _divide(self, user: Mapping[str, object], above: tuple[str, ...] = ()) -> tuple[dict[str, Any], dict[str, Any]]:
        """Divide an object into its known fields, their values as JSON text, and the others."""
        known, rest = dict[str, Any](), dict[str, Any]()
        for key, value in user.items():
            path = (*above, key)
            if path == ("company",) and isinstance(value, str):
                known[key] = {"name": canonical_json(value)}
            elif path not in _KNOWN:
                self._unknown[".".join(path)] = None
                rest[key] = value
            elif isinstance(value, dict) and ".".join(path) in _OBJECTS:
                known[key], inner = self._divide(value, path)
                rest |= {key: inner} if inner else {}
            else:
                # pandas would make floats of whole numbers beside missing ones, and lose digits of long ones.
                known[key] = str(value) if isinstance(value, Decimal) else canonical_json(value)
        return known, rest

    def parse(self, user: _FlatUser) -> list[str | None]:
        """Give the values of `COLUMNS`. Raises `MalformedError` with every reason."""
        _, cells, rest = user
        if isinstance(rest, MalformedError):
            raise rest
        cells = {name: cell for name, cell in cells.items() if isinstance(cell, str)}  # NaN stands for missing
        self._fields |= cells.keys()
        reasons = [f"{name}: not an object" for name in _OBJECTS if cells.get(name, "null") != "null"]
        values: dict[str, str | None] = dict.fromkeys(COLUMNS)
        for name, (column, kind) in _FIELDS.items():
            cell = cells.get(name, "null")
            is_text = cell[0] == '"'
            text = known(json.loads(cell) if is_text else cell)
            if text is None or (name == "email" and plain_name(text) in _NO_EMAIL):
                continue
            is_number = kind in _FORMS and _FORMS[kind].fullmatch(text)
            if not (is_number or (is_text and kind != "number")):
                reasons.append(f"{name}: not a {kind}")
            elif not is_text and name != "id":
                self._retyped[name] = None
            values[column] = text if is_text or kind == "number" else text.removesuffix(".0")
        if reasons:
            raise MalformedError("; ".join(reasons))
        if any(abs(float(values[name] or 0)) > most for name, most in _FARTHEST.items()):
            # A latitude of 91 cost the shop a customer with name, address and orders.
            self._nowhere += 1
            values |= dict.fromkeys(_FARTHEST)
        values["email"] = values["email"] and values["email"].lower()
        values |= zip(NAME_PARTS, split_name(values["name"] or ""), strict=True)
        values["extra"] = canonical_json(rest) if rest else None
        return list(values.values())

    def drift(self) -> Iterator[str]:
        """Say in words how the users differ from the usual."""
        if not self._fields and not self._unknown:
            yield "no users"
            return
        yield from (f"no field {name}" for name in _FIELDS if name not in self._fields)
        yield from (f"{name} is not a text as usual" for name in self._retyped)
        if self._nowhere:
            yield f"address.geo is no place on the globe, left out {self._nowhere:,} times"
        if self._unknown:
            shown = [(x if x.isprintable() else ascii(x))[:60] for x in islice(self._unknown, _NAMES_SHOWN)]
            more = ", …" if len(self._unknown) > _NAMES_SHOWN else ""
            yield f"unknown fields kept in extra: {', '.join(shown)}{more}"


def split_name(name: str) -> tuple[str | None, str | None, str | None, str | None]:
    """Split a name into `NAME_PARTS` by the rules of nameparser: `Mrs. Dennis Schulist` → Mrs., Dennis, Schulist.

    Middle names and nicknames are in no part: the whole name is kept beside them. A name of one word is a first name,
    unless it is an abbreviated honorific (`Dr.`). A text too long for a name has no parts.
    """
    if len(name) > _LONGEST_NAME:
        return None, None, None, None
    parts = nameparser.parse(name)
    if parts.title and not parts.given and not parts.family and " " not in name and not name.endswith("."):
        return None, name, None, None
    return parts.title or None, parts.given or None, parts.family or None, parts.suffix or None
