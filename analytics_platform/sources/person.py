"""Finds the records that name a person, and says what stays of them when the person is erased.

A record names a person if a column for clients, users, customers or e-mail addresses has one of the person's
identifiers, as the gate makes it of what is written. Or if one stands in a text of the record, however JSON and URLs
escape it: as a whole word if nothing else is likely to be written like it, else as the value of a field that is named
for it, such as `"user_id": 42`. Lake and tables are searched by the same rules.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from unicodedata import normalize
from urllib.parse import unquote

import duckdb
import numpy as np
import polars as pl

from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.ddl import polars_schema
from analytics_platform.contracts.event_names import AMOUNTS_OF, CURRENCIES, ORDER_IDS, ga4_name, plain_name
from analytics_platform.contracts.missing import IDS, UUID, known, known_id
from analytics_platform.gate.exact_json import JsonError, canonical_json, read_json, unnest
from analytics_platform.gate.types import convert, present
from analytics_platform.lake import Batch, LakeError
from analytics_platform.sources.source import Edit, Source

IDENTIFYING = {
    "client_id": "client",
    "person_id": "client",
    "user_id": "user",
    "email": "email",
    "customer_id": "customer",
    "customer_key": "key",
    "order_key": "order",
}
"""Column → which of a person's identifiers it has. An order key begins with its client (`Person.order_starts`)."""

ERASED = "erased:"
"""How the client of an order begins whose person was erased."""

_ORDER_FIELDS = frozenset(
    (
        *(*ORDER_IDS, *map(plain_name, (*AMOUNTS_OF["refund"], *CURRENCIES))),
        *("currency", "tax", "shipping", "discount", "items", "itemlistid", "itemlistname"),
    )
)
_ESCAPE = re.compile(r'(?:\\+|%)u([0-9a-fA-F]{4})|\\+x([0-9a-f]{2})|\\+(["/bfnrt])|[\udc80-\udcff]')
"""What stands for a sign: also a byte that is not UTF-8, which the gate writes as `\\xfc`, a file system as U+DCFC."""
_UNREADABLE = re.compile(r"(?:\\+x[89a-f][0-9a-f])+")
_LEVELS = 8
"""How often a text may be escaped: JSON in JSON in the query of a URL."""

# No program escapes ASCII letters and digits, but where one does, a pattern of them would miss the text.
_ESCAPED_LETTER = "(?:%|u00)(?:25)*(?:3[0-9]|[46][1-9a-f]|[57][0-9a])"
_WRAPPED = r'(?:\{\s*"{1,2}\$number\w+"{1,2}\s*:\s*)?'
_NAMED = re.compile(
    r'"\w*(client|user|customer)_?id"{1,2}\s*:\s*' + _WRAPPED + r'(?:"{1,2}([^"]*)|([^\s",}\]]*))', re.IGNORECASE
)
"""A field that is named for an identifier, and its value; the quotes are doubled where JSON stands in a CSV file.

MongoDB's Extended JSON wraps a number: `{"user_id": {"$numberInt": "42"}}`.
"""


def unfold(text: str) -> str:
    """Decode what JSON and URLs escape, as often as it was (`\\u0040` and `%2540` are `@`), and give Unicode NFC.

    Bytes that are not UTF-8 are taken for Windows-1252, which has all of Latin-1.
    """
    for _ in range(0 if text.isascii() and "\\" not in text and "%" not in text else _LEVELS):
        before, text = text, unquote(_ESCAPE.sub(_unescape, text), errors="backslashreplace")
        if text == before:
            break
    return normalize("NFC", text)


def _unescape(found: re.Match[str]) -> str:
    code, byte, sign = found.groups()
    if code or sign:
        return chr(int(code, 16)) if code else sign if sign in '"/' else " "
    return bytes([int(byte, 16) if byte else ord(found[0]) - 0xDC00]).decode("cp1252", "replace")


@dataclass(frozen=True)
class Person:
    """The identifiers of a person. E-mail addresses are in lower case."""

    client: frozenset[str] = field(default_factory=frozenset)
    user: frozenset[str] = field(default_factory=frozenset)
    email: frozenset[str] = field(default_factory=frozenset)
    customer: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def of(cls, **identifiers: Collection[str]) -> Person:
        """Make a person of texts, as the gate makes values of them. A source that only knows users has user:<user>."""
        found = {kind: {known_id(text) or "" for text in texts} - {""} for kind, texts in identifiers.items()}
        found["email"] = {(known(text) or "").lower() for text in identifiers.get("email", ())} - {""}
        found["client"] = {*found.get("client", ()), *(f"user:{user}" for user in found.get("user", ()))}
        return cls(**{kind: frozenset(texts) for kind, texts in found.items()})

    def __or__(self, other: Person) -> Person:
        """Return one with the identifiers of both."""
        return Person(*(mine | theirs for mine, theirs in zip(self.texts.values(), other.texts.values(), strict=True)))

    def __str__(self) -> str:
        """Write the identifiers by kind."""
        return ", ".join(f"{kind} {text}" for kind, texts in self.texts.items() for text in sorted(texts))

    @property
    def texts(self) -> dict[str, frozenset[str]]:
        """Return the identifiers by kind."""
        return {"client": self.client, "user": self.user, "email": self.email, "customer": self.customer}

    @cached_property
    def exact(self) -> dict[str, list[str]]:
        """Return kind → texts that a column of it may have, ready to be bound."""
        keys = [str(int(hashlib.md5(client.encode()).hexdigest()[:15], 16)) for client in self.client]
        return {kind: sorted(texts) for kind, texts in self.texts.items()} | {"key": sorted(keys)}

    @cached_property
    def order_starts(self) -> tuple[str, ...]:
        """Return how the order keys of the person begin, also those of shops that do not escape a slash of a client."""
        upper = {client.upper() for client in self.client if re.match(UUID, client)}
        return tuple(sorted({f"{text}/" for client in self.client | upper for text in (client, _quoted(client))}))

    @cached_property
    def _telling(self) -> frozenset[str]:
        """The identifiers that hardly anything else is written like: 20261125 is a day too, and somebody's order."""
        texts = self.client | self.user | self.email
        found = {x for x in texts if "@" in x or (len(x) >= 8 and re.search(r"\d", x) and not x.isdecimal())}
        return frozenset(map(unfold, found))

    @cached_property
    def may(self) -> str:
        """Return a pattern that finds every text that may name the person: `is_in` and `is_mentioned` say which do.

        It is the same to Polars, DuckDB and PostgreSQL, for it has ASCII only: they differ in the case of others.
        """
        ids = [(kind, x) for kind, texts in self.texts.items() if kind != "email" for x in texts]
        named = (f"{kind}_?id[^,}}]{{1,40}}{_letters(x)}" for kind, x in ids)
        return f"(?is)(?:{'|'.join([_ESCAPED_LETTER, *map(_letters, self._telling), *named])})"

    @cached_property
    def _words(self) -> re.Pattern[str]:
        return _whole_word(self._telling)

    @cached_property
    def _any_word(self) -> re.Pattern[str]:
        # A byte that is not UTF-8 may be any sign beyond ASCII, by itself or with those beside it.
        pattern = _whole_word(map(unfold, self.client | self.user | self.email)).pattern
        return re.compile(re.sub(r"[^\x00-\x7f]", "(?:\\g<0>|\ufffd)", pattern))

    @cached_property
    def _in_name(self) -> re.Pattern[str]:
        return re.compile(rf"(?<![^\W_]){_any_of(self._telling)}(?![^\W_])")

    def is_in(self, record: Mapping[str, Any]) -> bool:
        """Tell whether a record, given by contract column as the gate makes its values, names the person."""
        return any(self._is_value(column, str(value)) for column, value in record.items() if value is not None)

    def _is_value(self, column: str, text: str) -> bool:
        kind = IDENTIFYING.get(column, "")
        if kind == "order" and text.startswith(self.order_starts):
            return True
        return (text.lower() if kind == "email" else text) in self.exact.get(kind, ()) or self.is_mentioned(text)

    def is_mentioned(self, text: str) -> bool:
        """Tell whether a text names the person, without doubt."""
        plain = unfold(text)
        named = ((found[1].lower(), known_id(found[2] or found[3] or "")) for found in _NAMED.finditer(plain))
        return bool(self._words.search(plain)) or any(x in self.texts[kind] for kind, x in named)

    def may_be_in(self, raw: str) -> bool:
        """Tell whether a record that cannot be parsed names the person, or has an identifier as a whole word."""
        return self.is_mentioned(raw) or bool(self._any_word.search(unfold(_UNREADABLE.sub("\ufffd", raw))))

    def hide(self, name: str, key: bytes = b"") -> str:
        """Write pseudonyms for the identifiers in the name of a file or in a note of the ledger.

        In a name one ends where letters and digits end: in `of_ada@example.com.csv` nothing else tells the address.
        """
        parts = []
        for part in name.split("/"):
            hidden, count = self._in_name.subn(lambda found: pseudonym(found[0].lower(), key), unfold(part))
            parts.append(re.sub("[/:]", "-", hidden) if count else part)
        return "/".join(parts)

    def find(self, values: pl.DataFrame, raws: pl.Series, decoded: Collection[str] = ()) -> Iterator[int]:
        """Yield the rows that name the person, of values as the gate makes them and the original texts.

        The columns `decoded` have what the build makes of the values: it need not stand in the original texts.
        """
        found: list[pl.Expr | pl.Series] = [raws.str.contains(self.may)]
        for name in values.columns:
            if (kind := IDENTIFYING.get(name)) in self.exact:
                found.append(pl.col(name).cast(pl.String).is_in(self.exact[kind]))
            if kind == "order":
                found += map(pl.col(name).str.starts_with, self.order_starts)
        found += (pl.col(name).str.contains(self.may) for name in decoded)
        for row in values.select(found=pl.any_horizontal(found).fill_null(False))["found"].arg_true():
            if self.is_in(values.row(row, named=True)) or self.is_mentioned(raws[row]):
                yield row


def _quoted(client: str) -> str:
    """Write a client as it stands in an order key (`order_key` in models/macros/functions.sql)."""
    return client.replace("%", "%25").replace("/", "%2F")


def _letters(text: str) -> str:
    """Write a pattern for the ASCII letters and digits of a text, without those that an accent may be composed with."""
    return ".*".join(re.findall("[a-z0-9]+(?![\u0300-\u036f])", unfold(text).lower()))


def _any_of(texts: Iterable[str]) -> str:
    """Write a pattern for any of these; ids differ by their case, e-mail addresses and UUIDs do not."""
    parts = (
        f"(?i:{re.escape(text)})" if "@" in text or re.match(UUID, text) else re.escape(text) for text in sorted(texts)
    )
    return f"(?:{'|'.join(parts) or '(?!)'})"


def _whole_word(texts: Iterable[str]) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.+@-]){_any_of(texts)}(?![\w@-]|\.\w)")


def _gated(source: Source, values: pl.DataFrame) -> pl.DataFrame:
    """Give what the gate makes of the values of identifying columns; all others are as they were."""
    schema, engine = polars_schema(source.contract), duckdb.default_connection()
    names = [name for name in values.columns if name in IDENTIFYING.keys() & schema.keys()]
    texts = present(values.select(names), IDS)
    return values.with_columns(convert(texts[name], schema[name], False, engine) for name in names)


def find_profiles(source: Source, batch: Batch) -> Iterator[Person]:
    """Yield what each record of a batch says of a person: an id, and the e-mail address that goes with it."""
    columns = [name for name in ("user_id", "customer_id", "email") if name in source.contract.columns]
    with batch.open() as stream:
        for some in source.format.read(batch, stream, source.contract, None):
            rows = _gated(source, some.values.select(columns)).unique() if some.values.width else pl.DataFrame()
            for row in rows.iter_rows(named=True):
                found = {IDENTIFYING[name]: [str(x)] for name, x in row.items() if x is not None}
                # A customer of the shop is the user with the same id (cleaned.users), whose logs go too.
                yield Person.of(**{"user": found.get("customer", ()), **found})


def complete(person: Person, profiles: Collection[Person]) -> Person:
    """Add the identifiers of all profiles of the person, and of theirs."""
    for profile in profiles:
        merged = person | profile
        if merged != person and any(a & b for a, b in zip(person.texts.values(), profile.texts.values(), strict=True)):
            return complete(merged, profiles)
    return person


def find_edits(
    source: Source, batch: Batch, person: Person, key: bytes, decode: Callable[[pl.DataFrame], Iterable[pl.Series]]
) -> dict[int, Edit]:
    """Find the records of a batch that name the person, and what becomes of each. Raises `LakeError`.

    `decode` gives the texts that the build makes of the values of records. The client of an order becomes a text that
    only who has the `key` can make of it.
    """
    found: dict[int, Mapping[str, str] | None] = {}
    positions, drift = [np.empty(0, np.int64)], list[str]()
    with batch.open() as stream:
        for some in source.format.read(batch, stream, source.contract, None):
            positions += [some.positions, some.malformed["position"].to_numpy()]
            drift += some.drift
            values, raws = _gated(source, some.values), some.raws(np.arange(len(some.positions)))
            # The build reads `+` of a search term as a blank: name+ada@example.com is somebody else's until then.
            values = values.with_columns(made := [*decode(values)])
            names = [each.name for each in made]
            for row in person.find(values, pl.Series(raws, dtype=pl.String), names) if len(raws) else ():
                found[int(some.positions[row])] = _rest(source, values.row(row, named=True), person, key)
            rejected = some.malformed.select("position", "raw").iter_rows()
            found |= {position: None for position, raw in rejected if person.may_be_in(raw)}
    if not found and any(map(person.is_mentioned, drift)):
        raise LakeError("the name of a column names the person, and cannot be taken out")
    order = np.unique(np.concatenate(positions))
    places = {position: int(np.searchsorted(order, position, "right")) for position in found}
    ends = {position: int(order[place]) if place < len(order) else None for position, place in places.items()}
    return {position: Edit(ends[position], values) for position, values in found.items()}


def _rest(source: Source, record: Mapping[str, Any], person: Person, key: bytes) -> dict[str, str] | None:
    """Give what stays of a record: of an order what sums need, of all others nothing."""
    orders = source.orders
    if orders is None or (orders.names and ga4_name((record["event_name"] or "").strip()) not in orders.names):
        return None
    texts = {name: str(x) for name in orders.columns if (x := record.get(name))}
    kept = {name: x for name, text in texts.items() if (x := _only_order(source.contract, name, text, person, key))}
    if client := record.get("client_id"):
        kept["client_id"] = pseudonym(client, key)
    if "order_key" in kept:
        client, slash, number = kept["order_key"].partition("/")
        client = known_id(client.replace("%2F", "/").replace("%25", "%")) or ""
        kept |= {"order_key": f"{pseudonym(client, key)}/{number}" if slash else kept["order_key"], "customer_id": "-1"}
    return None if person.is_in(kept) else kept


def _only_order(contract: ContractType, name: str, text: str, person: Person, key: bytes) -> str:
    """Leave out of a JSON object what sums do not need, and of all others the texts that name the person."""
    if not contract.columns[name].metadata["json"]:
        return "" if name in ("list_id", "list_name") and person.is_mentioned(text) else text
    try:
        document = unnest(read_json(text))
    except JsonError:
        return text
    if isinstance(document, dict):
        document = {name: value for name, value in document.items() if plain_name(name) in _ORDER_FIELDS}
    # A list called after the person is none any more; the order, its items and their amounts stay.
    return canonical_json(_without(document, person, key)) if person.is_mentioned(text) else canonical_json(document)


def _without(value: Any, person: Person, key: bytes, name: str = "") -> Any:
    """Leave out of a JSON value each text that names the person; of an id (by its `name`) stays a pseudonym.

    What is itself written as JSON is looked into.
    """
    if isinstance(value, dict):
        return {each: kept for each, x in value.items() if (kept := _without(x, person, key, each)) is not None}
    if isinstance(value, list):
        return [kept for x in value if (kept := _without(x, person, key)) is not None]
    if not isinstance(value, str) or not person.is_mentioned(value):
        return value
    with suppress(JsonError):
        if isinstance(inner := unnest(read_json(value)), dict | list):
            return _without(inner, person, key)
    # Pieces without a product are not counted.
    return pseudonym(value, key).removeprefix(ERASED) if name.lower().endswith("id") else None


def pseudonym(client: str, key: bytes) -> str:
    """Give the client that stands for an erased one; one that does already stays."""
    hidden = hmac.new(key, client.encode(), hashlib.sha256).hexdigest()[:16]
    return client if client.startswith(ERASED) else f"{ERASED}{hidden}"
