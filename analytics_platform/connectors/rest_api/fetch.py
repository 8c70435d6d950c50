"""A whole answer of an API: every page, all of one moment; or that nothing changed; or an error, and nothing."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import httpx

from analytics_platform.connectors.rest_api.client import Client, open_client
from analytics_platform.connectors.rest_api.content import Content
from analytics_platform.connectors.rest_api.endpoint import Endpoint, Limits
from analytics_platform.connectors.rest_api.errors import BadAnswerError, ChangedError, RestError, Retry
from analytics_platform.connectors.rest_api.page import Page, Stamp, Validators
from analytics_platform.connectors.rest_api.pagination import TELL_OWNER, NoPages, Seen
from analytics_platform.connectors.rest_api.reply import Reply

LOG = logging.getLogger(__name__)
USUAL = Limits()


@dataclass(frozen=True, slots=True)
class Fetched:
    """A whole answer of `count` records. `content` goes to the lake; then `validators` may be kept for the next time.

    `verified` says that all pages are known to be of one moment: there is one only, or the API names their states.
    """

    endpoint: str
    pages: tuple[Page, ...]
    content: Content
    count: int
    validators: Validators
    verified: bool
    retries: tuple[Retry, ...]


@dataclass(frozen=True, slots=True)
class NotModified:
    """The answer is the one that was known. `validators` replace those known, for an API may rename an equal state."""

    endpoint: str
    validators: Validators
    retries: tuple[Retry, ...]


def fetch(
    endpoint: Endpoint,
    known: Validators | None = None,
    limits: Limits = USUAL,
    sleep: Callable[[float], None] = time.sleep,
) -> Fetched | NotModified:
    """Get all pages of a list, or learn that they are as `known`.

    Raises `RestError` if that is not possible within `limits`; there is no half of an answer. `sleep` waits between
    attempts and may raise to end the fetch.
    """
    with open_client(endpoint, limits, sleep) as client:
        usable = known if known and known.stamps and known.fingerprint == endpoint.fingerprint else None
        start = None
        if usable and _can_ask_for_changes(endpoint):
            changed = _first_change(client, usable.stamps)
            if changed is None:
                return _tell(NotModified(endpoint.name, usable, client.retries))
            start = changed if changed.page.number == 1 else None
        replies, verified = _read_in_peace(client, start)
        return _tell(_conclude(client, replies, verified, usable))


def _conclude(
    client: Client, replies: Sequence[Reply], verified: bool, known: Validators | None
) -> Fetched | NotModified:
    endpoint = client.endpoint
    pages = tuple(reply.page for reply in replies)
    validators = Validators(endpoint.fingerprint, tuple(page.stamp for page in pages))
    if known and _contents(known.stamps) == _contents(validators.stamps):
        return NotModified(endpoint.name, validators, client.retries)
    content = Content(endpoint.name, endpoint.record_path, tuple(page.body for page in pages))
    count = sum(reply.count for reply in replies)
    return Fetched(endpoint.name, pages, content, count, validators, verified, client.retries)


def _tell(outcome: Fetched | NotModified) -> Fetched | NotModified:
    """The outcome, told in the log."""
    if isinstance(outcome, NotModified):
        LOG.info("%s: not modified", outcome.endpoint)
    else:
        size = sum(len(page.body) for page in outcome.pages)
        words = "%s: %d records on %d pages, %d bytes, %d retries"
        LOG.info(words, outcome.endpoint, outcome.count, len(outcome.pages), size, len(outcome.retries))
    return outcome


def _contents(stamps: Sequence[Stamp]) -> list[str]:
    return [stamp.content_sha256 for stamp in stamps]


def _can_ask_for_changes(endpoint: Endpoint) -> bool:
    """Whether pages that did not change prove that there are no new ones.

    An unchanged page comes without its headers, so a link to another page or a new total there would not be seen.
    """
    headers_matter = bool(endpoint.total_header) and not isinstance(endpoint.pagination, NoPages)
    return endpoint.pagination.numbered(endpoint.target, 1) is not None and not headers_matter


def _first_change(client: Client, stamps: Sequence[Stamp]) -> Reply | None:
    """The first page that is not as it was; None if all are."""
    for number, stamp in enumerate(stamps, 1):
        url = client.endpoint.pagination.numbered(client.endpoint.target, number)
        assert url is not None
        reply = client.get(number, url, client.limits.bytes, stamp)
        if reply is not None and reply.page.stamp != stamp:
            return reply
    return None


def _read_in_peace(client: Client, start: Reply | None) -> tuple[list[Reply], bool]:
    """All pages of one moment, read anew if the data changed meanwhile, and whether that is certain."""
    name, walks, noticed = client.endpoint.name, client.limits.walks, ""
    for walk in range(1, walks + 1):
        try:
            replies = _walk(client, start)
            _check_total(replies)
            return replies, _verify(client, replies)
        except ChangedError as change:
            start, noticed = None, str(change)
            LOG.warning("%s: changed or is incomplete: %s (walk %d of %d)", name, noticed, walk, walks)
    raise RestError(
        f"{name}: {client.endpoint.address} changes while it is read or is incomplete: {noticed} (read {walks} times); "
        "nothing was loaded, run again when the API is calm.",
        retries=client.retries,
    )


def _walk(client: Client, start: Reply | None) -> list[Reply]:
    """Every page from the first to the last; `start` is the first, if it is already there."""
    replies: list[Reply] = []
    asked: set[str] = set()
    room, count = client.limits.bytes, 0
    url: httpx.URL | None = client.endpoint.pagination.first(client.endpoint.target)
    while url is not None:
        asked.add(str(url))
        number = len(replies) + 1
        reply = start if start and number == 1 else client.get(number, url, room)
        assert reply is not None
        room -= len(reply.page.body)
        count += reply.count
        try:
            url = _next(client, reply, replies[-1] if replies else None, count)
            _check_progress(url, asked, client.limits)
        except BadAnswerError as error:
            raise client.failure(number, reply.url, error) from None
        replies.append(reply)
    return replies


def _next(client: Client, reply: Reply, before: Reply | None, count: int) -> httpx.URL | None:
    """The address of the next page; `count` are the records of all pages so far."""
    page = reply.page
    if before and reply.count and page.body == before.page.body:
        raise BadAnswerError("is the same as the page before", "correct the declared pagination")
    seen = Seen(reply.url, reply.base, page.number, reply.count, count, reply.total, reply.link, reply.document)
    return client.endpoint.pagination.after(seen)


def _check_progress(url: httpx.URL | None, asked: Collection[str], limits: Limits) -> None:
    """Raise `BadAnswerError` where going on to `url` would not end."""
    if url is not None and str(url) in asked:
        raise BadAnswerError("leads back to a page that was read already", TELL_OWNER)
    if url is not None and len(asked) >= limits.pages:
        raise BadAnswerError(f"is not the last of {limits.pages:,} pages", "ask for larger pages, or raise the limit")


def _check_total(replies: Sequence[Reply]) -> None:
    """Raise `ChangedError` unless the pages agree on how many records there are, and have them."""
    totals = {reply.total for reply in replies if reply.total is not None}
    count = sum(reply.count for reply in replies)
    if totals and totals != {count}:
        said = " then ".join(f"{total:,}" for total in sorted(totals))
        raise ChangedError(f"its pages have {count:,} records but it says {said}")


def _verify(client: Client, replies: Sequence[Reply]) -> bool:
    """Whether all pages were as they are when the last one was read. Raises `ChangedError` if one was not.

    None of the pages before changed between its reading and now, so none had changed when the last one was read.
    """
    before = replies[:-1]
    if not client.endpoint.verify or any(reply.page.etag is None for reply in before):
        return not before
    for reply in before:
        page = reply.page
        again = client.get(page.number, reply.url, client.limits.bytes, page.stamp)
        if again is not None and again.page.body != page.body:
            raise ChangedError(f"page {page.number} is another than before")
    return True
