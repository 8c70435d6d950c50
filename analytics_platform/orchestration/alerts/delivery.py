"""Sends a message to a webhook or by mail. A refusal is a `DeliveryError` in one sentence without any secret."""

from __future__ import annotations

import asyncio
import logging
import smtplib
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx

WEBHOOK_SECONDS = 10.0
"""All the time a webhook gets, from connecting to the last byte of its answer."""

MAIL_SECONDS = 10.0
"""What each step of talking to the mail server may take."""

FROM = "analytics-platform"


class DeliveryError(Exception):
    """The message was not taken; the sentence names neither address nor password."""


class _NoAddresses(logging.Filter):
    """httpx logs the address of a request, which is all the secret a webhook has."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            # By text, not by httpx.URL: once a REST client was opened in the process, its filter has made text of the
            # address before this one sees it, and the secret path of a webhook was logged.
            record.args = tuple("(webhook)" if "://" in str(part) else part for part in record.args)
        return True


@contextmanager
def _addresses_unlogged() -> Iterator[None]:
    quiet, logger = _NoAddresses(), logging.getLogger("httpx")
    logger.addFilter(quiet)
    try:
        yield
    finally:
        logger.removeFilter(quiet)


def post(url: str, payload: Mapping[str, Any]) -> None:
    """Post JSON to a webhook. Raises `DeliveryError` unless the answer is a 2xx within `WEBHOOK_SECONDS`."""
    try:
        with _addresses_unlogged():
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
    """Send a mail. Raises `DeliveryError` if the server cannot be reached or takes it not.

    `smtps://` is TLS from the start; with `smtp://` TLS is used if the server offers it, and a password is never sent
    without.
    """
    letter = EmailMessage()
    letter["Subject"], letter["To"] = subject, to
    address = urlsplit(smtp_url)
    user, password = unquote(address.username or ""), unquote(address.password or "")
    letter["From"] = user if "@" in user else f"{FROM}@{address.hostname}"
    letter.set_content(body)
    try:
        with _server(address.scheme, address.hostname or "", address.port) as server:
            if user and not isinstance(server.sock, ssl.SSLSocket):
                raise DeliveryError("the mail server offers no TLS, so the password in SMTP_URL was not sent to it")
            if user:
                server.login(user, password)
            server.send_message(letter)
    except (smtplib.SMTPException, OSError) as error:
        raise DeliveryError(f"the mail server did not take the mail ({_reason(error)})") from None


@contextmanager
def _server(scheme: str, host: str, port: int | None) -> Iterator[smtplib.SMTP]:
    if scheme == "smtps":
        with smtplib.SMTP_SSL(host, port or 465, timeout=MAIL_SECONDS, context=ssl.create_default_context()) as server:
            yield server
        return
    with smtplib.SMTP(host, port or 25, timeout=MAIL_SECONDS) as server:
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls(context=ssl.create_default_context())
        yield server


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return "it refused user or password: check SMTP_URL"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"it answered {error.smtp_code}"
    return type(error).__name__
