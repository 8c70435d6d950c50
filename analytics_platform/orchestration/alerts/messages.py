"""Messages in words: as plain text for mail, and as Slack's blocks. No Dagster in here.

File names, rows and error messages are hostile input: control characters go, and what Slack would take for markup is
escaped or stands in a code block, where it means nothing.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict

from analytics_platform.orchestration.alerts.incidents import FORGET_AFTER, Incident, Kind, Message, Problem

MOST_PROBLEMS = 8
"""Of a run with more new problems, only so many are shown; the others are counted."""

LONGEST_LINE, LONGEST_BLOCK, LONGEST_TITLE = 300, 2800, 140
"""Characters; Slack takes 3,000 in a block and 150 in a header."""


class Written(BaseModel):
    """A message ready to be sent. `link` is where to look further, `parts` are paragraphs of clean text."""

    model_config = ConfigDict(frozen=True)

    title: str
    parts: tuple[str, ...]
    link: str


def clean(text: str, longest: int = LONGEST_LINE) -> str:
    """One line: no control, format or line characters (they could hide, reorder or forge text), and not too long."""
    line = "".join(" " if unicodedata.category(sign)[0] in "CZ" else sign for sign in text[: 4 * longest])
    line = re.sub(" +", " ", line).strip()
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def write(message: Message, dagster_url: str) -> Written:
    """The message in words, with links into the Dagster UI at `dagster_url`."""
    base = dagster_url.rstrip("/")
    if message.kind is Kind.FAILED:
        assert message.run is not None
        parts = [part for problem in message.problems[:MOST_PROBLEMS] for part in _of_problem(problem, base)]
        left = len(message.problems) - MOST_PROBLEMS
        parts += [f"and {left} more problems in the same run"] if left > 0 else []
        parts.append(f"In run {message.run.run_id[:8]} of {clean(message.run.job)}.")
    else:
        parts = [_of_incident(incident, message) for incident in message.incidents]
    link = f"{base}/runs/{quote(message.run.run_id)}" if message.run else f"{base}/overview"
    return Written(title=_title(message), parts=tuple(parts), link=link)


def _title(message: Message) -> str:
    titles = [problem.title for problem in message.problems] or [incident.title for incident in message.incidents]
    more = f" and {len(titles) - 1} more" if len(titles) > 1 else ""
    return clean(f"{message.kind.value.capitalize()}: {titles[0]}", LONGEST_TITLE - len(more)) + more


def _of_problem(problem: Problem, base: str) -> Iterator[str]:
    """The title, what is known of it, and a link to its asset's checks."""
    lines = [clean(problem.title)]
    lines += [clean(problem.detail, 2 * LONGEST_LINE)] if problem.detail else []
    if problem.days:
        lines.append(f"days: {problem.days.first} to {problem.days.last}")
    lines += [clean(f"{name}: {value}") for name, value in problem.figures.items()]
    lines += ["sample:", *(f"  {clean(line)}" for line in problem.sample)] if problem.sample else []
    lines += [clean(f"what to do: {problem.remedy}", 2 * LONGEST_LINE)] if problem.remedy else []
    if problem.asset:
        lines.append(f"look: {base}/assets/{quote(problem.asset)}?view=checks")
    yield "\n".join(lines)


def _of_incident(incident: Incident, message: Message) -> str:
    times = f"{incident.count} {'failure' if incident.count == 1 else 'failures'} since {_minute(incident.since)}"
    if message.kind is Kind.RECOVERED:
        return f"{clean(incident.title)}: resolved, after {times}"
    gone = "" if incident.told - incident.last < FORGET_AFTER else ", not checked for long: this is the last reminder"
    return f"{clean(incident.title)}: {times}, last {_minute(incident.last)}{gone}"


def _minute(at: dt.datetime) -> str:
    return f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"


def to_text(written: Written) -> str:
    """The body of a mail."""
    return "\n\n".join([*written.parts, written.link]) + "\n"


def to_slack(written: Written) -> dict[str, Any]:
    """The JSON of a Slack webhook: `text` is what notifications show, `blocks` what the channel does."""
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": written.title, "emoji": False}}
    ]
    blocks += [_section(f"```{part}```") for part in _fitting(written.parts)]
    blocks.append(_section(f"<{escape(written.link)}|Open in Dagster>"))
    return {"text": escape(f"{written.title} {written.link}"), "blocks": blocks}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def _fitting(parts: Iterable[str]) -> Iterator[str]:
    for part in parts:
        safe = escape(part.replace("`", "'"))
        yield safe if len(safe) <= LONGEST_BLOCK else f"{_cut(safe)}…"


def _cut(escaped: str) -> str:
    """The start of escaped text, not ending within `&amp;`."""
    return re.sub(r"&[a-z]{0,3}$", "", escaped[:LONGEST_BLOCK])


def escape(text: str) -> str:
    """What Slack asks for: `<!channel>` and links are no more than letters then."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
