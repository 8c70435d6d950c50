"""What there is to tell about runs that ended, as a pure function of them and of what was told before. No Dagster here.

A problem is a check that failed, a step that failed for another reason, or a run that ended without either. It is told
when it begins, counted while it goes on, and told once more when it is over. A run's new problems make one message.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

REMIND_AFTER = dt.timedelta(hours=24)
"""Open problems are repeated, all in one message, no sooner than this after the last message about them."""

FORGET_AFTER = dt.timedelta(days=30)
"""A problem that neither happened again nor ended for so long is dropped, with a last word: its check may be gone."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Days(_Frozen):
    """The days a run built, both ends included."""

    first: dt.date
    last: dt.date

    def cover(self, other: Days) -> bool:
        """Whether all the other days are among these."""
        return self.first <= other.first and other.last <= self.last


class Problem(_Frozen):
    """One thing that went wrong in a run. `key` is the same whenever it happens; `days` says where, if it has days.

    `asset` and `check` are names, empty if there is none; `sample` is lines of text.
    """

    key: str
    title: str
    asset: str = ""
    check: str = ""
    detail: str = ""
    figures: Mapping[str, str] = Field(default_factory=dict)
    sample: tuple[str, ...] = ()
    remedy: str = ""
    days: Days | None = None


class EndedRun(_Frozen):
    """A run that ended: what went wrong in it, and which problems it proves to be over (on which days, if any)."""

    run_id: str
    job: str
    ended_at: dt.datetime
    problems: tuple[Problem, ...] = ()
    well: Mapping[str, Days | None] = Field(default_factory=dict)


class Incident(_Frozen):
    """A problem that goes on. `days` are those not yet seen resolved; none if it has no days."""

    title: str
    since: dt.datetime
    last: dt.datetime
    told: dt.datetime
    count: int = 1
    days: tuple[Days, ...] = ()


class Kind(StrEnum):
    """What a message is about."""

    FAILED = "failed"
    RECOVERED = "recovered"
    REMINDER = "still failing"


class Message(_Frozen):
    """One message: of a run's new problems, of problems that are over with it, or of all that go on."""

    kind: Kind
    run: EndedRun | None = None
    problems: tuple[Problem, ...] = ()
    incidents: tuple[Incident, ...] = ()


Incidents = Mapping[str, Incident]


def update_incidents(
    known: Incidents, runs: Sequence[EndedRun], now: dt.datetime
) -> tuple[dict[str, Incident], list[Message]]:
    """Take in runs in the order they ended; returns what goes on after them, and the messages to send, in order."""
    going_on = dict(known)
    messages: list[Message] = []
    for run in runs:
        messages += _judge_run(going_on, run, now)
    messages += _remind(going_on, now)
    return going_on, messages


def _judge_run(going_on: dict[str, Incident], run: EndedRun, now: dt.datetime) -> Iterator[Message]:
    new = []
    for problem in run.problems:
        before = going_on.get(problem.key)
        if before is None:
            new.append(problem)
        going_on[problem.key] = _happened(before, problem, run.ended_at, now)
    over = [incident for key, days in run.well.items() if (incident := _end(going_on, key, days)) is not None]
    if new:
        yield Message(kind=Kind.FAILED, run=run, problems=tuple(new))
    if over:
        yield Message(kind=Kind.RECOVERED, run=run, incidents=tuple(over))


def _happened(before: Incident | None, problem: Problem, at: dt.datetime, now: dt.datetime) -> Incident:
    days = () if problem.days is None else (problem.days,)
    if before is None:
        return Incident(title=problem.title, since=at, last=at, told=now, days=days)
    # Once it has happened without days, any run that finds it well ends it.
    kept = before.days if days and before.days else ()
    more = tuple(part for part in days if part not in kept) if kept else ()
    return before.model_copy(update={"last": at, "count": before.count + 1, "days": kept + more})


def _end(going_on: dict[str, Incident], key: str, days: Days | None) -> Incident | None:
    """The incident that is over, now that `key` was found well on `days`; on some of its days only, it goes on."""
    incident = going_on.get(key)
    if incident is None:
        return None
    left = () if days is None else tuple(part for part in incident.days if not days.cover(part))
    if left:
        going_on[key] = incident.model_copy(update={"days": left})
        return None
    return going_on.pop(key)


def _remind(going_on: dict[str, Incident], now: dt.datetime) -> Iterator[Message]:
    if all(now - incident.told < REMIND_AFTER for incident in going_on.values()):
        return
    for key, incident in going_on.items():
        going_on[key] = incident.model_copy(update={"told": now})
    yield Message(kind=Kind.REMINDER, incidents=tuple(going_on.values()))
    for key in [key for key, incident in going_on.items() if now - incident.last >= FORGET_AFTER]:
        del going_on[key]
