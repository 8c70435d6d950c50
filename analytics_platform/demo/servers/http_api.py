"""The users API of the demo and the tests: a JSON file served on loopback.

with serve_users(Path("users.json")) as url: …
python -m analytics_platform.demo.servers.http_api users.json --port 8080

`/users` is the file as it lies, with ETag and Last-Modified; another content is served as soon as it is there. With
`_page` and `_limit` (or `page_size`) it comes in pages, with `Link` and `X-Total-Count`, as json-server does it.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import hashlib
import json
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qs, urlencode, urlsplit

import typer

LOG = logging.getLogger(__name__)
HOST = "127.0.0.1"
PATH = "/users"


class UsersServer(ThreadingHTTPServer):
    """Serves one file on loopback. `page_size` cuts answers into pages also when none are asked for."""

    daemon_threads = True

    def __init__(self, file: Path, port: int = 0, page_size: int = 0) -> None:
        """Raises `OSError` if the port is taken. Port 0 is any free one."""
        super().__init__((HOST, port), _Handler)
        self.file = file
        self.page_size = page_size

    @property
    def url(self) -> str:
        """The address of the list."""
        return f"http://{HOST}:{self.server_address[1]}{PATH}"


@contextmanager
def serve_users(file: Path, port: int = 0, page_size: int = 0) -> Iterator[str]:
    """Yield the address at which the file is served while the context lasts."""
    with UsersServer(file, port, page_size) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server.url
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD."""

    server: UsersServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        if address.path.rstrip("/") != PATH:
            self._send(HTTPStatus.NOT_FOUND, b"{}", {})
            return
        try:
            body, headers = self._page(parse_qs(address.query))
        except FileNotFoundError:
            self._send(HTTPStatus.SERVICE_UNAVAILABLE, b"{}", {"Retry-After": "1"})
        except ValueError:
            self._send(HTTPStatus.BAD_REQUEST, b"{}", {})
        else:
            unchanged = self.headers.get("If-None-Match") == headers["ETag"]
            status = HTTPStatus.NOT_MODIFIED if unchanged else HTTPStatus.OK
            self._send(status, b"" if unchanged else body, headers)

    do_HEAD = do_GET

    def _page(self, query: Mapping[str, list[str]]) -> tuple[bytes, dict[str, str]]:
        """The body that a query asks for, and its headers. Raises `ValueError` if it is none."""
        body = self.server.file.read_bytes()
        changed = dt.datetime.fromtimestamp(self.server.file.stat().st_mtime, dt.UTC)
        headers = {"Last-Modified": email.utils.format_datetime(changed, usegmt=True)}
        size = int(query.get("_limit", [str(self.server.page_size)])[0])
        if size > 0:
            users, page = json.loads(body), max(1, int(query.get("_page", ["1"])[0]))
            body = json.dumps(users[(page - 1) * size : page * size], ensure_ascii=False).encode()
            headers |= {"X-Total-Count": str(len(users)), "Link": self._link(page, size, len(users))}
        return body, headers | {"ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"'}

    def _link(self, page: int, size: int, users: int) -> str:
        last = max(1, -(-users // size))
        pages = {"first": 1, "prev": page - 1, "next": page + 1, "last": last}
        return ", ".join(
            f'<{self.server.url}?{urlencode({"_page": number, "_limit": size})}>; rel="{relation}"'
            for relation, number in pages.items()
            if 1 <= number <= last
        )

    def _send(self, status: HTTPStatus, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        LOG.debug(format, *args)


def main(
    file: Annotated[Path, typer.Argument(help="JSON list of users.", exists=True, dir_okay=False)],
    port: Annotated[int, typer.Option(help="Port on loopback; 0 is any free one.")] = 8080,
    page_size: Annotated[int, typer.Option(help="Users per page; 0 is all on one page.")] = 0,
) -> None:
    """Serve a JSON file of users on loopback until Ctrl-C."""
    with UsersServer(file, port, page_size) as server:
        print(f"USERS_API_URL={server.url}", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    typer.run(main)
