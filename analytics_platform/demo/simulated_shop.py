"""The simulated shop on the real service: its catalogue, its customers, and every simulated order placed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from analytics_platform.demo.simulator import BoughtOrder
from analytics_platform.demo.simulator.catalogue import APP_PRODUCTS, Variant
from analytics_platform.demo.simulator.catalogue import Product as SimulatedProduct
from analytics_platform.demo.simulator.truth import Person
from analytics_platform.shop.carts import CUSTOMER
from analytics_platform.shop.catalogue import seed_customers, seed_products
from analytics_platform.shop.domain import Cart, CartLine, Customer, Product
from analytics_platform.shop.errors import EmptyCartError, OrderRejectedError
from analytics_platform.shop.orders import OrderRequest
from analytics_platform.shop.service import Shop, place_orders
from analytics_platform.warehouse import Session

STOCK = 1_000_000
_USER = "user:"


@dataclass(frozen=True, slots=True)
class Bookings:
    """What the shop has sold, and what was refused: `free` orders, for an empty cart, and all others."""

    orders: int
    revenue: Decimal
    free: int
    refused: Sequence[OrderRejectedError]


@dataclass(frozen=True, slots=True)
class Reconciled:
    """One figure as three know it."""

    name: str
    shop: object
    warehouse: object
    truth: object

    @property
    def equal(self) -> bool:
        """Whether all three say the same."""
        return self.shop == self.warehouse == self.truth


_WAREHOUSE = """
SELECT
    count(*) FILTER (WHERE revenue > 0) AS orders,
    CAST(coalesce(sum(revenue), 0) AS DECIMAL(18, 4)) AS revenue,
    count(*) FILTER (WHERE revenue = 0) AS free
FROM star.fact_orders
"""


def reconcile(session: Session, bookings: Bookings, orders: Iterable[BoughtOrder]) -> Iterator[Reconciled]:
    """Compare what the shop sold, what the warehouse says it sold, and what was really bought."""
    orders = list(orders)
    found = session.frame(_WAREHOUSE).row(0, named=True)
    bought = [order for order in orders if order.lines]
    yield Reconciled("orders", bookings.orders, found["orders"], len(bought))
    yield Reconciled("revenue", bookings.revenue, found["revenue"], sum(order.revenue for order in bought))
    yield Reconciled("orders of an empty cart", bookings.free, found["free"], len(orders) - len(bought))
    yield Reconciled("other refusals", len(bookings.refused), 0, 0)


def stock_shop(shop: Shop) -> int:
    """Put the simulated catalogue into the shop, enough of everything; returns the number of products."""
    return seed_products(shop.database, map(_product, APP_PRODUCTS))


def buy(shop: Shop, orders: Iterable[BoughtOrder], people: Mapping[str, Person]) -> Bookings:
    """Register who orders, and place every order through the service, at its time.

    Signed-in users fill their carts first, one order after the other; guests order several at a time. `people` are the
    users by id; who is not among them is registered as a guest.
    """
    orders = list(orders)
    customers = {client: _customer(client, people) for client in {order.client_id for order in orders}}
    ids = seed_customers(shop.database, customers.values())
    wishes = []
    for order in orders:
        cart = Cart(tuple(CartLine(line.item_id, line.quantity, line.variant or None) for line in order.lines))
        key = f"{order.client_id}/{order.transaction_id}"
        wishes.append(OrderRequest(cart, ids[customers[order.client_id].email], key, order.at))
    guests = [wish for wish in wishes if not wish.order_key.startswith(_USER)]
    refused = [error for error in place_orders(shop, guests) if isinstance(error, OrderRejectedError)]
    refused += _buy_signed_in(shop, [wish for wish in wishes if wish.order_key.startswith(_USER)])
    with shop.database.transaction() as connection:
        row = connection.execute("SELECT count(*), coalesce(sum(total), 0) FROM shop.orders").fetchone()
    assert row is not None
    others = [error for error in refused if not isinstance(error, EmptyCartError)]
    return Bookings(row[0], row[1], len(refused) - len(others), others)


def _buy_signed_in(shop: Shop, wishes: Iterable[OrderRequest]) -> list[OrderRejectedError]:
    """Fill the customer's cart and order what is in it."""
    refused = []
    for wish in wishes:
        cart = Cart(cart_id=f"{CUSTOMER}{wish.customer_id}")
        for line in wish.cart.lines:
            cart = shop.carts.add(f"{CUSTOMER}{wish.customer_id}", line)
        try:
            shop.place_order(cart, wish.customer_id, wish.order_key, wish.ordered_at)
        except OrderRejectedError as error:
            refused.append(error)
    return refused


def _product(product: SimulatedProduct) -> Product:
    prices = {variant.name: _price(variant) for variant in product.variants if variant.name}
    first = _price(product.variants[0])
    return Product(product.item_id, product.name, product.category, first, STOCK, product.brand or None, prices)


def _price(variant: Variant) -> Decimal:
    return Decimal(variant.cents) / 100


def _customer(client_id: str, people: Mapping[str, Person]) -> Customer:
    """A user as the users API names them; of a guest nothing is known but the client."""
    person = people.get(client_id.removeprefix(_USER)) if client_id.startswith(_USER) else None
    if person is not None:
        return Customer(person.email, f"{person.first_name} {person.last_name}", person.city)
    number = hashlib.sha256(client_id.encode()).hexdigest()[:16]
    return Customer(f"guest-{number}@mail.example", "Guest")
