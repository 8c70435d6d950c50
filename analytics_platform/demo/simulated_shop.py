"""The simulated shop on the real service: its catalogue, its customers, and every simulated order placed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from analytics_platform.demo.comparison import Compared
from analytics_platform.demo.simulator import BoughtOrder
from analytics_platform.demo.simulator.catalogue import APP_PRODUCTS, SimulatedProduct, Variant
from analytics_platform.demo.simulator.events import USER
from analytics_platform.shop.carts import CUSTOMER
from analytics_platform.shop.catalogue import seed_customers, seed_products
from analytics_platform.shop.domain import Cart, CartLine, Customer, Product
from analytics_platform.shop.errors import EmptyCartError, OrderRejectedError
from analytics_platform.shop.orders import OrderRequest
from analytics_platform.shop.service import Shop, place_orders
from analytics_platform.warehouse import Session

STOCK = 1_000_000


People: TypeAlias = Mapping[str, Mapping[str, str | None]]
"""The users of the users API, by id."""


@dataclass(frozen=True, slots=True)
class Sales:
    """What the shop has sold, and the rejected orders: `free` ones, for an empty cart, and all others."""

    orders: int
    revenue: Decimal
    free: int
    rejected: Sequence[OrderRejectedError]


_WAREHOUSE = """
SELECT
    count(*) FILTER (WHERE revenue > 0) AS orders,
    CAST(coalesce(sum(revenue), 0) AS DECIMAL(18, 4)) AS revenue,
    count(*) FILTER (WHERE revenue = 0) AS free
FROM star.fact_orders
"""


def reconcile(session: Session, sales: Sales, orders: Iterable[BoughtOrder]) -> Iterator[Compared]:
    """Compare sales according to the shop, the warehouse and the truth."""
    orders = list(orders)
    found = session.frame(_WAREHOUSE).row(0, named=True)
    paid = [order for order in orders if order.lines]
    yield Compared(("orders",), (sales.orders, found["orders"], len(paid)))
    yield Compared(("revenue",), (sales.revenue, found["revenue"], sum(order.revenue for order in paid)))
    yield Compared(("orders of an empty cart",), (sales.free, found["free"], len(orders) - len(paid)))
    yield Compared(("other rejected orders",), (len(sales.rejected), 0, 0))


def stock_shop(shop: Shop) -> int:
    """Put the simulated catalogue into the shop, with enough stock; returns the number of products."""
    return seed_products(shop.database, map(_product, APP_PRODUCTS))


def buy(shop: Shop, orders: Iterable[BoughtOrder], people: People) -> Sales:
    """Register all customers, and place every order through the service, at its time.

    Signed-in users fill their carts first, one order after the other; guests order several at a time. Who is not among
    `people` is registered as a guest.
    """
    orders = list(orders)
    customers = {client: _customer(client, people) for client in {order.client_id for order in orders}}
    ids = seed_customers(shop.database, customers.values())
    guests, signed_in = list[OrderRequest](), list[OrderRequest]()
    for order in orders:
        cart = Cart(tuple(CartLine(line.item_id, line.quantity, line.variant or None) for line in order.lines))
        key = f"{order.client_id}/{order.transaction_id}"
        request = OrderRequest(cart, ids[customers[order.client_id].email], key, order.at)
        (signed_in if order.client_id.startswith(USER) else guests).append(request)
    rejected = [error for error in place_orders(shop, guests) if isinstance(error, OrderRejectedError)]
    rejected += _buy_signed_in(shop, signed_in)
    with shop.database.transaction() as connection:
        row = connection.execute("SELECT count(*), coalesce(sum(total), 0) FROM shop.orders").fetchone()
    assert row is not None
    others = [error for error in rejected if not isinstance(error, EmptyCartError)]
    return Sales(row[0], row[1], len(rejected) - len(others), others)


def _buy_signed_in(shop: Shop, requests: Iterable[OrderRequest]) -> list[OrderRejectedError]:
    """Fill the customer's cart and order what is in it; returns the errors."""
    rejected = []
    for request in requests:
        cart_id = f"{CUSTOMER}{request.customer_id}"
        cart = Cart(cart_id=cart_id)
        for line in request.cart.lines:
            cart = shop.carts.add(cart_id, line)
        try:
            shop.place_order(cart, request.customer_id, request.order_key, request.ordered_at)
        except OrderRejectedError as error:
            rejected.append(error)
    return rejected


def _product(product: SimulatedProduct) -> Product:
    prices = {variant.name: _price(variant) for variant in product.variants if variant.name}
    first = _price(product.variants[0])
    return Product(product.item_id, product.name, product.category, first, STOCK, product.brand or None, prices)


def _price(variant: Variant) -> Decimal:
    return Decimal(variant.cents) / 100


def _customer(client_id: str, people: People) -> Customer:
    """Return a user as the users API knows it; of a guest only the client is known."""
    if client_id.startswith(USER) and (person := people.get(client_id.removeprefix(USER))):
        return Customer(str(person["email"]), f"{person['first_name']} {person['last_name']}", person["city"])
    number = hashlib.sha256(client_id.encode()).hexdigest()[:16]
    return Customer(f"guest-{number}@mail.example", "Guest")
