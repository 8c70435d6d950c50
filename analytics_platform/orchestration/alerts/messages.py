"""Messages: in words, as Slack's blocks or plain text, and sent to a webhook or by mail. No Dagster in here.

File names, rows and error messages are hostile input: control characters go, and what Slack would take for markup is
escaped or stands in a code block, where it means nothing.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import re
import smtplib
import ssl
import unicodedata
from collections.abc import Iterator, Mapping
from email.message import EmailMessage
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import httpx
from pydantic import BaseModel, ConfigDict

from analytics_platform.orchestration.alerts.incidents import FORGET_AFTER, Incident, Kind, News, Problem

MOST_PROBLEMS = 8
"""Of a run with more new problems, this many are shown; the others are counted."""

LONGEST_LINE, LONGEST_BLOCK, LONGEST_TITLE = 300, 2800, 140
"""Characters; Slack takes 3,000 in a block and 150 in a header."""

WEBHOOK_SECONDS = 10.0
"""All the time a webhook gets, from connecting to the last byte of its answer."""

MAIL_SECONDS = 10.0
"""What each step of talking to the mail server may take."""

# httpx logs every address, and the address is all the secret a webhook has.
logging.getLogger("httpx").setLevel(logging.WARNING)


class Alert(BaseModel):
    """A message in words. `link` is where to look further, `parts` are paragraphs of clean text."""

    model_config = ConfigDict(frozen=True)

    title: str
    parts: tuple[str, ...]
    link: str


class DeliveryError(Exception):
    """A receiver did not accept a message; the sentence names neither address nor password."""


def clean(text: str, longest: int = LONGEST_LINE) -> str:
    """Make one line: no control, format or line characters (they could hide, reorder or forge text), not too long."""
    line = "".join(" " if unicodedata.category(sign)[0] in "CZ" else sign for sign in text[: 4 * longest])
    line = re.sub(" +", " ", line).strip()
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def write(message: News, dagster_url: str) -> Alert:
    """Put the message in words, with links into the Dagster UI at `dagster_url`."""
    base, run = dagster_url.rstrip("/"), message.run
    parts = ["\n".join(_lines(problem, base)) for problem in message.problems[:MOST_PROBLEMS]]
    if len(message.problems) > MOST_PROBLEMS:
        parts.append(f"and {len(message.problems) - MOST_PROBLEMS} more problems in the same run")
    if message.kind is Kind.FAILED and run is not None:
        parts.append(f"In run {run.run_id[:8]} of {clean(run.job)}.")
    parts += [_of_incident(incident, message.kind) for incident in message.incidents]
    titles = [each.title for each in message.problems or message.incidents]
    more = f" and {len(titles) - 1} more" if len(titles) > 1 else ""
    title = clean(f"{message.kind.value.capitalize()}: {titles[0]}", LONGEST_TITLE - len(more)) + more
    return Alert(
        title=title, parts=tuple(parts), link=f"{base}/runs/{quote(run.run_id)}" if run else f"{base}/overview"
    )


def _lines(problem: Problem, base: str) -> Iterator[str]:
    """Yield the title, what is known of the problem, and a link to its asset's checks."""
    yield clean(problem.title)
    if problem.detail:
        yield clean(problem.detail, 2 * LONGEST_LINE)
    if problem.days:
        yield f"days: {problem.days.first} to {problem.days.last}"
    yield from (clean(f"{name}: {value}") for name, value in problem.figures.items())
    if problem.sample:
        yield from ("sample:", *(f"  {clean(line)}" for line in problem.sample))
    if problem.remedy:
        yield clean(f"what to do: {problem.remedy}", 2 * LONGEST_LINE)
    if problem.asset:
        yield f"look: {base}/assets/{quote(problem.asset)}?view=checks"


def _of_incident(incident: Incident, kind: Kind) -> str:
    title, failures = clean(incident.title), "failure" if incident.count == 1 else "failures"
    times = f"{incident.count} {failures} since {_minute(incident.since)}"
    if kind is Kind.RECOVERED:
        return f"{title}: resolved, after {times}"
    gone = "" if incident.reported - incident.last < FORGET_AFTER else ", not checked since: this is the last reminder"
    return f"{title}: {times}, last {_minute(incident.last)}{gone}"


def _minute(at: dt.datetime) -> str:
    return f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"


def to_text(alert: Alert) -> str:
    """Write the body of a mail."""
    return "\n\n".join([*alert.parts, alert.link]) + "\n"


def to_slack(alert: Alert) -> dict[str, Any]:
    """Write the JSON of a Slack webhook: `text` is what notifications show, `blocks` what the channel does."""
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": alert.title, "emoji": False}}
    ]
    for words in [*map(_code_block, alert.parts), f"<{escape(alert.link)}|Open in Dagster>"]:
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": words}})
    return {"text": escape(f"{alert.title} {alert.link}"), "blocks": blocks}


def _code_block(part: str) -> str:
    text = escape(part.replace("`", "'"))
    if len(text) > LONGEST_BLOCK:
        text = re.sub(r"&[a-z]{0,3}$", "", text[:LONGEST_BLOCK]) + "…"  # not cut within `&amp;`
    return f"```{text}```"


def escape(text: str) -> str:
    """Escape what Slack asks for: `<!channel>` and links are no more than letters then."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def post(url: str, payload: Mapping[str, Any]) -> None:
    """Post JSON to a webhook. Raises `DeliveryError` unless the answer is a 2xx within `WEBHOOK_SECONDS`."""
    try:
        status = asyncio.run(_post(url, payload))
    except (TimeoutError, httpx.TimeoutException):
        raise DeliveryError(f"the webhook did not answer within {WEBHOOK_SECONDS:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise DeliveryError(f"the webhook cannot be reached ({type(error).__name__})") from None
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
        raise DeliveryError("the mail server refused user or password: check SMTP_URL") from None
    except (smtplib.SMTPException, OSError) as error:
        reason = (
            f"it answered {error.smtp_code}"
            if isinstance(error, smtplib.SMTPResponseException)
            else type(error).__name__
        )
        raise DeliveryError(f"the mail server did not take the mail ({reason})") from None


def _connect(encrypted: bool, host: str, port: int | None) -> smtplib.SMTP:
    if encrypted:
        return smtplib.SMTP_SSL(host, port or 465, timeout=MAIL_SECONDS, context=ssl.create_default_context())
    server = smtplib.SMTP(host, port or 25, timeout=MAIL_SECONDS)
    server.ehlo()
    if server.has_extn("starttls"):
        server.starttls(context=ssl.create_default_context())
    return server
