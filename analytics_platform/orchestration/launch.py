"""Runs assets from the command line, with their history kept below DATA_DIR, where the UI finds it."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import dagster as dg

from analytics_platform.errors import UserError
from analytics_platform.orchestration.console import RunSummary, console_logger
from analytics_platform.orchestration.jobs import ARRIVALS, INGEST, RANGE_END, RANGE_START
from analytics_platform.orchestration.resources import check_writable
from analytics_platform.settings import Settings
from analytics_platform.sources.registry import SOURCES
from analytics_platform.transform import DayRange
from analytics_platform.warehouse import LEDGER_TABLES, open_warehouse
from analytics_platform.warehouse.ledger import loadings
from analytics_platform.warehouse.touched import days_to_build

JOB = "materialize"
BUILT_UP_TO = "analytics/built_up_to"
INSTANCE = Path(__file__).with_name("dagster.yaml")


class StartError(UserError):
    """The command cannot be carried out as given."""


def check_days(text: str, settings: Settings) -> DayRange:
    """Read a day or a range `A...B`. Raises `StartError` unless all its days are partitions."""
    try:
        days = DayRange.parse(text)
    except ValueError as error:
        raise StartError(str(error)) from error
    first, last = settings.partition_start, dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1)
    for day in (days.first, days.last):
        if not first <= day <= last:
            raise StartError(f"There is no partition {day}: days run from {first} (PARTITION_START) to {last}.")
    return days


def prepare_home(settings: Settings) -> Path:
    """Make DATA_DIR/dagster Dagster's home, unless DAGSTER_HOME names another; returns it."""
    home = Path(os.environ.setdefault("DAGSTER_HOME", str((settings.data_dir / "dagster").resolve())))
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists():
        shutil.copy(INSTANCE, home / "dagster.yaml")
    return home


def materialize(definitions: dg.Definitions, settings: Settings, select: str, days: str | None, debug: bool) -> bool:
    """Run the selected assets for the range `days`, and print a line per step; True if the run succeeded.

    Without days: load what arrived, then build the days touched by all that was loaded and is not built yet. Raises
    `StartError` for days that are no partitions, `SettingsError` if DATA_DIR cannot be written.
    """
    wanted = check_days(days, settings) if days else None
    check_writable(settings)
    prepare_home(settings)
    chosen = dg.AssetSelection.from_string(select)
    with dg.DagsterInstance.get() as instance:
        if wanted is None:
            if not _run(definitions, instance, None, None, debug):
                return False
            wanted, _ = _waiting(instance, settings)
            if wanted is None:
                print("Nothing new was loaded: no day to build.")
                return True
            print(f"Building {wanted}.")
            chosen = chosen - ARRIVALS  # they have just run
        if not _run(definitions, instance, chosen, wanted, debug):
            return False
        if select == "*":
            _mark_built(instance, settings, wanted)
        return True


def _waiting(
    instance: dg.DagsterInstance, settings: Settings, until: dt.datetime | None = None
) -> tuple[DayRange | None, str]:
    """Find the days to build after what was loaded (`until` then) and is not built, and the last batch's place.

    Batches count as built up to the mark that a successful run left. It is kept with the runs, not taken from what
    this process loaded: after a run that loaded and was killed before it built, the next must not find nothing to do.
    Without a mark everything is built again.
    """
    runs = instance.get_runs(dg.RunsFilter(job_name=JOB, statuses=[dg.DagsterRunStatus.SUCCESS]))
    built = max((run.tags.get(BUILT_UP_TO, "") for run in runs), default="")
    with open_warehouse(settings).session(read_only=True) as session:
        if not session.tables().issuperset(table.table.name for table in LEDGER_TABLES):
            return None, built
        loaded = [each for each in loadings(session) if until is None or each.finished_at <= until]
        new = [each for each in loaded if each.place > built]
        days = days_to_build(session, [each.batch_id for each in new], settings)
    return DayRange.parse(days) if days else None, max((each.place for each in new), default=built)


def _mark_built(instance: dg.DagsterInstance, settings: Settings, built: DayRange) -> None:
    """Leave the mark on the run that just succeeded, if it built every day that waited."""
    (run,) = instance.get_runs(dg.RunsFilter(job_name=JOB), limit=1)
    loads = {source.contract.table.name.replace(".", "__") for source in SOURCES.values()}
    begun = [
        stats.start_time
        for stats in instance.get_run_step_stats(run.run_id)
        if stats.start_time and stats.step_key not in loads and not stats.step_key.startswith("raw__")
    ]
    # What another process loaded after the first table was begun may be missing from it.
    waiting, last = _waiting(instance, settings, dt.datetime.fromtimestamp(min(begun), dt.UTC))
    if last and (waiting is None or (built.first <= waiting.first and waiting.last <= built.last)):
        instance.add_run_tags(run.run_id, {BUILT_UP_TO: last})


def _run(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    selection: dg.AssetSelection | None,
    days: DayRange | None,
    debug: bool,
) -> bool:
    """Run the selection (None: the job that loads what arrived) and print how it ended; True if it succeeded."""
    started, summary = time.monotonic(), RunSummary()
    extra = dg.Definitions(
        jobs=[] if selection is None else [dg.define_asset_job(JOB, selection)],
        loggers={} if debug else {"console": console_logger(summary)},
    )
    job = dg.Definitions.merge(definitions, extra).resolve_job_def(INGEST if selection is None else JOB)
    config: Mapping[str, object] = {} if debug else {"loggers": {"console": {"config": {}}}}
    tags = {RANGE_START: str(days.first), RANGE_END: str(days.last)} if days else {}
    result = job.execute_in_process(run_config=config, instance=instance, tags=tags, raise_on_error=False)
    took = time.monotonic() - started
    planned = {node.name.replace("__", ".") for node in job.nodes}
    if result.success:
        print(f"{len(planned)} steps done in {took:.1f} s, run {result.run_id}.")
        return True
    if waiting := len(planned - summary.ended):
        print(f"{waiting} steps wait for it and did not run.")
    print(f"Failed after {took:.1f} s, run {result.run_id}: {summary.cause or 'see the run in the UI'}")
    return False
