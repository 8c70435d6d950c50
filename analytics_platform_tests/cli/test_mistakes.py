"""What a person gets wrong is one sentence, and a repetition does no harm."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from analytics_platform_tests.cli.conftest import Call
from analytics_platform_tests.end_to_end.platform_run import clickstream
from analytics_platform_tests.kit import load_landed, open_platform


def test_a_batch_that_is_named_twice_is_taken_once_and_a_reason_shows_no_password(call: Call, tmp_path: Path) -> None:
    platform = open_platform(tmp_path)
    platform.landing.joinpath("bad.csv").write_text(clickstream(40, without_client=10), "utf-8")
    with platform.session() as session:
        load_landed(platform, session)
        batch_id = str(session.rows("SELECT batch_id FROM ops.pipeline_logs")[0][0])
    for command in ("accept", "withdraw"):
        reason = "see postgresql://ada:s3cret@db/shop"
        done = call(platform.settings.data_dir, command, batch_id, batch_id[:6], "--reason", reason)
        assert (done.returncode, done.stderr) == (0, "")
        assert "s3cret" not in done.stdout and done.stdout.count(f"Batch {batch_id} (bad.csv) is ") == 1
    assert "s3cret" not in call(platform.settings.data_dir, "status").stdout


@pytest.mark.parametrize("made", ["TABLE ops.pipeline_logs (a int)", "VIEW cleaned.clickstream AS SELECT 1 AS a"])
def test_a_database_of_somebody_else_is_said_in_one_sentence(call: Call, tmp_path: Path, made: str) -> None:
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as other:
        other.execute(f"CREATE SCHEMA {made.split()[1].split('.')[0]}; CREATE {made}")
    for command in (("status",), ("monitor",)):
        said = call(tmp_path, *command)
        words = "is no warehouse of this platform, though it has tables of the same names: correct WAREHOUSE_URL"
        assert said.returncode and words in " ".join(said.stderr.split()) and "Traceback" not in said.stderr


def test_a_warehouse_that_is_a_link_to_nothing_is_said_with_a_remedy_that_works(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "data" / "warehouse.duckdb"
    path.parent.mkdir()
    path.symlink_to(tmp_path / "away" / "x.duckdb")
    said = call(path.parent, "monitor")
    words = f"is a link to {tmp_path / 'away' / 'x.duckdb'}, which is not there: bring that back, or delete the link."
    assert said.returncode and words in " ".join(said.stderr.split())
