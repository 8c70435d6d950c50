"""Files of rejected records that cannot be written are named by whatever would write them, and hold up nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from analytics_platform.cli.commands import run_command
from analytics_platform_tests.kit import Platform, click, load_landed, open_platform, to_csv
from analytics_platform_tests.orchestration.follow.lane_kit import FIRST

REMEDY = "move away what stands there. All rejected records are in ops.quarantine."


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    """A file with a rejected row, and a folder where its sheet would be."""
    platform = open_platform(tmp_path)
    platform.landing.joinpath("bad.csv").write_text(to_csv([click("", FIRST), click("ada", FIRST)]), "utf-8")
    platform.settings.quarantine_dir.joinpath("bad.csv_errors.csv", "in the way").mkdir(parents=True)
    return platform


@pytest.mark.parametrize(
    "arguments",
    [
        ("accept", "{batch}", "--reason", "seen"),
        ("withdraw", "{batch}", "--reason", "wrong"),
        ("replay", "{batch}"),
        ("erase", "--client", "ada"),
        ("materialize", "--select", "cleaned/clickstream"),
    ],
)
def test_each_command_names_a_sheet_that_it_cannot_write_and_does_its_work(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    with platform.session() as session:
        load_landed(platform, session)
        ((batch,),) = session.rows("SELECT batch_id FROM ops.pipeline_logs")
    monkeypatch.setattr(sys, "argv", ["analytics-platform", *(each.format(batch=batch) for each in arguments)])
    monkeypatch.setenv("DATA_DIR", str(platform.settings.data_dir))
    monkeypatch.setenv("MAX_ERROR_RATE", "1")
    with pytest.raises(SystemExit) as ended:
        run_command()

    said = "".join(capfd.readouterr())
    assert not ended.value.code, said
    assert said.count("bad.csv_errors.csv cannot be brought up to date (Is a directory): ") == said.count(REMEDY) == 1
