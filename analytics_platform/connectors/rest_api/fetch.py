"""A whole answer of an API: every page, all of one moment; or an error, and nothing."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import closing

import httpx

from analytics_platform.connectors.rest_api.answer import Page
from analytics_platform.connectors.rest_api.client import PageClient
from analytics_platform.connectors.rest_api.content import ASK_FOR_LESS, TELL_OWNER, BadAnswerError
from analytics_platform.connectors.rest_api.endpoint import Endpoint, Limits, RestError, bare

LOG = logging.getLogger(__name__)
USUAL = Limits()


def fetch(endpoint: Endpoint, limits: Limits = USUAL, sleep: Callable[[float], None] = time.sleep) -> tuple[bytes, ...]:
    """Get the unchanged bodies of all pages of a list, in order.

    Raises `RestError` if that is not possible within `limits`; there is no half of an answer. `sleep` waits between
    attempts and may raise to end the fetch.
    """
    with closing(PageClient(endpoint, limits, sleep)) as client:
        pages = _read_unchanged(client)
    count, size = sum(page.count for page in pages), sum(len(page.body) for page in pages)
    LOG.info("%s: %d records on %d pages, %d bytes", endpoint.name, count, len(pages), size)
    return tuple(page.body for page in pages)


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
    """Read every page from the first to the last. Raises `RestError` where going on would not end or repeat records."""
    pages: list[Page] = []
    requested: set[httpx.URL] = set()
    room, url, most = client.limits.bytes, client.endpoint.target, client.limits.pages
    left = client.limits.records
    while True:
        requested.add(url)
        page = client.get(len(pages) + 1, url, room)
        room, left = room - len(page.body), left - page.count
        error = None
        if left < 0:
            error = BadAnswerError(f"makes the answer longer than {client.limits.records:,} records", ASK_FOR_LESS)
        elif pages and page.count and page.body == pages[-1].body:
            error = BadAnswerError("is the same as the page before", TELL_OWNER)
        elif page.next_url in requested:
            error = BadAnswerError("leads back to a page that was read already", TELL_OWNER)
        elif page.next_url is not None and page.number >= most:
            error = BadAnswerError(
                f"is not the last of {most:,} pages", "ask for larger pages by parameters in the address"
            )
        if error is not None:
            raise client.failure(page.number, url, error)
        pages.append(page)
        if page.next_url is None:
            return pages
        url = page.next_url
