"""`dagster dev` in a new folder, and its GraphQL API."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx

from analytics_platform.orchestration.launch import INSTANCE
from analytics_platform_tests.processes import end_with_all

T = TypeVar("T")
PATIENCE_S = 600.0


class DagsterServer:
    """A running server."""

    def __init__(self, url: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.url = url
        self._process = process
        self._log = log

    def ask(self, query: str, **variables: object) -> dict[str, Any]:
        """The data that answers a GraphQL query."""
        answer = httpx.post(f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=30).json()
        assert "errors" not in answer, answer
        data: dict[str, Any] = answer["data"]
        return data

    def wait_for(self, what: str, look: Callable[[], T | None]) -> T:
        """What `look` finds, as soon as it is neither None nor empty; an unreachable server is looked at again."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            assert self._process.poll() is None, f"dagster dev ended: {self._tail()}"
            try:
                if found := look():
                    return found
            except httpx.TransportError:
                pass
            time.sleep(1)  # an answer takes the server a tenth of a second of CPU
        raise TimeoutError(f"{what} did not happen in {PATIENCE_S:g} s: {self._tail()}")

    def _tail(self) -> str:
        return self._log.read_text("utf-8", errors="replace")[-3000:]


@contextmanager
def dagster_dev(folder: Path, environment: Mapping[str, str]) -> Iterator[DagsterServer]:
    """Web server, daemon and code server on loopback for the length of a `with` block, Dagster's home in `folder`."""
    home = folder / "dagster"
    home.mkdir(parents=True)
    shutil.copy(INSTANCE, home / "dagster.yaml")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "dagster_dev.log"
    command = [sys.executable, "-m", "dagster", "dev", "-m", "analytics_platform.definitions"]
    command += ["-h", "127.0.0.1", "-p", str(port)]
    own = {**os.environ, **environment, "DAGSTER_HOME": str(home), "PYTHONWARNINGS": "ignore"}
    with (
        log.open("wb") as output,
        subprocess.Popen(command, env=own, stdout=output, stderr=subprocess.STDOUT, start_new_session=True) as process,
    ):
        try:
            server = DagsterServer(f"http://127.0.0.1:{port}", process, log)
            server.wait_for("the start of the web server", lambda: server.ask("{version}"))
            yield server
        finally:
            end_with_all(process)
