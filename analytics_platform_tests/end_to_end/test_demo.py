"""The demo on all sources, small: what people run first."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

DEMO = "from analytics_platform.cli.main import main; main()"


def run_demo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", DEMO, "demo", *arguments]
    environment = {**os.environ, "DATA_DIR": str(folder), "COLUMNS": "200"}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=600, check=False, umask=0o022
    )


def test_the_tables_of_all_sources_say_what_the_simulator_says_and_the_queue_is_empty(tmp_path: Path) -> None:
    # With fewer visitors the logs have none of some kinds of broken documents.
    ran = run_demo(tmp_path / "demo", "--days", "3", "--visitors", "150")

    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    assert "≠" not in ran.stdout
    assert "After the data that arrived on time" in ran.stdout and "After the late data" in ran.stdout
    assert "All figures are equal to the truth." in ran.stdout
    for source in ("clickstream", "ecommerce_events", "web_logs", "users"):
        assert source in ran.stdout
    assert "The queue is empty." in ran.stdout
    shared = [path for path in [tmp_path / "demo", *(tmp_path / "demo").rglob("*")] if path.lstat().st_mode & 0o077]
    assert not [path for path in shared if not path.is_symlink()]


def test_a_folder_with_other_data_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine", "utf-8")

    ran = run_demo(tmp_path)

    assert ran.returncode != 0
    assert "has other data" in ran.stderr and "Traceback" not in ran.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]
