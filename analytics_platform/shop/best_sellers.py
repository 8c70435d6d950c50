"""The best sellers, read through Redis: counting them reads all orders, so it is done rarely and by one at a time.

Three keys. The list itself, kept for an hour. `:fresh`, for a minute: while it lives the list is served as it is; an
order removes it. `:lock`: its owner counts again, all others are served the old list meanwhile; it stays a moment
after the count, so that many orders do not make many counts. `:fresh` is set before the count, not after: an order that
is placed while it goes on removes it again, and is counted next time. Others wait for it only if there is no list.

Without Redis every read counts: slower, not broken.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from analytics_platform.settings import SettingsError, masked
from analytics_platform.shop.breaker import CircuitBreaker
from analytics_platform.shop.domain import BestSeller
from analytics_platform.shop.errors import ShopUnavailableError

LOG = logging.getLogger(__name__)
MOST = 10
LIST = "shop:best_sellers"
FRESH, LOCK = f"{LIST}:fresh", f"{LIST}:lock"
_TIMEOUT_S = 0.5
_POLL_S = 0.02
_LIST = TypeAdapter(tuple[BestSeller, ...])


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds. `kept`: how long a list lives; `fresh`: until it is counted again; `least`: between two counts;
    `lock`: what a count may take; `wait`: how long to wait for a first list that another process counts."""

    kept: float = 3600.0
    fresh: float = 60.0
    least: float = 2.0
    lock: float = 20.0
    wait: float = 5.0


class BestSellers:
    """The best sellers at one address. Safe to share between threads."""

    def __init__(self, url: str, count: Callable[[], Sequence[BestSeller]], times: Times = Times()) -> None:
        """Prepare without connecting. `count` computes the list; its errors are raised by `top`.

        Raises `SettingsError` for an invalid address.
        """
        self._url = url
        try:
            self._redis = Redis.from_url(
                url,
                socket_timeout=_TIMEOUT_S,
                socket_connect_timeout=_TIMEOUT_S,
                retry=Retry(NoBackoff(), 1),  # a connection that a restart of the server left behind
                decode_responses=True,
            )
        except ValueError:  # its text quotes parts of the address, which may be of the password
            raise SettingsError("REDIS_URL is not a valid address: write it as redis://host:6379/0.") from None
        self._count = count
        self._times = times
        self._breaker = CircuitBreaker()

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def top(self) -> tuple[BestSeller, ...]:
        """Return the best sellers, at most `MOST`, best first."""
        if self._breaker.is_open:
            return tuple(self._count())
        try:
            with self._clear_errors():
                return self._read_through()
        except ShopUnavailableError as error:
            LOG.warning("%s The best sellers are counted instead.", error)
            self._breaker.trip()
            return tuple(self._count())

    def touch(self) -> None:
        """Mark the list as stale after a sale, so that it is counted again. Raises `ShopUnavailableError`."""
        with self._clear_errors():
            self._redis.delete(FRESH)

    def _read_through(self) -> tuple[BestSeller, ...]:
        until = time.monotonic() + self._times.wait
        while True:
            text, fresh = self._redis.mget(LIST, FRESH)
            known = _read_list(text)
            if known is not None and fresh is not None:
                return known
            if self._redis.set(LOCK, 1, nx=True, px=_ms(self._times.lock)):
                return self._count_again()
            if known is not None:
                return known
            if time.monotonic() > until:
                return tuple(self._count())
            time.sleep(_POLL_S)

    def _count_again(self) -> tuple[BestSeller, ...]:
        self._redis.set(FRESH, 1, px=_ms(self._times.fresh))
        try:
            top = tuple(self._count())
            self._redis.set(LIST, _LIST.dump_json(top[:MOST]), px=_ms(self._times.kept))
        finally:
            self._redis.pexpire(LOCK, _ms(self._times.least))
        return top

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        """Turn the driver's errors into `ShopUnavailableError`."""
        try:
            yield
        except RedisError as error:
            where, reason = masked(self._url), str(error).splitlines()[0]
            raise ShopUnavailableError(f"The cache {where} cannot be used: {reason}") from None


def invalidate_best_sellers(url: str) -> None:
    """Mark the list in the cache at that address as stale. Raises `ShopUnavailableError`.

    Raises `SettingsError` for an invalid address.
    """
    with closing(BestSellers(url, tuple)) as best_sellers:
        best_sellers.touch()


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _read_list(text: str | bytes | None) -> tuple[BestSeller, ...] | None:
    """Return the list; None if there is none or it cannot be parsed: it will be replaced."""
    try:
        return _LIST.validate_json(text or "")
    except ValidationError:
        return None
