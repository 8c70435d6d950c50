"""One page of an API: asked for, asked for again after failures that may pass, read within limits."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception, wait_random_exponential

from analytics_platform.connectors.rest_api.endpoint import Endpoint, Limits, bare
from analytics_platform.connectors.rest_api.errors import BadAnswerError, RestError, Retry
from analytics_platform.connectors.rest_api.page import Stamp
from analytics_platform.connectors.rest_api.pagination import TELL_OWNER, join
from analytics_platform.connectors.rest_api.reply import Reply, check, read

LOG = logging.getLogger(__name__)

_LOOPBACK: Mapping[str, None] = MappingProxyType(
    {"all://localhost": None, "all://127.0.0.1": None, "all://[::1]": None}
)
"""Hosts that no proxy of the environment stands before."""


class _BareAddresses(logging.Filter):
    """httpx logs every address whole; this leaves out what may be secret in it."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(bare(part) if isinstance(part, httpx.URL) else part for part in record.args)
        return True


_BARE_ADDRESSES = _BareAddresses()


@cache
def _trusted() -> ssl.SSLContext:
    """The certificates that are trusted, read once: that takes longer than many a fetch."""
    return httpx.create_ssl_context()


@contextmanager
def open_client(endpoint: Endpoint, limits: Limits, sleep: Callable[[float], None]) -> Iterator[Client]:
    """A client for one fetch, whose time runs from here."""
    logging.getLogger("httpx").addFilter(_BARE_ADDRESSES)
    client = httpx.Client(mounts=dict(_LOOPBACK), follow_redirects=False, verify=_trusted())
    with client as http, _Fuse(limits.total_s) as fuse:
        yield Client(endpoint, limits, sleep, http, fuse)


class _Fuse:
    """Cuts the connection when all the time is up: a read timeout is never reached if bytes come one by one."""

    def __init__(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        self._timer = threading.Timer(seconds, self._blow)
        self._socket: socket.socket | None = None

    def __enter__(self) -> _Fuse:
        self._timer.daemon = True
        self._timer.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._timer.cancel()

    @property
    def left_s(self) -> float:
        """Time left; negative after the fuse has blown."""
        return self._deadline - time.monotonic()

    def watch(self, event: str, info: Mapping[str, Any]) -> None:
        """Remember the connection in use (httpcore's `trace` extension)."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._socket = info["return_value"].get_extra_info("socket")

    def _blow(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


class Client:
    """Gets pages of one endpoint. Use `open_client`."""

    def __init__(
        self, endpoint: Endpoint, limits: Limits, sleep: Callable[[float], None], http: httpx.Client, fuse: _Fuse
    ) -> None:
        self.endpoint = endpoint
        self.limits = limits
        self._http = http
        self._fuse = fuse
        self._backoff = wait_random_exponential(limits.first_wait_s, limits.longest_wait_s)
        self._sleep = sleep
        self._retries: list[Retry] = []

    @property
    def retries(self) -> tuple[Retry, ...]:
        """The failed attempts that were followed by another."""
        return tuple(self._retries)

    def get(self, number: int, url: httpx.URL, room: int, known: Stamp | None = None) -> Reply | None:
        """The page at `url`, of at most `room` bytes; None if it is still as `known`. Raises `RestError`."""
        retrying = Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, BadAnswerError) and not error.lasting),
            wait=self._wait,
            stop=self._stop,
            before_sleep=lambda state: self._note(number, state),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return retrying(self._attempt, number, url, room, known)
        except BadAnswerError as error:
            raise self.failure(number, url, error, retrying.statistics["attempt_number"]) from None

    def failure(self, number: int, url: httpx.URL, error: BadAnswerError, attempts: int = 1) -> RestError:
        """What went wrong with a page, for the people who run the platform."""
        where = f"{self.endpoint.name}: page {number} of {self.endpoint.shown(url)}"
        tried = f" ({attempts} attempts)" if attempts > 1 else ""
        message = f"{where} {error.what}{tried}; nothing was loaded, {error.remedy}."
        return RestError(message, error.status, self.retries)

    def _wait(self, state: RetryCallState) -> float:
        error = _error_of(state)
        return self._backoff(state) if error.retry_after_s is None else error.retry_after_s

    def _stop(self, state: RetryCallState) -> bool:
        too_late = state.upcoming_sleep >= self._fuse.left_s
        return too_late or state.attempt_number >= self.limits.attempts

    def _note(self, number: int, state: RetryCallState) -> None:
        retry = Retry(number, _error_of(state).what, state.upcoming_sleep)
        self._retries.append(retry)
        attempt = f"attempt {state.attempt_number} of {self.limits.attempts}"
        words = "%s: page %d %s (%s); trying again in %.1f s"
        LOG.warning(words, self.endpoint.name, number, retry.reason, attempt, retry.waited_s)

    def _attempt(self, number: int, url: httpx.URL, room: int, known: Stamp | None) -> Reply | None:
        conditions = known.conditions if known else {}
        try:
            response = self._send(url, conditions)
            try:
                if response.status_code == HTTPStatus.NOT_MODIFIED and conditions:
                    return None
                check(response, self.endpoint, self.limits.longest_wait_s)
                return read(number, url, response, self._take(response, room), self.endpoint)
            finally:
                response.close()
        except httpx.HTTPError as error:
            raise self._explain(error) from None

    def _send(self, url: httpx.URL, conditions: dict[str, str]) -> httpx.Response:
        """The answer to a request, not read yet. Redirects are followed, credentials kept to their own host."""
        for _ in range(self.limits.redirects + 1):
            headers = httpx.Headers({"Accept": "application/json", "Accept-Encoding": "gzip"} | conditions)
            headers.update(self.endpoint.headers_to(url))
            trace = {"trace": self._fuse.watch}
            request = self._http.build_request("GET", url, headers=headers, timeout=self._timeout(), extensions=trace)
            response = self._http.send(request, stream=True)
            if not response.has_redirect_location:
                return response
            response.close()
            url = join(url, response.headers["Location"])
        raise BadAnswerError(f"redirects more than {self.limits.redirects} times", TELL_OWNER)

    def _timeout(self) -> httpx.Timeout:
        left = self._time_left()
        connect, read = min(self.limits.connect_s, left), min(self.limits.read_s, left)
        return httpx.Timeout(read, connect=connect)

    def _time_left(self) -> float:
        left = self._fuse.left_s
        if left <= 0:
            raise self._too_late()
        return left

    def _too_late(self) -> BadAnswerError:
        return BadAnswerError(f"was not there after {self.limits.total_s:g} s in all")

    def _take(self, response: httpx.Response, room: int) -> bytes:
        """The whole body, decompressed; refused as soon as it is too large or takes too long."""
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > room:
                raise BadAnswerError(
                    f"makes the answer larger than {self.limits.bytes:,} bytes", "ask for less, or raise the limit"
                )
            self._time_left()
        return bytes(body)

    def _explain(self, error: httpx.HTTPError) -> BadAnswerError:
        """What a failure of the connection means. The library's words are used only where they can hold no secret."""
        match error:
            case _ if self._fuse.left_s <= 0:
                return self._too_late()
            case httpx.ConnectTimeout():
                return BadAnswerError(f"could not be reached within {self.limits.connect_s:g} s", lasting=False)
            case httpx.TimeoutException():
                return BadAnswerError(f"sent nothing for {self.limits.read_s:g} s", lasting=False)
            case httpx.ConnectError() if "CERTIFICATE_VERIFY_FAILED" in str(error):
                return BadAnswerError("has a certificate that is not trusted", "check the address of the source")
            case httpx.ConnectError():
                return BadAnswerError(f"cannot be reached ({error})", lasting=False)
            case httpx.DecodingError():
                return BadAnswerError("cannot be decompressed", TELL_OWNER, lasting=False)
            case httpx.RemoteProtocolError() if "location header" in str(error):
                return BadAnswerError("points to an address that is none", TELL_OWNER)
            case httpx.RemoteProtocolError() | httpx.NetworkError():
                return BadAnswerError("broke off: the connection was closed or no HTTP", lasting=False)
        return BadAnswerError(f"cannot be asked for ({type(error).__name__})", "check the address of the source")


def _error_of(state: RetryCallState) -> BadAnswerError:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, BadAnswerError)
    return error
