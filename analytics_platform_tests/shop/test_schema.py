"""The tables reject what must not be, stamp what changes, and come from migrations that can be run at any time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import psycopg
import pytest

from analytics_platform.shop.catalogue import seed_customers, seed_products
from analytics_platform.shop.domain import Customer, Product
from analytics_platform.shop.errors import BadCatalogueError
from analytics_platform.shop.schema import migrate
from analytics_platform.shop.service import Shop
from analytics_platform_tests.postgres import new_database
from analytics_platform_tests.shop.kit import LAMP, cart_of, change_price, furnish, rows, run

ORDER = "INSERT INTO shop.orders (order_key, customer_id, status, total) VALUES"
LINE = "INSERT INTO shop.order_items (order_id, line, product_id, quantity, unit_price) VALUES"


def test_migrations_run_once_also_when_two_start_at_once() -> None:
    with new_database() as url:
        with ThreadPoolExecutor(4) as threads:
            assert set(threads.map(migrate, [url] * 4)) == {"0001"}
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM shop.schema_version").fetchone() == (1,)


def test_the_schema_can_be_taken_back_and_made_again() -> None:
    from alembic import command

    from analytics_platform.shop import schema

    with new_database() as url:
        migrate(url)
        import sqlalchemy

        engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url))
        with engine.begin() as connection:
            command.downgrade(schema.alembic_config(connection), "base")
        with engine.begin() as connection:
            left = connection.execute(
                sqlalchemy.text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'shop'")
            )
            assert left.scalars().all() == ["schema_version"]
        engine.dispose()
        assert migrate(url) == "0001"


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO shop.customers (email, name) VALUES ('Ada@mail.example', 'Ada')",
        "INSERT INTO shop.customers (email, name) VALUES ('ada@mail.example', 'Another Ada')",
        "INSERT INTO shop.products VALUES ('x', 'x', 'x', -0.0001, 1)",
        "INSERT INTO shop.products VALUES ('x', 'x', 'x', 1, -1)",
        "UPDATE shop.products SET stock = stock - 11 WHERE product_id = 'lamp'",
        f"{ORDER} ('web/1', 1, 'placed', 1)",
        f"{ORDER} ('new', 99, 'placed', 1)",
        f"{ORDER} ('new', 1, 'lost', 1)",
        f"{ORDER} ('new', 1, 'placed', -1)",
        f"{LINE} (1, 2, 'sofa', 1, 1)",
        f"{LINE} (9, 1, 'lamp', 1, 1)",
        f"{LINE} (1, 1, 'lamp', 1, 1)",
        f"{LINE} (1, 0, 'lamp', 1, 1)",
        f"{LINE} (1, 2, 'lamp', 0, 1)",
        f"{LINE} (1, 2, 'lamp', 1, -1)",
        "DELETE FROM shop.customers",
        "DELETE FROM shop.products WHERE product_id = 'lamp'",
        "DELETE FROM shop.orders",
    ],
)
def test_the_tables_reject_what_must_not_be(statement: str, shop: Shop) -> None:
    shop.place_order(cart_of((LAMP, 1)), furnish(shop), "web/1")
    with pytest.raises(psycopg.IntegrityError):
        run(shop, statement)


def test_a_change_stamps_the_row_and_a_change_of_nothing_does_not(shop: Shop) -> None:
    furnish(shop)
    stamps = "SELECT product_id, updated_at FROM shop.products ORDER BY 1"
    before = dict(rows(shop, stamps))
    change_price(shop, LAMP, Decimal(5))
    change_price(shop, "desk", Decimal(250))
    after = dict(rows(shop, stamps))
    assert after[LAMP] > before[LAMP]  # type: ignore[operator]
    assert {**after, LAMP: 0} == {**before, LAMP: 0}


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("SELECT * FROM shop.orders WHERE (updated_at, order_id) > (now(), 1)", "orders_changed"),
        ("SELECT * FROM shop.customers WHERE (updated_at, customer_id) > (now(), 1)", "customers_changed"),
        ("SELECT * FROM shop.products WHERE (updated_at, product_id) > (now(), '')", "products_changed"),
        ("SELECT * FROM shop.order_items WHERE (updated_at, order_id, line) > (now(), 1, 1)", "order_items_changed"),
        ("SELECT * FROM shop.orders WHERE customer_id = 1 ORDER BY ordered_at", "orders_of_customer"),
        ("SELECT * FROM shop.order_items WHERE product_id = 'lamp'", "order_items_of_product"),
        ('SELECT * FROM shop.products WHERE metadata @> \'{"brand": "Nordhus"}\'', "products_metadata"),
    ],
)
def test_queries_find_their_index(query: str, index: str, shop: Shop) -> None:
    with shop.database.transaction() as connection:
        connection.execute("SET LOCAL enable_seqscan = off")
        plan = "\n".join(str(row[0]) for row in connection.execute(f"EXPLAIN {query}"))  # type: ignore[call-overload]
    assert index in plan


def test_seeding_again_brings_the_rows_to_the_new_state(shop: Shop) -> None:
    first = seed_customers(shop.database, [Customer("Ada@Mail.example", "Ada"), Customer("bo@mail.example", "Bo")])
    again = seed_customers(shop.database, [Customer("ada@mail.example ", "Ada L.", "London")])
    assert again == {"ada@mail.example": first["ada@mail.example"]}
    assert rows(shop, "SELECT name, city FROM shop.customers ORDER BY 1") == [("Ada L.", "London"), ("Bo", None)]


@pytest.mark.parametrize(
    "product",
    [
        Product("x", "X", "x", Decimal(-1), 1),
        Product("x", "X", "x", Decimal(1), -1),
        Product("x", "X", "x", Decimal("NaN"), 1),
        Product("x", "X", "x", Decimal(10) ** 20, 1),
        Product("x", "X", "x", Decimal(1), 2**31),
        Product("x", "X", "x", Decimal(1), 1, None, {"big": Decimal(-1)}),
        Product("x", "X", "x", Decimal(1), 1, None, {"big": Decimal("0.00001")}),
        Product("x", "X", "x", Decimal(1), 1, None, {"big": Decimal("Infinity")}),
        Product("x", "nul\0", "x", Decimal(1), 1),
    ],
)
def test_a_product_that_must_not_be_is_rejected_with_all_that_came_with_it(product: Product, shop: Shop) -> None:
    with pytest.raises(BadCatalogueError):
        seed_products(shop.database, [Product("y", "Y", "y", Decimal(1), 1), product])
    assert rows(shop, "SELECT * FROM shop.products") == []
