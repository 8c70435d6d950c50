"""A small, fast SQS on loopback for load and faults, speaking the protocol of the AWS SDKs (AWS JSON 1.0).

`python -m analytics_platform.demo.servers.sqs_server` runs it alone, `serve()` in a thread, `serve_in_process()` in a
process. Clients differ from those of the real service by AWS_ENDPOINT_URL only. Queues live in memory and are
standard ones: no FIFO order, no redrive policy, no signature is checked.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from analytics_platform.demo.servers.sqs_actions import Json, Service, ServiceError
from analytics_platform.demo.servers.sqs_queue import CHANCES, Faults

__all__ = ["Faults", "serve", "serve_in_process"]

MAX_HEAD = 64 << 10
MAX_BODY = 4 << 20
_FAULT: Json = {"__type": "InternalError", "message": "A fault was asked for."}
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
            self._write(500, _FAULT)
            return
        try:
            answer = self._call(target, body)
        except ServiceError as error:
            extra = f"x-amzn-query-error: {error.query_code};Sender\r\n"
            self._write(400, {"__type": f"com.amazonaws.sqs#{error.code}", "message": str(error)}, extra)
            return
        if isinstance(answer, Mapping):
            self._write(500 if broken else 200, _FAULT if broken else answer)
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
        self._write(500 if broken else 200, _FAULT if broken else result)
        self._answer_buffered()

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


LOOPBACK = "127.0.0.1"
_MODULE = "analytics_platform.demo.servers.sqs_server"


async def _listen(service: Service, host: str, port: int) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(service), host, port)
    bound = server.sockets[0].getsockname()
    service.url = f"http://{bound[0]}:{bound[1]}"
    return server


@contextmanager
def serve(faults: Faults | None = None, port: int = 0) -> Iterator[str]:
    """Serve in a thread of this process; yields the endpoint's URL. `faults` may be changed meanwhile.

    Raises `OSError` if the port is taken.
    """
    service, loop = Service(faults or Faults()), asyncio.new_event_loop()
    server = loop.run_until_complete(_listen(service, LOOPBACK, port))
    thread = threading.Thread(target=loop.run_forever, name="sqs-server", daemon=True)
    thread.start()
    try:
        yield service.url
    finally:
        loop.call_soon_threadsafe(server.close)
        asyncio.run_coroutine_threadsafe(_cancel_all(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


@contextmanager
def serve_in_process(faults: Faults | None = None, port: int = 0) -> Iterator[str]:
    """Serve in a separate process, which ends with this one; yields the endpoint's URL.

    Raises `OSError` if it does not start. Of `faults` the seed and the chances are handed over.
    """
    chosen = faults or Faults()
    command = [sys.executable, "-m", _MODULE, "--port", str(port), "--until-stdin-ends"]
    command += [f"--seed={chosen.seed}", *(f"--{name.replace('_', '-')}={getattr(chosen, name)}" for name in CHANCES)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            if not url:
                raise OSError(f"the local queue did not start on port {port}")
            yield url
        finally:
            process.terminate()


def main() -> None:
    """Read the arguments, print the address, serve until interrupted."""
    parser = argparse.ArgumentParser(prog="sqs_server", description="A local SQS for AWS_ENDPOINT_URL.")
    parser.add_argument("--host", default=LOOPBACK)
    parser.add_argument("--port", type=int, default=9324, help="0 takes a free one")
    parser.add_argument("--seed", type=int, default=0, help="of the faults")
    for name in CHANCES:
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=0.0, metavar="CHANCE", help="0 to 1")
    parser.add_argument("--until-stdin-ends", action="store_true", help="stop when whoever holds stdin is gone")
    arguments = vars(parser.parse_args())
    host, port, bounded = arguments.pop("host"), arguments.pop("port"), arguments.pop("until_stdin_ends")
    try:
        asyncio.run(_serve_forever(Service(Faults(**arguments)), host, port, bounded))
    except KeyboardInterrupt:
        return
    except OSError as error:
        sys.exit(f"sqs_server: cannot listen on {host}:{port}: {error.strerror}.")


async def _serve_forever(service: Service, host: str, port: int, until_stdin_ends: bool) -> None:
    server = await _listen(service, host, port)
    print(service.url, flush=True)
    if not until_stdin_ends:
        await server.serve_forever()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), ended.set)
    await ended.wait()


if __name__ == "__main__":
    main()
