"""The servers that the demo starts by itself, on loopback. Real services differ by their addresses only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

import boto3

from analytics_platform.demo.servers.http_api import serve_users
from analytics_platform.demo.servers.mongo_server import serve_mongo
from analytics_platform.demo.servers.postgres import serve_postgres
from analytics_platform.demo.servers.redis_server import serve_redis
from analytics_platform.demo.servers.sqs_server import serve_in_process
from analytics_platform.shop.schema import migrate

QUEUE, DEAD_LETTERS = "shop-events", "shop-events-dead-letters"
LOCAL_CREDENTIALS: Mapping[str, str] = MappingProxyType(
    {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": "eu-west-1"}
)
"""The local queue needs none, but the client makes no request without."""


@contextmanager
def start_servers(users: Path) -> Iterator[Mapping[str, str]]:
    """Start them all on free ports while the context lasts; yields the environment that leads to them.

    `users` is the file that the users API answers with.
    """
    with ExitStack() as stack:
        queues = stack.enter_context(start_queue())
        mongo = {"MONGODB_URI": stack.enter_context(serve_mongo())}
        api = {"USERS_API_URL": stack.enter_context(serve_users(users))}
        shop = stack.enter_context(start_shop())
        yield {**queues, **mongo, **api, **shop}


@contextmanager
def start_shop() -> Iterator[Mapping[str, str]]:
    """Start the shop's own PostgreSQL with its tables, and its Redis; yields the environment that leads to them.

    Their content is lost afterwards.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="shop-"))
        postgres = stack.enter_context(serve_postgres(Path(folder) / "server", forgetful=True))
        redis = stack.enter_context(serve_redis())
        url = postgres.make_database("shop")
        migrate(url)
        yield {"SHOP_DATABASE_URL": url, "REDIS_URL": redis.url}


@contextmanager
def start_queue() -> Iterator[Mapping[str, str]]:
    """Start the queue alone, with its dead letters; yields the environment that leads to it."""
    with serve_in_process() as endpoint:
        client = boto3.client(
            "sqs",
            endpoint_url=endpoint,
            region_name=LOCAL_CREDENTIALS["AWS_DEFAULT_REGION"],
            aws_access_key_id=LOCAL_CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=LOCAL_CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )
        yield {
            **LOCAL_CREDENTIALS,
            "AWS_ENDPOINT_URL": endpoint,
            "SQS_QUEUE_URL": client.create_queue(QueueName=QUEUE)["QueueUrl"],
            "SQS_DLQ_URL": client.create_queue(QueueName=DEAD_LETTERS)["QueueUrl"],
        }
