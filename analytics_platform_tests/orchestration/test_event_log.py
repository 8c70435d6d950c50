"""The instance of the command line keeps what Dagster's own event log would keep."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

from analytics_platform.orchestration.event_log import KEPT, KeptSqliteEventLogStorage
from analytics_platform.orchestration.launch import INSTANCE


@dg.asset(check_specs=[dg.AssetCheckSpec("positive", asset="numbers")])
def numbers() -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
    yield dg.AssetCheckResult(passed=True, metadata={"rows": 3})
    yield dg.MaterializeResult(metadata={"rows": 3})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(INSTANCE, tmp_path / "dagster.yaml")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "1000")
    return tmp_path


def materialize(instance: dg.DagsterInstance) -> str:
    return dg.materialize([numbers], instance=instance).run_id


def test_what_is_stored_is_found_by_dagsters_own_class_in_the_same_place(home: Path) -> None:
    with dg.DagsterInstance.from_config(str(home)) as instance:
        run_id = materialize(instance)
        assert isinstance(instance.event_log_storage, KeptSqliteEventLogStorage)
        stored = instance.all_logs(run_id)

    own = SqliteEventLogStorage(str(home / "history" / "runs"))
    assert [record.event_log_entry for record in own.get_records_for_run(run_id).records] == list(stored)
    assert own.get_latest_materialization_events([numbers.key])[numbers.key] is not None
    assert [record.run_id for record in own.get_asset_check_execution_history(numbers.check_keys.copy().pop(), 5)] == [
        run_id
    ]


def test_more_runs_than_are_kept_open_are_all_readable(home: Path) -> None:
    with dg.DagsterInstance.from_config(str(home)) as instance:
        runs = [materialize(instance) for _ in range(KEPT + 2)]
        assert len({len(instance.all_logs(run_id)) for run_id in runs}) == 1


def test_one_instance_sees_what_another_writes(home: Path) -> None:
    with dg.DagsterInstance.from_config(str(home)) as writer, dg.DagsterInstance.from_config(str(home)) as reader:
        for count in (1, 2):
            run_id = materialize(writer)
            assert len(reader.fetch_materializations(numbers.key, limit=5).records) == count
            assert reader.all_logs(run_id) == writer.all_logs(run_id)
