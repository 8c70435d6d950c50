"""Finds the records that name a person, and says what stays of them when the person is erased.

A record names a person if a column for clients, users, customers or e-mail addresses has one of the person's
identifiers, or if one stands in a text of the record: as a whole word if nothing else is likely to be written like it,
else as the value of a field that is named for it, such as `"user_id": 42`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import quote

import numpy as np
import polars as pl

from analytics_platform.contracts.base import ContractType
from analytics_platform.gate.exact_json import JsonError, canonical_json, read_json
from analytics_platform.lake import Batch
from analytics_platform.sources.source import Edit, Source

IDENTIFYING = {
    "client_id": "client",
    "user_id": "user",
    "email": "email",
    "customer_id": "customer",
    "customer_key": "key",
    "order_key": "order",
}
"""Column → which of a person's identifiers it has. An order key begins with its client."""

ERASED = "erased:"
"""How the client of an order begins whose person was erased."""

_ORDER_FIELDS = ("transaction_id", "revenue", "value", "currency", "items", "item_list_id", "item_list_name")
_BEFORE, _BEHIND = r"(?:(?<![\w.+@-])|(?<=%[0-9a-f]{2}))", r"(?![\w@-]|\.\w)"
_NEVER = re.compile(r"(?!)")


@dataclass(frozen=True)
class Person:
    """The identifiers of a person. E-mail addresses are in lower case."""

    client: frozenset[str] = field(default_factory=frozenset)
    user: frozenset[str] = field(default_factory=frozenset)
    email: frozenset[str] = field(default_factory=frozenset)
    customer: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def of(cls, **identifiers: Collection[str]) -> Person:
        """Make a person of texts as people write them. A source that only knows users has the client user:<user>."""
        found = {kind: {text.strip() for text in texts} - {""} for kind, texts in identifiers.items()}
        found["email"] = {text.lower() for text in found.get("email", ())}
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
    def telling(self) -> list[str]:
        """Return the identifiers that hardly anything else is written like, in lower case and as URLs have them."""
        return sorted({text.lower() for text in self._telling})

    @cached_property
    def _telling(self) -> frozenset[str]:
        # 20261125 is a day too, and the number of somebody else's order.
        texts = (text for kind in ("client", "user", "email") for text in self.texts[kind])
        found = {x for x in texts if "@" in x or (len(x) >= 8 and re.search(r"\d", x) and not x.isdecimal())}
        return frozenset(form for text in found for form in (text, quote(text, safe="")))

    @cached_property
    def _words(self) -> re.Pattern[str]:
        return _pattern(_words(self._telling))

    @cached_property
    def _named(self) -> re.Pattern[str]:
        found = (
            rf'"{{1,2}}\w*{kind}_?id"{{1,2}}\s*:\s*"{{0,2}}{_any_of(texts)}"{{0,2}}\s*[,}}]'
            for kind, texts in self.texts.items()
            if texts and kind != "email"
        )
        return _pattern("|".join(found))

    @cached_property
    def _any_word(self) -> re.Pattern[str]:
        return _pattern(_words({*self._telling, *self.client, *self.user}))

    def is_in(self, record: Mapping[str, Any]) -> bool:
        """Tell whether a record, given by contract column, names the person."""
        return any(self._is_value(column, str(value)) for column, value in record.items() if value is not None)

    def _is_value(self, column: str, text: str) -> bool:
        kind = IDENTIFYING.get(column, "")
        if kind == "order" and text.rpartition("/")[0] in self.client:
            return True
        written = text.strip().lower() if kind == "email" else text.strip()
        return written in self.exact.get(kind, ()) or self.is_mentioned(text)

    def is_mentioned(self, text: str) -> bool:
        """Tell whether a text names the person, without doubt."""
        return bool(self._words.search(text) or self._named.search(text))

    def may_be_in(self, raw: str) -> bool:
        """Tell whether a record that cannot be parsed has an identifier as a whole word."""
        return bool(self._any_word.search(raw))

    def candidates(self, values: pl.DataFrame) -> list[int]:
        """Return the rows that may name the person: `is_in` says which do."""
        ids = [x for kind in ("client", "user", "customer") for x in self.exact[kind]]
        found: list[pl.Expr | pl.Series] = [pl.repeat(False, values.height, eager=True)]
        for name in values.columns:
            if kind := IDENTIFYING.get(name):
                plain = pl.col(name).str.strip_chars().str.to_lowercase()
                found.append(plain.is_in([x.lower() for x in self.exact.get(kind, ())]))
            starts = [f"{client.lower()}/" for client in self.client] if kind == "order" else []
            quoted = [f"{mark}{x.lower()}" for x in ids for mark in ('"', ":", " ")]
            patterns = [*self.telling, *starts, *([] if kind else quoted)]
            if patterns:
                found.append(pl.col(name).str.contains_any(patterns, ascii_case_insensitive=True))
        return values.select(found=pl.any_horizontal(found).fill_null(False))["found"].arg_true().to_list()


def _words(texts: Collection[str]) -> str:
    return f"{_BEFORE}{_any_of(texts)}{_BEHIND}" if texts else ""


def _any_of(texts: Collection[str]) -> str:
    """Write a pattern for any of these; an id in another case is another id, an e-mail address the same."""
    parts = (re.escape(text) if re.search("@|%40", text) else f"(?-i:{re.escape(text)})" for text in sorted(texts))
    return f"(?:{'|'.join(parts)})"


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE) if text else _NEVER


def find_profiles(source: Source, batch: Batch) -> Iterator[Person]:
    """Yield what each record of a batch says of a person: an id, and the e-mail address that goes with it."""
    columns = [name for name in ("user_id", "customer_id", "email") if name in source.contract.columns]
    with batch.open() as stream:
        for some in source.format.read(batch, stream, source.contract, None):
            rows = some.values.select(columns).unique().iter_rows(named=True) if some.values.width else ()
            for row in rows:
                yield Person.of(**{IDENTIFYING[name]: [text] for name, text in row.items() if text})


def complete(person: Person, profiles: Collection[Person]) -> Person:
    """Add the identifiers of all profiles of the person, and of theirs."""
    for profile in profiles:
        merged = person | profile
        if merged != person and any(a & b for a, b in zip(person.texts.values(), profile.texts.values(), strict=True)):
            return complete(merged, profiles)
    return person


def find_edits(source: Source, batch: Batch, person: Person, key: bytes) -> dict[int, Edit]:
    """Find the records of a batch that name the person, and what becomes of each. Raises `LakeError`.

    The client of an order becomes a text that only who has the `key` can make of it.
    """
    found: dict[int, Mapping[str, str] | None] = {}
    positions = [np.empty(0, np.int64)]
    with batch.open() as stream:
        for some in source.format.read(batch, stream, source.contract, None):
            positions += [some.positions, some.malformed["position"].to_numpy()]
            for row in person.candidates(some.values):
                record = some.values.row(row, named=True)
                if person.is_in(record):
                    found[int(some.positions[row])] = _rest(source, record, person, key)
            rejected = some.malformed.select("position", "raw").iter_rows()
            found |= {position: None for position, raw in rejected if person.may_be_in(raw)}
    order = np.unique(np.concatenate(positions))
    places = {position: int(np.searchsorted(order, position, "right")) for position in found}
    ends = {position: int(order[place]) if place < len(order) else None for position, place in places.items()}
    return {position: Edit(ends[position], values) for position, values in found.items()}


def _rest(source: Source, record: Mapping[str, str | None], person: Person, key: bytes) -> dict[str, str] | None:
    """Give what stays of a record: of an order what sums need, of all others nothing."""
    orders = source.orders
    if orders is None or (orders.names and (record["event_name"] or "").strip() not in orders.names):
        return None
    kept = {name: _only_order(source.contract, name, text) for name in orders.columns if (text := record.get(name))}
    if client := record.get("client_id"):
        kept["client_id"] = pseudonym(client.strip(), key)
    if "order_key" in kept:
        client, slash, number = kept["order_key"].rpartition("/")
        kept |= {"order_key": f"{pseudonym(client, key)}/{number}" if slash else number, "customer_id": "-1"}
    return None if person.is_in(kept) else kept


def _only_order(contract: ContractType, name: str, text: str) -> str:
    """Leave out of a JSON object what sums do not need."""
    if not contract.columns[name].metadata["json"]:
        return text
    try:
        document = read_json(text)
    except JsonError:
        return text
    if not isinstance(document, dict):
        return text
    return canonical_json({name: value for name, value in document.items() if name in _ORDER_FIELDS})


def pseudonym(client: str, key: bytes) -> str:
    """Give the client that stands for an erased one; one that does already stays."""
    hidden = hmac.new(key, client.encode(), hashlib.sha256).hexdigest()[:16]
    return client if client.startswith(ERASED) else f"{ERASED}{hidden}"
