"""Runs of this process stand in Dagster's timeline and on the pages of their jobs, which ask for their origin."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
import yaml

import analytics_platform
from analytics_platform.orchestration.timeline import show_in_timeline

LOCATION = yaml.safe_load(Path(analytics_platform.__file__).parents[1].joinpath("workspace.yaml").read_text("utf-8"))


@dg.op
def step() -> None:
    """Do nothing."""


@dg.job
def work() -> None:
    """One step."""
    step()


@pytest.mark.parametrize("kept", [False, True])
def test_a_run_of_this_process_is_one_of_the_code_location_of_the_workspace(kept: bool, tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) if kept else dg.DagsterInstance.ephemeral() as instance:
        done = work.execute_in_process(instance=instance, tags={"mine": "kept"})
        show_in_timeline(instance, done.run_id)
        ((source,),) = (each.values() for each in LOCATION["load_from"])
        repository = dg.Definitions(jobs=[work]).get_repository_def().name
        label = {".dagster/repository": f"{repository}@{source['location_name']}"}
        (run,) = instance.get_runs(dg.RunsFilter(job_name="work", tags=label))
        assert (run.status, run.tags["mine"]) == (dg.DagsterRunStatus.SUCCESS, "kept")
        assert run.remote_job_origin is not None
        assert run.remote_job_origin.location_name == source["location_name"]
        assert run.remote_job_origin.repository_origin.repository_name == repository
