"""An answer of an API: whether it is one at all, and what it says."""

from __future__ import annotations

import datetime as dt
import email.utils
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import httpx

from analytics_platform.connectors.rest_api.document import (
    DocumentError,
    ShapeError,
    list_in,
    locate_list,
    parse,
    to_text,
)
from analytics_platform.connectors.rest_api.endpoint import Endpoint
from analytics_platform.connectors.rest_api.errors import BadAnswerError
from analytics_platform.connectors.rest_api.page import Page
from analytics_platform.connectors.rest_api.pagination import TELL_OWNER, value_at

_LATER = frozenset({408, 425, 429})
"""Statuses below 500 that say: later (RFC 9110, RFC 8470, RFC 6585)."""

_REMEDIES: Mapping[int, str] = MappingProxyType(
    {
        401: "check the credentials of the source",
        403: "check the credentials of the source",
        404: "check the address of the source",
        410: "check the address of the source",
    }
)
_REDECLARE = "correct the declaration of the source if its API changed"


@dataclass(frozen=True, slots=True)
class Reply:
    """A page and what it says: `count` of its records, `total` of all, where it came from and how to go on."""

    page: Page
    url: httpx.URL
    base: httpx.URL
    count: int
    total: int | None
    link: str | None
    document: Any


def check(response: httpx.Response, endpoint: Endpoint, longest_wait_s: float) -> None:
    """Raise `BadAnswerError` unless the answer is a whole document of a declared type."""
    status = response.status_code
    if status != HTTPStatus.OK:
        raise _refusal(response, longest_wait_s)
    given = response.headers.get("Content-Type", "")
    kind = given.partition(";")[0].strip().lower()
    if kind and kind not in endpoint.content_types and not kind.endswith("+json"):
        raise BadAnswerError(f"is {ascii(kind)[:60]}, not JSON", "check the address of the source", status=status)
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    if encoding not in ("identity", "gzip"):
        raise BadAnswerError(f"is encoded as {ascii(encoding)[:60]}, which was not asked for", status=status)


def _refusal(response: httpx.Response, longest_wait_s: float) -> BadAnswerError:
    status = response.status_code
    known = status in HTTPStatus.__members__.values()
    what = f"answered {status} {HTTPStatus(status).phrase}" if known else f"answered {status}"
    if status < 500 and status not in _LATER:
        return BadAnswerError(what, _REMEDIES.get(status, _REDECLARE), status=status)
    asked = _retry_after(response.headers.get("Retry-After", ""))
    if asked is not None and asked > longest_wait_s:
        return BadAnswerError(f"{what} and asks to wait {asked:.0f} s", "run again after that", status=status)
    return BadAnswerError(what, status=status, lasting=False, retry_after_s=asked)


def read(number: int, url: httpx.URL, response: httpx.Response, body: bytes, endpoint: Endpoint) -> Reply:
    """What the body of an answer says. Raises `BadAnswerError` if it is not the JSON that was declared."""
    path = endpoint.record_path
    try:
        text = to_text(body)
        document = parse(text)
        count = len(list_in(document, path))
        locate_list(text, path)
    except ShapeError as error:
        raise BadAnswerError(str(error), _REDECLARE, status=response.status_code) from None
    except DocumentError as error:
        raise BadAnswerError(str(error), TELL_OWNER, status=response.status_code, lasting=False) from None
    page = Page(
        number=number,
        url=endpoint.shown(url),
        status=response.status_code,
        etag=_plain(response.headers.get("ETag")),
        last_modified=_last_modified(response.headers),
        fetched_at=dt.datetime.now(dt.UTC),
        body=body,
    )
    total = _total(response, document, endpoint)
    return Reply(page, url, response.url, count, total, response.headers.get("Link"), document)


def _total(response: httpx.Response, document: Any, endpoint: Endpoint) -> int | None:
    header, path = endpoint.total_header, endpoint.total_path
    if not header and not path:
        return None
    said = response.headers.get(header) if header else value_at(document, path)
    if not isinstance(said, str) or not (said.isascii() and said.isdigit() and len(said) < 16):
        raise BadAnswerError(f"does not say at '{header or path}' how many records there are", _REDECLARE)
    return int(said)


def _plain(header: str | None) -> str | None:
    """A header's value if it can be sent back."""
    return header if header and header.isascii() and header.isprintable() else None


def _last_modified(headers: httpx.Headers) -> str | None:
    """The time of the last change, if another in the same second would not go unnoticed (RFC 9110, 8.8.2.2)."""
    changed, now = _moment(headers.get("Last-Modified", "")), _moment(headers.get("Date", ""))
    if changed is None or now is None or now - changed < dt.timedelta(seconds=1):
        return None
    return _plain(headers["Last-Modified"])


def _moment(header: str) -> dt.datetime | None:
    """The time that a header gives."""
    try:
        moment = email.utils.parsedate_to_datetime(header)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _retry_after(header: str) -> float | None:
    """Seconds that `Retry-After` asks to wait, a number or a date (RFC 9110, 10.2.3); None if it does not."""
    if header.isascii() and header.isdigit():
        return float(header)
    moment = _moment(header)
    return None if moment is None else max(0.0, (moment - dt.datetime.now(dt.UTC)).total_seconds())
