"""The sensor that reports failures: it reads from the event log how runs ended, asks incidents.py, and sends.

Its cursor holds how far it has read, the open incidents, and what could not be sent yet. A message is sent at least
once: if the process dies between sending and keeping the cursor, it is sent again. Sending never fails a tick.

A failed check trips no run-failure sensor, and a run may succeed with failed checks in it, so every ended run is read.
Reported are: failed checks of severity ERROR, those of the watchdog (which warn, and stop nothing), steps that failed
without one of these, and runs that failed without a failed step. Rejected rows alone are not; too many of them are, by
the check `error_rate`.
"""

from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import dagster as dg
from dagster import DagsterEventType as Event
from pydantic import BaseModel, ValidationError

from analytics_platform.catalog import CONTRACTS
from analytics_platform.errors import count
from analytics_platform.orchestration.alerts.incidents import EndedRun, Incident, Problem, update_incidents
from analytics_platform.orchestration.alerts.messages import Alert, DeliveryError, mail, post, to_slack, to_text, write
from analytics_platform.orchestration.assets.tables import is_daily
from analytics_platform.orchestration.checks.files import BATCHES_LOADED
from analytics_platform.orchestration.console import causes_of
from analytics_platform.orchestration.follow.state import read_state
from analytics_platform.orchestration.jobs import FOLLOW, RANGE_END, RANGE_START
from analytics_platform.settings import Settings, masked
from analytics_platform.transform import DayRange

WATCHDOG = "watchdog"
"""The step of the watchdog's checks, which are reported although they only warn."""

DAILY_STEPS = frozenset(name.replace(".", "__") for name, contract in CONTRACTS.items() if is_daily(contract.table))
"""The steps that check only the days their run builds."""

FIRST_LOOK = dt.timedelta(hours=1)
"""Without a cursor, runs that ended in the last hour are reported; older ones are not."""

LONGEST_WAIT = dt.timedelta(hours=1)
"""A message that was rejected is sent again at the next tick, then after twice as long each time, up to this."""

SENDING_SECONDS = 30.0
"""No further message is sent in a tick after this; Dagster gives a tick 60 seconds."""

MOST_WAITING = 200
"""More messages do not wait: the oldest are dropped, and the log says so."""

RUNS_A_TICK, SAMPLE_ROWS = 50, 3
PARTITION = "dagster/partition"
WEBHOOK, EMAIL = "webhook", "e-mail"
LANE = "lane"
"""The key of the incident that the fast lane is stalled."""

_ENDINGS: tuple[Literal[Event.RUN_SUCCESS, Event.RUN_FAILURE, Event.RUN_CANCELED], ...]
_ENDINGS = (Event.RUN_SUCCESS, Event.RUN_FAILURE, Event.RUN_CANCELED)
_READ = {Event.ASSET_CHECK_EVALUATION, Event.STEP_FAILURE, Event.STEP_SUCCESS, Event.RUN_FAILURE}


class Unsent(BaseModel):
    """A message on its way to one receiver."""

    receiver: str
    alert: Alert
    refusals: int = 0
    not_before: dt.datetime


class State(BaseModel):
    """The cursor: the last event read (None: read since `since`), open incidents, messages that wait."""

    after: int | None = None
    since: dt.datetime
    incidents: dict[str, Incident] = {}
    unsent: list[Unsent] = []


def alerts_sensor(settings: Settings) -> dg.SensorDefinition:
    """Make the sensor that sends one message for what fails, and one when it is resolved."""
    receivers = [WEBHOOK] if settings.alert_webhook_url.get_secret_value() else []
    receivers += [EMAIL] if settings.alert_email and settings.smtp_url.get_secret_value() else []
    wanted = settings.automation or bool(receivers)

    @dg.sensor(
        name="alerts",
        description="Reports to ALERT_WEBHOOK_URL and ALERT_EMAIL what failed, and when it is resolved.",
        minimum_interval_seconds=settings.sensor_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING if wanted else dg.DefaultSensorStatus.STOPPED,
    )
    def report(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        if not receivers:
            return dg.SensorResult(skip_reason="neither ALERT_WEBHOOK_URL nor ALERT_EMAIL is set: no receiver")
        now = dt.datetime.now(dt.UTC)
        state = _read_state(context, now)
        runs, after = ended_runs(context.instance, state.after, state.since)
        runs += lane_runs(settings, state.incidents.keys(), now)
        # Before words are cut: the first half of a secret would be found by nobody.
        runs = [replace(run, problems=[without_secrets(each, settings) for each in run.problems]) for run in runs]
        incidents, messages = update_incidents(state.incidents, runs, now)
        alerts = [write(message, settings.dagster_url) for message in messages]
        new = [Unsent(receiver=name, alert=alert, not_before=now) for alert in alerts for name in receivers]
        left = _send_all(context, [*state.unsent, *new], settings, now)
        kept = State(after=after, since=state.since, incidents=incidents, unsent=left)
        reason = f"{count(len(runs), 'run')} ended, {count(len(incidents), 'incident')} open, {len(left)} to send"
        return dg.SensorResult(skip_reason=reason, cursor=kept.model_dump_json())

    return report


def _read_state(context: dg.SensorEvaluationContext, now: dt.datetime) -> State:
    try:
        return State.model_validate_json(context.cursor) if context.cursor else State(since=now - FIRST_LOOK)
    except ValidationError:
        context.log.error("The cursor of the alerts could not be read: they start anew with the last hour.")
        return State(since=now - FIRST_LOOK)


def ended_runs(
    instance: dg.DagsterInstance, after: int | None, since: dt.datetime
) -> tuple[list[EndedRun], int | None]:
    """Read the next runs that ended after event `after` (None: after `since`), in order.

    Returns them, at most `RUNS_A_TICK` of each kind of ending, and the event to go on from.
    """
    endings: list[dg.EventLogRecord] = []
    horizons = []
    for kind in _ENDINGS:
        wanted = dg.RunStatusChangeRecordsFilter(
            event_type=kind, after_storage_id=after, after_timestamp=since.timestamp() if after is None else None
        )
        found = instance.fetch_run_status_changes(wanted, limit=RUNS_A_TICK, ascending=True).records
        endings += found
        if len(found) == RUNS_A_TICK:  # of the other kinds, what comes behind must wait, to be handled in order
            horizons.append(found[-1].storage_id)
    endings = sorted(
        (record for record in endings if record.storage_id <= min(horizons, default=record.storage_id)),
        key=lambda record: record.storage_id,
    )
    runs = [run for record in endings if (run := _read_run(instance, record)) is not None]
    return runs, endings[-1].storage_id if endings else after


def lane_runs(settings: Settings, known: Collection[str], now: dt.datetime) -> list[EndedRun]:
    """Tell that the fast lane is stalled, or, if that is `known`, that it works again: as of a run, but it has none."""
    lane = read_state(settings)
    words = lane.stalled(now) if lane else ""
    if bool(words) == (LANE in known):
        return []
    problems = [Problem(LANE, "the fast lane is stalled", detail=words)] if words else []
    return [EndedRun("", FOLLOW, now, problems, {} if words else {LANE: None})]


def _read_run(instance: dg.DagsterInstance, ending: dg.EventLogRecord) -> EndedRun | None:
    """Read what happened in a run; None if it was deleted meanwhile."""
    run = instance.get_run_by_id(ending.run_id)
    if run is None:
        return None
    days = _days_of(run.tags)
    records = instance.get_records_for_run(run.run_id, of_type=_READ).records
    events = [record.event_log_entry.get_dagster_event() for record in records]
    problems: list[Problem] = []
    passed: dict[str, DayRange | None] = {}
    explained = set()
    for step, check in _last_evaluations(events):
        key, built = f"check {check.asset_key.to_user_string()}: {check.check_name}", _if_daily(days, step)
        if check.passed:
            passed[key] = built
        elif check.severity == dg.AssetCheckSeverity.ERROR or step == WATCHDOG:
            problems.append(_failed_check(key, check, built))
            explained.add(step)
    for event in events:
        step = str(event.step_key)
        asset = step.replace("__", "/", 1) if "__" in step else ""
        if event.is_step_success:
            passed[f"step {step}"] = _if_daily(days, step)
        elif event.is_step_failure and step not in explained:
            causes, built = " ".join(causes_of(event)), _if_daily(days, step)
            problems.append(Problem(f"step {step}", f"step {step}", asset, causes, days=built))
        # A gate that error_rate stopped says itself which batches were not loaded: their check does not run then.
        elif event.is_step_failure and asset:
            title = f"{asset}: check {BATCHES_LOADED}"
            lines = [cause for cause in causes_of(event) if cause.startswith(BATCHES_LOADED)]
            problems += [Problem(f"check {asset}: {BATCHES_LOADED}", title, asset, sample=lines)] if lines else []
    name = f"job {run.job_name}"
    if run.status is dg.DagsterRunStatus.FAILURE and not problems:
        words = [str(event.message) for event in events if event.is_run_failure]
        problems.append(Problem(name, name, detail=" ".join(words)))
    if run.status is dg.DagsterRunStatus.SUCCESS:
        passed[name] = None
    return EndedRun(run.run_id, run.job_name, dt.datetime.fromtimestamp(ending.timestamp, dt.UTC), problems, passed)


def _days_of(tags: Mapping[str, str]) -> DayRange | None:
    first, last = tags.get(RANGE_START, tags.get(PARTITION)), tags.get(RANGE_END, tags.get(PARTITION))
    try:
        return DayRange.parse(f"{first}...{last}")
    except ValueError:  # no partitions, or those of another code location on this instance
        return None


def _if_daily(days: DayRange | None, step: str) -> DayRange | None:
    return days if step in DAILY_STEPS else None


def _last_evaluations(events: Sequence[dg.DagsterEvent]) -> Iterator[tuple[str, dg.AssetCheckEvaluation]]:
    """Yield the last evaluation of each check in a run, with its step."""
    last = {
        (event.asset_check_evaluation_data.asset_key, event.asset_check_evaluation_data.check_name): event
        for event in events
        if event.event_type == Event.ASSET_CHECK_EVALUATION
    }
    return ((str(event.step_key), event.asset_check_evaluation_data) for event in last.values())


def _failed_check(key: str, check: dg.AssetCheckEvaluation, days: DayRange | None) -> Problem:
    asset, metadata = check.asset_key.to_user_string(), check.metadata
    sample = metadata.get("sample")
    rows = sample.records[:SAMPLE_ROWS] if isinstance(sample, dg.TableMetadataValue) else ()
    detail, *lines = (check.description or "").splitlines() or [""]
    return Problem(
        key,
        f"{asset}: check {check.check_name}",
        asset,
        detail,
        {
            name: f"{value.value:,}" if isinstance(value, dg.IntMetadataValue) else f"{value.value:.4g}"
            for name, value in metadata.items()
            if isinstance(value, dg.IntMetadataValue | dg.FloatMetadataValue)
        },
        [*lines, *(" | ".join(f"{name}={cell}" for name, cell in row.data.items()) for row in rows)],
        str(metadata["what to do"].value) if "what to do" in metadata else "",
        days,
    )


def _send_all(
    context: dg.SensorEvaluationContext, waiting: Sequence[Unsent], settings: Settings, now: dt.datetime
) -> list[Unsent]:
    """Send what is due; returns what has to wait. After one refusal its receiver is left alone for this tick."""
    left: list[Unsent] = []
    refusing: set[str] = set()
    end = time.monotonic() + SENDING_SECONDS
    for one in waiting:
        if one.not_before > now or one.receiver in refusing or time.monotonic() > end:
            left.append(one)
            continue
        try:
            if one.receiver == WEBHOOK:
                post(settings.alert_webhook_url.get_secret_value(), to_slack(one.alert))
            else:
                mail(settings.smtp_url.get_secret_value(), settings.alert_email, one.alert.title, to_text(one.alert))
        except DeliveryError as error:
            refusing.add(one.receiver)
            # The first refusal is tried again at the very next tick.
            wait = min(LONGEST_WAIT, dt.timedelta(seconds=settings.sensor_seconds) * 2 ** min(one.refusals, 20))
            later = now + wait * (one.refusals > 0)
            left.append(one.model_copy(update={"refusals": one.refusals + 1, "not_before": later}))
            context.log.error(f"An alert could not be sent and is tried again: {error}. It says: {one.alert.title}")
    for lost in left[:-MOST_WAITING]:
        context.log.error(f"An alert is given up, {MOST_WAITING} others wait. It said: {lost.alert.title}")
    return left[-MOST_WAITING:]


def without_secrets(problem: Problem, settings: Settings) -> Problem:
    """Mask every secret of the settings, and every other address, in the words."""
    # As they are, and as Python writes them in messages: a backslash is doubled there.
    secrets = sorted({*settings.secrets, *(repr(each)[1:-1] for each in settings.secrets)}, key=len, reverse=True)

    def hide(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, "***") if len(secret) > 3 else text
        return re.sub(r"\S+://\S+", lambda address: masked(address[0]), text)

    title, detail, remedy = map(hide, (problem.title, problem.detail, problem.remedy))
    return replace(problem, title=title, detail=detail, sample=[*map(hide, problem.sample)], remedy=remedy)
