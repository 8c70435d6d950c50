"""The users API of the demo and the tests: a JSON file served on loopback.

with serve_users(Path("users.json")) as url: …
python -m analytics_platform.demo.servers.http_api users.json --port 8080

`/users` is the content of the file, with ETag and Last-Modified; a new content is served as soon as it is there. With
`_page` and `_limit` (or `page_size`) it comes in pages, with `Link` and `X-Total-Count`, as from json-server.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import hashlib
import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from analytics_platform.demo.servers.asgi import serve_app

PATH = "/users"


@contextmanager
def serve_users(file: Path, port: int = 0, page_size: int = 0) -> Iterator[str]:
    """Yield the address at which the file is served while the context lasts.

    `page_size` cuts answers into pages also when none are asked for. Raises `OSError` if the port is taken.
    """

    def answer(request: Request) -> Response:
        try:
            body, headers = _page(request, file, page_size)
        except FileNotFoundError:
            return Response("{}", 503, {"Retry-After": "1"})
        except ValueError:
            return Response("{}", 400)
        if request.headers.get("If-None-Match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type="application/json")

    with serve_app(Starlette(routes=[Route(PATH, answer)]), port) as url:
        yield url + PATH


def _page(request: Request, file: Path, page_size: int) -> tuple[bytes, dict[str, str]]:
    """Return the body that a request asks for, and its headers. Raises `ValueError` if the query is wrong."""
    body = file.read_bytes()
    changed = dt.datetime.fromtimestamp(file.stat().st_mtime, dt.UTC)
    headers = {"Last-Modified": email.utils.format_datetime(changed, usegmt=True)}
    size = int(request.query_params.get("_limit", page_size))
    if size > 0:
        users, page = json.loads(body), max(1, int(request.query_params.get("_page", 1)))
        body = json.dumps(users[(page - 1) * size : page * size], ensure_ascii=False).encode()
        last = max(1, -(-len(users) // size))
        links = (
            f'<{request.url.include_query_params(_page=number, _limit=size)}>; rel="{relation}"'
            for relation, number in {"first": 1, "prev": page - 1, "next": page + 1, "last": last}.items()
            if 1 <= number <= last
        )
        headers |= {"X-Total-Count": str(len(users)), "Link": ", ".join(links)}
    return body, headers | {"ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"'}


def main(
    file: Annotated[Path, typer.Argument(help="JSON list of users.", exists=True, dir_okay=False)],
    port: Annotated[int, typer.Option(help="Port on loopback; 0 is any free one.")] = 8080,
    page_size: Annotated[int, typer.Option(help="Users per page; 0 is all on one page.")] = 0,
) -> None:
    """Serve a JSON file of users on loopback until Ctrl-C."""
    with serve_users(file, port, page_size) as url, suppress(KeyboardInterrupt):
        print(f"USERS_API_URL={url}", flush=True)
        signal.pause()


if __name__ == "__main__":
    typer.run(main)
