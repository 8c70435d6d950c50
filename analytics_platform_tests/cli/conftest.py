"""The command line, called in this process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from analytics_platform.cli.commands import run_command

Call: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """The command line in this process, which is ten times as fast: arguments and result are those of `_run`."""

    def run(data_dir: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["analytics-platform", *arguments])
            for name, value in {"DATA_DIR": str(data_dir), "COLUMNS": "170", **environment}.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                run_command()
        return subprocess.CompletedProcess(arguments, int(str(ended.value.code or 0)), *capfd.readouterr())

    return run
