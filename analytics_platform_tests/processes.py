"""Processes that start others."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress


def end_with_all(process: subprocess.Popen[bytes]) -> None:
    """End a process that leads a group, and what it started."""
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(60)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # a code server of Dagster now and then waits for ever
