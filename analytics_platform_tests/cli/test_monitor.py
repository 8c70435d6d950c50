"""What `monitor` prints of the watchdog's answers, and how it ends."""

from __future__ import annotations

from pathlib import Path

from analytics_platform_tests.cli.conftest import Call
from analytics_platform_tests.kit import Platform, open_platform
from analytics_platform_tests.shop_messages import load_messages


def test_monitor_exits_1_and_names_the_breach(call: Call, platform: Platform) -> None:
    ended = call(platform.settings.data_dir, "monitor", COLUMNS="600")

    assert ended.returncode == 1
    assert "error_rate" in ended.stdout
    assert "58 of 1,000 rows rejected (5.80%): 58 for client_id: missing; also day 2026-03-01" in ended.stdout


def test_monitor_exits_0_when_the_threshold_allows_it(call: Call, platform: Platform) -> None:
    assert call(platform.settings.data_dir, "monitor", MAX_ERROR_RATE="0.10").returncode == 0


def test_monitor_does_not_call_ok_what_has_too_few_rows_to_check(call: Call, tmp_path: Path) -> None:
    platform = open_platform(tmp_path)
    with platform.session() as session:
        load_messages(platform, session, ["no JSON"])
    ended = call(tmp_path, "monitor", COLUMNS="600")
    marks = {cells[1].strip(): cells[2].strip() for line in ended.stdout.splitlines() if (cells := line.split("│"))[3:]}
    unchecked = ("error_rate", "volume", "incremental", "orders")
    assert [marks[check] for check in unchecked] == ["–"] * 4 and marks["conservation"] == "ok"
