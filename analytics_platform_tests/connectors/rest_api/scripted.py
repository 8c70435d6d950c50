"""An API on loopback that answers by a script, faults included, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, TypeAlias

from analytics_platform.connectors.rest_api.endpoint import Endpoint, Limits

Fault: TypeAlias = Literal["", "silent", "drips header", "drips body", "drips no length", "cut short", "hangs up"]


@dataclass(frozen=True)
class Request:
    """One request as it came; header names in lower case."""

    target: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """What the API does: an answer, or a way not to give one."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: Fault = ""


Script: TypeAlias = Callable[[Request], Answer]


def json_answer(document: object, **headers: str) -> Answer:
    """A document as an API gives it; `_` in header names stands for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(json.dumps(document).encode(), 200, {"Content-Type": "application/json"} | named)


class ScriptedApi(ThreadingHTTPServer):
    """Answers each request as the script says, or with the next of the answers."""

    daemon_threads = True

    def __init__(self, script: Script | list[Answer]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = script
        self.asked: list[Request] = []
        self.over = threading.Event()
        self._lock = threading.Lock()

    @property
    def server(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def url(self) -> str:
        return f"{self.server}/items"

    @property
    def targets(self) -> list[str]:
        """What was asked for, in order."""
        return [request.target for request in self.asked]

    def answer(self, request: Request) -> Answer:
        with self._lock:
            self.asked.append(request)
            if callable(self.script):
                return self.script(request)
            return self.script.pop(0) if self.script else Answer(b"the script is over", 418)

    def handle_error(self, request: object, client_address: object) -> None:
        """Expect clients that close the connection."""


class _Handler(BaseHTTPRequestHandler):
    server: ScriptedApi
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.answer(Request(self.path, headers))
        self.close_connection = bool(answer.fault)
        with suppress(OSError):
            self._send(answer)

    def _send(self, answer: Answer) -> None:
        match answer.fault:
            case "silent":
                self.server.over.wait(60)
                return
            case "hangs up":
                return
            case "drips header":
                self._drip(b"HTTP/1.1 200 OK\r\nX-Long: ")
                return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 304 and answer.fault != "drips no length":
            self.send_header("Content-Length", str(len(answer.body) + (answer.fault != "") * 1000))
        self.end_headers()
        self.wfile.write(answer.body)
        if answer.fault in ("drips body", "drips no length"):
            self._drip(b"")

    def _drip(self, start: bytes) -> None:
        """One byte every 20 ms, for as long as the client listens."""
        self.wfile.write(start)
        while not self.server.over.wait(0.02):
            self.wfile.write(b" ")

    def log_message(self, format: str, *args: object) -> None:
        """Tests look at `asked`."""


@contextmanager
def scripted_api(script: Script | list[Answer]) -> Iterator[ScriptedApi]:
    with ScriptedApi(script) as api:
        thread = threading.Thread(target=api.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield api
        finally:
            api.over.set()
            api.shutdown()
            thread.join()


QUICK = Limits(connect_s=20, read_s=20, total_s=50, attempts=3, first_wait_s=0.001, longest_wait_s=2)
"""Limits for tests: few retries, and timeouts that a slow machine does not reach."""

IMPATIENT = replace(QUICK, read_s=0.2)
"""Limits for an API that stays silent."""


class Clock:
    """Takes the place of sleeping and keeps for how long."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)


def items(api: ScriptedApi) -> Endpoint:
    """The API's list, declared."""
    return Endpoint("items", api.url)


def linked(pages: Sequence[Answer]) -> Script:
    """Pages at `/items`, `/items?page=2`, …, each with a `Link` to the next."""

    def answer(request: Request) -> Answer:
        number = int(request.target.partition("=")[2] or 1)
        page = pages[number - 1]
        link = {"Link": f'</items?page={number + 1}>; rel="next"'} if number < len(pages) else {}
        return replace(page, headers={**page.headers, **link})

    return answer
