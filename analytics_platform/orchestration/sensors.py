"""The sensors: they read what waits, ask decisions.py, and start runs.

What cannot be read is not empty: the tick fails with the reason, and the cursor stays.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain, starmap
from typing import TypeAlias

import dagster as dg
from pydantic import AwareDatetime, BaseModel, ValidationError

from analytics_platform.errors import UserError
from analytics_platform.lake import Lake
from analytics_platform.orchestration.alerts.sensor import alerts_sensor
from analytics_platform.orchestration.assets.metadata import asset_key
from analytics_platform.orchestration.assets.raw import raw_key
from analytics_platform.orchestration.decisions import (
    Runs,
    Start,
    Wait,
    decide_landing,
    decide_rebuild,
    decide_waiting,
)
from analytics_platform.orchestration.follow.state import is_followed
from analytics_platform.orchestration.jobs import DRAIN_OUTBOX, INGEST, RANGE_END, RANGE_START, REBUILD, TOUCHED
from analytics_platform.settings import Settings
from analytics_platform.shop.outbox import count_due
from analytics_platform.shop.service import open_shop
from analytics_platform.sources.arrivals.files import find_unread, find_unreadable, new_files
from analytics_platform.sources.arrivals.notices import LIST_AFTER, Notices, delete_notices, receive_notices
from analytics_platform.sources.registry import SOURCES
from analytics_platform.sources.source import CountedArrival, Source
from analytics_platform.warehouse import LEDGER_TABLES, open_warehouse
from analytics_platform.warehouse.error_rate import find_breaches
from analytics_platform.warehouse.ledger import Loading, loadings
from analytics_platform.warehouse.touched import Touched, touched_after

SENSOR = "analytics/sensor"
OUTBOX_SECONDS = 30
RECONCILE_AFTER = dt.timedelta(minutes=15)
"""While a fast lane builds what arrives, the full lane builds the same days again no sooner than this."""

FOLLOWED = "`analytics-platform follow` loads new files"
Decide: TypeAlias = Callable[[dg.SensorEvaluationContext, Runs, dt.datetime], Wait | Start]
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def runs_of(instance: dg.DagsterInstance, job: str, sensor: str) -> Runs:
    """Read what the instance knows of a job's runs: unfinished ones of any origin, the failed one of this sensor."""
    wanted = dg.RunsFilter(job_name=job, tags={SENSOR: sensor})
    unfinished = instance.get_runs_count(dg.RunsFilter(job_name=job, statuses=UNFINISHED))
    last = instance.get_run_records(wanted, limit=1)
    if not last or last[0].dagster_run.status != dg.DagsterRunStatus.FAILURE:
        return Runs(unfinished)
    return Runs(unfinished, last[0].update_timestamp)


def _sensor(
    name: str,
    job: str,
    description: str,
    decide: Decide,
    settings: Settings,
    assets: Sequence[dg.AssetKey] | None = None,
    seconds: int = 1,
) -> dg.SensorDefinition:
    """Make a sensor that carries out what `decide` says: runs of a job, or of some of its assets, or none yet."""

    @dg.sensor(
        name=name,
        job_name=job,
        description=description,
        minimum_interval_seconds=max(settings.sensor_seconds, seconds),
        default_status=dg.DefaultSensorStatus.RUNNING if settings.automation else dg.DefaultSensorStatus.STOPPED,
    )
    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        decision = decide(context, runs_of(context.instance, job, name), dt.datetime.now(dt.UTC))
        cursor = decision.cursor or context.cursor
        if isinstance(decision, Wait):
            return dg.SensorResult(skip_reason=decision.reason, cursor=cursor)
        return dg.SensorResult(run_requests=_requests(decision, name, job, assets), cursor=cursor)

    return evaluate


def _requests(decision: Start, sensor: str, job: str, assets: Sequence[dg.AssetKey] | None) -> list[dg.RunRequest]:
    return [
        dg.RunRequest(
            run_key=decision.key and f"{decision.key}-{days or ''}",
            job_name=job,
            asset_selection=assets,
            tags={SENSOR: sensor}
            | ({RANGE_START: str(days.first), RANGE_END: str(days.last)} if days else {})
            | ({TOUCHED: str(decision.touched)} if decision.touched else {}),
        )
        for days in decision.days
    ]


def files_sensor(source: Source, settings: Settings, lake: Lake) -> dg.SensorDefinition:
    """Make the sensor that loads the new files of a source."""

    def decide(context: dg.SensorEvaluationContext, runs: Runs, now: dt.datetime) -> Wait | Start:
        if is_followed(settings):
            return Wait(FOLLOWED)
        return _decide_files(source, settings, lake, runs, now, context.cursor)

    description = f"Loads new files of {source.name}."
    return _sensor(f"{source.name}_files", INGEST, description, decide, settings, _assets(source))


def _decide_files(
    source: Source, settings: Settings, lake: Lake, runs: Runs, now: dt.datetime, tried: str | None
) -> Wait | Start:
    decision = decide_landing(new_files(source, settings, lake), runs, now, tried)
    if isinstance(decision, Start):
        return decision
    rejected = find_unreadable(source, settings, lake).items()
    place = f"{settings.landing_place}/{source.name}"
    said = (f"Rejected: {place}/{name}: {why.rstrip('.')}." for name, why in rejected)
    unread = find_unread(source, SOURCES.values(), settings)
    return replace(decision, reason=" ".join([f"{decision.reason}.", *said, *unread]))


class Listed(BaseModel):
    """The cursor of `landed_files`: when all folders were listed, and by source the key of the files tried last."""

    at: AwareDatetime | None = None
    tried: dict[str, str] = {}


def notices_sensor(settings: Settings, lake: Lake) -> dg.SensorDefinition:
    """Make the sensor that loads the new files of those sources that LANDING_QUEUE_URL names; all now and then.

    A message is deleted once its folders were listed and have nothing to start a run for. Until then it waits in the
    queue, and after a crash, or with its run requested, it is received again.
    """
    folders = {source.name: source for source in SOURCES.values() if source.format.suffixes}

    @dg.sensor(
        name="landed_files",
        job_name=INGEST,
        description="Loads new files of sources that LANDING_QUEUE_URL names; looks for others every 15 minutes.",
        minimum_interval_seconds=settings.sensor_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING if settings.automation else dg.DefaultSensorStatus.STOPPED,
    )
    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now, listed = dt.datetime.now(dt.UTC), _read_listed(context)
        if is_followed(settings):
            return dg.SensorResult(skip_reason=FOLLOWED, cursor=context.cursor)
        if runs_of(context.instance, INGEST, "").unfinished:
            return dg.SensorResult(skip_reason="a run has not ended yet", cursor=context.cursor)
        # It does not ask the queue then: one that is away must not keep the folders from being listed.
        is_due = listed.at is None or not dt.timedelta(0) <= now - listed.at < LIST_AFTER
        notices = Notices() if is_due else receive_notices(folders, settings, wait=1)
        if notices.warning:
            context.log.warning(notices.warning)
        decisions = {
            name: _decide_files(
                *(folders[name], settings, lake, runs_of(context.instance, INGEST, f"{name}_files"), now),
                listed.tried.get(name),
            )
            for name in sorted(folders if is_due else notices.sources)
        }
        starts = {name: each for name, each in decisions.items() if isinstance(each, Start)}
        later = {name for name, each in decisions.items() if isinstance(each, Wait) and each.is_later}
        try:
            delete_notices(notices, settings, later | starts.keys())
        except UserError as error:  # they come again; without the right to delete them no run would start
            context.log.warning(str(error))
        tried = listed.tried | {name: str(start.cursor) for name, start in starts.items()}
        cursor = Listed(at=now if is_due and not later else listed.at, tried=tried).model_dump_json()
        if not starts:
            said = " ".join(f"{name}: {each.reason}" for name, each in decisions.items() if isinstance(each, Wait))
            return dg.SensorResult(skip_reason=said or "nothing is announced", cursor=cursor)
        return dg.SensorResult(run_requests=[*chain(*starmap(_file_requests, starts.items()))], cursor=cursor)

    return evaluate


def _file_requests(source: str, start: Start) -> list[dg.RunRequest]:
    # Files of two sources may be alike, and have the same key.
    keyed = replace(start, key=f"{source}-{start.key}")
    return _requests(keyed, f"{source}_files", INGEST, _assets(SOURCES[source]))


def _read_listed(context: dg.SensorEvaluationContext) -> Listed:
    """Read the cursor. A lost one only has all folders be listed."""
    try:
        return Listed.model_validate_json(context.cursor or "{}")
    except ValidationError:
        return Listed()


def system_sensor(source: Source, arrival: CountedArrival, settings: Settings) -> dg.SensorDefinition:
    """Make the sensor that fetches what waits in a source's system."""
    setting = arrival.setting

    def decide(context: dg.SensorEvaluationContext, runs: Runs, now: dt.datetime) -> Wait | Start:
        if not source.address(settings):
            return Wait(f"{setting} is not set: there is nothing to look at")
        if is_followed(settings):
            return Wait("`analytics-platform follow` takes what waits in the queue")
        return decide_waiting(arrival.waiting(settings), arrival.system, runs, now)

    name, description = f"{source.name}_{arrival.system}", f"Fetches {source.name} if some wait ({setting})."
    return _sensor(name, INGEST, description, decide, settings, _assets(source))


def _assets(source: Source) -> list[dg.AssetKey]:
    return [raw_key(source), asset_key(source.contract.table.name)]


def rebuild_sensor(settings: Settings) -> dg.SensorDefinition:
    """Make the sensor that builds the days again whose events changed, and no others."""

    def decide(context: dg.SensorEvaluationContext, runs: Runs, now: dt.datetime) -> Wait | Start:
        last = context.instance.get_run_records(dg.RunsFilter(job_name=REBUILD), limit=1)
        if last and now - last[0].create_timestamp < RECONCILE_AFTER and is_followed(settings):
            words = f"`analytics-platform follow` builds it; all of it is built again {RECONCILE_AFTER} after"
            return Wait(f"{words} {last[0].create_timestamp:%H:%M:%S} UTC")
        warehouse = open_warehouse(settings)
        if not warehouse.exists():
            return Wait("nothing was loaded yet")
        with warehouse.session(read_only=True) as session:
            if not session.tables().issuperset(table.table.name for table in LEDGER_TABLES):
                return Wait("nothing was loaded yet")
            breaches = find_breaches(session, settings.max_error_rate)

            def affected(new: Sequence[Loading]) -> Touched | None:
                return touched_after(session, [loading.batch_id for loading in new], settings)

            breach = str(breaches[0]) if breaches else None
            return decide_rebuild(loadings(session), breach, runs, affected, context.cursor)

    description = "Builds the days again that newly loaded events touch, in every table behind them."
    return _sensor("touched_days", REBUILD, description, decide, settings)


def outbox_sensor(settings: Settings) -> dg.SensorDefinition:
    """Make the sensor that does what orders of the shop could not do at once."""

    def decide(context: dg.SensorEvaluationContext, runs: Runs, now: dt.datetime) -> Wait | Start:
        if not settings.shop_database_url.get_secret_value():
            return Wait("SHOP_DATABASE_URL is not set: there is no outbox to look at")
        with open_shop(settings) as shop:
            return decide_waiting(count_due(shop.database), "the shop's outbox", runs, now)

    description = "Does what is in the outbox of the shop since its carts or its cache were not available."
    return _sensor("outbox_waiting", DRAIN_OUTBOX, description, decide, settings, seconds=OUTBOX_SECONDS)


def build_sensors(settings: Settings, lake: Lake) -> Sequence[dg.SensorDefinition]:
    """Make all sensors; whether they run from the start is the setting AUTOMATION."""
    files = [source for source in SOURCES.values() if source.format.suffixes]
    return [
        *([notices_sensor(settings, lake)] if settings.landing_queue_url else []),
        *(files_sensor(source, settings, lake) for source in files if not settings.landing_queue_url),
        *(
            system_sensor(source, source.arrival, settings)
            for source in SOURCES.values()
            if isinstance(source.arrival, CountedArrival)
        ),
        rebuild_sensor(settings),
        outbox_sensor(settings),
        alerts_sensor(settings),
    ]
