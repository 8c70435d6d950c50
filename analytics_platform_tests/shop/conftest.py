"""A shop on real servers: PostgreSQL and Redis, and MongoDB's protocol (MONGODB_URI, or the local server)."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator

import psycopg
import pytest

from analytics_platform.demo.servers.databases import LocalRedis, serve_redis
from analytics_platform.demo.servers.mongo_server import serve_mongo
from analytics_platform.settings import Settings, load_settings
from analytics_platform.shop.schema import migrate
from analytics_platform.shop.service import Shop, open_shop
from analytics_platform_tests.postgres import new_database


@pytest.fixture(scope="session")
def mongo_uri() -> Iterator[str]:
    if given := os.environ.get("MONGODB_URI"):
        yield given
        return
    with serve_mongo() as uri:
        yield uri


@pytest.fixture(scope="session")
def redis_server() -> Iterator[LocalRedis]:
    with serve_redis() as server:
        yield server


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    with new_database() as url:
        migrate(url)
        yield url


@pytest.fixture
def database_url(database: str) -> str:
    """The shop's tables, empty."""
    tables = "shop.outbox, shop.order_items, shop.orders, shop.products, shop.customers"
    with psycopg.connect(database) as connection:
        connection.execute(f"TRUNCATE {tables} RESTART IDENTITY")
    return database


@pytest.fixture
def redis_url(redis_server: LocalRedis) -> str:
    """The cache, empty."""
    from redis import Redis

    with Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url


@pytest.fixture
def settings(database_url: str, mongo_uri: str, redis_url: str) -> Settings:
    """With a separate MongoDB database."""
    return load_settings(
        shop_database_url=database_url,
        redis_url=redis_url,
        mongodb_uri=mongo_uri,
        mongodb_database=f"shop_{secrets.token_hex(4)}",
    )


@pytest.fixture
def shop(settings: Settings) -> Iterator[Shop]:
    with open_shop(settings, connections=16) as shop:
        yield shop
