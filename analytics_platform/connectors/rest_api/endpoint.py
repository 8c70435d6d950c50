"""The declaration of an API's list, and how long and how often to try."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import httpx
from pydantic import SecretStr

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\x20-\x7e\t]*")


@dataclass(frozen=True, slots=True)
class Limits:
    """How long to wait, how often to try, how much to take. Times in seconds.

    `total_s` is for the whole fetch: all pages, attempts and pauses. The pause after a failure is random, up to a bound
    that doubles from `first_wait_s` to `longest_wait_s`; an API that asks for longer (Retry-After) is not tried again.
    `bytes` is for all pages together. `walks` is how often pages are read again when the data changed meanwhile.
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
    """One list of an API, on one page or on several that the `Link` header connects (RFC 8288).

    `record_path` is where the list is in the answer, keys joined by dots: "" | "data" | "result.items".
    `secret_headers` (credentials) and `user:password@` of `url` are sent to the host of `url` only. They and the query
    of `url` are in no log or message. Raises `ValueError` for an address or a header that cannot be used.
    """

    name: str
    url: str = field(repr=False)
    record_path: str = ""
    secret_headers: Mapping[str, SecretStr] = field(default_factory=lambda: MappingProxyType({}), repr=False)

    def __post_init__(self) -> None:
        try:
            url = httpx.URL(self.url)
        except httpx.InvalidURL:
            raise ValueError(f"{self.name}: the address of the API is not valid; give http://… or https://…") from None
        if url.scheme not in ("http", "https") or not url.host:
            raise ValueError(f"{self.name}: the address of the API must begin with http:// or https:// and a host")
        for name, value in self.headers_to(url).items():
            if not (_HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(value)):
                raise ValueError(f"{self.name}: the header {name!r} cannot be sent; use one line of plain characters")

    def headers_to(self, url: httpx.URL) -> dict[str, str]:
        """Return the credentials for a request to `url`: none if it is on another host or port, or less safe."""
        own = httpx.URL(self.url)
        upgraded = (own.scheme, own.port, url.scheme, url.port) == ("http", None, "https", None)
        if own.host != url.host or not (upgraded or (own.scheme, own.port) == (url.scheme, url.port)):
            return {}
        secret = {name: value.get_secret_value() for name, value in self.secret_headers.items()}
        if not own.userinfo:
            return secret
        basic = base64.b64encode(f"{own.username}:{own.password}".encode()).decode("ascii")
        return {"Authorization": f"Basic {basic}"} | secret

    @property
    def target(self) -> httpx.URL:
        """The address of the first request: user and password are sent as a header."""
        return httpx.URL(self.url).copy_with(username=None, password=None, fragment=None)


def bare(url: httpx.URL) -> str:
    """Return `url` as it may be shown: without user, password, query and fragment."""
    path = url.raw_path.decode("ascii").partition("?")[0]
    return f"{url.scheme}://{url.netloc.decode('ascii')}{path}"
