"""Which messages runs that ended give rise to, as a pure function of them and of the incidents that were open.

A problem is a check that failed, a step that failed for another reason, or a run that failed without either. It is
reported when it begins, counted while it lasts, and reported once more when it is resolved. No Dagster in here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict

from analytics_platform.transform import DayRange

REMIND_AFTER = dt.timedelta(hours=24)
"""Open incidents are repeated, all in one message, no sooner than this after the last message about one of them."""

FORGET_AFTER = dt.timedelta(days=30)
"""An incident whose check neither failed nor passed for this long is dropped with its last reminder: it may be gone."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong in a run. `key` is the same whenever it happens; `days` are those of the run, if it has any.

    `asset` and `check` are names, empty if there is none; `sample` is lines of text.
    """

    key: str
    title: str
    asset: str = ""
    detail: str = ""
    figures: Mapping[str, str] = field(default_factory=dict)
    sample: Sequence[str] = ()
    remedy: str = ""
    days: DayRange | None = None


@dataclass(frozen=True, slots=True)
class EndedRun:
    """A run that ended, its problems, and the keys of problems that it did not have, each with the days it built."""

    run_id: str
    job: str
    ended_at: dt.datetime
    problems: Sequence[Problem] = ()
    passed: Mapping[str, DayRange | None] = field(default_factory=dict)


class Incident(BaseModel):
    """A problem that lasts. `days` are those not yet seen resolved; none if it has no days."""

    model_config = ConfigDict(frozen=True)

    title: str
    since: dt.datetime
    last: dt.datetime
    reported: dt.datetime
    count: int = 1
    days: tuple[DayRange, ...] = ()


@dataclass(frozen=True, slots=True)
class News:
    """One message: of a run's new problems, of incidents that it resolved, or of all that are open."""

    kind: Literal["failed", "recovered", "still failing"]
    run: EndedRun | None = None
    problems: Sequence[Problem] = ()
    incidents: Sequence[Incident] = ()


def update_incidents(
    known: Mapping[str, Incident], runs: Sequence[EndedRun], now: dt.datetime
) -> tuple[dict[str, Incident], list[News]]:
    """Take in runs in the order they ended; returns the incidents open after them, and the messages to send, in order.

    Incidents are named by the keys of their problems.
    """
    going_on, messages = dict(known), []
    for run in runs:
        new = [problem for problem in run.problems if problem.key not in going_on]
        for problem in run.problems:
            going_on[problem.key] = _happened(going_on.get(problem.key), problem, run.ended_at, now)
        resolved = [over for key, days in run.passed.items() if (over := _resolve(going_on, key, days))]
        messages += [News("failed", run, new)] if new else []
        messages += [News("recovered", run, incidents=resolved)] if resolved else []
    if any(now - incident.reported >= REMIND_AFTER for incident in going_on.values()):
        going_on = {key: incident.model_copy(update={"reported": now}) for key, incident in going_on.items()}
        messages.append(News("still failing", incidents=tuple(going_on.values())))
        going_on = {key: incident for key, incident in going_on.items() if now - incident.last < FORGET_AFTER}
    return going_on, messages


def _happened(before: Incident | None, problem: Problem, at: dt.datetime, now: dt.datetime) -> Incident:
    days = (problem.days,) if problem.days else ()
    if before is None:
        return Incident(title=problem.title, since=at, last=at, reported=now, days=days)
    # Once it has happened without days, any run that passes resolves it.
    both = tuple(dict.fromkeys((*before.days, *days))) if days and before.days else ()
    return before.model_copy(update={"last": at, "count": before.count + 1, "days": both})


def _resolve(going_on: dict[str, Incident], key: str, days: DayRange | None) -> Incident | None:
    """Remove the incident whose key passed on `days`, and return it; one that has other days too keeps these."""
    incident = going_on.get(key)
    if incident is None:
        return None
    left = tuple(part for part in incident.days if days and not (days.first <= part.first and part.last <= days.last))
    if left:
        going_on[key] = incident.model_copy(update={"days": left})
        return None
    return going_on.pop(key)
