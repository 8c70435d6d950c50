"""What the shop sells and to whom: products and customers, put in one by one or in bulk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

import psycopg
from psycopg.types.json import Jsonb

from analytics_platform.shop.database import Connection, Database
from analytics_platform.shop.domain import CENT_OF_CENT, MOST_MONEY, Customer, Product
from analytics_platform.shop.errors import BadCatalogueError, UnknownProductError

_PUT_PRODUCTS = """
INSERT INTO shop.products (product_id, name, category, price, stock, metadata)
SELECT product_id, name, category, price, stock, metadata FROM incoming
ON CONFLICT (product_id) DO UPDATE SET
    name = excluded.name, category = excluded.category, price = excluded.price, stock = excluded.stock,
    metadata = excluded.metadata
"""

_PUT_CUSTOMERS = """
INSERT INTO shop.customers (email, name, city) SELECT email, name, city FROM incoming
ON CONFLICT (email) DO UPDATE SET name = excluded.name, city = excluded.city
"""


def seed_products(database: Database, products: Iterable[Product]) -> int:
    """Put products into the shop, or bring those it has to this state, stock included; returns how many.

    Raises `BadCatalogueError` with nothing changed if a price or a stock is no amount, or a product comes twice.
    """
    products = list(products)
    for product in products:
        _check_variants(product)
    rows = [
        (each.product_id, each.name, each.category, each.price, each.stock, Jsonb(_metadata(each))) for each in products
    ]
    columns = "product_id text, name text, category text, price numeric(18, 4), stock integer, metadata jsonb"
    with database.transaction() as connection:
        return _put(connection, columns, rows, _PUT_PRODUCTS)


def seed_customers(database: Database, customers: Iterable[Customer]) -> Mapping[str, int]:
    """Put customers into the shop, or bring those it knows by e-mail address to this state; e-mail address → id."""
    rows = [(each.email.strip().lower(), each.name, each.city) for each in customers]
    with database.transaction() as connection:
        _put(connection, "email text, name text, city text", rows, _PUT_CUSTOMERS)
        found = connection.execute(
            "SELECT email, customer_id FROM shop.customers WHERE email = ANY(%s)", [[row[0] for row in rows]]
        )
        return dict(found.fetchall())


def change_price(database: Database, product_id: str, price: Decimal) -> None:
    """Let a product cost something else from now on; orders keep their prices. Raises `UnknownProductError`."""
    _change(database, "UPDATE shop.products SET price = %s WHERE product_id = %s", price, product_id)


def restock(database: Database, product_id: str, pieces: int) -> None:
    """So many pieces more. Raises `UnknownProductError`."""
    _change(database, "UPDATE shop.products SET stock = stock + %s WHERE product_id = %s", pieces, product_id)


def _change(database: Database, sql: str, value: object, product_id: str) -> None:
    try:
        with database.transaction() as connection:
            changed = connection.execute(sql, [value, product_id]).rowcount
    except (psycopg.IntegrityError, psycopg.DataError) as error:
        raise BadCatalogueError(f"Product {product_id!r} cannot be changed: {_reason(error)}.") from None
    if not changed:
        raise UnknownProductError(product_id)


def _put(connection: Connection, columns: str, rows: Iterable[tuple[object, ...]], sql: str) -> int:
    """Copy the rows into a table for this transaction, and from there to where they belong."""
    connection.execute(f"CREATE TEMPORARY TABLE incoming ({columns}) ON COMMIT DROP")
    try:
        with connection.cursor().copy("COPY incoming FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        return connection.execute(sql).rowcount
    except (psycopg.IntegrityError, psycopg.DataError, psycopg.errors.CardinalityViolation) as error:
        raise BadCatalogueError(f"The shop does not take this: {_reason(error)}.") from None


def _check_variants(product: Product) -> None:
    """The database does not look into the metadata."""
    for name, price in product.variants.items():
        if not (price.is_finite() and 0 <= price < MOST_MONEY) or price != price.quantize(CENT_OF_CENT):
            raise BadCatalogueError(f"Variant {name!r} of product {product.product_id!r} costs {price}: no such price.")


def _metadata(product: Product) -> Mapping[str, object]:
    """What only some products have. Prices of variants are text: JSON's numbers are not exact everywhere."""
    brand = {"brand": product.brand} if product.brand else {}
    variants = {name: str(price) for name, price in product.variants.items()}
    return {**brand, **({"variants": variants} if variants else {})}


def _reason(error: psycopg.Error) -> str:
    return str(error).strip().splitlines()[0]
