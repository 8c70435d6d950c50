"""The command line, called in this process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from analytics_platform.cli.commands import run_command
from analytics_platform_tests.end_to_end.platform_run import clickstream
from analytics_platform_tests.kit import Platform, load_landed, open_platform

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


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """A loaded file of which 5.8 % of the rows were rejected."""
    platform = open_platform(tmp_path_factory.mktemp("data"))
    platform.landing.joinpath("bad.csv").write_text(clickstream(1000, without_client=58), "utf-8")
    with platform.session() as session:
        load_landed(platform, session)
    return platform
