"""One answer of an API: whether it is a page, what is on it, and which page is next."""

from __future__ import annotations

import datetime as dt
import email.utils
import ipaddress
import re
import socket
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice

import httpx

from analytics_platform.connectors.rest_api.content import CHECK_ADDRESS, TELL_OWNER, BadAnswerError, split_records

_CONTENT_TYPES = ("", "application/json", "text/json")
_LATER = frozenset({408, 425, 429})
"""Statuses below 500 that say: later (RFC 9110, RFC 8470, RFC 6585)."""

_DAY_S = 86_400

_LINK = re.compile(
    r"""[\s,]*<(?P<target>[^>]*)>(?P<parameters>(?:\s*;\s*[\w!\#$&+.^`|~*-]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]*))?)*)"""
)
_REL = re.compile(r""";\s*rel\s*=\s*(?:"(?P<quoted>[^"]*)"|(?P<plain>[^\s;,"]*))""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its number (from 1), the address it was requested at, its unchanged bytes and the records in them.

    `next_url` is None on the last page. `etag` is None unless it can be sent back.
    """

    number: int
    url: httpx.URL
    next_url: httpx.URL | None
    etag: str | None
    body: bytes
    count: int


def check(response: httpx.Response, longest_wait_s: float) -> None:
    """Raise `BadAnswerError` unless the head of an answer is that of a whole JSON document."""
    if response.status_code != HTTPStatus.OK:
        raise _bad_status(response, longest_wait_s)
    given = response.headers.get("Content-Type", "")
    kind = given.partition(";")[0].strip().lower()
    if kind not in _CONTENT_TYPES and not kind.endswith("+json"):
        raise BadAnswerError(f"is {ascii(kind)[:60]}, not JSON", CHECK_ADDRESS)
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    if encoding not in ("identity", "gzip"):
        raise BadAnswerError(f"is encoded as {ascii(encoding)[:60]}, which was not asked for")


def _bad_status(response: httpx.Response, longest_wait_s: float) -> BadAnswerError:
    status = response.status_code
    what = f"answered {status} {httpx.codes.get_reason_phrase(status)}".rstrip()
    if status < 500 and status not in _LATER:
        return BadAnswerError(what, f"check the {'credentials' if status in (401, 403) else 'address'} of the source")
    asked = _retry_after(response.headers.get("Retry-After", ""))
    if asked is not None and asked > longest_wait_s:
        long = "more than a day" if asked > _DAY_S else f"{asked:.0f} s"
        return BadAnswerError(f"{what} and asks to wait {long}", "run again after that")
    return BadAnswerError(what, lasting=False, retry_after_s=asked)


def _retry_after(header: str) -> float | None:
    """Return the seconds of `Retry-After`, a number or a date (RFC 9110, 10.2.3); None if it is neither."""
    if header.isascii() and header.isdigit():
        return float(header)
    try:
        moment = email.utils.parsedate_to_datetime(header)
    except (TypeError, ValueError, OverflowError):  # the last for a zone of twenty digits
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return max(0.0, (aware - dt.datetime.now(dt.UTC)).total_seconds())


def read_page(
    number: int, url: httpx.URL, response: httpx.Response, body: bytes, most: int, is_object: bool = False
) -> Page:
    """Read the page in an answer that passed `check`. Its records are counted to `most` + 1.

    Raises `BadAnswerError` if it is no JSON list, or with `is_object` no JSON object.
    """
    records = split_records(b"[%b]" % body if is_object and body.lstrip().startswith(b"{") else body)
    count = sum(1 for _ in islice(records, most + 1))
    target = _next_link(response.headers.get("Link", ""))
    next_url = None if target is None else join(response.url, target)
    etag = response.headers.get("ETag", "")
    return Page(number, url, next_url, etag if etag.isascii() and etag.isprintable() and etag else None, body, count)


def _next_link(header: str) -> str | None:
    """Return the target of the link whose relations include `next`, None if there is none.

    Stricter than httpx's `links`: there, one link that cannot be read hides the next, and pages would be lost.
    """
    found, end = None, 0
    while link := _LINK.match(header, end):
        end = link.end()
        relation = _REL.search(link["parameters"])
        words = (relation["quoted"] or relation["plain"] or "").lower().split() if relation else []
        if "next" in words and found is None:
            found = link["target"]
    if header[end:].strip(" \t,"):
        raise BadAnswerError("has a Link header that cannot be read", TELL_OWNER)
    return found


def check_host(host: str) -> None:
    """Raise `BadAnswerError` for a link-local address, at which clouds give out credentials, and for no valid name."""
    try:
        numeric = socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
    except UnicodeError:  # `a..b`, or a part of more than 63 letters
        raise BadAnswerError("is at a host whose name is not valid", CHECK_ADDRESS) from None
    except OSError:
        return
    found = ipaddress.ip_address(str(numeric[0][4][0]).partition("%")[0])
    if (getattr(found, "ipv4_mapped", None) or found).is_link_local:
        raise BadAnswerError("is at a link-local address, which is not asked", CHECK_ADDRESS)


def join(url: httpx.URL, target: str) -> httpx.URL:
    """Return the address that an answer from `url` names. Raises `BadAnswerError` if it is not valid or less safe."""
    try:
        joined = url.join(target).copy_with(fragment=None, username=None, password=None)
    except (httpx.InvalidURL, ValueError):
        raise BadAnswerError("points to an address that is not valid", TELL_OWNER) from None
    if joined.scheme not in ("http", "https") or not joined.host:
        raise BadAnswerError("points to an address that is not of the web", TELL_OWNER)
    if url.scheme == "https" and joined.scheme == "http":
        raise BadAnswerError("points from https to http", TELL_OWNER)
    return joined
