"""A command that a signal stops ends with its usual exit code, from its first moment on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from analytics_platform.errors import STOPPED

TOLD_TO_STOP = """
import os, time, analytics_platform.settings
def stop(**_):
    os.kill(os.getpid(), int(os.environ["TOLD"]))
    time.sleep(600)
analytics_platform.settings.load_settings = stop
"""
TOLD_BEFORE_IT_BEGINS = """
import os, sys, time
class Told:
    def find_spec(self, name, *_):
        if name == "typer":
            os.kill(os.getpid(), int(os.environ["TOLD"]))
            time.sleep(600)
sys.meta_path.insert(0, Told())
"""


@pytest.mark.parametrize(
    ("begin", "sentence"), [(TOLD_TO_STOP, f"analytics-platform: {STOPPED}\n"), (TOLD_BEFORE_IT_BEGINS, "")]
)
@pytest.mark.parametrize(
    ("number", "arguments"),
    [
        (signal.SIGINT, ["status"]),
        (signal.SIGTERM, ["status"]),
        (signal.SIGTERM, ["replay"]),
        (signal.SIGTERM, ["erase", "--user", "1"]),
    ],
)
def test_every_command_that_is_told_to_stop_ends_with_its_usual_code_and_no_traceback(
    number: int, arguments: list[str], begin: str, sentence: str
) -> None:
    command = [sys.executable, "-c", f"{begin}from analytics_platform.cli.main import main; main()", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "TOLD": str(int(number))})

    assert (ended.returncode, ended.stdout, ended.stderr) == (128 + number, "", sentence)
