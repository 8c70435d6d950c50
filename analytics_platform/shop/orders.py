"""Placing an order: one transaction that checks the stock, writes the books, and notes what is to follow.

The rows of the products are locked in the order of their ids, so that two orders never wait for each other in a circle.
Then one statement writes everything: order, lines, stock, outbox. The unique order key makes it happen once: who comes
second, also while the first is still at work, gets the first one's order.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal, InvalidOperation

import psycopg
from psycopg.types.json import Jsonb

from analytics_platform.shop.database import Connection, Database
from analytics_platform.shop.domain import CENT_OF_CENT, Cart, CartLine, Order, OrderLine
from analytics_platform.shop.errors import (
    BadOrderError,
    EmptyCartError,
    OrderKeyTakenError,
    OrderRefusedError,
    OutOfStockError,
    UnknownCustomerError,
    UnknownProductError,
    UnknownVariantError,
)

LONGEST_KEY = 500
CLEAR_CART, COUNT_SALES = "clear_cart", "count_sales"
"""What may follow an order: take what was ordered out of the cart; let the best sellers be counted again."""

_LOCK = """
SELECT product_id, price, stock, metadata -> 'variants' FROM shop.products
WHERE product_id = ANY(%s) ORDER BY product_id FOR NO KEY UPDATE
"""

_WRITE = """
WITH placed AS (
    INSERT INTO shop.orders (order_key, customer_id, status, total, ordered_at)
    VALUES (%(order_key)s, %(customer_id)s::bigint, 'placed', %(total)s, coalesce(%(ordered_at)s, now()))
    ON CONFLICT (order_key) DO NOTHING
    RETURNING order_id, ordered_at
),
lines AS (
    INSERT INTO shop.order_items (order_id, line, product_id, variant, quantity, unit_price)
    SELECT order_id, line, product_id, variant, quantity, unit_price
    FROM placed, unnest(%(product_ids)s::text[], %(variants)s::text[], %(quantities)s::int[], %(prices)s::numeric[])
        WITH ORDINALITY AS ordered (product_id, variant, quantity, unit_price, line)
),
sold AS (
    UPDATE shop.products SET stock = stock - wanted.quantity
    FROM placed, unnest(%(wanted_ids)s::text[], %(wanted)s::int[]) AS wanted (product_id, quantity)
    WHERE products.product_id = wanted.product_id
),
noted AS (
    INSERT INTO shop.outbox (task, order_id, payload)
    SELECT task, order_id, payload
    FROM placed, unnest(%(tasks)s::text[], %(payloads)s::jsonb[]) AS noted (task, payload)
)
SELECT order_id, ordered_at FROM placed
"""

_FIND = """
SELECT order_id, order_key, customer_id, status, total, ordered_at FROM shop.orders WHERE order_key = %s
"""
_LINES = """
SELECT product_id, quantity, unit_price, variant FROM shop.order_items WHERE order_id = %s ORDER BY line
"""


@dataclass(frozen=True, slots=True)
class Wish:
    """An order as it is asked for."""

    cart: Cart
    customer_id: int
    order_key: str
    ordered_at: dt.datetime | None = None

    def check(self) -> None:
        """Raise `BadOrderError` if it is wrong in a way that needs no look into the database."""
        if not self.order_key.strip() or len(self.order_key) > LONGEST_KEY or "\0" in self.order_key:
            raise BadOrderError(
                f"The order key {self.order_key[:50]!r} is no name: give 1 to {LONGEST_KEY} characters."
            )
        if self.ordered_at is not None and self.ordered_at.tzinfo is None:
            raise BadOrderError(f"The time of order {self.order_key!r} has no time zone: give one.")


@dataclass(frozen=True, slots=True)
class Placed:
    """An order, and whether it was placed by this call or stood already."""

    order: Order
    is_new: bool


def place(database: Database, wish: Wish, tasks: Sequence[str]) -> Placed:
    """Place the order, with `tasks` noted in the outbox in the same transaction, or find the one with its key.

    A refusal is only final if there is no such order: its own success may be why nothing is left. Raises
    `OrderRefusedError` with nothing changed, `ShopUnavailableError` with the outcome unknown: ask again, same key.
    """
    wish.check()
    refusal: OrderRefusedError | None = None
    order: Order | None = None
    try:
        with database.transaction() as connection:
            order = _write(connection, wish, tasks)
    except OrderRefusedError as error:
        refusal = error
    if order is not None:
        return Placed(order, is_new=True)
    with database.transaction() as connection:
        known = _find_own(connection, wish)
    if known is None:
        assert refusal is not None, "the key was taken, and orders are never deleted"
        raise refusal
    return Placed(known, is_new=False)


def find_order(database: Database, order_key: str) -> Order | None:
    """The order with that key. Raises `ShopUnavailableError`."""
    with database.transaction() as connection:
        return _find(connection, order_key)


def _find(connection: Connection, order_key: str) -> Order | None:
    row = connection.execute(_FIND, [order_key]).fetchone()
    if row is None:
        return None
    lines = tuple(OrderLine(*line) for line in connection.execute(_LINES, [row[0]]))
    order_id, key, customer_id, status, total, ordered_at = row
    return Order(order_id, key, customer_id, status, total, ordered_at, lines)


def _find_own(connection: Connection, wish: Wish) -> Order | None:
    """The order with the key of the wish, if it is the same customer's."""
    order = _find(connection, wish.order_key)
    if order is not None and order.customer_id != wish.customer_id:
        raise OrderKeyTakenError(wish.order_key)
    return order


def _write(connection: Connection, wish: Wish, tasks: Sequence[str]) -> Order | None:
    """Check and write; None if the key is taken."""
    try:
        lines = _price(connection, wish)
        total = sum((line.unit_price * line.quantity for line in lines), Decimal())
        row = connection.execute(_WRITE, _parameters(wish, lines, total, tasks)).fetchone()
    except psycopg.errors.ForeignKeyViolation:
        raise UnknownCustomerError(wish.customer_id) from None
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        reason = str(error).splitlines()[0]
        raise BadOrderError(f"Order {wish.order_key!r} cannot be written: {reason}.") from None
    if row is None:
        return None
    order_id, ordered_at = row
    return Order(order_id, wish.order_key, wish.customer_id, "placed", total, ordered_at, lines)


def _price(connection: Connection, wish: Wish) -> tuple[OrderLine, ...]:
    """The lines at the prices of this moment, their products locked and their stock found enough."""
    if not wish.cart.lines:
        raise EmptyCartError(wish.order_key)
    wanted = _count_pieces(wish.cart.lines)
    found = {row[0]: row[1:] for row in connection.execute(_LOCK, [sorted(wanted)])}
    for product_id, quantity in wanted.items():
        if product_id not in found:
            raise UnknownProductError(product_id)
        if quantity > found[product_id][1]:
            raise OutOfStockError(product_id, quantity, found[product_id][1])
    return tuple(_at_price(line, *found[line.product_id]) for line in wish.cart.lines)


def _at_price(line: CartLine, price: Decimal, _: int, variants: Mapping[str, str] | None) -> OrderLine:
    """The line at what a piece costs now."""
    if line.variant is not None:
        try:
            price = Decimal(str((variants or {})[line.variant])).quantize(CENT_OF_CENT)
        except (KeyError, InvalidOperation):
            raise UnknownVariantError(line.product_id, line.variant) from None
    return OrderLine(line.product_id, line.quantity, price, line.variant)


def _count_pieces(lines: Sequence[CartLine] | Sequence[OrderLine]) -> Mapping[str, int]:
    """Pieces wanted of each product, over all its variants."""
    wanted: Counter[str] = Counter()
    for line in lines:
        wanted[line.product_id] += line.quantity
    return wanted


def _parameters(wish: Wish, lines: Sequence[OrderLine], total: Decimal, tasks: Sequence[str]) -> Mapping[str, object]:
    wanted = _count_pieces(lines)
    return {
        "order_key": wish.order_key,
        "customer_id": wish.customer_id,
        "total": total,
        "ordered_at": wish.ordered_at,
        "product_ids": [line.product_id for line in lines],
        "variants": [line.variant for line in lines],
        "quantities": [line.quantity for line in lines],
        "prices": [line.unit_price for line in lines],
        "wanted_ids": list(wanted),
        "wanted": list(wanted.values()),
        "tasks": list(tasks),
        "payloads": [Jsonb(payload_of(task, wish)) for task in tasks],
    }


def payload_of(task: str, wish: Wish) -> Mapping[str, object]:
    """What is needed to do the task without looking at anything else."""
    if task != CLEAR_CART:
        return {}
    return {
        "cart_id": wish.cart.cart_id,
        "order_key": wish.order_key,
        "lines": [asdict(line) for line in wish.cart.lines],
    }
