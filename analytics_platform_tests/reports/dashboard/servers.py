"""Starts what the dashboard needs, on loopback and in temporary folders, and ends it again."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from analytics_platform_tests.processes import end_with_all

DAGSTER_YAML = """
telemetry: {enabled: false}
nux: {enabled: false}
run_coordinator:
  module: dagster._core.run_coordinator
  class: DefaultRunCoordinator
"""
"""Runs start at once, without the daemon."""

_PATIENCE_S = 90.0


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(command: list[str], url: str, log: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """The command runs, and answers at `url`, for the length of a `with` block."""
    with log.open("w") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **environment}, start_new_session=True
        )
    try:
        _wait_for(url, process, log)
        yield
    finally:
        end_with_all(process)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + _PATIENCE_S
    while time.monotonic() < ends:
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            httpx.get(url, timeout=5).raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError(f"{url} did not answer:\n{log.read_text()[-2000:]}")


@contextmanager
def dagster_webserver(folder: Path, code: list[str], environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """The address of a webserver for a code location (`-f file` or `-m module`), with an instance in the folder."""
    home = folder / "dagster"
    home.mkdir(parents=True)
    (home / "dagster.yaml").write_text(DAGSTER_YAML)
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "dagster_webserver", "-h", "127.0.0.1", "-p", str(port), *code]
    own = {"DAGSTER_HOME": str(home), "PYTHONWARNINGS": "ignore", **(environment or {})}
    with serving(command, f"{url}/server_info", folder / "webserver.log", own):
        yield url
