"""The declaration of an API's list, and how long and how often to try."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from analytics_platform.connectors.rest_api.pagination import NoPages, Pagination

_NUMBER = re.compile(r"[0-9]{1,9}")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\x20-\x7e\t]*")


@dataclass(frozen=True, slots=True)
class Limits:
    """How long to wait, how often to try, how much to take. Times in seconds.

    `total_s` is for the whole fetch: all pages, attempts and pauses. The pause after a failure is random, up to a bound
    that doubles from `first_wait_s` to `longest_wait_s`; an API that asks for longer (Retry-After) is not tried again.
    `bytes` is for all pages together. `walks` is how often pages are read anew when the data changed meanwhile.
    """

    connect_s: float = 10.0
    read_s: float = 30.0
    total_s: float = 600.0
    attempts: int = 5
    first_wait_s: float = 0.5
    longest_wait_s: float = 60.0
    redirects: int = 5
    pages: int = 10_000
    bytes: int = 256 << 20
    walks: int = 3


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One list of an API.

    `record_path` is where the list is in the answer, keys joined by dots: "" | "data" | "result.items".
    `total_header` or `total_path` is where the answer says how many records there are on all pages, if it does: then a
    page that comes up empty is noticed. `secret_headers` (credentials), and what is secret in `url` (`user:password@`),
    go to the host of `url` only; they and the query of `url` go into no log or message. `verify` asks for every page of
    a list of several a second time, by its ETag, so that all are known to be of one moment. Raises `ValueError` for an
    address or a header that is none.
    """

    name: str
    url: str = field(repr=False)
    record_path: str = ""
    pagination: Pagination = field(default_factory=NoPages)
    total_header: str = ""
    total_path: str = ""
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    secret_headers: Mapping[str, SecretStr] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    content_types: tuple[str, ...] = ("application/json", "text/json")
    verify: bool = True

    def __post_init__(self) -> None:
        try:
            url = httpx.URL(self.url)
        except httpx.InvalidURL:
            raise ValueError(f"{self.name}: the address of the API is none; give http://… or https://…") from None
        if url.scheme not in ("http", "https") or not url.host:
            raise ValueError(f"{self.name}: the address of the API must begin with http:// or https:// and a host")
        for name, value in self.headers_to(url).items():
            if not (_HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(value)):
                raise ValueError(f"{self.name}: the header {name!r} cannot be sent; use one line of plain characters")

    @property
    def address(self) -> str:
        """The address as it may be shown."""
        return self.shown(httpx.URL(self.url))

    def headers_to(self, url: httpx.URL) -> dict[str, str]:
        """The headers of a request to `url`; credentials only if it is on the declared host, port and as safe."""
        own = httpx.URL(self.url)
        upgraded = (own.scheme, own.port, url.scheme, url.port) == ("http", None, "https", None)
        if own.host != url.host or not (upgraded or (own.scheme, own.port) == (url.scheme, url.port)):
            return dict(self.headers)
        return dict(self.headers) | self._credentials

    @property
    def _credentials(self) -> dict[str, str]:
        url = httpx.URL(self.url)
        secret = {name: value.get_secret_value() for name, value in self.secret_headers.items()}
        if not url.userinfo:
            return secret
        basic = base64.b64encode(f"{url.username}:{url.password}".encode()).decode("ascii")
        return {"Authorization": f"Basic {basic}"} | secret

    @property
    def target(self) -> httpx.URL:
        """The address as it is asked for: user and password are sent as a header."""
        return httpx.URL(self.url).copy_with(username=None, password=None, fragment=None)

    def shown(self, url: httpx.URL) -> str:
        """`url` as it may be shown: without user, password and fragment; of the query only what are numbers.

        A parameter that the declared address itself has is never shown: it may be a key.
        """
        own = httpx.URL(self.url).params
        shown = [
            (quote(name, safe="")[:40], value if _NUMBER.fullmatch(value) and name not in own else "…")
            for name, value in url.params.multi_items()
        ]
        query = "&".join(f"{name}={value}" for name, value in shown)
        return bare(url) + (f"?{query}" if query else "")

    @property
    def fingerprint(self) -> str:
        """Hash of what decides which pages there are: what is known of one declaration says nothing of another."""
        said = repr((str(self.target), self.record_path, self.pagination, self.total_header, self.total_path))
        return hashlib.sha256(said.encode()).hexdigest()


def bare(url: httpx.URL) -> str:
    """`url` without user, password, query and fragment."""
    path = url.raw_path.decode("ascii").partition("?")[0]
    return f"{url.scheme}://{url.netloc.decode('ascii')}{path}"
