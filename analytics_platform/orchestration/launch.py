"""Runs assets from the command line, with their history kept below DATA_DIR, where the UI finds it."""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
import sqlite3
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from fnmatch import filter as matching
from pathlib import Path

import dagster as dg

# Private: `code_location:…` ends in it. A public error of the same meaning would replace it, once Dagster has one.
from dagster._check import CheckError
from sqlalchemy.exc import DBAPIError

from analytics_platform.catalog import CONTRACTS
from analytics_platform.errors import STOPPED, UserError, complain, count, did_you_mean, printable
from analytics_platform.lake import check_writable, open_lake
from analytics_platform.orchestration.console import brought_nothing, causes_of, console_logger, name_of
from analytics_platform.orchestration.jobs import ARRIVALS, BUILT_UP_TO, FOLLOW, INGEST, RANGE_END, RANGE_START, TOUCHED
from analytics_platform.orchestration.timeline import show_in_timeline
from analytics_platform.settings import Settings
from analytics_platform.transform import DayRange
from analytics_platform.warehouse import LEDGER_TABLES, open_warehouse
from analytics_platform.warehouse.ledger import known_days, loadings
from analytics_platform.warehouse.session import DamageError
from analytics_platform.warehouse.touched import Touched, touched_after
from analytics_platform.warehouse.upgrade import Outdated, find_outdated, is_not_built, upgrade
from analytics_platform.warehouse.versions import OTHER_VERSION

JOB = "materialize"
ALL = "all"
"""All days with events, in place of a range."""
INSTANCE = Path(__file__).with_name("dagster.yaml")


class StartError(UserError):
    """The command cannot be carried out as given."""


def check_days(text: str, settings: Settings) -> DayRange:
    """Read a day or a range `A...B`. Raises `DaysError` for another text, `StartError` for days without partitions."""
    days = DayRange.parse(text)
    first, last = settings.partition_start, dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1)
    for day in (days.first, days.last):
        if not first <= day <= last:
            limits = f"from {first} (PARTITION_START) to {last}, tomorrow, the latest day that events may have"
            raise StartError(f"{day} cannot be built: days run {limits}.")
    return days


def all_days(settings: Settings) -> DayRange:
    """Return the days from the first to the last one with loaded events. Raises `StartError` if there is none."""
    warehouse, known = open_warehouse(settings), None
    if warehouse.exists():
        with warehouse.session(read_only=True) as session:
            known = known_days(session) if "ops.batch_days" in session.tables() else None
    if known is None or known[1] < settings.partition_start:
        raise StartError("--days all: no event was loaded yet: run `analytics-platform materialize` without --days.")
    return DayRange(max(known[0], settings.partition_start), known[1])


def find_assets(definitions: dg.Definitions, select: str) -> set[dg.AssetKey]:
    """Find the assets that a selection in Dagster's syntax names. Raises `StartError` if it, or a part, names none."""
    graph = definitions.resolve_asset_graph()
    buildable, groups = graph.materializable_asset_keys, {str(node.group_name) for node in graph.asset_nodes}
    names = {key.to_user_string() for key in graph.get_all_asset_keys()} | groups
    # Of a selection with several parts Dagster leaves out those that name nothing, without a word.
    parts = re.findall(r'\b(?:key|group):"?([^\s"()+]+)', select)
    wrong = next((part for part in parts if not matching(names, part)), None)
    try:
        found = dg.AssetSelection.from_string(select).resolve(graph) & buildable
    except (dg.DagsterError, CheckError, NotImplementedError):  # the latter two: a filter that only the UI has
        found = set()
    if not found or wrong:
        usage = 'write marts/daily_trends, +key:"marts/daily_trends" (it and all it is built from) or group:marts.'
        name, known = wrong or select, {*map(dg.AssetKey.to_user_string, buildable), *groups}
        hint = "" if " " in name else did_you_mean(name, known)  # a name with a blank is an expression: show one
        raise StartError(f"--select: {name!r} names no asset that can be built: {hint or usage}")
    return set(found)


def prepare_home(settings: Settings) -> Path:
    """Make DATA_DIR/dagster Dagster's home, unless DAGSTER_HOME names another; returns it."""
    home = Path(os.environ.setdefault("DAGSTER_HOME", str((settings.data_dir / "dagster").resolve())))
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", "1000")  # events that come together are stored together
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists():
        shutil.copyfile(INSTANCE, home / "dagster.yaml")
    return home


def materialize(
    definitions: dg.Definitions, settings: Settings, select: str, days: str | None, debug: bool, *, load: bool = True
) -> bool:
    """Run the selected assets for the range `days`, or `all`, and print a line per step; True if all succeeded.

    Without days: `load` what arrived, then build the days touched by all that was loaded and is not built yet. Raises
    `UserError` for a selection that names no asset, for days that are no partitions, and if DATA_DIR cannot be written;
    `KeyboardInterrupt` if a signal stops the process.
    """
    chosen, wanted = find_assets(definitions, select), check_days(days, settings) if days and days != ALL else None
    check_writable(settings)
    open_lake(settings).exists()  # a bucket that cannot be used is said before a run starts
    prepare_home(settings)
    wanted = all_days(settings) if days == ALL else wanted
    # What only fetches into the lake needs no warehouse.
    outdated, is_upgrading = _outdated(settings) if any(key.path[0] != "raw" for key in chosen) else (None, False)
    # To build some tables would give them columns that lack values on other days, and nothing would say so any more.
    # To build some days breaks contracts: a replaced table has no others.
    if (outdated or is_upgrading) and (select != "*" or wanted):
        complain(OTHER_VERSION.replace(" first", " without --days first") if wanted else OTHER_VERSION)
        return False
    failed: list[tuple[str, str]] = []
    touched: Touched | None = None
    with history() as instance:
        if outdated:
            _upgrade(instance, settings, outdated)
        if wanted is None:
            failed = _run(definitions, instance, chosen & ARRIVALS if load else (), None, debug)
            chosen -= ARRIVALS
            # Nothing is built if an asset failed; where only checks of files or batches did, the others are.
            if any("__" in step for step, _ in failed):
                print("What is not named as failed or rejected is loaded. No day is built until the rest is settled.")
            elif chosen:
                try:
                    touched, _ = _waiting(instance, settings)
                    wanted = _hull(touched)
                except DamageError:  # the step that builds the table fails with it; the others are built
                    wanted = all_days(settings)
                print(f"Building {wanted}." if wanted else "Nothing new was loaded: no day to build.")
        if chosen and wanted:
            not_built = _run(definitions, instance, chosen, wanted, debug, touched)
            if select == "*" and not not_built:
                _mark_built(instance, settings, wanted, touched)
            failed += not_built
    causes: dict[str, list[str]] = {}
    for step, cause in failed:
        causes.setdefault(cause, []).append(step.replace("__", "."))
    for cause, steps in causes.items():
        print(printable(f"Failed: {', '.join(steps)}: {cause}"))
    return not failed


@contextmanager
def history() -> Iterator[dg.DagsterInstance]:
    """Open Dagster's storage. Raises `UserError` if a SQLite file of it is damaged or cannot be written."""
    try:
        with dg.DagsterInstance.get() as instance:
            yield instance
    except DBAPIError as error:
        if not isinstance(error.orig, sqlite3.Error):
            raise
        home = os.environ["DAGSTER_HOME"]
        raise UserError(
            f"The history of runs in {home} cannot be used ({error.orig}): make room if its disk is full, else move its"
            f" folders history and schedules away; then run again. Without them all days are built once more."
        ) from error


def built_up_to(instance: dg.DagsterInstance) -> str:
    """Return the place in the ledger up to which all is built, as successful runs left it; empty if none did."""
    succeeded = [dg.DagsterRunStatus.SUCCESS]
    runs = instance.get_runs(dg.RunsFilter(job_name=JOB, statuses=succeeded))
    last = instance.get_runs(dg.RunsFilter(job_name=FOLLOW, statuses=succeeded), limit=1)  # there may be one a second
    return max((run.tags.get(BUILT_UP_TO, "") for run in (*runs, *last)), default="")


def _outdated(settings: Settings) -> tuple[Outdated | None, bool]:
    """Find what another version built, if there is a warehouse; and whether no day was built since an upgrade."""
    warehouse = open_warehouse(settings)
    if not warehouse.exists():
        return None, False
    with warehouse.session(read_only=True) as session:
        outdated, is_upgrading = find_outdated(session), False
        with suppress(DamageError):  # the first step that writes the table says so, after its files are loaded
            is_upgrading = is_not_built(session)
        return outdated, is_upgrading


def _upgrade(instance: dg.DagsterInstance, settings: Settings, outdated: Outdated) -> None:
    """Give tables that another version built today's columns; all days wait to be built then."""
    print(outdated)
    # First: a run that is killed between the two must not leave tables empty that count as built.
    for job in (JOB, FOLLOW):
        for run in instance.get_runs(dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.SUCCESS])):
            if run.tags.get(BUILT_UP_TO):
                instance.add_run_tags(run.run_id, {BUILT_UP_TO: ""})
    with open_warehouse(settings).session() as session:
        upgrade(session, outdated)


def _waiting(
    instance: dg.DagsterInstance, settings: Settings, until: dt.datetime | None = None
) -> tuple[Touched | None, str]:
    """Find what was touched by what was loaded (`until` then) and is not built, and the last batch's place.

    Batches count as built up to the mark that a successful run left. It is kept with the runs, not taken from what
    this process loaded: after a run that loaded and was killed before it built, the next must not find nothing to do.
    Without a mark everything is built again.
    """
    built = built_up_to(instance)
    with open_warehouse(settings).session(read_only=True) as session:
        if not session.tables().issuperset(table.table.name for table in LEDGER_TABLES):
            return None, built
        loaded = [each for each in loadings(session) if until is None or each.finished_at <= until]
        new = [each for each in loaded if each.place > built]
        touched = touched_after(session, [each.batch_id for each in new], settings)
    return touched, max((each.place for each in new), default=built)


def _hull(touched: Touched | None) -> DayRange | None:
    """Give the range from the first to the last day of any table that is touched."""
    return DayRange(min(touched.days), max(touched.days)) if touched else None


def _mark_built(instance: dg.DagsterInstance, settings: Settings, built: DayRange, of_these: Touched | None) -> None:
    """Leave the mark on the run that just succeeded, if it built every day that waited."""
    of_days = {RANGE_START: str(built.first), RANGE_END: str(built.last)}  # the latest run may be another process's
    (run,) = instance.get_runs(dg.RunsFilter(job_name=JOB, tags=of_days), limit=1)
    loads = {"__".join(key.path) for key in ARRIVALS}
    begun = [
        stats.start_time
        for stats in instance.get_run_step_stats(run.run_id)
        if stats.start_time and stats.step_key not in loads
    ]
    # What another process loaded after the first table was begun may be missing from it.
    touched, last = _waiting(instance, settings, dt.datetime.fromtimestamp(min(begun), dt.UTC))
    waiting = _hull(touched)
    is_in = waiting is None or (built.first <= waiting.first and waiting.last <= built.last)
    if last and is_in and (touched is None or of_these is None or touched.is_part_of(of_these)):
        instance.add_run_tags(run.run_id, {BUILT_UP_TO: last})


def _run(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    assets: Collection[dg.AssetKey],
    days: DayRange | None,
    debug: bool,
    touched: Touched | None = None,
) -> list[tuple[str, str]]:
    """Build assets for the days (None: load what arrived), print how that ended, and return (failed step, cause)."""
    if not assets:
        return []
    started = time.monotonic()
    extra = dg.Definitions(jobs=[dg.define_asset_job(JOB)], loggers={} if debug else {"console": console_logger})
    result = (
        dg.Definitions.merge(definitions, extra)
        .resolve_job_def(JOB if days else INGEST)
        .execute_in_process(
            run_config={} if debug else {"loggers": {"console": {"config": {}}}},
            instance=instance,
            asset_selection=[*assets],
            tags=({RANGE_START: str(days.first), RANGE_END: str(days.last)} if days else {})
            | ({TOUCHED: str(touched)} if touched else {}),
            raise_on_error=False,
        )
    )
    show_in_timeline(instance, result.run_id)
    failed = [(str(event.step_key), cause) for event in result.get_step_failure_events() for cause in causes_of(event)]
    if any(cause == STOPPED for _, cause in failed):
        raise KeyboardInterrupt
    took = time.monotonic() - started
    events = result.get_asset_materialization_events()
    tables = CONTRACTS.keys() & {name_of(event) for event in events if not brought_nothing(event)}
    print(f"{count(len(tables), 'table')} {'built' if days else 'loaded'} in {took:.1f} s, run {result.run_id}.")
    ended = {event.step_key for event in result.all_events if event.is_step_success or event.is_step_failure}
    if waiting := {"__".join(key.path) for key in assets} - ended:
        print(f"{count(len(waiting), 'step')} did not run, waiting for what failed.")
    return failed if result.success or failed else [("run", str(result.get_run_failure_event().message))]
