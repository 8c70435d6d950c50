"""Runs, steps and log lines, read from the answers of Dagster's GraphQL API."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AliasPath, BaseModel, BeforeValidator, ConfigDict, Field

from analytics_platform.reports.wording import clean

RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
"""Tags of a run with the first and the last day it is for."""

_SHOWN = {
    "ExecutionStepStartEvent", "ExecutionStepSuccessEvent", "ExecutionStepFailureEvent",
    "RunStartEvent", "RunSuccessEvent", "RunFailureEvent", "RunCanceledEvent", "RunEnqueuedEvent",
}  # fmt: skip
"""Events that are shown although their level is DEBUG."""


class _Timed(BaseModel):
    """What starts and ends. Times are UTC, and None before they come."""

    model_config = ConfigDict(frozen=True)

    status: str | None
    started_at: dt.datetime | None = Field(validation_alias="startTime")
    ended_at: dt.datetime | None = Field(validation_alias="endTime")

    @property
    def seconds(self) -> float | None:
        """How long it took; None before it has ended."""
        return (self.ended_at - self.started_at).total_seconds() if self.started_at and self.ended_at else None


def _step_name(key: str | None) -> str:
    """Return a step as its table is called: `marts.daily_trends`."""
    return (key or "").replace("__", ".")


class Step(_Timed):
    """One step of a run. `status` is `IN_PROGRESS`, `SUCCESS`, `FAILURE` or `SKIPPED`, None before it starts."""

    name: Annotated[str, BeforeValidator(_step_name)] = Field(validation_alias="stepKey")


class Run(_Timed):
    """A run. `planned` are the keys of all its steps, where they were asked for; `steps` those that were begun."""

    run_id: str = Field(validation_alias="runId")
    job: str = Field(validation_alias="jobName")
    created_at: dt.datetime = Field(validation_alias="creationTime")
    tags: tuple[dict[str, str], ...]
    begun: tuple[Step, ...] = Field(validation_alias="stepStats")
    planned: tuple[Any, ...] = Field((), validation_alias=AliasPath("executionPlan", "steps"))

    @property
    def has_ended(self) -> bool:
        """Whether it changes no more."""
        return self.status in ("SUCCESS", "FAILURE", "CANCELED")

    @property
    def days(self) -> str:
        """The days it was started for, as text."""
        values = {tag["key"]: tag["value"] for tag in self.tags}
        return " – ".join(dict.fromkeys(values[key] for key in RANGE if key in values))

    @property
    def steps(self) -> list[Step]:
        """The steps in order of their start."""
        return sorted(self.begun, key=lambda step: (step.started_at is None, step.started_at, step.name))


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a run's log: `kind` is Dagster's type of event, `step` empty for the run itself."""

    at: dt.datetime
    kind: str
    step: str
    text: str
    is_bad: bool


def log_line(event: Mapping[str, Any]) -> LogLine | None:
    """Return an event as a line; None for one that says nothing to readers."""
    kind, level, text = event["__typename"], event.get("level"), _text(event)
    if not text or (level == "DEBUG" and kind not in _SHOWN and "evaluation" not in event):
        return None
    at = dt.datetime.fromtimestamp(int(event["timestamp"]) / 1000, dt.UTC)
    is_bad = level in ("ERROR", "CRITICAL") or "Failure" in kind
    return LogLine(at, kind, _step_name(event.get("stepKey")), clean(text, 400), is_bad)


def _text(event: Mapping[str, Any]) -> str:
    if check := event.get("evaluation"):
        failed = f"check {check['checkName']} of {'.'.join(check['assetKey']['path'])} failed"
        return "" if check["success"] else ": ".join(filter(None, (failed, check["description"])))
    message = str(event.get("message") or "").strip()
    if event["__typename"] == "ExecutionStepStartEvent":
        return "started"
    if event["__typename"] == "ExecutionStepSuccessEvent":
        return f"done in {message.rpartition(' in ')[2].rstrip('.')}"
    return _reason(event.get("error")) or message


def _reason(error: Mapping[str, Any] | None) -> str:
    """Return the first line of what caused an error in the end, without the name of its class."""
    if not error:
        return ""
    line = next(iter(str(error["message"]).strip().splitlines()), "")
    head, colon, rest = line.partition(": ")
    return _reason(error.get("cause")) or (rest if colon and " " not in head else line)
