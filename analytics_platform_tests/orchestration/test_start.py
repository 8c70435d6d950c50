from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from analytics_platform.orchestration.start import StartError, check_days, check_start
from analytics_platform.settings import Settings, load_settings
from analytics_platform.warehouse import open_warehouse


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path, partition_start="2026-01-01")


@pytest.mark.parametrize("days", ["2026-01-01", "2026-01-01...2026-01-31"])
def test_days_that_are_partitions_are_let_through(settings: Settings, days: str) -> None:
    check_days(days, settings)


def test_tomorrow_is_a_partition_and_the_day_after_is_not(settings: Settings) -> None:
    today = dt.datetime.now(dt.UTC).date()
    check_days(f"{today + dt.timedelta(days=1)}", settings)
    with pytest.raises(StartError, match="There is no partition"):
        check_days(f"{today + dt.timedelta(days=3)}", settings)


@pytest.mark.parametrize(
    ("days", "sentence"),
    [
        ("2025-12-31...2026-01-02", "There is no partition 2025-12-31: days run from 2026-01-01"),
        ("2026-01-02...2026-01-01", "The range 2026-01-02...2026-01-01 is not of the form"),
        ("soon", "'soon' in --partition-range soon is not a day"),
        ("2026-02-30", "'2026-02-30' in --partition-range 2026-02-30 is not a day"),
    ],
)
def test_other_days_are_named_with_what_to_write(settings: Settings, days: str, sentence: str) -> None:
    with pytest.raises(StartError) as error:
        check_days(days, settings)

    assert str(error.value).startswith(sentence)


def test_other_commands_are_not_looked_at(settings: Settings) -> None:
    check_start(["dagster", "dev", "--partition", "soon"], settings, open_warehouse(settings))


COMMAND = ["dagster", "asset", "materialize", "--select", "*", "-m", "analytics_platform.definitions"]


def test_an_unknown_partition_ends_the_command_in_one_sentence(settings: Settings) -> None:
    with pytest.raises(StartError, match="There is no partition 2009-01-01"):
        check_start([*COMMAND, "--partition-range", "2009-01-01...2009-01-02"], settings, open_warehouse(settings))


def test_a_warehouse_in_use_ends_the_command_in_one_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", *COMMAND, "--partition-range", "2026-01-01"]
    environment = {**os.environ, "DATA_DIR": str(tmp_path), "PYTHONWARNINGS": "ignore"}
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")):
        ended = subprocess.run(command, capture_output=True, text=True, env=environment)

    assert ended.returncode == 1
    assert "is in use by another process: wait until its run has ended, or stop it." in ended.stderr
    assert "Traceback" not in ended.stderr
