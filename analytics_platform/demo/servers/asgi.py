"""Serve an ASGI application on loopback from a thread of this process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

LOOPBACK = "127.0.0.1"


@contextmanager
def serve_app(app: ASGIApp, port: int = 0) -> Iterator[str]:
    """Serve `app` while the context lasts, on a free port for 0; yields its URL, without a path.

    Raises `OSError` if the port is taken.
    """
    with socket.create_server((LOOPBACK, port), backlog=1024) as listener:
        config = uvicorn.Config(app, log_level="error", access_log=False, lifespan="off", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), name="asgi-server", daemon=True)
        thread.start()
        try:
            yield f"http://{LOOPBACK}:{listener.getsockname()[1]}"
        finally:
            # without force the server would wait for the answer to a long poll, up to 20 s
            server.should_exit = server.force_exit = True
            thread.join()
