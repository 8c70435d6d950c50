"""Carts in MongoDB: one document per cart, changed by compare-and-swap, so that every change is whole or not at all.

A change reads the document, makes the new one, and replaces the old only if its `revision` is still the one that was
read; else it starts again. Only single-document writes are used: no transactions, no update
operators. A cart expires after `lifetime` without a change: a TTL index removes it within minutes, and reading does not
wait for that. `applied` names the orders and merges that were applied to the cart and must not be applied twice.

The tests ran against `nx-27017` (MongoDB's protocol on SQLite), which removes expired documents whenever the collection
is used and ignores the write concern. With `MONGODB_URI` they run against a real server; that was not tried. What is
used (unique `_id`, matched `replace_one`, TTL on a date, majority write concern) is as MongoDB's manual describes it.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

from pymongo import MongoClient, WriteConcern
from pymongo.errors import ConnectionFailure, DuplicateKeyError, PyMongoError

from analytics_platform.settings import SettingsError, masked
from analytics_platform.shop.domain import MOST_PIECES, Cart, CartLine
from analytics_platform.shop.errors import BadOrderError, CartBusyError, NotInCartError, ShopUnavailableError

COLLECTION = "carts"
VISITOR, CUSTOMER = "visitor:", "customer:"
"""Prefixes of cart ids: of an unknown visitor, and of a customer."""

LIFETIME = dt.timedelta(days=30)
_TRIES = 200
_REMEMBERED = 50
"""How many of the latest orders and merges a cart remembers: those that may be repeated."""

_TIMEOUT_MS = 1_500


@dataclass(frozen=True, slots=True)
class _Kept:
    """A cart as it is stored. One with `goes_to` is closed: its lines are being moved to that other cart."""

    lines: tuple[CartLine, ...] = ()
    applied: tuple[str, ...] = ()
    goes_to: str | None = None
    revision: str | None = None


Change = Callable[[_Kept], _Kept]


class Carts:
    """The carts of one database. Safe to share between threads. All methods raise `ShopUnavailableError`."""

    def __init__(
        self,
        uri: str,
        database: str,
        lifetime: dt.timedelta = LIFETIME,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        """Prepare without connecting. `now` is the clock by which carts expire when they are read.

        Raises `SettingsError` for an invalid address.
        """
        self._uri = uri
        try:
            self._client: MongoClient[dict[str, Any]] = MongoClient(
                uri,
                tz_aware=True,
                connect=False,
                serverSelectionTimeoutMS=_TIMEOUT_MS,
                connectTimeoutMS=_TIMEOUT_MS,
                socketTimeoutMS=_TIMEOUT_MS,
            )
        except (PyMongoError, ValueError):  # their text quotes parts of the address, which may be of the password
            raise SettingsError("MONGODB_URI is not a valid address: write it as mongodb://host:27017.") from None
        self._carts = self._client[database].get_collection(COLLECTION, write_concern=WriteConcern(w="majority"))
        self._lifetime = lifetime
        self._now = now

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def prepare(self) -> None:
        """Create the index by which the server removes expired carts; a second call changes nothing."""
        with self._clear_errors():
            self._carts.create_index("expires_at", expireAfterSeconds=0, name="expiry")

    def get(self, cart_id: str) -> Cart:
        """Return the cart; an empty one if there is none, or if it expired."""
        return self._change(cart_id, lambda kept: kept)

    def add(self, cart_id: str, line: CartLine) -> Cart:
        """Add pieces of a product to the cart. Raises `BadQuantityError` beyond the limit of a line."""

        def add(kept: _Kept) -> _Kept:
            pieces = _pieces(kept.lines)
            pieces[line.thing] = pieces.get(line.thing, 0) + line.quantity
            return replace(kept, lines=_lines(pieces))

        return self._change(cart_id, add)

    def change(self, cart_id: str, line: CartLine) -> Cart:
        """Set the number of pieces of a product in the cart. Raises `NotInCartError` if it is not in it."""

        def change(kept: _Kept) -> _Kept:
            pieces = _pieces(kept.lines)
            if line.thing not in pieces:
                raise NotInCartError(line.product_id)
            return replace(kept, lines=_lines({**pieces, line.thing: line.quantity}))

        return self._change(cart_id, change)

    def remove(self, cart_id: str, product_id: str, variant: str | None = None) -> Cart:
        """Remove all pieces of a product from the cart. A product that is not in it is ignored."""
        thing = (product_id, variant)
        return self._change(
            cart_id, lambda kept: replace(kept, lines=tuple(line for line in kept.lines if line.thing != thing))
        )

    def take_out(self, cart_id: str, lines: Sequence[CartLine], order_key: str) -> Cart:
        """Remove the ordered pieces, once per order; pieces that were added after the order stay."""
        return self._change(cart_id, lambda kept: _once(kept, f"order {order_key}", lambda old: _taken_out(old, lines)))

    def merge(self, visitor_cart: str, customer_cart: str) -> Cart:
        """Move the lines of a visitor's cart into the customer's, as at login; returns the customer's cart.

        Two documents cannot change in one step. So the visitor's cart is closed first, with the name of the other cart;
        then its lines are added, once; then it is deleted. A reader of a closed cart finishes the merge, so nothing is
        lost or added twice if the process ends in between. Raises `BadOrderError` unless the first cart is a visitor's
        and the second a customer's.
        """
        if not visitor_cart.startswith(VISITOR) or not customer_cart.startswith(CUSTOMER):
            raise BadOrderError(f"Only a {VISITOR}… cart can be merged into a {CUSTOMER}… cart.")  # no cycles
        kept = self._swap(
            visitor_cart, lambda kept: replace(kept, goes_to=customer_cart) if kept.goes_to is None else kept
        )
        if kept.goes_to is not None:
            self._finish_merge(visitor_cart, kept)
        return self.get(customer_cart)

    def _finish_merge(self, cart_id: str, closed: _Kept) -> None:
        """Move the lines of a closed cart to the other cart, and delete it."""
        assert closed.goes_to is not None
        mark = f"cart {closed.revision}"
        self._change(closed.goes_to, lambda kept: _once(kept, mark, lambda old: _merged(old, closed.lines)))
        with self._clear_errors():
            self._carts.delete_one({"_id": cart_id, "revision": closed.revision})

    def _change(self, cart_id: str, change: Change) -> Cart:
        """Change an open cart; the merge of a closed one is finished first."""
        while True:
            kept = self._swap(cart_id, lambda kept: change(kept) if kept.goes_to is None else kept)
            if kept.goes_to is None:
                return Cart(kept.lines, cart_id)
            self._finish_merge(cart_id, kept)

    def _swap(self, cart_id: str, change: Change) -> _Kept:
        """Read, change, and write unless the cart was changed in between; then start again. Returns the stored cart."""
        for _ in range(_TRIES):
            old = self._read(cart_id)
            new = change(old)
            if new == old:
                return old
            new = replace(new, revision=secrets.token_hex(8))
            if self._write(cart_id, old.revision, new):
                return new
        raise CartBusyError(f"Cart {cart_id!r} is changed by too many requests at once: try again.")

    def _read(self, cart_id: str) -> _Kept:
        """Return the cart as it is stored; of an expired one only its revision, so that it can be replaced."""
        with self._clear_errors():
            document = self._carts.find_one({"_id": cart_id})
        if document is None:
            return _Kept()
        if document["expires_at"] <= self._now():
            return _Kept(revision=document["revision"])
        lines = tuple(CartLine(**line) for line in document["lines"])
        return _Kept(lines, tuple(document["applied"]), document["goes_to"], document["revision"])

    def _write(self, cart_id: str, old_revision: str | None, new: _Kept) -> bool:
        """Replace the document with the old revision; False if that revision is no longer stored."""
        document = {
            **asdict(new),
            "_id": cart_id,
            "applied": new.applied[-_REMEMBERED:],
            "expires_at": self._now() + self._lifetime,
        }
        with self._clear_errors():
            if old_revision is not None:
                return self._carts.replace_one({"_id": cart_id, "revision": old_revision}, document).matched_count == 1
            try:
                self._carts.insert_one(document)
            except DuplicateKeyError:
                return False
        return True

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        """Turn the driver's errors into `ShopUnavailableError`."""
        try:
            yield
        except ConnectionFailure:
            raise ShopUnavailableError(f"The carts at {masked(self._uri)} cannot be reached: try later.") from None
        except PyMongoError as error:
            reason = str(error).splitlines()[0]
            raise ShopUnavailableError(f"The carts at {masked(self._uri)} fail: {reason}") from None


def _once(kept: _Kept, mark: str, change: Callable[[tuple[CartLine, ...]], tuple[CartLine, ...]]) -> _Kept:
    """Return the cart with the change, unless it is marked as made."""
    if mark in kept.applied:
        return kept
    return replace(kept, lines=change(kept.lines), applied=(*kept.applied, mark))


def _merged(lines: tuple[CartLine, ...], more: Sequence[CartLine]) -> tuple[CartLine, ...]:
    """Return the lines of both, each up to the limit of a line: a rejected merge would be repeated for ever."""
    pieces = _pieces(lines)
    for line in more:
        pieces[line.thing] = min(pieces.get(line.thing, 0) + line.quantity, MOST_PIECES)
    return _lines(pieces)


def _taken_out(lines: tuple[CartLine, ...], ordered: Sequence[CartLine]) -> tuple[CartLine, ...]:
    """Return the lines without the pieces that were ordered."""
    pieces = _pieces(lines)
    for line in ordered:
        pieces[line.thing] = pieces.get(line.thing, 0) - line.quantity
    return _lines({thing: quantity for thing, quantity in pieces.items() if quantity > 0})


def _pieces(lines: Sequence[CartLine]) -> dict[tuple[str, str | None], int]:
    return {line.thing: line.quantity for line in lines}


def _lines(pieces: Mapping[tuple[str, str | None], int]) -> tuple[CartLine, ...]:
    """Return one line per product and variant, in the order in which they were added."""
    return tuple(CartLine(product_id, quantity, variant) for (product_id, variant), quantity in pieces.items())
