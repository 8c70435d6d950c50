"""Servers for the tests: the local one, or the MongoDB that `MONGODB_URI` names, and a scripted one for faults."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient

from analytics_platform.demo.servers.mongo_server import serve_mongo
from analytics_platform_tests.connectors.mongo.scripted_server import ScriptedServer, serve
from analytics_platform_tests.connectors.mongo.shop import Shop

GIVEN = os.environ.get("MONGODB_URI", "")
"""The one place where the tests get a real server. Each test uses a new database there, and drops it."""


@pytest.fixture(scope="session")
def server_uri() -> Iterator[str]:
    if GIVEN:
        yield GIVEN
    else:
        with serve_mongo() as uri:
            yield uri


@pytest.fixture
def real_shop(server_uri: str) -> Iterator[Shop]:
    """A collection on the local server, or on the given one."""
    client: MongoClient[dict[str, Any]]
    with MongoClient(server_uri) as client:
        name = f"test_{uuid.uuid4().hex[:12]}"
        yield Shop(server_uri, client[name])
        client.drop_database(name)


@pytest.fixture
def scripted() -> Iterator[tuple[Shop, ScriptedServer]]:
    """A collection on a scripted server, and the server."""
    client: MongoClient[dict[str, Any]]
    with serve() as (uri, server), MongoClient(uri) as client:
        yield Shop(uri, client["scripted"]), server


@pytest.fixture(params=["real", "scripted"])
def shop(request: pytest.FixtureRequest) -> Shop:
    """A collection to read by keys: each promise holds on both servers."""
    if request.param == "real":
        found: Shop = request.getfixturevalue("real_shop")
        return found
    found, server = request.getfixturevalue("scripted")
    server.replica_set = False
    return found


@pytest.fixture
def streamed(request: pytest.FixtureRequest) -> Shop:
    """A collection with a change stream: on the given server if it is a replica set, else on the scripted one."""
    if GIVEN:
        client: MongoClient[dict[str, Any]]
        with MongoClient(GIVEN) as client:
            has_changes = "setName" in client.admin.command("hello")
        if has_changes:
            found: Shop = request.getfixturevalue("real_shop")
            return found
    found, _ = request.getfixturevalue("scripted")
    return found
