"""The servers that the demo starts by itself, on loopback. Real services differ by their addresses only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

import boto3
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from analytics_platform.demo.servers import serve_app
from analytics_platform.demo.servers.databases import serve_postgres, serve_redis
from analytics_platform.demo.servers.mongo_server import serve_mongo
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
    access = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    with serve_in_process() as endpoint:
        client = boto3.client("sqs", region_name="eu-west-1", **access, endpoint_url=endpoint)
        yield {
            **LOCAL_CREDENTIALS,
            "AWS_ENDPOINT_URL": endpoint,
            "SQS_QUEUE_URL": client.create_queue(QueueName=QUEUE)["QueueUrl"],
            "SQS_DLQ_URL": client.create_queue(QueueName=DEAD_LETTERS)["QueueUrl"],
        }


@contextmanager
def serve_users(file: Path, page_size: int = 0) -> Iterator[str]:
    """Serve the users API from a JSON file, with an ETag; yields its address. New content is served at once.

    With a `page_size` it comes in pages, each with a `Link` header to the next.
    """

    def answer(request: Request) -> Response:
        if not file.exists():
            return Response("{}", 503, {"Retry-After": "1"})
        body, headers = file.read_bytes(), {}
        if page_size:
            users, page = json.loads(body), int(request.query_params.get("_page", 1))
            body = json.dumps(users[(page - 1) * page_size : page * page_size], ensure_ascii=False).encode()
            if page * page_size < len(users):
                headers["Link"] = f'<{request.url.include_query_params(_page=page + 1)}>; rel="next"'
        headers["ETag"] = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        if request.headers.get("If-None-Match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type="application/json")

    with serve_app(Starlette(routes=[Route("/users", answer)])) as url:
        yield f"{url}/users"
