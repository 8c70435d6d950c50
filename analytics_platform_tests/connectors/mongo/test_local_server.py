"""The local server: on loopback, stopped when it is no longer needed, and clear when it cannot start."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pymongo import MongoClient

from analytics_platform.connectors.mongo.source import MongoSource
from analytics_platform.demo.servers import LocalServerError
from analytics_platform.demo.servers.mongo_server import serve_mongo


def port_of(uri: str) -> int:
    port = urlsplit(uri).port
    assert port
    return port


def test_it_serves_on_a_free_port_and_is_gone_afterwards() -> None:
    client: MongoClient[dict[str, Any]]
    apart: MongoClient[dict[str, Any]]
    with serve_mongo() as uri, serve_mongo() as other:
        assert port_of(uri) != port_of(other)
        with MongoClient(uri) as client, MongoClient(other) as apart:
            client["shop"]["logs"].insert_one({"_id": 1})
            assert client["shop"]["logs"].find_one() == {"_id": 1}
            assert client["elsewhere"]["logs"].find_one() is None
            assert apart["shop"]["logs"].find_one() is None
    assert not is_open(uri)


def test_it_keeps_its_documents_in_a_folder(tmp_path: Path) -> None:
    client: MongoClient[dict[str, Any]]
    for expected in (0, 1):
        with serve_mongo(tmp_path) as uri, MongoClient(uri) as client:
            assert len(list(client["shop"]["logs"].find())) == expected
            client["shop"]["logs"].insert_one({"_id": expected})


def test_a_taken_port_is_reported() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LocalServerError, match=f"port {port} is taken"), serve_mongo(port=port):
            pass


PARENT = """
import time
from analytics_platform.demo.servers.mongo_server import serve_mongo
with serve_mongo() as uri:
    print(uri, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_server_ends_with_the_process_that_started_it(signal_number: int) -> None:
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        uri = process.stdout.readline().strip()
        (nothing,) = MongoSource(uri, "shop", "logs").read(None)
        assert nothing.documents == ()
        process.send_signal(signal_number)
    deadline = time.monotonic() + 10
    while is_open(uri) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_open(uri)


def is_open(uri: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port_of(uri))) == 0
