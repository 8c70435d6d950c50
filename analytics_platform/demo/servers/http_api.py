"""The users API of the demo and the tests: a JSON file served on loopback.

`/users` is the content of the file, with ETag; new content is served as soon as it is there. With
`_page` and `_limit` (or `page_size`) it comes in pages, with `Link`, as from json-server.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from analytics_platform.demo.servers.local import serve_app


@contextmanager
def serve_users(file: Path, page_size: int = 0) -> Iterator[str]:
    """Yield the address of the file's content while the context lasts; `page_size` gives pages also unasked."""

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

    with serve_app(Starlette(routes=[Route("/users", answer)])) as url:
        yield f"{url}/users"


def _page(request: Request, file: Path, page_size: int) -> tuple[bytes, dict[str, str]]:
    """Return the body that a request asks for, and its headers. Raises `ValueError` if the query is wrong."""
    body = file.read_bytes()
    headers = {}
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
        headers["Link"] = ", ".join(links)
    return body, headers | {"ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"'}
