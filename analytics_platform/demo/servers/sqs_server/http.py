"""HTTP/1.1 as the AWS SDKs speak it: POST with Content-Length, kept alive, one request after the other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from analytics_platform.demo.servers.sqs_server.actions import Json, Service, ServiceError

MAX_HEAD = 64 << 10
MAX_BODY = 4 << 20
_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 413: "Content Too Large", 500: "Internal Server Error"}


class Connection(asyncio.Protocol):
    """One client. A receive that waits is cancelled when its client goes away."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._buffer = bytearray()
        self._waiting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        """Stop waiting for messages."""
        if self._waiting is not None:
            self._waiting.cancel()

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._buffer += data
        self._answer_buffered()

    def _answer_buffered(self) -> None:
        while self._waiting is None and (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            headers = _headers(bytes(self._buffer[:end]))
            length = headers.get("content-length", "0")
            if not length.isdigit() or int(length) > MAX_BODY:
                self._refuse(413)
                return
            complete = end + 4 + int(length)
            if len(self._buffer) < complete:
                return
            body = bytes(self._buffer[end + 4 : complete])
            del self._buffer[:complete]
            self._answer(headers.get("x-amz-target", ""), body)
        if self._waiting is None and len(self._buffer) > MAX_HEAD + MAX_BODY:
            self._refuse(413)

    def _answer(self, target: str, body: bytes) -> None:
        faults = self._service.faults
        broken = faults.strike(faults.server_errors)
        if broken and faults.draws.random() < 0.5:
            self._write(500, {"__type": "InternalError", "message": "A fault was asked for."})
            return
        try:
            answer = self._call(target, body)
        except ServiceError as error:
            self._fail(error)
            return
        if isinstance(answer, Mapping):
            self._send(answer, broken)
        else:
            self._waiting = asyncio.ensure_future(self._send_later(answer, broken))

    def _call(self, target: str, body: bytes) -> Any:
        action = self._service.actions.get(target.removeprefix("AmazonSQS."))
        if action is None:
            raise ServiceError("UnsupportedOperation", f"The local queue has no action {target!r}.")
        try:
            return action(json.loads(body))
        except (KeyError, TypeError, AttributeError, UnicodeError, json.JSONDecodeError) as error:
            raise ServiceError("InvalidParameterValue", f"The request is not understood: {error!r}.") from error

    async def _send_later(self, answer: Any, broken: bool) -> None:
        result = await answer
        self._waiting = None
        self._send(result, broken)
        self._answer_buffered()

    def _send(self, answer: Json, broken: bool) -> None:
        if broken:
            self._write(500, {"__type": "InternalError", "message": "A fault was asked for."})
        else:
            self._write(200, answer)

    def _fail(self, error: ServiceError) -> None:
        extra = f"x-amzn-query-error: {error.query_code};Sender\r\n"
        self._write(400, {"__type": f"com.amazonaws.sqs#{error.code}", "message": str(error)}, extra)

    def _refuse(self, status: int) -> None:
        self._write(status, {})
        self._transport.close()

    def _write(self, status: int, answer: Json, extra: str = "") -> None:
        body = json.dumps(answer).encode()
        head = (
            f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: application/x-amz-json-1.0\r\n"
            f"Content-Length: {len(body)}\r\n{extra}\r\n"
        )
        self._transport.write(head.encode() + body)


def _headers(head: bytes) -> Mapping[str, str]:
    """Names in lower case. The request line has no colon before its first space worth keeping."""
    lines = head.decode("latin-1").split("\r\n")[1:]
    parts = (line.partition(":") for line in lines)
    return {name.lower(): value.strip() for name, _, value in parts}
