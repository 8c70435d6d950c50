"""Runs assets from the command line, with their history kept below DATA_DIR, where the UI finds it."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import dagster as dg

from analytics_platform.ingest import days_to_build
from analytics_platform.orchestration.console import RunSummary, console_logger
from analytics_platform.orchestration.jobs import INGEST
from analytics_platform.orchestration.start import check_days
from analytics_platform.settings import Settings
from analytics_platform.warehouse import open_warehouse

JOB = "materialize"
INSTANCE = Path(__file__).with_name("dagster.yaml")


def prepare_home(settings: Settings) -> Path:
    """Make DATA_DIR/dagster Dagster's home, unless DAGSTER_HOME names another; returns it."""
    home = Path(os.environ.setdefault("DAGSTER_HOME", str((settings.data_dir / "dagster").resolve())))
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists():
        shutil.copy(INSTANCE, home / "dagster.yaml")
    return home


def materialize(definitions: dg.Definitions, settings: Settings, select: str, days: str | None, debug: bool) -> bool:
    """Run the selected assets for the range `days`, and print a line per step; True if the run succeeded.

    Without days: load what arrived, then build the days that the loaded records touch. Raises `StartError` for days
    that are no partitions.
    """
    if days:
        check_days(days, settings)
    prepare_home(settings)
    chosen = dg.AssetSelection.from_string(select)
    with dg.DagsterInstance.get() as instance:
        if days:
            return _run(definitions, instance, chosen, days, debug)
        known = _ids_of_batches(settings)
        if not _run(definitions, instance, None, None, debug):
            return False
        with open_warehouse(settings).session(read_only=True) as session:
            touched = days_to_build(session, sorted(_ids_of_batches(settings) - known), settings)
        if not touched:
            print("Nothing new was loaded: no day to build.")
            return True
        print(f"Building {touched}. If this is interrupted, run: analytics-platform materialize --days {touched}")
        return _run(definitions, instance, chosen, touched, debug)


def _ids_of_batches(settings: Settings) -> set[str]:
    warehouse = open_warehouse(settings)
    if not warehouse.exists():
        return set()
    with warehouse.session(read_only=True) as session:
        if "ops.pipeline_logs" not in session.tables():
            return set()
        return {batch for (batch,) in session.rows("SELECT batch_id FROM ops.pipeline_logs")}


def _run(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    selection: dg.AssetSelection | None,
    days: str | None,
    debug: bool,
) -> bool:
    """One run: of the selection, else of the job that loads what arrived."""
    started, summary = time.monotonic(), RunSummary()
    extra = dg.Definitions(
        jobs=[] if selection is None else [dg.define_asset_job(JOB, selection)],
        loggers={} if debug else {"console": console_logger(summary)},
    )
    job = dg.Definitions.merge(definitions, extra).resolve_job_def(INGEST if selection is None else JOB)
    config: Mapping[str, object] = {} if debug else {"loggers": {"console": {"config": {}}}}
    first, _, last = (days or "").partition("...")
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last or first}
    result = job.execute_in_process(
        run_config=config, instance=instance, tags=tags if days else {}, raise_on_error=False
    )
    took = time.monotonic() - started
    planned = {node.name.replace("__", ".") for node in job.nodes}
    if result.success:
        print(f"{len(planned)} steps done in {took:.1f} s, run {result.run_id}.")
        return True
    if waiting := len(planned - summary.ended):
        print(f"{waiting} steps wait for it and did not run.")
    print(f"Failed after {took:.1f} s, run {result.run_id}: {summary.cause or 'see the run in the UI'}")
    return False
