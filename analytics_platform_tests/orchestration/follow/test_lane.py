"""The process `follow`: its start, its end by a kill or a signal, and a second process beside it."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import dagster as dg
import pytest
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from analytics_platform.connectors.sqs import Queue
from analytics_platform.demo.servers.start import start_queue
from analytics_platform.orchestration.alerts.sensor import LANE, lane_runs
from analytics_platform.orchestration.follow.lane import Lane
from analytics_platform.orchestration.follow.state import ENDED, LaneState, only_lane, read_state, write_state
from analytics_platform.orchestration.jobs import REBUILD
from analytics_platform.orchestration.launch import prepare_home
from analytics_platform.orchestration.sensors import build_sensors
from analytics_platform.warehouse.upgrade import find_outdated
from analytics_platform.warehouse.versions import OTHER_VERSION
from analytics_platform_tests.kit import Platform, click, open_with_tables, to_csv
from analytics_platform_tests.orchestration.follow.lane_kit import FIRST, Followed, messages
from analytics_platform_tests.orchestration.follow.victim import PLACES
from analytics_platform_tests.shop_messages import shop_message

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
PATIENCE_S = 120


@pytest.fixture(autouse=True)
def own_environment() -> Iterator[None]:
    """Undo what a test sets. A test of the sensors, later in the same process, looked for a queue that had ended."""
    with patch.dict(os.environ):
        yield


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Platform:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    platform = open_with_tables(tmp_path)
    prepare_home(platform.settings)
    return platform


@contextmanager
def lane(followed: Followed) -> Iterator[list[Mapping[str, object]]]:
    """A lane that builds in this process; gives what it says."""
    said: list[Mapping[str, object]] = []
    started = Lane(followed.job, followed.instance, followed.platform.settings, said.append)
    thread = threading.Thread(target=started.build)
    thread.start()
    try:
        yield said
    finally:
        started.stop.set()
        thread.join()


@retry(retry=retry_if_result(lambda found: not found), stop=stop_after_delay(PATIENCE_S), wait=wait_fixed(0.1))
def batch_of(said: list[Mapping[str, object]]) -> Mapping[str, object] | None:
    return next((each for each in said if each["event"] == "batch"), None)


@pytest.mark.parametrize(
    "place", [pytest.param(each, marks=pytest.mark.slow if n else ()) for n, each in enumerate(PLACES)]
)
def test_killed_anywhere_the_next_lane_builds_what_was_loaded_without_a_new_message(
    place: str, platform: Platform, tmp_path: Path
) -> None:
    with dg.DagsterInstance.get() as instance:
        followed = Followed(platform, instance)
        followed.put(messages(5, 30))
        command = [sys.executable, "-m", "analytics_platform_tests.orchestration.follow.victim", str(tmp_path), place]
        assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
        with lane(followed) as said:
            batch_of(said)
        assert followed.contents() == followed.rebuilt(tmp_path / "rebuilt")
        built, killed = instance.get_runs()
        assert (built.status, killed.status) == (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.CANCELED)
        with lane(followed) as said:
            pass
        assert not [each for each in said if each["event"] == "batch"]  # all is built: no run without messages


def test_a_lane_takes_in_files_too_and_leaves_one_that_is_rejected_until_it_changes(platform: Platform) -> None:
    with dg.DagsterInstance.get() as instance:
        followed = Followed(platform, instance)
        platform.landing.joinpath("bad.csv").write_text("a,b\n1,2\n", "utf-8")
        platform.landing.joinpath("good.csv").write_text(to_csv([click("ada", FIRST)]), "utf-8")
        with lane(followed) as said:
            batch_of(said)
        (run,) = instance.get_runs()
        assert run.remote_job_origin is not None, "the timeline does not show it"
        records = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION).records
        found = [record.event_log_entry.get_dagster_event().asset_check_evaluation_data for record in records]
        (bad,) = (each for each in found if not each.passed)
        assert bad.check_name == "files_readable" and "bad.csv" in str(bad.description)
        assert followed.rows("SELECT count(*) FROM star.fact_events") == [(1,)]


def test_a_lane_tells_of_a_sheet_of_rejected_records_that_it_cannot_write_and_builds(platform: Platform) -> None:
    rows = [click("", FIRST), *(click(f"c{number}", FIRST) for number in range(50))]
    platform.landing.joinpath("bad.csv").write_text(to_csv(rows), "utf-8")
    sheet = platform.settings.quarantine_dir / "bad.csv_errors.csv"
    sheet.joinpath("in the way").mkdir(parents=True)
    with dg.DagsterInstance.get() as instance, lane(Followed(platform, instance)) as said:
        batch_of(said)

    (warning,) = (each for each in said if each["event"] == "warning")
    assert str(warning["reason"]).startswith(f"{sheet} cannot be brought up to date (Is a directory): ")


def test_it_waits_for_a_warehouse_that_another_process_writes_and_says_so(platform: Platform) -> None:
    script = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print(flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", script, str(platform.settings.warehouse_path)]
    with dg.DagsterInstance.get() as instance, subprocess.Popen(command, stdin=-1, stdout=-1) as other:
        assert other.stdout and other.stdout.readline()
        followed = Followed(platform, instance)
        followed.put([shop_message("u1", FIRST)])
        with lane(followed) as said:
            _waits(said)
            other.communicate()
            batch_of(said)
        assert followed.rows("SELECT count(*) FROM star.fact_events") == [(1,)]


def test_it_waits_for_the_upgrade_of_a_warehouse_that_another_version_built(platform: Platform) -> None:
    with platform.session() as session:
        session.execute("ALTER TABLE marts.daily_trends DROP COLUMN events")
    with dg.DagsterInstance.get() as instance, lane(Followed(platform, instance)) as said:
        _waits(said, OTHER_VERSION)
    with platform.session() as session:
        assert find_outdated(session)  # a lane adds columns, after which nobody would know


@retry(retry=retry_if_result(lambda found: not found), stop=stop_after_delay(PATIENCE_S), wait=wait_fixed(0.1))
def _waits(said: list[Mapping[str, object]], why: str = "in use by another process") -> bool:
    return any(why in str(each.get("state")) for each in said)


def test_told_to_stop_it_ends_well_and_a_second_process_says_that_one_follows_already(platform: Platform) -> None:
    command = [sys.executable, "-m", "analytics_platform.cli.main", "follow"]
    with start_queue() as environment:
        settings = {**os.environ, **environment, "PARTITION_START": "2026-01-01"}
        with subprocess.Popen(command, env=settings, stdout=subprocess.PIPE, text=True) as first:
            assert first.stdout and json.loads(first.stdout.readline())["state"] == "follows"
            second = subprocess.run(command, env=settings, check=False, capture_output=True, text=True)
            assert second.returncode == 2 and f"Process {first.pid} follows already" in second.stderr
            _queue(environment).send([shop_message("u1", FIRST)])
            assert json.loads(first.stdout.readline())["event"] == "batch"
            first.terminate()
            assert first.wait(PATIENCE_S) == 0
    state = read_state(platform.settings)
    assert state is not None and (state.doing, state.messages) == (ENDED, 1)


def _queue(environment: Mapping[str, str]) -> Queue:
    os.environ.update(environment)
    return Queue(environment["SQS_QUEUE_URL"], environment["AWS_ENDPOINT_URL"])


def test_while_a_lane_runs_the_sensor_of_files_starts_nothing(platform: Platform) -> None:
    platform.landing.joinpath("a.csv").write_text(to_csv([click("ada", FIRST)]), "utf-8")
    (sensor,) = (each for each in build_sensors(platform.settings, platform.lake) if each.name == "clickstream_files")
    with dg.DagsterInstance.ephemeral() as instance:
        with only_lane(platform.settings):
            found = sensor(dg.build_sensor_context(instance))
            assert isinstance(found, dg.SensorResult) and not found.run_requests
        found = sensor(dg.build_sensor_context(instance))
        assert isinstance(found, dg.SensorResult) and found.run_requests


def test_while_a_lane_runs_the_full_lane_builds_touched_days_again_only_some_time_after_its_last_run(
    platform: Platform,
) -> None:
    (sensor,) = (each for each in build_sensors(platform.settings, platform.lake) if each.name == "touched_days")
    with dg.DagsterInstance.ephemeral() as instance, only_lane(platform.settings):
        found = sensor(dg.build_sensor_context(instance))
        assert isinstance(found, dg.SensorResult)
        before = found.skip_reason
        instance.add_run(dg.DagsterRun(job_name=REBUILD, run_id="done", status=dg.DagsterRunStatus.SUCCESS))
        found = sensor(dg.build_sensor_context(instance))
        assert isinstance(found, dg.SensorResult) and found.skip_reason != before
        assert "follow" in str(found.skip_reason)


@pytest.mark.parametrize(
    ("age_s", "lag_s", "doing", "is_stalled"),
    [(1, 2, "follows", False), (61, 0, "follows", True), (1, 61, "follows", True), (9999, 0, ENDED, False)],
)
def test_a_lane_that_is_silent_or_behind_is_an_alert_and_another_one_when_it_works_again(
    age_s: float, lag_s: float, doing: str, is_stalled: bool, platform: Platform
) -> None:
    state = LaneState(at=NOW - dt.timedelta(seconds=age_s), pid=1, doing=doing, lag_s=lag_s)
    write_state(platform.settings, state)
    found = lane_runs(platform.settings, (), NOW)
    assert [problem.key for run in found for problem in run.problems] == ([LANE] if is_stalled else [])
    again = lane_runs(platform.settings, {LANE}, NOW)
    assert [key for run in again for key in run.passed] == ([] if is_stalled else [LANE])
