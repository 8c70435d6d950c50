"""The simulated shop on the real service: its catalogue, its customers, and every simulated order placed."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from analytics_platform.demo.comparison import Sales
from analytics_platform.demo.simulator import BoughtOrder
from analytics_platform.demo.simulator.catalogue import APP_PRODUCTS, RENAMED, VERSIONS
from analytics_platform.shop.carts import CUSTOMER
from analytics_platform.shop.catalogue import seed_customers, seed_products
from analytics_platform.shop.domain import Cart, CartLine, Customer, Product
from analytics_platform.shop.errors import EmptyCartError, OrderRejectedError
from analytics_platform.shop.orders import OrderRequest
from analytics_platform.shop.service import Shop, place_orders

STOCK = 1_000_000

_ADD_USER = """
INSERT INTO shop.customers (customer_id, email, name, city) OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s, %s)
ON CONFLICT (customer_id) DO NOTHING
"""
_NUMBER_GUESTS = "ALTER TABLE shop.customers ALTER customer_id RESTART WITH 1000000"
"""Above the ids of users, for a user and a customer with the same id are one person."""

People: TypeAlias = Mapping[str, Mapping[str, str | None]]
"""The users of the users API, by id."""


def stock_shop(shop: Shop) -> None:
    """Put the simulated catalogue into the shop, with enough stock, and number its guests."""
    products = []
    for each in APP_PRODUCTS:
        prices = {variant.name: variant.price for variant in each.variants if variant.name}
        first, brand = each.variants[0].price, each.brand or None
        products.append(Product(each.item_id, each.name, each.category, first, STOCK, brand, prices))
    seed_products(shop.database, products)
    with shop.database.transaction() as connection:
        connection.execute(_NUMBER_GUESTS)


def sell_out(shop: Shop, at: dt.datetime) -> None:
    """Have a product without a piece from this time on."""
    with shop.database.transaction() as connection:
        # The shop's trigger would write that it happened now.
        connection.execute("SET LOCAL session_replication_role = replica")
        sql = "UPDATE shop.products SET stock = 0, updated_at = %s WHERE product_id = %s"
        connection.execute(sql, (at, RENAMED))


def change_product(shop: Shop) -> None:
    """Give a product another name and price."""
    with shop.database.transaction() as connection:
        sql = "UPDATE shop.products SET name = %s, price = %s WHERE product_id = %s"
        connection.execute(sql, (*VERSIONS[2], RENAMED))


def buy(shop: Shop, orders: Iterable[BoughtOrder], people: People) -> Sales:
    """Register all customers, and place every order through the service, at its time.

    Signed-in users fill their carts first, one order after the other; guests order several at a time. Some orders are
    cancelled afterwards. The client of a
    user who is not among `people` is registered as a guest.
    """
    orders = list(orders)
    buyers = {order: order.user_id if order.user_id in people else order.client_id for order in orders}
    ids = _register(shop, {*buyers.values()}, people)
    guests, signed_in = list[OrderRequest](), list[OrderRequest]()
    for order, buyer in buyers.items():
        cart = Cart(tuple(CartLine(line.item_id, line.quantity, line.variant or None) for line in order.lines))
        request = OrderRequest(cart, ids[buyer], f"{order.client_id}/{order.transaction_id}", order.at)
        (signed_in if order.user_id else guests).append(request)
    rejected = [error for error in place_orders(shop, guests) if isinstance(error, OrderRejectedError)]
    rejected += _buy_signed_in(shop, signed_in)
    for order in orders:
        if order.is_cancelled:
            shop.cancel_order(f"{order.client_id}/{order.transaction_id}")
    with shop.database.transaction() as connection:
        rows = connection.execute("SELECT order_key, total, status FROM shop.orders").fetchall()
    totals = {key: total for key, total, _ in rows}
    cancelled = sum(status == "cancelled" for *_, status in rows)
    others = [error for error in rejected if not isinstance(error, EmptyCartError)]
    return Sales(totals, cancelled, len(rejected) - len(others), others)


def _register(shop: Shop, buyers: Iterable[str], people: People) -> dict[str, int]:
    """Register users with id and data of the users API, clients as guests; returns the ids of the customers."""
    users, guests = dict[str, int](), dict[str, Customer]()
    with shop.database.transaction() as connection:
        for buyer in buyers:
            if person := people.get(buyer):
                name = f"{person['first_name']} {person['last_name']}"
                connection.execute(_ADD_USER, (buyer, person["email"], name, person["city"]))
                users[buyer] = int(buyer)
            else:
                digest = hashlib.sha256(buyer.encode()).hexdigest()[:16]
                guests[buyer] = Customer(f"guest-{digest}@mail.example", "Guest")
    ids = seed_customers(shop.database, guests.values())
    return users | {buyer: ids[guest.email] for buyer, guest in guests.items()}


def _buy_signed_in(shop: Shop, requests: Iterable[OrderRequest]) -> list[OrderRejectedError]:
    """Fill each customer's cart and order its content; returns the rejections."""
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
