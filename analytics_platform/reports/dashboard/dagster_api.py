"""Starts runs and follows them through the GraphQL API of Dagster's webserver.

Dagster itself is not imported: the dashboard works from another machine, and beside any version that serves this API.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

import httpx

from analytics_platform.reports.dashboard.runs import RANGE, LogLine, Run, log_line
from analytics_platform.transform import DayRange

INGEST, REBUILD = "ingest_everything", "rebuild_days"
"""The jobs that people start from the dashboard (`orchestration/jobs.py`)."""

TIMEOUT_S = 10.0
START_TIMEOUT_S = 60.0
"""Without a queue of runs, Dagster answers only when the run's process was started."""

_PAGE = 1000
"""Events of a log asked for at a time."""
_START = "analytics/start"
"""A tag whose value no other start has."""

_RUN = """
fragment run on Run {
  runId jobName status creationTime startTime endTime
  tags { key value }
  stepStats { stepKey status startTime endTime }
}
"""
_JOBS = (
    "query { repositoriesOrError { ... on RepositoryConnection { nodes { name location { name } jobs { name } } } } }"
)
_LAUNCH = """
mutation ($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename
  ... on LaunchRunSuccess { run { runId } }
  ... on Error { message }
  ... on RunConfigValidationInvalid { errors { message } }
} }
"""
_RUNS = f"""
query ($limit: Int!, $tags: [ExecutionTag!]) {{ runsOrError(limit: $limit, filter: {{ tags: $tags }}) {{
  __typename
  ... on Runs {{ results {{ ...run }} }}
  ... on Error {{ message }}
}} }}
{_RUN}"""
_FOLLOW = f"""
query ($runId: ID!, $after: String, $limit: Int!) {{
  runOrError(runId: $runId) {{ __typename ...run ... on Run {{ executionPlan {{ steps {{ key }} }} }} }}
  logsForRun(runId: $runId, afterCursor: $after, limit: $limit) {{
    ... on EventConnection {{ cursor hasMore events {{
      __typename
      ... on MessageEvent {{ message timestamp level stepKey }}
      ... on ErrorEvent {{ error {{ message cause {{ message }} }} }}
      ... on AssetCheckEvaluationEvent {{ evaluation {{ success checkName description assetKey {{ path }} }} }}
    }} }}
  }}
}}
{_RUN}"""


class DagsterError(RuntimeError):
    """Dagster cannot do what it was asked; the message is one sentence that says why and what to do."""


class DagsterApi:
    """The webserver at `url`. Every method raises `DagsterError` if it does not get its answer."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def start(self, job: str, days: DayRange | None = None) -> str:
        """Start a run of a job, for these days if it has days, and return the run's id."""
        location, repository = self._place_of(job)
        tags = {_START: secrets.token_hex(8)}
        if days is not None:
            tags |= zip(RANGE, (str(days.first), str(days.last)), strict=True)
        params = {
            "selector": {"repositoryLocationName": location, "repositoryName": repository, "jobName": job},
            "runConfigData": {},
            "executionMetadata": {"tags": _tags(tags)},
        }
        try:
            answer = self._ask(_LAUNCH, {"params": params}, START_TIMEOUT_S)["launchRun"]
        except DagsterError:
            # Dagster may have made the run and answered too late: only that run has this tag.
            if found := self.runs(1, {_START: tags[_START]}):
                return found[0].run_id
            raise
        if answer["__typename"] != "LaunchRunSuccess":
            raise DagsterError(f"Dagster did not start {job}: {_words(answer)}")
        return str(answer["run"]["runId"])

    def runs(self, limit: int, tags: Mapping[str, str] | None = None) -> list[Run]:
        """Return the latest runs (of those with these tags), the newest first."""
        answer = self._ask(_RUNS, {"limit": limit, "tags": _tags(tags or {})})["runsOrError"]
        if answer["__typename"] != "Runs":
            raise DagsterError(f"Dagster at {self.url} does not list its runs: {_words(answer)}")
        return [Run.model_validate(found) for found in answer["results"]]

    def follow(self, run_id: str, after: str | None = None) -> tuple[Run, list[LogLine], str | None]:
        """Return a run, all it logged after the cursor of an earlier request, and the cursor for the next request."""
        lines: list[LogLine] = []
        while True:
            answer = self._ask(_FOLLOW, {"runId": run_id, "after": after, "limit": _PAGE})
            found, log = answer["runOrError"], answer["logsForRun"]
            if found["__typename"] != "Run":
                gone = "it was deleted, or is another server's"
                raise DagsterError(f"Dagster at {self.url} knows no run {run_id}: {gone}.")
            lines += [line for event in log.get("events", ()) if (line := log_line(event)) is not None]
            after = log.get("cursor", after)
            if not log.get("hasMore"):
                return Run.model_validate(found), lines, after

    def link(self, run_id: str) -> str:
        """Return the address of the run in Dagster's UI."""
        return f"{self.url}/runs/{run_id}"

    def _place_of(self, job: str) -> tuple[str, str]:
        """Return the code location and the repository that have the job."""
        for node in self._ask(_JOBS, {})["repositoriesOrError"].get("nodes", ()):
            if {"name": job} in node["jobs"]:
                return str(node["location"]["name"]), str(node["name"])
        where = f"see {self.url}/locations whether its code location loaded"
        raise DagsterError(f"Dagster at {self.url} has no job {job}: {where}, and DAGSTER_URL.")

    def _ask(self, query: str, variables: Mapping[str, object], timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
        try:
            answer = httpx.post(f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=timeout_s)
            data = answer.raise_for_status().json()["data"]
        except httpx.HTTPStatusError as error:
            raise DagsterError(f"{self.url} answered {error.response.status_code}: check DAGSTER_URL.") from error
        except httpx.TimeoutException as error:
            late = f"Dagster at {self.url} did not answer within {timeout_s:g} s: look at its runs, then try again."
            raise DagsterError(late) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            down = f"Dagster does not answer at {self.url}: start it (`make ui`), or set DAGSTER_URL."
            raise DagsterError(down) from error
        except ValueError as error:
            raise DagsterError(f"{self.url} is not Dagster's webserver: check DAGSTER_URL.") from error
        except (KeyError, TypeError):
            data = None
        if not data:
            raise DagsterError(f"Dagster at {self.url} did not understand the query: is it another version?")
        return dict(data)


def _tags(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in values.items()]


def _words(answer: Mapping[str, Any]) -> str:
    """Return the first line of the reason that an answer gives."""
    messages = [answer.get("message"), *(error["message"] for error in answer.get("errors", ()))]
    text = next(filter(None, messages), answer["__typename"])
    return str(text).strip().splitlines()[0]
