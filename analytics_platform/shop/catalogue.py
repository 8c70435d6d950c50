"""Products and customers of the shop, inserted or updated in bulk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import psycopg
from psycopg.types.json import Jsonb

from analytics_platform.shop.database import Connection, Database, reason_of
from analytics_platform.shop.domain import CENT_OF_CENT, MOST_MONEY, Customer, Product
from analytics_platform.shop.errors import BadCatalogueError

_PUT_PRODUCTS = """
INSERT INTO shop.products (product_id, name, category, price, stock, metadata)
SELECT
    product_id, incoming.name, incoming.category, incoming.price, incoming.stock,
    coalesce(incoming.metadata, known.metadata, '{}')
FROM incoming LEFT JOIN shop.products AS known USING (product_id)
ON CONFLICT (product_id) DO UPDATE SET
    name = excluded.name, category = excluded.category, price = excluded.price, stock = excluded.stock,
    metadata = excluded.metadata
"""

_PUT_CUSTOMERS = """
INSERT INTO shop.customers (email, name, city) SELECT email, name, city FROM incoming
ON CONFLICT (email) DO UPDATE SET name = excluded.name, city = excluded.city
"""


def seed_products(database: Database, products: Iterable[Product]) -> int:
    """Insert products, or update those the shop has, stock included; returns their number.

    Raises `BadCatalogueError` with nothing changed if a price or a stock is not valid, or a product occurs twice.
    """
    rows = [(each.product_id, each.name, each.category, each.price, each.stock, _metadata(each)) for each in products]
    columns = "product_id text, name text, category text, price numeric(18, 4), stock integer, metadata jsonb"
    with database.transaction() as connection:
        return _put(connection, columns, rows, _PUT_PRODUCTS)


def seed_customers(database: Database, customers: Iterable[Customer]) -> Mapping[str, int]:
    """Insert customers, or update those with the same e-mail address; returns their ids by e-mail address."""
    rows = [(each.email.strip().lower(), each.name, each.city) for each in customers]
    with database.transaction() as connection:
        _put(connection, "email text, name text, city text", rows, _PUT_CUSTOMERS)
        found = connection.execute(
            "SELECT email, customer_id FROM shop.customers WHERE email = ANY(%s)", [[row[0] for row in rows]]
        )
        return dict(found.fetchall())


def _put(connection: Connection, columns: str, rows: Iterable[tuple[object, ...]], sql: str) -> int:
    """Copy the rows into a temporary table, and run the statement that inserts or updates from there."""
    connection.execute(f"CREATE TEMPORARY TABLE incoming ({columns}) ON COMMIT DROP")
    try:
        with connection.cursor().copy("COPY incoming FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        return connection.execute(sql).rowcount
    except (psycopg.IntegrityError, psycopg.DataError, psycopg.errors.CardinalityViolation) as error:
        raise BadCatalogueError(f"The shop rejects this: {reason_of(error)}.") from None


def _metadata(product: Product) -> Jsonb | None:
    """Return the metadata, which only some products have; None for what the shop has already.

    Prices of variants are text: JSON's numbers are not exact.

    Raises `BadCatalogueError` for a price that is not valid, since the database does not check the metadata.
    """
    for name, price in product.variants.items():
        if not (price.is_finite() and 0 <= price < MOST_MONEY) or price != price.quantize(CENT_OF_CENT):
            of = f"Variant {name!r} of product {product.product_id!r}"
            raise BadCatalogueError(f"{of} costs {price}: give a price of 0 or more with up to four decimals.")
    if product.metadata is None:
        return None
    variants = {name: str(price) for name, price in product.variants.items()}
    named = {key: value for key, value in (("brand", product.brand), ("variants", variants)) if value}
    return Jsonb({**product.metadata, **named})
