"""The ways in which APIs spread a list over pages. Another way is another class that keeps `Pagination`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Protocol

import httpx

from analytics_platform.connectors.rest_api.errors import BadAnswerError

TELL_OWNER = "tell the API's owner"

_LINK = re.compile(
    r"""[\s,]*<(?P<target>[^>]*)>(?P<parameters>(?:\s*;\s*[\w!\#$&+.^`|~*-]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]*))?)*)"""
)
_REL = re.compile(r""";\s*rel\s*=\s*(?:"(?P<quoted>[^"]*)"|(?P<plain>[^\s;,"]*))""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a page says about the next one: its number (from 1), its records, those of all pages so far.

    `url` is the address it was asked for at, `base` the one that answered, after redirects.
    """

    url: httpx.URL
    base: httpx.URL
    number: int
    count: int
    count_so_far: int
    total: int | None
    link: str | None
    document: Any


class Pagination(Protocol):
    """How to get from page to page."""

    def first(self, url: httpx.URL) -> httpx.URL:
        """The address of the first page."""
        ...

    def numbered(self, url: httpx.URL, number: int) -> httpx.URL | None:
        """The address of page `number` (from 1), if it follows from the number alone.

        The last page's body must then show that it is the last: so pages that did not change prove that the whole
        answer did not.
        """
        ...

    def after(self, seen: Seen) -> httpx.URL | None:
        """The address of the page after `seen`; None after the last. Raises `BadAnswerError`."""
        ...


@dataclass(frozen=True, slots=True)
class NoPages:
    """The whole list is one answer."""

    def first(self, url: httpx.URL) -> httpx.URL:
        """The address itself."""
        return url

    def numbered(self, url: httpx.URL, number: int) -> httpx.URL | None:
        """The address itself."""
        return url

    def after(self, seen: Seen) -> httpx.URL | None:
        """Nothing. A link to a next page is an error: to take the first for the whole would lose records."""
        try:
            target = _next_link(seen.link or "")
        except BadAnswerError:
            return None
        if target is not None:
            raise BadAnswerError("links to a next page, but is declared to be the only one", "declare its pagination")
        return None


@dataclass(frozen=True, slots=True)
class LinkHeader:
    """The next page is the `rel="next"` of the `Link` header (RFC 8288); the last page has none.

    `size_parameter` asks for `size` records a page, if the API lets one.
    """

    size_parameter: str = ""
    size: int = 0

    def first(self, url: httpx.URL) -> httpx.URL:
        """The address itself, with the wished size."""
        return _sized(url, self.size_parameter, self.size)

    def numbered(self, url: httpx.URL, number: int) -> httpx.URL | None:
        """Unknown: each page names the next."""
        return None

    def after(self, seen: Seen) -> httpx.URL | None:
        """The link called next. An unreadable header is an error: taken for none, it would hide pages."""
        target = _next_link(seen.link or "")
        return None if target is None else join(seen.base, target)


@dataclass(frozen=True, slots=True)
class PageNumber:
    """Pages are asked for by number, from `first_number` on, until all `total` records are there or a page is empty.

    A short page does not end the list: APIs give fewer records than asked for when they limit the size.
    """

    parameter: str = "page"
    first_number: int = 1
    size_parameter: str = ""
    size: int = 0

    def first(self, url: httpx.URL) -> httpx.URL:
        """The address with the first number and the wished size."""
        return self.numbered(url, 1)

    def numbered(self, url: httpx.URL, number: int) -> httpx.URL:
        """The address with this number and the wished size."""
        numbered = url.copy_set_param(self.parameter, self.first_number + number - 1)
        return _sized(numbered, self.size_parameter, self.size)

    def after(self, seen: Seen) -> httpx.URL | None:
        """The address with the next number."""
        if seen.count == 0 or (seen.total is not None and seen.count_so_far >= seen.total):
            return None
        return self.numbered(seen.url, seen.number + 1)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The answer tells at `path` how to go on: the next page's address or, with `parameter`, a token to send in it.

    Null or "" at `path` ends the list. Nothing there does only with `may_be_absent`: an API that renamed the field
    would seem to have one page.
    """

    path: str
    parameter: str = ""
    may_be_absent: bool = False

    def first(self, url: httpx.URL) -> httpx.URL:
        """The address itself."""
        return url

    def numbered(self, url: httpx.URL, number: int) -> httpx.URL | None:
        """Unknown: each page names the next."""
        return None

    def after(self, seen: Seen) -> httpx.URL | None:
        """The address that the answer gives, or this one with its token."""
        token = value_at(seen.document, self.path, "" if self.may_be_absent else False)
        if token is None or token == "":
            return None
        if not isinstance(token, str):
            raise BadAnswerError(f"has no text at '{self.path}' to go on with", "correct the declared pagination")
        return seen.url.copy_set_param(self.parameter, token) if self.parameter else join(seen.base, token)


def value_at(document: Any, path: str, absent: Any = None) -> Any:
    """What is at the dotted `path` of an answer; `absent` where there is nothing."""
    for key in path.split("."):
        if not isinstance(document, dict) or key not in document:
            return absent
        document = document[key]
    return document


def _sized(url: httpx.URL, parameter: str, size: int) -> httpx.URL:
    return url.copy_set_param(parameter, size) if parameter else url


def join(url: httpx.URL, target: str) -> httpx.URL:
    """The address that an answer from `url` gives. Raises `BadAnswerError` for one that is none or less safe."""
    try:
        joined = url.join(target).copy_with(fragment=None, username=None, password=None)
    except (httpx.InvalidURL, ValueError):
        raise BadAnswerError("points to an address that is none", TELL_OWNER) from None
    if joined.scheme not in ("http", "https") or not joined.host:
        raise BadAnswerError("points to an address that is not of the web", TELL_OWNER)
    if url.scheme == "https" and joined.scheme == "http":
        raise BadAnswerError("points from https to http", TELL_OWNER)
    return joined


def _next_link(header: str) -> str | None:
    """The target of the link whose relations include `next`."""
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
