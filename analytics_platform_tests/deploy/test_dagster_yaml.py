"""The production instance of Dagster: its storage in PostgreSQL, runs through a queue that a daemon empties."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from analytics_platform_tests.end_to_end.platform_run import clickstream
from analytics_platform_tests.postgres import new_database
from analytics_platform_tests.processes import end_with_all

ROOT = Path(__file__).parents[2]
ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
PATIENCE_S = 180
CLEANED = dg.AssetKey(["cleaned", "clickstream"])


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Dagster's home and the warehouse, each with a separate database, and one file to load."""
    home, data = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("data")
    shutil.copy(ROOT / "deploy" / "dagster.yaml", home)
    landing = data / "landing" / "clickstream"
    landing.mkdir(parents=True)
    landing.joinpath("rows.csv").write_text(clickstream(50), "utf-8")
    with new_database() as storage, new_database() as warehouse:
        yield {
            **os.environ,
            "DAGSTER_HOME": str(home),
            "DAGSTER_POSTGRES_URL": storage.replace("://", "+psycopg2://", 1),
            "DATA_DIR": str(data),
            "WAREHOUSE_URL": warehouse,
            "AUTOMATION": "true",
            "SENSOR_SECONDS": "600",  # one look: nothing is built after what it starts
            "PYTHONWARNINGS": "ignore",
        }


@pytest.fixture(scope="module")
def instance(environment: dict[str, str]) -> Iterator[dg.DagsterInstance]:
    patch = pytest.MonkeyPatch()
    patch.setenv("DAGSTER_POSTGRES_URL", environment["DAGSTER_POSTGRES_URL"])
    with patch.context(), dg.DagsterInstance.from_config(environment["DAGSTER_HOME"]) as opened:
        yield opened
    patch.undo()


def test_limits_monitoring_and_retention_are_set(instance: dg.DagsterInstance) -> None:
    queue = instance.get_concurrency_config()
    assert queue.run_queue_config is not None
    assert queue.run_queue_config.max_concurrent_runs == 4
    assert queue.pool_config.default_pool_limit == 4
    assert instance.run_monitoring_enabled
    assert instance.run_monitoring_max_runtime_seconds == 6 * 3600
    assert set(instance.get_settings("retention")["sensor"]["purge_after_days"].values()) == {7, 90}


def test_a_run_goes_through_the_queue_into_the_warehouse_and_its_events_are_read_back_from_postgresql(
    environment: dict[str, str], instance: dg.DagsterInstance
) -> None:
    daemon = [sys.executable, "-m", "dagster._daemon", "run", "-m", "analytics_platform.definitions"]
    with subprocess.Popen(
        daemon, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, start_new_session=True
    ) as process:
        try:
            run = _first_to_end(instance)
        finally:
            end_with_all(process)
    assert run.status == dg.DagsterRunStatus.SUCCESS, [entry.message for entry in instance.all_logs(run.run_id)][-5:]
    (record,) = instance.get_asset_records([CLEANED])
    event = record.asset_entry.last_materialization
    assert event is not None and event.run_id == run.run_id
    assert event.asset_materialization is not None
    assert event.asset_materialization.metadata["new rows"].value == 50
    kinds = {entry.dagster_event.event_type for entry in instance.all_logs(run.run_id) if entry.dagster_event}
    wanted = dg.DagsterEventType
    assert kinds >= {wanted.RUN_ENQUEUED, wanted.ASSET_CHECK_EVALUATION, wanted.RUN_SUCCESS}
    with psycopg.connect(environment["DAGSTER_POSTGRES_URL"].replace("+psycopg2", "")) as connection:
        assert (run.run_id, "SUCCESS") in connection.execute("SELECT run_id, status FROM runs").fetchall()
        keys = {key for (key,) in connection.execute("SELECT asset_key FROM asset_keys").fetchall()}
        assert json.dumps(CLEANED.path) in keys
    written = list(Path(environment["DATA_DIR"], "lake").rglob("*"))
    assert written and not [path for path in written if path.stat().st_mode & 0o077]
    with psycopg.connect(environment["WAREHOUSE_URL"]) as connection:
        assert connection.execute("SELECT rows_accepted FROM ops.pipeline_logs").fetchall() == [(50,)]


def _first_to_end(instance: dg.DagsterInstance) -> dg.DagsterRun:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        for run in instance.get_runs(dg.RunsFilter(job_name="ingest_everything", statuses=ENDED)):
            return run
        time.sleep(0.5)
    raise TimeoutError(f"no run ended in {PATIENCE_S} s")
