"""Messages: in words, as Slack's blocks or plain text, and sent to a webhook or by mail. No Dagster in here.

File names, rows and error messages are hostile input: control characters go, and what Slack would take for markup is
escaped or put in a code block, where it has no effect.
"""

from __future__ import annotations

import asyncio
import html
import logging
import re
import smtplib
import ssl
from collections.abc import Iterator, Mapping
from email.message import EmailMessage
from functools import partial
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import httpx
from pydantic import BaseModel, ConfigDict

from analytics_platform.errors import count
from analytics_platform.orchestration.alerts.incidents import FORGET_AFTER, Incident, News, Problem
from analytics_platform.reports.wording import clean, moment

# httpx logs every address whole; that of a webhook is all the secret it has.
logging.getLogger("httpx").addFilter(lambda record: record.levelno > logging.INFO)

MOST_PROBLEMS = 8
"""Problems of one run that are shown; more are counted."""

LONGEST_LINE, LONGEST_REMEDY, LONGEST_BLOCK, LONGEST_TITLE = 300, 1200, 2800, 140
"""Characters; Slack takes 3,000 in a block and 150 in a header."""

WEBHOOK_SECONDS = 10.0
"""All the time a webhook gets, from connecting to the last byte of its answer."""

MAIL_SECONDS = 10.0
"""What each step of talking to the mail server may take."""


class Alert(BaseModel):
    """A message in words. `link` is where to look further, `parts` are paragraphs of clean text."""

    model_config = ConfigDict(frozen=True)

    title: str
    parts: tuple[str, ...]
    link: str


class DeliveryError(Exception):
    """A receiver did not accept a message; the sentence names neither address nor password."""


_line = partial(clean, longest=LONGEST_LINE)
_escape = partial(html.escape, quote=False)
"""What Slack asks for: `<!channel>` and links are only text then."""


def write(message: News, dagster_url: str) -> Alert:
    """Put the message in words, with links into the Dagster UI at `dagster_url`."""
    base, run = dagster_url.rstrip("/"), message.run if message.run and message.run.run_id else None
    parts = ["\n".join(_lines(problem, base)) for problem in message.problems[:MOST_PROBLEMS]]
    if len(message.problems) > MOST_PROBLEMS:
        parts.append(f"and {len(message.problems) - MOST_PROBLEMS} more in the same run")
    if message.kind == "failed" and run is not None:
        parts.append(f"In run {run.run_id[:8]} of {_line(run.job)}.")
    parts += [_of_incident(incident, message.kind) for incident in message.incidents]
    titles = [each.title for each in message.problems or message.incidents]
    more = f" and {len(titles) - 1} more" if len(titles) > 1 else ""
    title = clean(f"{message.kind.capitalize()}: {titles[0]}", LONGEST_TITLE - len(more)) + more
    link = f"{base}/runs/{quote(run.run_id)}" if run else f"{base}/overview"
    return Alert(title=title, parts=tuple(parts), link=link)


def _lines(problem: Problem, base: str) -> Iterator[str]:
    """Yield the title, what is known of the problem, and a link to its asset's checks."""
    yield _line(problem.title)
    if problem.detail:
        yield clean(problem.detail, 2 * LONGEST_LINE)
    if problem.days:
        yield f"days: {problem.days.first} to {problem.days.last}"
    yield from (_line(f"{name}: {value}") for name, value in problem.figures.items())
    if problem.sample:
        yield from ("sample:", *(f"  {_line(line)}" for line in problem.sample))
    if problem.remedy:
        text = f"what to do: {problem.remedy}"
        remedy = clean(text, LONGEST_REMEDY)
        if remedy.endswith("…") and not text.endswith("…"):
            # Not within a command or an id: people copy them, and half a batch id names no batch.
            whole = remedy.rpartition("; or ")[0] or remedy.rpartition(" ")[0]
            remedy = f"{whole} … (the rest is in the failed check)"
        yield remedy
    if problem.asset:
        yield f"look: {base}/assets/{quote(problem.asset)}?view=checks"


def _of_incident(incident: Incident, kind: str) -> str:
    times = f"{count(incident.count, 'failure')} since {moment(incident.since)}"
    if kind == "recovered":
        return f"{_line(incident.title)}: resolved, after {times}"
    gone = "" if incident.reported - incident.last < FORGET_AFTER else ", not checked since: this is the last reminder"
    return f"{_line(incident.title)}: {times}, last {moment(incident.last)}{gone}"


def to_text(alert: Alert) -> str:
    """Write the body of a mail."""
    return "\n\n".join([*alert.parts, alert.link]) + "\n"


def to_slack(alert: Alert) -> dict[str, Any]:
    """Write the JSON of a Slack webhook: `text` is what notifications show, `blocks` what the channel does."""
    sections = []
    for part in alert.parts:
        text = _escape(part.replace("`", "'"))
        if len(text) > LONGEST_BLOCK:
            text = re.sub(r"&[a-z]{0,3}$", "", text[:LONGEST_BLOCK]) + "…"  # not cut within `&amp;`
        sections.append(f"```{text}```")
    sections.append(f"<{_escape(alert.link)}|Open in Dagster>")
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": alert.title, "emoji": False}},
        *({"type": "section", "text": {"type": "mrkdwn", "text": section}} for section in sections),
    ]
    return {"text": _escape(f"{alert.title} {alert.link}"), "blocks": blocks}


def post(url: str, payload: Mapping[str, Any]) -> None:
    """Post JSON to a webhook. Raises `DeliveryError` unless the answer is a 2xx within `WEBHOOK_SECONDS`."""
    try:
        status = asyncio.run(_post(url, payload))
    except (TimeoutError, httpx.TimeoutException):
        raise DeliveryError(f"the webhook did not answer within {WEBHOOK_SECONDS:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError):
        raise DeliveryError("the webhook cannot be reached: check ALERT_WEBHOOK_URL") from None
    if not 200 <= status < 300:
        raise DeliveryError(f"the webhook answered {status}: check ALERT_WEBHOOK_URL")


async def _post(url: str, payload: Mapping[str, Any]) -> int:
    # A limit on the whole: the client's own limits start anew with every byte. The body of the answer is not read.
    async with (
        asyncio.timeout(WEBHOOK_SECONDS),
        httpx.AsyncClient(timeout=WEBHOOK_SECONDS) as client,
        client.stream("POST", url, json=payload) as reply,
    ):
        return reply.status_code


def mail(smtp_url: str, to: str, subject: str, body: str) -> None:
    """Send a mail. Raises `DeliveryError` if the server cannot be reached or does not accept it.

    `smtps://` is TLS from the start; with `smtp://` TLS is used if the server offers it, and a password is never sent
    without.
    """
    address = urlsplit(smtp_url)
    host, user, password = address.hostname or "", unquote(address.username or ""), unquote(address.password or "")
    letter = EmailMessage()
    letter["Subject"], letter["To"] = subject, to
    letter["From"] = user if "@" in user else f"analytics-platform@{host}"
    letter.set_content(body)
    try:
        with _connect(address.scheme == "smtps", host, address.port) as server:
            if user and not isinstance(server.sock, ssl.SSLSocket):
                raise DeliveryError("the mail server offers no TLS, so the password in SMTP_URL was not sent to it")
            if user:
                server.login(user, password)
            server.send_message(letter)
    except smtplib.SMTPAuthenticationError:
        raise DeliveryError("the mail server rejected user or password: check SMTP_URL") from None
    except (smtplib.SMTPException, OSError) as error:
        code = error.smtp_code if isinstance(error, smtplib.SMTPResponseException) else ""
        reason = f"it answered {code}" if code else "no connection, or it broke off"
        raise DeliveryError(f"the mail server did not take the mail ({reason})") from None


def _connect(encrypted: bool, host: str, port: int | None) -> smtplib.SMTP:
    if encrypted:
        return smtplib.SMTP_SSL(host, port or 465, timeout=MAIL_SECONDS, context=ssl.create_default_context())
    server = smtplib.SMTP(host, port or 25, timeout=MAIL_SECONDS)
    server.ehlo()
    if server.has_extn("starttls"):
        server.starttls(context=ssl.create_default_context())
    return server
