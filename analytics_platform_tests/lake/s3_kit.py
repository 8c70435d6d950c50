"""A bucket of moto's S3 on loopback, and the hands that damage what is in it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

import botocore.session
import pytest

from analytics_platform.lake import Batch
from analytics_platform.lake.bucket import S3Path
from analytics_platform.lake.s3 import S3Lake
from analytics_platform_tests.connectors.sqs.kit import CREDENTIALS
from analytics_platform_tests.moto_server import serve_moto

NAME = "shop"
REGION = "eu-central-1"


@dataclass(frozen=True)
class Bucket:
    """The bucket at an endpoint; `calls` are those that its lakes made, one name of an operation each."""

    endpoint: str
    prefix: str = "lake"
    calls: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"s3://{NAME}/{self.prefix}"

    @property
    def client(self) -> Any:
        return _client(self.endpoint)

    def lake(self, endpoint: str = "") -> S3Lake:
        """A lake as another process opens it."""
        session = botocore.session.get_session()
        session.set_credentials("test", "test")
        session.register("before-send.s3", lambda event_name, **_: self.calls.append(event_name.rpartition(".")[2]))
        return S3Lake(self.url, endpoint or self.endpoint, REGION, session)

    def keys(self) -> set[str]:
        """The names of all objects of the lake."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=NAME, Prefix=f"{self.prefix}/")
        return {each["Key"].removeprefix(f"{self.prefix}/") for page in pages for each in page.get("Contents", ())}

    def versions(self) -> set[bytes]:
        """The contents of all versions of all objects of the lake."""
        found = self.client.list_object_versions(Bucket=NAME, Prefix=f"{self.prefix}/").get("Versions", ())
        read = (self.client.get_object(Bucket=NAME, Key=each["Key"], VersionId=each["VersionId"]) for each in found)
        return {each["Body"].read() for each in read}

    def put(self, name: str, content: bytes) -> None:
        self.client.put_object(Bucket=NAME, Key=f"{self.prefix}/{name}", Body=content)

    def delete(self, name: str) -> None:
        self.client.delete_object(Bucket=NAME, Key=f"{self.prefix}/{name}")


@lru_cache
def _client(endpoint: str) -> Any:
    session = botocore.session.get_session()
    session.set_credentials("test", "test")
    return session.create_client("s3", REGION, endpoint_url=endpoint)


@contextmanager
def serve_bucket() -> Iterator[Bucket]:
    """Serve a bucket that keeps versions."""
    with serve_moto() as endpoint:
        bucket = Bucket(endpoint)
        with suppress(bucket.client.exceptions.BucketAlreadyOwnedByYou):  # another module has the same moto
            bucket.client.create_bucket(Bucket=NAME, CreateBucketConfiguration={"LocationConstraint": REGION})
        bucket.client.put_bucket_versioning(Bucket=NAME, VersioningConfiguration={"Status": "Enabled"})
        yield bucket


@pytest.fixture(scope="session")
def served() -> Iterator[Bucket]:
    with serve_bucket() as bucket:
        yield bucket


_NUMBERS = count()


@pytest.fixture
def bucket(served: Bucket, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A bucket with versions, the credentials for it, and a prefix in it that no other test has."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    return Bucket(served.endpoint, f"of/{next(_NUMBERS)}")


Fault: TypeAlias = Callable[[str, str], int | None]
"""What goes wrong with a request of a method and a path: a status to answer, 0 to hang up, what follows, or None."""

TRICKLE = 1
"""Answer with a header of which a byte comes every 0.05 s."""

HALF = 2
"""Do it, answer with the first half, and hang up."""

DONE = 3
"""Do it, and answer that it failed."""

ANSWERS = {
    200: b"<html><body>Back soon.</body></html>",
    403: b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>",
    500: b"<Error><Code>InternalError</Code><Message>no</Message></Error>",
    503: b"<Error><Code>SlowDown</Code><Message>no</Message></Error>",
}


@contextmanager
def serve_faults(endpoint: str, fault: Fault) -> Iterator[str]:
    """Serve what the endpoint does, but for faults; yields the address."""
    stopping = threading.Event()

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            is_chunked = self.headers.get("Transfer-Encoding") == "chunked"
            body = b"".join(self._chunks()) if is_chunked else self.rfile.read(int(self.headers["Content-Length"] or 0))
            status = fault(self.command, self.path)
            if status in (None, HALF, DONE):
                connection = HTTPConnection(endpoint.removeprefix("http://"), timeout=30)
                headers = {name: value for name, value in self.headers.items() if name != "transfer-encoding"}
                connection.request(self.command, self.path, body, headers)
                answer = connection.getresponse()
                content, headers = answer.read(), dict(answer.getheaders())
                connection.close()
                self.close_connection = status == HALF
                if status == DONE:
                    self._answer(500, ANSWERS[500], {})
                else:
                    self._answer(answer.status, content, headers, len(content) // (2 if status == HALF else 1))
            elif status == TRICKLE:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
                with suppress(OSError):
                    while not stopping.wait(0.05):
                        self.wfile.write(b"x")
                self.close_connection = True
            elif status:
                self._answer(status, ANSWERS[status], {})
            else:
                self.close_connection = True

        def _chunks(self) -> Iterator[bytes]:
            while size := int(self.rfile.readline(), 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()

        def _answer(self, status: int, content: bytes, headers: dict[str, str], sent: int | None = None) -> None:
            length = headers.get("Content-Length", headers.get("content-length")) if self.command == "HEAD" else None
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in ("content-length", "connection", "transfer-encoding", "date", "server"):
                    self.send_header(name, value)
            self.send_header("Content-Length", length or str(len(content)))
            self.end_headers()
            self.wfile.write(content[:sent] if self.command != "HEAD" else b"")

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass_on

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()


def overwrite(batch: Batch, name: str, content: bytes | None) -> None:
    """Write, or delete, a file beside that of a batch, as somebody with a shell would."""
    path = batch.path
    if isinstance(path, S3Path):
        client, key = _client(path.bucket._endpoint or ""), f"{path.key.rpartition('/')[0]}/{name}"
        client.delete_object(Bucket=NAME, Key=key)
        if content is not None:
            client.put_object(Bucket=NAME, Key=key, Body=content)
    elif content is None:
        Path(path).with_name(name).unlink()
    else:
        Path(path).with_name(name).write_bytes(content)
