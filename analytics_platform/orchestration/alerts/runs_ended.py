"""Reads from Dagster's event log which runs ended and how, as incidents.py takes it.

A failed check trips no run-failure sensor, and a run may end well with failed checks in it, so every ended run is
looked into. Told are: failed checks of severity ERROR, those of the watchdog (which warn, and stop nothing), steps that
failed without one of these, and runs that failed without a failed step. Rows that the gate refused are warnings of
their own checks and raise no alert; too many of them do (`error_rate`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

import dagster as dg

from analytics_platform.orchestration.alerts.incidents import Days, EndedRun, Problem

WATCHDOG = "watchdog"
"""The step of the watchdog's checks, which raise an alert although they only warn."""

RUNS_A_TICK = 50
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
PARTITION = "dagster/partition"
SAMPLE_ROWS = 3

_Ending: TypeAlias = Literal[
    dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_CANCELED
]
_ENDINGS: tuple[_Ending, ...] = (
    dg.DagsterEventType.RUN_SUCCESS,
    dg.DagsterEventType.RUN_FAILURE,
    dg.DagsterEventType.RUN_CANCELED,
)
_TOLD = {
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.STEP_SUCCESS,
    dg.DagsterEventType.RUN_FAILURE,
}


def ended_runs(
    instance: dg.DagsterInstance, after: int | None, since: dt.datetime, daily_steps: frozenset[str]
) -> tuple[list[EndedRun], int | None]:
    """The next runs that ended, in order, after event `after` (None: after `since`), and the event to go on from.

    `daily_steps` are the steps that check only the days their run builds.
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
    runs = [run for record in endings if (run := _read_run(instance, record, daily_steps)) is not None]
    return runs, endings[-1].storage_id if endings else after


def _read_run(instance: dg.DagsterInstance, ending: dg.EventLogRecord, daily_steps: frozenset[str]) -> EndedRun | None:
    """What happened in a run; None if it was deleted meanwhile."""
    run = instance.get_run_by_id(ending.run_id)
    if run is None:
        return None
    days = _days_of(run.tags)

    def days_of(step: str) -> Days | None:
        return days if step in daily_steps else None

    events = [
        record.event_log_entry.get_dagster_event()
        for record in instance.get_records_for_run(run.run_id, of_type=_TOLD).records
    ]
    problems, well = _judge_checks(events, days_of)
    explained = {problem_step for problem_step, _ in problems}
    found = [problem for _, problem in problems]
    found += [
        _failed_step(event, days_of) for event in events if event.is_step_failure and event.step_key not in explained
    ]
    well |= {_step_key(str(event.step_key)): days_of(str(event.step_key)) for event in events if event.is_step_success}
    if run.status is dg.DagsterRunStatus.FAILURE and not any(event.is_step_failure for event in events):
        found += [_failed_run(run, events)] if not found else []
    if run.status is dg.DagsterRunStatus.SUCCESS:
        well[_job_key(run.job_name)] = None
    at = dt.datetime.fromtimestamp(ending.timestamp, dt.UTC)
    return EndedRun(run_id=run.run_id, job=run.job_name, ended_at=at, problems=tuple(found), well=well)


def _days_of(tags: Mapping[str, str]) -> Days | None:
    first, last = tags.get(RANGE_START, tags.get(PARTITION)), tags.get(RANGE_END, tags.get(PARTITION))
    try:
        return Days(first=dt.date.fromisoformat(first or ""), last=dt.date.fromisoformat(last or ""))
    except ValueError:
        return None


def _judge_checks(
    events: Sequence[dg.DagsterEvent], days_of: Callable[[str], Days | None]
) -> tuple[list[tuple[str, Problem]], dict[str, Days | None]]:
    """(step, problem) of the checks to tell, and the checks that passed. The last evaluation in the run counts."""
    last = {
        (event.asset_check_evaluation_data.asset_key, event.asset_check_evaluation_data.check_name): event
        for event in events
        if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION
    }
    problems: list[tuple[str, Problem]] = []
    well: dict[str, Days | None] = {}
    for (asset, name), event in last.items():
        evaluation, step = event.asset_check_evaluation_data, str(event.step_key)
        key = f"check {asset.to_user_string()}: {name}"
        if evaluation.passed:
            well[key] = days_of(step)
        elif evaluation.severity == dg.AssetCheckSeverity.ERROR or step == WATCHDOG:
            problems.append((step, _failed_check(key, evaluation, days_of(step))))
    return problems, well


def _failed_check(key: str, evaluation: dg.AssetCheckEvaluation, days: Days | None) -> Problem:
    asset = evaluation.asset_key.to_user_string()
    return Problem(
        key=key,
        title=f"{asset}: check {evaluation.check_name}",
        asset=asset,
        check=evaluation.check_name,
        detail=evaluation.description or "",
        figures=dict(_figures(evaluation.metadata)),
        sample=tuple(_sample(evaluation.metadata)),
        remedy=str(evaluation.metadata["what to do"].value) if "what to do" in evaluation.metadata else "",
        days=days,
    )


def _figures(metadata: Mapping[str, dg.MetadataValue]) -> Iterator[tuple[str, str]]:
    for name, value in metadata.items():
        if isinstance(value, dg.IntMetadataValue):
            yield name, f"{value.value:,}"
        elif isinstance(value, dg.FloatMetadataValue):
            yield name, f"{value.value:.4g}"


def _sample(metadata: Mapping[str, dg.MetadataValue]) -> Iterator[str]:
    value = metadata.get("sample")
    if isinstance(value, dg.TableMetadataValue):
        for record in value.records[:SAMPLE_ROWS]:
            yield " | ".join(f"{name}={cell}" for name, cell in record.data.items())


def _step_key(step: str) -> str:
    return f"step {step}"


def _job_key(job: str) -> str:
    return f"job {job}"


def _failed_step(event: dg.DagsterEvent, days_of: Callable[[str], Days | None]) -> Problem:
    step = str(event.step_key)
    failure = event.step_failure_data
    words = failure.user_failure_data.description if failure.user_failure_data else None
    error = failure.error.cause or failure.error if failure.error else None
    return Problem(
        key=_step_key(step),
        title=f"step {step}",
        asset=step.replace("__", "/", 1) if "__" in step else "",
        detail=words or (error.message if error else "") or "no reason was given",
        days=days_of(step),
    )


def _failed_run(run: dg.DagsterRun, events: Sequence[dg.DagsterEvent]) -> Problem:
    words = [str(event.message) for event in events if event.is_run_failure]
    return Problem(key=_job_key(run.job_name), title=f"job {run.job_name}", detail=" ".join(words))
