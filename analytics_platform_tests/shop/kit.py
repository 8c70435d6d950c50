"""A small shop to buy in, and what is stored of it."""

from __future__ import annotations

from decimal import Decimal

from analytics_platform.shop.catalogue import seed_customers, seed_products
from analytics_platform.shop.domain import Cart, CartLine, Customer, Product
from analytics_platform.shop.service import Shop

LAMP, DESK, VASE = "lamp", "desk", "vase"


def furnish(shop: Shop, stock: int = 10) -> int:
    """Put three products into the shop, and a customer, whose id is returned."""
    products = (
        Product(LAMP, "Lamp", "Light", Decimal("19.9900"), stock),
        Product(DESK, "Desk", "Furniture", Decimal("250.0000"), stock, "Nordhus", {"oak": Decimal("299.5000")}),
        Product(VASE, "Vase", "Decor", Decimal("7.2501"), stock),
    )
    seed_products(shop.database, products)
    return seed_customers(shop.database, [Customer("ada@mail.example", "Ada")])["ada@mail.example"]


def cart_of(*lines: tuple[str, int], cart_id: str | None = None) -> Cart:
    return Cart(tuple(CartLine(product_id, quantity) for product_id, quantity in lines), cart_id)


def run(shop: Shop, sql: str, *values: object) -> None:
    with shop.database.transaction() as connection:
        connection.execute(sql, values)  # type: ignore[call-overload]


def change_price(shop: Shop, product_id: str, price: Decimal) -> None:
    run(shop, "UPDATE shop.products SET price = %s WHERE product_id = %s", price, product_id)


def rows(shop: Shop, sql: str) -> list[tuple[object, ...]]:
    with shop.database.transaction() as connection:
        return connection.execute(sql).fetchall()  # type: ignore[call-overload, no-any-return]


def stored(shop: Shop) -> dict[str, list[tuple[object, ...]]]:
    """Everything an order may change."""
    return {
        "stock": rows(shop, "SELECT product_id, stock FROM shop.products ORDER BY 1"),
        "orders": rows(shop, "SELECT order_key, customer_id, status, total FROM shop.orders ORDER BY 1"),
        "lines": rows(
            shop, "SELECT order_id, line, product_id, quantity, unit_price FROM shop.order_items ORDER BY 1, 2"
        ),
        "outbox": rows(shop, "SELECT order_id, task FROM shop.outbox ORDER BY 1, 2"),
    }


def stock(shop: Shop) -> dict[str, int]:
    return dict(rows(shop, "SELECT product_id, stock FROM shop.products"))  # type: ignore[arg-type]
