"""Servers on loopback that the demo and the tests start: in a thread, or in a child process."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

LOOPBACK = "127.0.0.1"


class LocalServerError(RuntimeError):
    """A local server does not start; the message has the reason."""


def free_port() -> int:
    """Find a port on loopback on which no server listens."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


@contextmanager
def serve_module(module: str, *arguments: str) -> Iterator[str]:
    """Run a module as a server in a child process while the context lasts; yields the address that it prints.

    The module must end with its standard input, so that it never outlives this process. Raises `LocalServerError`.
    """
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            printed = process.stdout.readline().strip()
            if "://" not in printed:
                raise LocalServerError(f"{module} did not start: {printed or 'it printed nothing'}.")
            yield printed
        finally:
            process.kill()


@contextmanager
def serve_app(app: ASGIApp, port: int = 0) -> Iterator[str]:
    """Serve `app` in a thread while the context lasts, on a free port for 0; yields its URL, without a path.

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
