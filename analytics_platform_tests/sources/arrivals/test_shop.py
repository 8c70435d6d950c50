"""From the shop's database to the tables: what changed is read, nothing is missed, nothing is there twice."""

from __future__ import annotations

import datetime as dt
import json
import random
import signal
import tracemalloc
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from analytics_platform.connectors.batches import BatchSize
from analytics_platform.connectors.shop_db import ShopDatabase, ShopDatabaseError
from analytics_platform.orchestration.assets.raw import raw_asset
from analytics_platform.orchestration.resources import build_resources
from analytics_platform.settings import SettingsError, load_settings
from analytics_platform.shop.schema import migrate
from analytics_platform.sources.arrivals.position import PositionNoteError
from analytics_platform.sources.arrivals.tables import read_table
from analytics_platform.sources.registry import SOURCES
from analytics_platform_tests.kit import Contents, Platform, contents, open_platform
from analytics_platform_tests.names import SHOP
from analytics_platform_tests.postgres import new_database
from analytics_platform_tests.shop_logs import load
from analytics_platform_tests.sources.arrivals.shop_victim import SMALL, kill_at, run

NOW = dt.datetime.now(dt.UTC)
EARLIEST = dt.datetime(2010, 1, 1, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def url() -> Iterator[str]:
    """The shop's database, empty."""
    with new_database() as url:
        migrate(url)
        yield url


@pytest.fixture
def shop(url: str) -> Iterator[psycopg.Connection]:
    """The shop at work."""
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def platform(tmp_path: Path, url: str) -> Platform:
    return open_platform(tmp_path, shop_database_url=url)


def add_products(shop: psycopg.Connection, first: int, stop: int, at: dt.datetime = NOW - HOUR) -> None:
    """One a second before `at`."""
    shop.execute(
        """
        INSERT INTO shop.products (product_id, name, category, price, stock, metadata, updated_at)
        SELECT 'p' || n, 'Product ' || n, 'Food', n + 0.0001, n, jsonb_build_object('brand', 'Bö'),
            %s::timestamptz - (%s - n) * interval '1 second'
        FROM generate_series(%s::integer, %s::integer - 1) AS n
        """,
        (at, stop, first, stop),
    )


def read(platform: Platform, source: str = "products", batch: BatchSize | None = None) -> int:
    """Read what changed into the lake: how many rows that was."""
    return sum(read_table(source, platform.settings, platform.lake, batch))


def names(platform: Platform) -> list[str]:
    with platform.session(read_only=True) as session:
        return [str(name) for (name,) in session.rows("SELECT name FROM cleaned.product_versions ORDER BY updated_at")]


def test_a_second_run_reads_only_the_overlap_and_what_changed_and_a_rerun_changes_nothing(
    platform: Platform, shop: psycopg.Connection
) -> None:
    add_products(shop, 0, 3_000)
    assert read(platform) == 3_000
    assert load(platform, "products") == {"products": (3_000, 0, 0)}
    shop.execute("UPDATE shop.products SET price = price + 1 WHERE product_id IN ('p7', 'p8')")
    assert read(platform) == 600 + 1 + 2  # ten minutes of one a second
    assert load(platform, "products") == {"products": (2, 601, 0)}
    before = _tables(platform)
    assert read(platform) == 2  # the overlap reaches back from now
    assert load(platform, "products") == {"products": (0, 2, 0)}
    read(platform)
    assert load(platform, "products") == {"products": (0, 0, 0)}, "the same rows are the same batch"
    assert _tables(platform)["cleaned.product_versions"] == before["cleaned.product_versions"]


def _tables(platform: Platform) -> Contents:
    with platform.session(read_only=True) as session:
        return contents(session, ["cleaned.product_versions", "ops.quarantine"])


def test_a_row_that_is_committed_late_is_found(platform: Platform, url: str, shop: psycopg.Connection) -> None:
    add_products(shop, 0, 3)
    with psycopg.connect(url) as slow:
        slow.execute("UPDATE shop.products SET name = 'late' WHERE product_id = 'p1'")
        add_products(shop, 3, 4, NOW)
        assert read(platform) == 4
        slow.commit()
    shop.execute("UPDATE shop.products SET name = 'later' WHERE product_id = 'p3'")
    read(platform)
    load(platform, "products")
    assert "late" in names(platform)


def test_a_transaction_longer_than_the_overlap_holds_the_position_back(
    platform: Platform, url: str, shop: psycopg.Connection
) -> None:
    impatient = ShopDatabase(url, overlap=dt.timedelta(0))
    add_products(shop, 0, 2)
    with psycopg.connect(url) as slow:
        slow.execute("UPDATE shop.products SET name = 'late' WHERE product_id = 'p1'")
        shop.execute("UPDATE shop.products SET name = 'in time' WHERE product_id = 'p0'")
        *_, last = impatient.read("products", None, EARLIEST)
        slow.commit()
    again = [row for rows in impatient.read("products", last.position, EARLIEST) for row in rows.rows]
    assert [json.loads(row)["name"] for row in again] == ["late", "in time"]


def test_a_time_in_the_future_does_not_move_the_position_past_now(
    url: str, shop: psycopg.Connection, platform: Platform
) -> None:
    add_products(shop, 0, 1, dt.datetime(2999, 1, 1, tzinfo=dt.UTC))
    shop.execute(
        "INSERT INTO shop.products SELECT 'x' || t, 'x', 'x', 1, 1, '{}', now(), t FROM "
        "unnest(ARRAY['infinity'::timestamptz, '-infinity', '0044-03-15 BC', '20000-01-01']) AS t"
    )
    *_, last = ShopDatabase(url).read("products", None, EARLIEST)
    assert abs(last.position.changed_at - dt.datetime.now(dt.UTC)) < MINUTE
    assert read(platform) == 5
    assert load(platform, "products") == {"products": (1, 0, 4)}, "times that no column takes are rejected, and kept"


def test_rows_come_as_they_are_to_the_last_digit(platform: Platform, shop: psycopg.Connection) -> None:
    at = dt.datetime(2026, 3, 1, 23, 59, 59, 123457, tzinfo=dt.UTC)
    shop.execute("SET timezone = 'Asia/Kolkata'")
    shop.execute(
        "INSERT INTO shop.products VALUES ('a/b', E'line\\nbreak \"x\"', 'Ärzte', 1234567890.1234, 2147483647, "
        """'{"n": 0.10000000000000000001, "b": [true, null]}', %s, %s)""",
        (at, at),
    )
    assert read(platform) == 1
    assert load(platform, "products") == {"products": (1, 0, 0)}
    with platform.session(read_only=True) as session:
        (found,) = session.rows(
            "SELECT product_id, name, category, price, stock, metadata, created_at, updated_at "
            "FROM cleaned.product_versions"
        )
    assert found[:5] == ("a/b", 'line\nbreak "x"', "Ärzte", Decimal("1234567890.1234"), 2147483647)
    assert json.loads(str(found[5]), parse_float=str) == {"n": "0.10000000000000000001", "b": [True, None]}
    assert found[6:] == (at, at)


def test_every_table_of_the_shop_goes_through_its_gate(platform: Platform, shop: psycopg.Connection) -> None:
    add_products(shop, 0, 2)
    shop.execute("ALTER TABLE shop.customers ADD COLUMN newsletter boolean DEFAULT true")
    shop.execute("ALTER TABLE shop.order_items ADD COLUMN ordered_at text DEFAULT 'not the time of the order'")
    shop.execute("INSERT INTO shop.customers (email, name) VALUES ('ada@mail.example', 'Ada')")
    shop.execute("INSERT INTO shop.orders (order_key, customer_id, status, total) VALUES ('ada/T1', 1, 'placed', 9.5)")
    shop.execute("INSERT INTO shop.order_items VALUES (1, 1, 'p0', 1, 2.5), (1, 2, 'p1', 2, 3.5)")
    assert {source: read(platform, source) for source in SHOP} == {
        "customers": 1,
        "products": 2,
        "orders": 1,
        "order_items": 2,
    }
    assert load(platform, *SHOP) == {
        "customers": (1, 0, 0),
        "products": (2, 0, 0),
        "orders": (1, 0, 0),
        "order_items": (2, 0, 0),
    }
    with platform.session(read_only=True) as session:
        assert session.rows("SELECT extra FROM cleaned.customer_versions") == [('{"newsletter":true}',)]
        assert session.rows("SELECT drift FROM ops.pipeline_logs WHERE source = 'customers'") == [
            ("unknown columns kept in extra: newsletter",)
        ]


def test_a_column_may_be_called_as_anything_in_the_query_is(platform: Platform, shop: psycopg.Connection) -> None:
    add_products(shop, 0, 2)
    for name in ("found", "updated_At", "greatest", "row_to_json", "changed", "products", "settled"):
        shop.execute(f'ALTER TABLE shop.products ADD COLUMN "{name}" integer DEFAULT 3')
    assert read(platform) == 2
    assert load(platform, "products") == {"products": (2, 0, 0)}


def test_a_row_without_its_time_is_named_once_and_the_others_load(platform: Platform, shop: psycopg.Connection) -> None:
    add_products(shop, 0, 2)
    shop.execute("ALTER TABLE shop.products ALTER updated_at DROP NOT NULL")
    shop.execute("INSERT INTO shop.products VALUES ('x', 'x', 'x', 1, 1, '{}', now(), NULL)")
    assert (read(platform), load(platform, "products")) == (3, {"products": (2, 0, 1)})
    add_products(shop, 3, 4, NOW - HOUR / 2)  # the row without a time has not moved the position to now
    assert (read(platform), load(platform, "products")) == (4, {"products": (1, 3, 0)})  # the first two come again
    shop.execute("ALTER TABLE shop.orders ALTER ordered_at DROP NOT NULL")
    shop.execute("INSERT INTO shop.customers (email, name) VALUES ('ada@mail.example', 'Ada')")
    shop.execute(
        "INSERT INTO shop.orders (order_key, customer_id, status, total, ordered_at) "
        "VALUES ('ada/T1', 1, 'placed', 1, NULL)"
    )
    assert (read(platform, "orders"), load(platform, "orders")) == (1, {"orders": (0, 0, 1)})
    with platform.session(read_only=True) as session:
        reasons = session.rows("SELECT error_reason FROM ops.quarantine ORDER BY source DESC")
    assert reasons == [("updated_at: missing",), ("ordered_at: missing",)]


def test_a_database_that_knows_no_encoding_is_read_and_a_row_in_another_is_rejected(tmp_path: Path, url: str) -> None:
    other = url.rpartition("/")[0] + "/plain_bytes"
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(
            "CREATE DATABASE plain_bytes ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        )
        try:
            with psycopg.connect(other, autocommit=True, client_encoding="UTF8") as shop:
                shop.execute(
                    "CREATE SCHEMA shop; CREATE TABLE shop.products (product_id text, name text, category text, "
                    "price numeric, stock integer, metadata jsonb, created_at timestamptz DEFAULT now(), "
                    "updated_at timestamptz)"
                )
                add_products(shop, 0, 3)
                shop.execute(r"UPDATE shop.products SET name = E'Caf\351' WHERE product_id = 'p1'")
            platform = open_platform(tmp_path, shop_database_url=other)
            assert (read(platform), load(platform, "products")) == (3, {"products": (2, 0, 1)})
        finally:
            server.execute("DROP DATABASE plain_bytes WITH (FORCE)")


def test_orders_before_the_partition_start_are_not_read(tmp_path: Path, url: str, shop: psycopg.Connection) -> None:
    platform = open_platform(tmp_path, shop_database_url=url, partition_start=dt.date(2026, 1, 1))
    add_products(shop, 0, 1)
    shop.execute("INSERT INTO shop.customers (email, name) VALUES ('ada@mail.example', 'Ada')")
    shop.execute(
        "INSERT INTO shop.orders (order_key, customer_id, status, total, ordered_at) VALUES "
        "('ada/T1', 1, 'placed', 1, '2025-12-31T23:59:59Z'), ('ada/T2', 1, 'placed', 1, '2026-01-01T00:00:00Z')"
    )
    shop.execute("INSERT INTO shop.order_items VALUES (1, 1, 'p0', 1, 1), (2, 1, 'p0', 1, 1)")
    assert (read(platform, "orders"), read(platform, "order_items")) == (1, 1)


def test_a_run_killed_at_any_boundary_is_made_good_by_the_next(
    tmp_path: Path, url: str, shop: psycopg.Connection
) -> None:
    add_products(shop, 0, 120)
    expected = open_platform(tmp_path / "expected", shop_database_url=url)
    run(expected)
    code, boundaries = kill_at(tmp_path / "counted", url, None)
    assert code == 0
    for number in sorted(random.Random(0).sample(range(boundaries), 3)):
        root = tmp_path / f"killed-{number}"
        assert kill_at(root, url, number)[0] == -signal.SIGKILL
        platform = open_platform(root, shop_database_url=url)
        run(platform)
        run(platform)
        assert _without_batches(platform) == _without_batches(expected), number


def _without_batches(platform: Platform) -> list[tuple[object, ...]]:
    with platform.session(read_only=True) as session:
        return session.rows(
            "SELECT * EXCLUDE (batch_id, position, arrived_at) FROM cleaned.product_versions ORDER BY ALL"
        )


def test_batches_are_small_and_a_reading_continues_after_the_last_one(
    platform: Platform, url: str, shop: psycopg.Connection
) -> None:
    add_products(shop, 0, 120, NOW - 24 * HOUR)
    shop.execute("UPDATE shop.products SET updated_at = created_at - make_interval(hours => stock)")
    reading = read_table("products", platform.settings, platform.lake, SMALL)
    assert next(reading) == 50
    reading.close()
    assert sum(read_table("products", platform.settings, platform.lake, SMALL)) == 120


def test_long_rows_are_not_held_together(url: str, shop: psycopg.Connection) -> None:
    add_products(shop, 0, 40)
    shop.execute("UPDATE shop.products SET name = repeat('x', 1 << 20)")
    reading = ShopDatabase(url, batch=BatchSize(size=1 << 20)).read("products", None, EARLIEST)
    tracemalloc.start()
    try:
        assert sum(len(rows.rows) for rows in reading) == 40
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 15 << 20


def test_a_row_that_is_too_long_is_rejected_by_name_and_the_others_load(
    platform: Platform, shop: psycopg.Connection
) -> None:
    add_products(shop, 0, 20)
    shop.execute("UPDATE shop.products SET name = repeat('x', 17 << 20) WHERE stock = 7")
    assert read(platform) == 20
    assert load(platform, "products") == {"products": (19, 0, 1)}
    with platform.session(read_only=True) as session:
        (found,) = session.rows("SELECT error_reason, length(raw) < 2000000 FROM ops.quarantine")
    assert found == ("record: too large", True)


def test_another_database_is_read_from_the_start(platform: Platform, tmp_path: Path, shop: psycopg.Connection) -> None:
    add_products(shop, 0, 5)
    read(platform)
    with new_database() as other:
        migrate(other)
        with psycopg.connect(other, autocommit=True) as elsewhere:
            add_products(elsewhere, 5, 9, NOW - 900 * HOUR)
        assert read(open_platform(tmp_path, shop_database_url=other)) == 4


@pytest.mark.parametrize("note", ["", "{", "[]", "{}", '{"place": "PLACE"}', '{"place": "PLACE", "position": "{}"}'])
def test_a_damaged_note_is_named_in_one_sentence(platform: Platform, note: str, url: str) -> None:
    platform.lake.note("products", note.replace("PLACE", ShopDatabase(url).place))
    with pytest.raises(PositionNoteError, match="delete it"):
        read(platform)


def test_a_wrong_address_is_named_in_one_sentence_without_its_password(url: str) -> None:
    secret = psycopg.conninfo.conninfo_to_dict(url)["password"]
    for wrong in (
        url.replace(f":{secret}@", ":s3cr3t@"),
        url.replace("@127.0.0.1", "@127.0.0.1:1,"),
        f"{url}nowhere",
        "postgresql://ada:s3cr3t@127.0.0.1:x/y",
        "postgresql://ada:s3cr3t@127.0.0.1:1/y?connect_timeout=2",
    ):
        with pytest.raises(ShopDatabaseError) as caught:
            list(ShopDatabase(wrong).read("orders", None, EARLIEST))
        assert "SHOP_DATABASE_URL" in str(caught.value)
        assert "s3cr3t" not in str(caught.value) and str(secret) not in str(caught.value)
        assert str(caught.value).count(". ") == 0
    assert str(secret) not in repr(ShopDatabase(url))


def test_what_the_user_may_not_read_or_what_is_not_there_is_named(url: str, shop: psycopg.Connection) -> None:
    secret = psycopg.conninfo.conninfo_to_dict(url)["password"]
    shop.execute("CREATE ROLE reader LOGIN PASSWORD 'r'")
    try:
        with pytest.raises(ShopDatabaseError, match=r"does not let this user read shop\.orders"):
            list(ShopDatabase(url.replace(f"postgres:{secret}", "reader:r")).read("orders", None, EARLIEST))
    finally:
        shop.execute("DROP ROLE reader")
    shop.execute("DROP TABLE shop.order_items")
    with pytest.raises(ShopDatabaseError, match=r"has no table shop\.order_items as expected"):
        list(ShopDatabase(url).read("order_items", None, EARLIEST))


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        ("now() + (1 / (stock - 1)) * interval '1 s' AS updated_at", "22012: division by zero"),
        ("updated_at::text AS updated_at", "42804: LEAST types text and timestamp with time zone"),
        ("(SELECT repeat('\n', 9)::timestamptz) AS updated_at", r'22007: invalid input syntax .*"\\n\\n'),
    ],
)
def test_what_is_wrong_with_a_table_is_named_with_the_servers_reason(
    url: str, shop: psycopg.Connection, column: str, reason: str
) -> None:
    add_products(shop, 0, 3)
    shop.execute("ALTER TABLE shop.products RENAME TO kept")
    shop.execute(f"CREATE VIEW shop.products AS SELECT product_id, {column} FROM shop.kept")
    with pytest.raises(ShopDatabaseError, match=rf"cannot read shop\.products \(.*{reason}") as caught:
        list(ShopDatabase(url).read("products", None, EARLIEST))
    assert "SHOP_DATABASE_URL" not in str(caught.value) and "\n" not in str(caught.value)


def test_without_a_database_the_asset_says_so(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path)
    with pytest.raises(SettingsError, match="SHOP_DATABASE_URL is not set"):
        list(read_table("orders", settings, open_platform(tmp_path).lake))
    result = dg.materialize([raw_asset(SOURCES["orders"])], resources=dict(build_resources(settings)))
    (made,) = result.asset_materializations_for_node("raw__orders")
    assert made.metadata["not read"].value == "SHOP_DATABASE_URL is not set"


def test_the_asset_reads_and_tells_how_many(platform: Platform, shop: psycopg.Connection) -> None:
    add_products(shop, 0, 5)
    result = dg.materialize([raw_asset(SOURCES["products"])], resources=dict(build_resources(platform.settings)))
    (made,) = result.asset_materializations_for_node("raw__products")
    assert made.metadata["rows"].value == 5
