"""Pages of an API: requested, requested again after failures that may pass, read within limits."""

from __future__ import annotations

import logging
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from http import HTTPStatus
from typing import Any

import httpx

from analytics_platform.connectors.rest_api.answer import Page, check, check_host, join, read_page
from analytics_platform.connectors.rest_api.content import ASK_FOR_LESS, CHECK_ADDRESS, TELL_OWNER, BadAnswerError
from analytics_platform.connectors.rest_api.endpoint import Endpoint, Limits, RestError, SlowAnswerError, bare

LOG = logging.getLogger(__name__)


# httpx logs every address whole, with what is secret in it.
logging.getLogger("httpx").addFilter(lambda record: record.levelno > logging.INFO)


@cache
def _trusted() -> ssl.SSLContext:
    """Read the trusted certificates once: that takes longer than many a fetch."""
    return httpx.create_ssl_context()


class PageClient:
    """Gets pages of one endpoint for one fetch, whose time runs from here. `close` it after use."""

    def __init__(self, endpoint: Endpoint, limits: Limits, sleep: Callable[[float], None]) -> None:
        self.endpoint = endpoint
        self.limits = limits
        self._sleep = sleep
        # The proxy of the environment does not reach this machine.
        direct = dict.fromkeys(("all://localhost", "all://127.0.0.1", "all://[::1]"))
        self._http = httpx.Client(mounts=direct, follow_redirects=False, verify=_trusted())
        self._socket: socket.socket | None = None
        self._response: httpx.Response | None = None
        self._is_slow = False
        self._asked = endpoint.target
        self._deadline = time.monotonic() + limits.total_s
        # A read timeout is never reached if bytes come one by one.
        self._timer = threading.Timer(limits.total_s, self._cut_off)
        self._timer.daemon = True
        self._timer.start()

    def close(self) -> None:
        """Close the connection."""
        self._timer.cancel()
        self._http.close()

    def get(self, number: int, url: httpx.URL, room: int, known: Page | None = None) -> Page:
        """Get page `number` at `url`, of at most `room` bytes; `known` itself if the API says it is unchanged.

        Raises `RestError`.
        """
        attempt = 1
        while True:
            try:
                return self._attempt(number, url, room, known)
            except BadAnswerError as error:
                bound = min(self.limits.longest_wait_s, self.limits.first_wait_s * 2 ** (attempt - 1))
                wait = random.uniform(0, bound) if error.retry_after_s is None else error.retry_after_s
                if error.lasting or attempt >= self.limits.attempts or wait >= self._left_s:
                    raise self.failure(number, url, error, attempt) from None
                tried = f"attempt {attempt} of {self.limits.attempts}"
                words = "%s: page %d %s (%s); trying again in %.1f s"
                LOG.warning(words, self.endpoint.name, number, error.what, tried, wait)
                self._sleep(wait)
                attempt += 1

    def failure(self, number: int, url: httpx.URL, error: BadAnswerError, attempts: int = 1) -> RestError:
        """Return what went wrong with a page, for the people who run the platform."""
        tried = f" ({attempts} attempts)" if attempts > 1 else ""
        where = f"{self.endpoint.name}: page {number} of {bare(url)}"
        where += f", redirected to {bare(self._asked)}," if bare(self._asked) != bare(url) else ""
        kind = SlowAnswerError if error.is_slow else RestError
        return kind(f"{where} {error.what}{tried}; nothing was loaded, {error.remedy}.", error.status)

    @property
    def _left_s(self) -> float:
        return self._deadline - time.monotonic()

    def _cut_off_if_slow(self) -> None:
        received = self._response.num_bytes_downloaded if self._response else 0
        if received < self.limits.least_bytes:
            self._is_slow = True
            self._cut_off()

    def _cut_off(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _remember_socket(self, event: str, info: Mapping[str, Any]) -> None:
        """Serve as httpcore's `trace` extension."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._socket = info["return_value"].get_extra_info("socket")
            check_host(self._socket.getpeername()[0])

    def _attempt(self, number: int, url: httpx.URL, room: int, known: Page | None) -> Page:
        """Return the page. One byte every few seconds, which no read timeout ends, would take all of `total_s`."""
        self._response, self._is_slow = None, False
        timer = threading.Timer(self.limits.slow_s, self._cut_off_if_slow)
        timer.daemon = True
        timer.start()
        try:
            return self._request(number, url, room, known)
        finally:
            timer.cancel()

    def _request(self, number: int, url: httpx.URL, room: int, known: Page | None) -> Page:
        """Return the page, after redirects. Credentials are sent to their host only."""
        headers = {"Accept": "application/json", "Accept-Encoding": "gzip"}
        if known and known.etag:
            headers["If-None-Match"] = known.etag
        self._asked, trace = url, {"trace": self._remember_socket}
        try:
            for _ in range(self.limits.redirects + 1):
                self._check_time()
                check_host(self._asked.host)
                left, own = self._left_s, headers | self.endpoint.headers_to(self._asked)
                timeout = httpx.Timeout(min(self.limits.read_s, left), connect=min(self.limits.connect_s, left))
                request = self._http.stream("GET", self._asked, headers=own, timeout=timeout, extensions=trace)
                with request as response:
                    self._response = response
                    if not response.has_redirect_location:
                        return self._read(number, url, response, room, known)
                self._asked = join(self._asked, response.headers["Location"])
        except httpx.HTTPError as error:
            raise self._explain(error) from None
        raise BadAnswerError(f"redirects more than {self.limits.redirects} times", TELL_OWNER)

    def _read(self, number: int, url: httpx.URL, response: httpx.Response, room: int, known: Page | None) -> Page:
        """Return the page of an answer. Raises `BadAnswerError` also once it is too large or takes too long."""
        try:
            if known and response.status_code == HTTPStatus.NOT_MODIFIED:
                return known
            check(response, self.limits.longest_wait_s)
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > room:
                    what = f"makes the answer larger than {self.limits.bytes:,} bytes"
                    raise BadAnswerError(what, ASK_FOR_LESS)
                self._check_time()
            self._check_time()  # a body without a length just ends where the connection is cut off
            return read_page(number, url, response, bytes(body), self.limits.records, self.endpoint.is_object)
        except BadAnswerError as error:
            error.status = response.status_code
            raise

    def _check_time(self) -> None:
        if self._left_s <= 0:
            raise BadAnswerError(f"was not there after {self.limits.total_s:g} s in all: time-out", is_slow=True)
        if self._is_slow:
            less = f"{self.limits.least_bytes:,} bytes in {self.limits.slow_s:g} s"
            raise BadAnswerError(f"sent fewer than {less}: time-out", TELL_OWNER, is_slow=True)

    def _explain(self, error: httpx.HTTPError) -> BadAnswerError:
        """Say what a failure of the connection means. The library's words are used only where they hold no secret."""
        self._check_time()
        match error:
            case httpx.ConnectTimeout():
                return BadAnswerError(f"could not be reached within {self.limits.connect_s:g} s", lasting=False)
            case httpx.TimeoutException():
                return BadAnswerError(f"sent nothing for {self.limits.read_s:g} s", lasting=False)
            case httpx.ConnectError() if "CERTIFICATE_VERIFY_FAILED" in str(error):
                return BadAnswerError("has a certificate that is not trusted", CHECK_ADDRESS)
            case httpx.ConnectError():
                return BadAnswerError(f"cannot be reached ({error})", lasting=False)
            case httpx.DecodingError():
                return BadAnswerError("cannot be decompressed", TELL_OWNER, lasting=False)
            case httpx.RemoteProtocolError() if "location header" in str(error):
                return BadAnswerError("points to an address that is not valid", TELL_OWNER)
            case httpx.RemoteProtocolError() | httpx.NetworkError():
                return BadAnswerError("broke off: the connection was closed or no HTTP", lasting=False)
        return BadAnswerError("cannot be requested", CHECK_ADDRESS)
