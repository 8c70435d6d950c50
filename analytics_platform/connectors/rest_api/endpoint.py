"""The declaration of an API's list, and how long and how often to try."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field

import httpx
from pydantic import SecretStr

from analytics_platform.errors import UserError

_LONGEST_SHOWN = 100
_HEADER_VALUE = re.compile(r"[\x20-\x7e\t]*")


class RestError(UserError):
    """An API could not be read; nothing of the answer is used.

    The message is one sentence that names source, page, address (without secrets), what happened and what to do.
    `status` is the HTTP status, if the API answered.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class SlowAnswerError(RestError):
    """An API took all the time that there is. Another try would take as long once more."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long to wait, how often to try, how much to take. Times in seconds.

    `total_s` is for the whole fetch: all pages, attempts and pauses. An attempt that has fewer than `least_bytes` after
    `slow_s` is the last one. The pause after a failure is random, up to a bound
    that doubles from `first_wait_s` to `longest_wait_s`; an API that asks for longer (Retry-After) is not tried again.
    `bytes` and `records` are for all pages together. `walks` is how often pages are read again when the data changed
    meanwhile.
    """

    connect_s: float = 10.0
    read_s: float = 30.0
    slow_s: float = 60.0
    least_bytes: int = 60_000
    total_s: float = 600.0
    attempts: int = 5
    first_wait_s: float = 0.5
    longest_wait_s: float = 60.0
    redirects: int = 5
    pages: int = 10_000
    bytes: int = 256 << 20
    records: int = 5_000_000
    walks: int = 3


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One list of an API, on one page or on several that the `Link` header connects (RFC 8288).

    With `is_object` the answer is one JSON object instead. `setting` is the variable with the address, for messages.

    The value of the header `authorization` and `user:password@` of `url` are sent to the host of `url` only. No log or
    message has them, nor the path and the query of `url`. Raises `RestError` for an address or a header that cannot be
    used.
    """

    name: str
    url: str = field(repr=False)
    authorization: SecretStr | None = None
    setting: str = "USERS_API_URL"
    is_object: bool = False

    def __post_init__(self) -> None:
        check = f"check {self.setting}{' and USERS_API_AUTHORIZATION' if self.authorization else ''}."
        try:
            url = httpx.URL(self.url)
        except httpx.InvalidURL:
            raise RestError(f"{self.name}: the address of the API is not valid: {check}") from None
        if url.scheme not in ("http", "https") or not url.host:
            raise RestError(
                f"{self.name}: the address of the API must begin with http:// or https:// and a host: {check}"
            )
        if not all(map(_HEADER_VALUE.fullmatch, self.headers_to(url).values())):
            raise RestError(f"{self.name}: the authorization must be one line of ASCII characters: {check}")

    def headers_to(self, url: httpx.URL) -> dict[str, str]:
        """Return the credentials for a request to `url`: none if it is on another host or port, or less safe."""
        own = httpx.URL(self.url)
        upgraded = (own.scheme, own.port, url.scheme, url.port) == ("http", None, "https", None)
        if own.host != url.host or not (upgraded or (own.scheme, own.port) == (url.scheme, url.port)):
            return {}
        if self.authorization:
            return {"Authorization": self.authorization.get_secret_value()}
        basic = base64.b64encode(f"{own.username}:{own.password}".encode()).decode("ascii")
        return {"Authorization": f"Basic {basic}"} if own.userinfo else {}

    @property
    def target(self) -> httpx.URL:
        """The address of the first request: user and password are sent as a header."""
        return httpx.URL(self.url).copy_with(username=None, password=None, fragment=None)


def bare(url: httpx.URL) -> str:
    """Return `url` as it may be shown: its server. An API's key may stand in the query, and in the path too."""
    return f"{url.scheme}://{url.netloc.decode('ascii')[:_LONGEST_SHOWN]}"
