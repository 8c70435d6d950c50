"""Places or cancels an order in one transaction: stock, order, and its tasks in the outbox.

The rows of the products are locked in the order of their ids, so that two orders never wait for each other in a circle.
Then one statement writes everything: order, lines, stock, outbox. The unique order key makes it happen once: a
second request with the key, even while the first still runs, gets the first one's order.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal, InvalidOperation

import psycopg
from psycopg.types.json import Jsonb

from analytics_platform.shop.database import Connection, Database, reason_of
from analytics_platform.shop.domain import CENT_OF_CENT, Cart, CartLine, Order, OrderLine
from analytics_platform.shop.errors import (
    BadOrderError,
    EmptyCartError,
    OrderKeyTakenError,
    OrderRejectedError,
    OutOfStockError,
    UnknownCustomerError,
    UnknownOrderError,
    UnknownProductError,
    UnknownVariantError,
)

LONGEST_KEY = 500
CLEAR_CART, COUNT_SALES = "clear_cart", "count_sales"
"""Tasks that may follow an order: remove it from the cart; mark the best sellers as stale."""

_LOCK = """
SELECT product_id, price, stock, metadata -> 'variants' FROM shop.products
WHERE product_id = ANY(%s) ORDER BY product_id FOR NO KEY UPDATE
"""

_WRITE = """
WITH placed AS (
    INSERT INTO shop.orders (order_key, customer_id, status, total, ordered_at)
    VALUES (%(order_key)s, %(customer_id)s::bigint, 'placed', %(total)s, coalesce(%(ordered_at)s, now()))
    ON CONFLICT (order_key) DO NOTHING
    RETURNING order_id, ordered_at, total
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
SELECT order_id, ordered_at, total FROM placed
"""

_CANCEL = """
WITH cancelled AS (
    UPDATE shop.orders SET status = 'cancelled' WHERE order_key = %(order_key)s AND status = 'placed' RETURNING order_id
),
returned AS (
    UPDATE shop.products SET stock = stock + given_back.quantity
    FROM (
        SELECT product_id, sum(quantity) AS quantity FROM shop.order_items JOIN cancelled USING (order_id)
        GROUP BY product_id
    ) AS given_back
    WHERE products.product_id = given_back.product_id
),
noted AS (
    INSERT INTO shop.outbox (task, order_id, payload)
    SELECT task, order_id, '{}' FROM cancelled, unnest(%(tasks)s::text[]) AS noted (task)
    ON CONFLICT (order_id, task) DO NOTHING
)
SELECT order_id FROM cancelled
"""

_FIND = """
SELECT order_id, order_key, customer_id, status, total, ordered_at FROM shop.orders WHERE order_key = %s
"""
_LINES = """
SELECT product_id, quantity, unit_price, variant FROM shop.order_items WHERE order_id = %s ORDER BY line
"""


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """An order as the customer requests it."""

    cart: Cart
    customer_id: int
    order_key: str
    ordered_at: dt.datetime | None = None

    def check(self) -> None:
        """Raise `BadOrderError` if it is wrong, as far as can be checked without the database."""
        if not self.order_key.strip() or len(self.order_key) > LONGEST_KEY or "\0" in self.order_key:
            raise BadOrderError(
                f"The order key {self.order_key[:50]!r} is not valid: give 1 to {LONGEST_KEY} characters."
            )
        if self.ordered_at is not None and self.ordered_at.tzinfo is None:
            raise BadOrderError(f"The time of order {self.order_key!r} has no time zone: give one.")


def place(database: Database, request: OrderRequest, tasks: Sequence[str]) -> tuple[Order, bool]:
    """Place the order, with `tasks` noted in the outbox in the same transaction, or find the one with its key.

    Returns it, and whether it is new. Raises `OrderRejectedError` with nothing changed, `ShopUnavailableError` with the
    outcome unknown: try again with the same key.
    """
    request.check()
    rejection: OrderRejectedError | None = None
    try:
        with database.transaction() as connection:
            order = _write(connection, request, tasks)
        if order is not None:
            return order, True
    except OrderRejectedError as error:
        # Final only if the order does not exist: an earlier attempt may have placed it and sold the last pieces.
        rejection = error
    known = find_order(database, request.order_key)
    if known is None:
        assert rejection is not None, "the key was taken, and orders are never deleted"
        raise rejection
    if known.customer_id != request.customer_id:
        raise OrderKeyTakenError(request.order_key)
    return known, False


def cancel(database: Database, order_key: str, tasks: Sequence[str]) -> tuple[Order, bool]:
    """Cancel the order with that key: its pieces go back to the stock, and `tasks` are noted in the outbox.

    Returns it, and whether it was not cancelled before. Raises `UnknownOrderError`, and `ShopUnavailableError` with the
    outcome unknown: try again.
    """
    order = find_order(database, order_key)
    if order is None:
        raise UnknownOrderError(order_key)
    with database.transaction() as connection:
        connection.execute(_LOCK, [sorted({line.product_id for line in order.lines})])
        is_new = connection.execute(_CANCEL, {"order_key": order_key, "tasks": list(tasks)}).fetchone() is not None
    return replace(order, status="cancelled"), is_new


def find_order(database: Database, order_key: str) -> Order | None:
    """Return the order with that key. Raises `ShopUnavailableError`."""
    with database.transaction() as connection:
        row = connection.execute(_FIND, [order_key]).fetchone()
        if row is None:
            return None
        order_id, key, customer_id, status, total, ordered_at = row
        lines = tuple(OrderLine(*line) for line in connection.execute(_LINES, [order_id]))
        return Order(order_id, key, customer_id, status, total, ordered_at, lines)


def _write(connection: Connection, request: OrderRequest, tasks: Sequence[str]) -> Order | None:
    """Check and write the order; None if the key is taken."""
    try:
        lines = _price(connection, request)
        row = connection.execute(_WRITE, _parameters(request, lines, tasks)).fetchone()
    except psycopg.errors.ForeignKeyViolation:
        raise UnknownCustomerError(request.customer_id) from None
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        raise BadOrderError(f"Order {request.order_key!r} cannot be written: {reason_of(error)}.") from None
    if row is None:
        return None
    order_id, ordered_at, total = row
    return Order(order_id, request.order_key, request.customer_id, "placed", total, ordered_at, lines)


def _price(connection: Connection, request: OrderRequest) -> tuple[OrderLine, ...]:
    """Lock the products and return the lines at current prices. Raises `OrderRejectedError`."""
    if not request.cart.lines:
        raise EmptyCartError(request.order_key)
    wanted = _count_pieces(request.cart.lines)
    found = {row[0]: row[1:] for row in connection.execute(_LOCK, [sorted(wanted)])}
    for product_id, quantity in wanted.items():
        if product_id not in found:
            raise UnknownProductError(product_id)
        if quantity > found[product_id][1]:
            raise OutOfStockError(product_id, quantity, found[product_id][1])
    return tuple(_at_price(line, *found[line.product_id]) for line in request.cart.lines)


def _at_price(line: CartLine, price: Decimal, _: int, variants: Mapping[str, str] | None) -> OrderLine:
    """Return the line at the current price of its variant. Raises `UnknownVariantError`."""
    if line.variant is not None:
        try:
            price = Decimal(str((variants or {})[line.variant])).quantize(CENT_OF_CENT)
        except (KeyError, InvalidOperation):
            raise UnknownVariantError(line.product_id, line.variant) from None
    return OrderLine(line.product_id, line.quantity, price, line.variant)


def _count_pieces(lines: Sequence[CartLine]) -> Mapping[str, int]:
    """Count the pieces wanted of each product, over all its variants."""
    wanted: Counter[str] = Counter()
    for line in lines:
        wanted[line.product_id] += line.quantity
    return wanted


def _parameters(request: OrderRequest, lines: Sequence[OrderLine], tasks: Sequence[str]) -> Mapping[str, object]:
    wanted = _count_pieces(request.cart.lines)
    return {
        "order_key": request.order_key,
        "customer_id": request.customer_id,
        "total": sum((line.unit_price * line.quantity for line in lines), Decimal()),
        "ordered_at": request.ordered_at,
        "product_ids": [line.product_id for line in lines],
        "variants": [line.variant for line in lines],
        "quantities": [line.quantity for line in lines],
        "prices": [line.unit_price for line in lines],
        "wanted_ids": list(wanted),
        "wanted": list(wanted.values()),
        "tasks": list(tasks),
        "payloads": [Jsonb(payload_of(task, request)) for task in tasks],
    }


def payload_of(task: str, request: OrderRequest | None) -> Mapping[str, object]:
    """Return all the data that is needed to do the task. Without a request, as after a cancellation, that is none."""
    if task != CLEAR_CART or request is None:
        return {}
    return {
        "cart_id": request.cart.cart_id,
        "order_key": request.order_key,
        "lines": [asdict(line) for line in request.cart.lines],
    }
