"""A whole answer of an API: every page, all of one moment; or an error, and nothing."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import closing

import httpx

from analytics_platform.connectors.rest_api.answer import Page
from analytics_platform.connectors.rest_api.client import PageClient
from analytics_platform.connectors.rest_api.content import TELL_OWNER, BadAnswerError, Content
from analytics_platform.connectors.rest_api.endpoint import Endpoint, Limits, RestError, bare

LOG = logging.getLogger(__name__)
USUAL = Limits()


def fetch(endpoint: Endpoint, limits: Limits = USUAL, sleep: Callable[[float], None] = time.sleep) -> Content:
    """Get all pages of a list.

    Raises `RestError` if that is not possible within `limits`; there is no half of an answer. `sleep` waits between
    attempts and may raise to end the fetch.
    """
    with closing(PageClient(endpoint, limits, sleep)) as client:
        pages = _read_unchanged(client)
    count, size = sum(page.count for page in pages), sum(len(page.body) for page in pages)
    LOG.info("%s: %d records on %d pages, %d bytes", endpoint.name, count, len(pages), size)
    return Content(endpoint.name, tuple(page.body for page in pages))


def _read_unchanged(client: PageClient) -> list[Page]:
    """Read all pages, again if one of them changed meanwhile.

    If no page before the last changed between its reading and now, all are as they were when the last was read.
    """
    name, walks = client.endpoint.name, client.limits.walks
    for walk in range(1, walks + 1):
        pages = _read_pages(client)
        before = pages[:-1]
        if not all(page.etag for page in before):
            LOG.warning("%s: pages have no ETag: if one changed while the list was read, it is not noticed", name)
            return pages
        again = (client.get(page.number, page.url, client.limits.bytes, page) for page in before)
        changed = next((page.number for page, now in zip(before, again, strict=True) if page.body != now.body), None)
        if changed is None:
            return pages
        LOG.warning("%s: page %d changed while the list was read (walk %d of %d)", name, changed, walk, walks)
    raise RestError(
        f"{name}: page {changed} of {bare(client.endpoint.target)} changed while the list was read, {walks} times; "
        "nothing was loaded, run again later."
    )


def _read_pages(client: PageClient) -> list[Page]:
    """Read every page from the first to the last."""
    pages: list[Page] = []
    requested: set[httpx.URL] = set()
    room, url = client.limits.bytes, client.endpoint.target
    while True:
        requested.add(url)
        page = client.get(len(pages) + 1, url, room)
        room -= len(page.body)
        try:
            _check_progress(page, pages, requested, client.limits)
        except BadAnswerError as error:
            raise client.failure(page.number, url, error) from None
        pages.append(page)
        if page.next_url is None:
            return pages
        url = page.next_url


def _check_progress(page: Page, before: list[Page], requested: set[httpx.URL], limits: Limits) -> None:
    """Raise `BadAnswerError` where going on after `page` would not end, or would repeat records."""
    if before and page.count and page.body == before[-1].body:
        raise BadAnswerError("is the same as the page before", TELL_OWNER)
    if page.next_url in requested:
        raise BadAnswerError("leads back to a page that was read already", TELL_OWNER)
    if page.next_url is not None and page.number >= limits.pages:
        raise BadAnswerError(f"is not the last of {limits.pages:,} pages", "ask for larger pages, or raise the limit")
