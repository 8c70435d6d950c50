"""Starts runs and follows them through the GraphQL API of Dagster's webserver. Values are sent as variables.

Dagster itself is not imported: the dashboard works from another machine, and beside any version that serves this API.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import httpx

from analytics_platform.transform import DayRange

INGEST, REBUILD = "ingest_everything", "rebuild_days"
"""The jobs that people start from the dashboard (`automation.jobs`)."""

ENDED = frozenset({"SUCCESS", "FAILURE", "CANCELED"})
"""Statuses after which a run changes no more."""

TIMEOUT_S = 10.0
START_TIMEOUT_S = 60.0
"""Without a queue of runs, Dagster answers only when the run's process was started."""

LOG_PAGE = 1000
"""Events asked for at a time."""

_RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
_START = "analytics/start"
"""A tag whose value no other start has."""

_RUN = """
fragment run on Run {
  runId jobName status creationTime startTime endTime
  tags { key value }
  stepStats { stepKey status startTime endTime }
}
"""
_JOBS = """
query { repositoriesOrError {
  __typename
  ... on RepositoryConnection { nodes { name location { name } jobs { name } } }
  ... on PythonError { message }
} }
"""
_LAUNCH = """
mutation ($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename
  ... on LaunchRunSuccess { run { runId } }
  ... on Error { message }
  ... on RunConfigValidationInvalid { errors { message } }
} }
"""
_RUNS = (
    """
query ($limit: Int!, $tags: [ExecutionTag!]) { runsOrError(limit: $limit, filter: { tags: $tags }) {
  __typename
  ... on Runs { results { ...run } }
  ... on Error { message }
} }
"""
    + _RUN
)
_FOLLOW = (
    """
query ($runId: ID!, $after: String, $limit: Int!) {
  runOrError(runId: $runId) {
    __typename ...run
    ... on Run { executionPlan { steps { key } } }
    ... on Error { message }
  }
  logsForRun(runId: $runId, afterCursor: $after, limit: $limit) {
    __typename
    ... on EventConnection { cursor hasMore events {
      __typename
      ... on MessageEvent { message timestamp level stepKey }
      ... on ErrorEvent { error { message cause { message } } }
      ... on AssetCheckEvaluationEvent { evaluation { success checkName severity description assetKey { path } } }
    } }
  }
}
"""
    + _RUN
)
_TOLD = frozenset({"ExecutionStepStartEvent", "ExecutionStepSuccessEvent", "ExecutionStepFailureEvent"})
_RUN_TOLD = frozenset({"RunStartEvent", "RunSuccessEvent", "RunFailureEvent", "RunCanceledEvent", "RunEnqueuedEvent"})
_QUIET = frozenset({"DEBUG"})


class DagsterError(RuntimeError):
    """Dagster cannot do what it was asked; the message is one sentence that says why and what to do."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a run. `status` is `IN_PROGRESS`, `SUCCESS`, `FAILURE` or `SKIPPED`, None before it starts."""

    name: str
    status: str | None
    started_at: dt.datetime | None
    ended_at: dt.datetime | None

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it goes on."""
        return (self.ended_at - self.started_at).total_seconds() if self.started_at and self.ended_at else None


@dataclass(frozen=True, slots=True)
class Run:
    """A run as Dagster tells of it: `days` is the range it was started for, as text, `planned` its number of steps.

    `steps` are those that were begun, in order of their start.
    """

    run_id: str
    job: str
    status: str
    created_at: dt.datetime
    started_at: dt.datetime | None
    ended_at: dt.datetime | None
    days: str
    steps: tuple[Step, ...]
    planned: int = 0

    @property
    def has_ended(self) -> bool:
        """Whether it changes no more."""
        return self.status in ENDED

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it goes on."""
        return (self.ended_at - self.started_at).total_seconds() if self.started_at and self.ended_at else None


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a run's log, for people: `kind` is Dagster's type of event, `step` empty for the run itself."""

    at: dt.datetime
    kind: str
    level: str
    step: str
    text: str


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is: its state, and what was logged since the last look. `cursor` is for the next look."""

    run: Run
    lines: tuple[LogLine, ...]
    cursor: str | None
    has_more: bool


class DagsterApi:
    """The webserver at `url`. Every method raises `DagsterError` in one sentence if it does not get its answer."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def start(self, job: str, days: DayRange | None = None) -> str:
        """Start a run of a job, of these days if it has days; gives the run's id.

        A run that Dagster made but did not answer for in time is found again by a tag that only it has.
        """
        location, repository = self._place_of(job)
        mark = secrets.token_hex(8)
        tags = [(_START, mark), *(zip(_RANGE, (str(days.first), str(days.last)), strict=True) if days else ())]
        params = {
            "selector": {"repositoryLocationName": location, "repositoryName": repository, "jobName": job},
            "runConfigData": {},
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags]},
        }
        try:
            answer = self._ask(_LAUNCH, {"params": params}, START_TIMEOUT_S)["launchRun"]
        except DagsterError:
            if found := self.runs(1, {_START: mark}):
                return found[0].run_id
            raise
        if answer["__typename"] != "LaunchRunSuccess":
            raise DagsterError(f"Dagster did not start {job}: {_words(answer)}")
        return str(answer["run"]["runId"])

    def runs(self, limit: int, tags: Mapping[str, str] = MappingProxyType({})) -> tuple[Run, ...]:
        """The latest runs (of those with these tags), the newest first."""
        wanted = [{"key": key, "value": value} for key, value in tags.items()]
        answer = self._ask(_RUNS, {"limit": limit, "tags": wanted})["runsOrError"]
        if answer["__typename"] != "Runs":
            raise DagsterError(f"Dagster at {self.url} does not tell of its runs: {_words(answer)}")
        return tuple(map(_run, answer["results"]))

    def follow(self, run_id: str, after: str | None = None) -> Progress:
        """A run, and what it logged after the cursor of an earlier look."""
        answer = self._ask(_FOLLOW, {"runId": run_id, "after": after, "limit": LOG_PAGE})
        if answer["runOrError"]["__typename"] != "Run":
            raise DagsterError(f"Dagster at {self.url} knows no run {run_id}: it was deleted, or is another server's.")
        log = answer["logsForRun"]
        if log["__typename"] != "EventConnection":
            return Progress(_run(answer["runOrError"]), (), after, False)
        lines = tuple(line for event in log["events"] if (line := _line(event)) is not None)
        return Progress(_run(answer["runOrError"]), lines, log["cursor"], bool(log["hasMore"]))

    def link(self, run_id: str) -> str:
        """Where the run is in Dagster's UI."""
        return f"{self.url}/runs/{run_id}"

    def _place_of(self, job: str) -> tuple[str, str]:
        """The code location and the repository that have the job."""
        answer = self._ask(_JOBS, {})["repositoriesOrError"]
        for node in answer.get("nodes", ()):
            if job in {found["name"] for found in node["jobs"]}:
                return str(node["location"]["name"]), str(node["name"])
        where = f"see {self.url}/locations whether its code location loaded"
        raise DagsterError(f"Dagster at {self.url} has no job {job}: {where}, and DAGSTER_URL.")

    def _ask(self, query: str, variables: Mapping[str, object], timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
        try:
            answer = httpx.post(f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=timeout_s)
            answer.raise_for_status()
            content = answer.json()
        except httpx.HTTPStatusError as error:
            raise DagsterError(f"{self.url} answered {error.response.status_code}: check DAGSTER_URL.") from error
        except httpx.TimeoutException as error:
            raise DagsterError(
                f"Dagster at {self.url} did not answer within {timeout_s:g} s: look at its runs, then try again."
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise DagsterError(
                f"Dagster does not answer at {self.url}: start it (`make ui`), or set DAGSTER_URL."
            ) from error
        except ValueError as error:
            raise DagsterError(f"{self.url} is not Dagster's webserver: check DAGSTER_URL.") from error
        if not isinstance(content, dict) or not content.get("data"):
            raise DagsterError(f"Dagster at {self.url} did not understand the question: is it another version?")
        return dict(content["data"])


def _words(answer: Mapping[str, Any]) -> str:
    """What an answer gives as its reason, on one line."""
    found = [answer.get("message"), *(error["message"] for error in answer.get("errors", ()))]
    text = next((str(message) for message in found if message), str(answer["__typename"]))
    return text.strip().splitlines()[0]


def _moment(seconds: float | None) -> dt.datetime | None:
    return None if seconds is None else dt.datetime.fromtimestamp(seconds, dt.UTC)


def _run(found: Mapping[str, Any]) -> Run:
    tags = {tag["key"]: tag["value"] for tag in found["tags"]}
    first, last = (tags.get(key, "") for key in _RANGE)
    steps = sorted(
        map(_step, found["stepStats"]), key=lambda step: (step.started_at is None, step.started_at, step.name)
    )
    return Run(
        run_id=found["runId"],
        job=found["jobName"],
        status=found["status"],
        created_at=dt.datetime.fromtimestamp(found["creationTime"], dt.UTC),
        started_at=_moment(found["startTime"]),
        ended_at=_moment(found["endTime"]),
        days=first if first == last else f"{first} – {last}",
        steps=tuple(steps),
        planned=len((found.get("executionPlan") or {}).get("steps", ())),
    )


def _step(found: Mapping[str, Any]) -> Step:
    name = _step_name(found["stepKey"])
    return Step(name, found["status"], _moment(found["startTime"]), _moment(found["endTime"]))


def _step_name(key: str | None) -> str:
    """A step as its table is called: `marts.daily_trends`."""
    return (key or "").replace("__", ".")


def _line(event: Mapping[str, Any]) -> LogLine | None:
    """The event as a line, if it tells people something."""
    kind, level = event["__typename"], str(event.get("level") or "")
    text = _text(event)
    if text is None or (level in _QUIET and kind not in _TOLD | _RUN_TOLD and "evaluation" not in event):
        return None
    at = dt.datetime.fromtimestamp(int(event["timestamp"]) / 1000, dt.UTC)
    return LogLine(at, kind, level, _step_name(event.get("stepKey")), text)


def _text(event: Mapping[str, Any]) -> str | None:
    if (check := event.get("evaluation")) is not None:
        if check["success"]:
            return None
        what = f"check {check['checkName']} of {'.'.join(check['assetKey']['path'])} failed"
        return f"{what}: {check['description']}" if check["description"] else what
    message = str(event.get("message") or "").strip()
    if reasons := _reasons(event.get("error")):
        return reasons[-1]
    if event["__typename"] == "ExecutionStepStartEvent":
        return "started"
    if event["__typename"] == "ExecutionStepSuccessEvent":
        return f"done in {message.rpartition(' in ')[2].rstrip('.')}"
    return message or None


def _reasons(error: Mapping[str, Any] | None) -> Sequence[str]:
    """The messages of an error and of what caused it, each on one line, without the name of its class."""
    found = []
    while error:
        line = str(error["message"]).strip().splitlines()[0] if str(error["message"]).strip() else ""
        head, colon, rest = line.partition(": ")
        found.append(rest if colon and " " not in head else line)
        error = error.get("cause")
    return [line for line in found if line]
