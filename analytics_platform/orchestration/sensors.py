"""The sensors: they look, ask decisions.py, and start runs.

"Could not look" is not "empty": when a look fails, the tick fails with the reason and the cursor stays.
"""

import datetime as dt
from collections.abc import Callable, Collection, Sequence

import dagster as dg

from analytics_platform.lake import FolderLake
from analytics_platform.orchestration.alerts.sensor import alerts_sensor
from analytics_platform.orchestration.decisions import (
    Runs,
    Start,
    Wait,
    decide_drain,
    decide_landing,
    decide_outbox,
    decide_rebuild,
)
from analytics_platform.orchestration.jobs import DRAIN_OUTBOX, INGEST, RANGE_END, RANGE_START, REBUILD
from analytics_platform.settings import Settings
from analytics_platform.shop.outbox import count_due
from analytics_platform.shop.service import open_shop
from analytics_platform.sources.arrivals.files import new_files
from analytics_platform.sources.registry import SOURCES
from analytics_platform.sources.source import Source
from analytics_platform.transform import DayRange
from analytics_platform.warehouse import open_warehouse
from analytics_platform.warehouse.ledger import Loading, find_breaches, loadings
from analytics_platform.warehouse.touched import days_after

SENSOR = "analytics/sensor"
OUTBOX_SECONDS = 30
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def runs_of(instance: dg.DagsterInstance, job: str, sensor: str) -> Runs:
    """What the instance knows of a job's runs: whoever started those that go on, the failed one by this sensor."""
    wanted = dg.RunsFilter(job_name=job, tags={SENSOR: sensor})
    going_on = instance.get_runs_count(dg.RunsFilter(job_name=job, statuses=UNFINISHED))
    last = instance.get_run_records(wanted, limit=1)
    if not last or last[0].dagster_run.status != dg.DagsterRunStatus.FAILURE:
        return Runs(going_on)
    return Runs(going_on, last[0].update_timestamp)


def _carry_out(
    context: dg.SensorEvaluationContext,
    decision: Wait | Start,
    job: str,
    sensor: str,
    assets: Sequence[dg.AssetKey] | None = None,
) -> dg.SensorResult:
    """The decision as Dagster takes it."""
    if isinstance(decision, Wait):
        return dg.SensorResult(skip_reason=decision.reason, cursor=decision.cursor or context.cursor)
    requests = [
        dg.RunRequest(
            job_name=job,
            run_key=decision.key and f"{decision.key}-{days or ''}",
            asset_selection=assets,
            tags={SENSOR: sensor, **_range_tags(days)},
        )
        for days in decision.days
    ]
    return dg.SensorResult(run_requests=requests, cursor=decision.cursor or context.cursor)


def _range_tags(days: DayRange | None) -> dict[str, str]:
    return {RANGE_START: str(days.first), RANGE_END: str(days.last)} if days else {}


def _arrival_sensor(
    name: str,
    source: Source,
    description: str,
    decide: Callable[[dg.SensorEvaluationContext, Runs, dt.datetime], Wait | Start],
    settings: Settings,
) -> dg.SensorDefinition:
    """A sensor that starts the intake of one source."""
    assets = [dg.AssetKey(["raw", source.name]), dg.AssetKey(source.contract.table.name.split("."))]

    @dg.sensor(
        name=name,
        job_name=INGEST,
        description=description,
        minimum_interval_seconds=settings.sensor_seconds,
        default_status=_status(settings),
    )
    def look(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        runs = runs_of(context.instance, INGEST, name)
        return _carry_out(context, decide(context, runs, dt.datetime.now(dt.UTC)), INGEST, name, assets)

    return look


def _status(settings: Settings) -> dg.DefaultSensorStatus:
    return dg.DefaultSensorStatus.RUNNING if settings.automation else dg.DefaultSensorStatus.STOPPED


def files_sensor(source: Source, settings: Settings, lake: FolderLake) -> dg.SensorDefinition:
    """Loads the new files of a source."""

    def decide(context: dg.SensorEvaluationContext, runs: Runs, now: dt.datetime) -> Wait | Start:
        return decide_landing(new_files(source, settings, lake), runs, now, context.cursor)

    return _arrival_sensor(f"{source.name}_files", source, f"Loads new files of {source.name}.", decide, settings)


def system_sensor(source: Source, settings: Settings) -> dg.SensorDefinition:
    """Fetches what waits in a source's system, when something does and no fetch is going on."""
    setting = source.arrival.setting

    def decide(context: dg.SensorEvaluationContext, runs: Runs, now: dt.datetime) -> Wait | Start:
        if not source.address(settings):
            return Wait(f"{setting} is not set: there is nothing to look at")
        return decide_drain(source.arrival.waiting(settings) or 0, runs, now)

    description = f"Fetches {source.name} when something waits ({setting})."
    return _arrival_sensor(f"{source.name}_{source.arrival.system}", source, description, decide, settings)


def rebuild_sensor(settings: Settings) -> dg.SensorDefinition:
    """Builds the days again whose events changed, and no others."""

    @dg.sensor(
        name="touched_days",
        job_name=REBUILD,
        description="Builds the days again that newly loaded events touch, in every table behind them.",
        minimum_interval_seconds=settings.sensor_seconds,
        default_status=_status(settings),
    )
    def look(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        warehouse = open_warehouse(settings)
        if not warehouse.exists():
            return dg.SensorResult(skip_reason="nothing was loaded yet")
        with warehouse.session(read_only=True) as session:
            loaded = loadings(session)
            breaches = find_breaches(session, settings.max_error_rate)
            breach = str(breaches[0]) if breaches else None
            runs = runs_of(context.instance, REBUILD, "touched_days")

            def affected(new: Sequence[Loading]) -> Collection[dt.date]:
                return days_after(session, [loading.batch_id for loading in new], settings)

            decision = decide_rebuild(loaded, breach, runs, affected, context.cursor)
        return _carry_out(context, decision, REBUILD, "touched_days")

    return look


def outbox_sensor(settings: Settings) -> dg.SensorDefinition:
    """Does what orders of the shop left to be done while its carts or its cache were away."""

    @dg.sensor(
        name="outbox_waiting",
        job_name=DRAIN_OUTBOX,
        description="Does what orders of the shop left to be done while its carts or its cache were away.",
        minimum_interval_seconds=max(settings.sensor_seconds, OUTBOX_SECONDS),
        default_status=_status(settings),
    )
    def look(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        if not settings.shop_database_url.get_secret_value():
            return dg.SensorResult(skip_reason="SHOP_DATABASE_URL is not set: there is no outbox to look at")
        with open_shop(settings) as shop:
            due = count_due(shop.database)
        runs = runs_of(context.instance, DRAIN_OUTBOX, "outbox_waiting")
        decision = decide_outbox(due, runs, dt.datetime.now(dt.UTC))
        return _carry_out(context, decision, DRAIN_OUTBOX, "outbox_waiting")

    return look


def build_sensors(settings: Settings, lake: FolderLake) -> Sequence[dg.SensorDefinition]:
    """All sensors; whether they run from the start is the setting AUTOMATION."""
    return [
        *(files_sensor(source, settings, lake) for source in SOURCES.values() if source.format.suffixes),
        *(system_sensor(source, settings) for source in SOURCES.values() if source.arrival.can_be_counted),
        rebuild_sensor(settings),
        outbox_sensor(settings),
        alerts_sensor(settings),
    ]
