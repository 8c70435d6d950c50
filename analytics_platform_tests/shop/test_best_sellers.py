"""Best sellers: from the cache, counted by one at a time, stale after orders; without a cache slower, not broken."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from redis import Redis

from analytics_platform.demo.servers.databases import LocalRedis
from analytics_platform.shop import breaker
from analytics_platform.shop.best_sellers import FRESH, LIST, LOCK, BestSellers, Times, invalidate_best_sellers
from analytics_platform.shop.domain import BestSeller
from analytics_platform.shop.errors import ShopUnavailableError

NOWHERE = "redis://:secret@127.0.0.1:1/0"


def seller(number: int) -> BestSeller:
    return BestSeller(f"p{number}", "Größe 枕", number, number, Decimal("0.1000"))


class Counter:
    """Counts how often it is asked to count; every answer is another one."""

    def __init__(self) -> None:
        self.asked = 0
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def __call__(self) -> Sequence[BestSeller]:
        self.asked += 1
        answer = [seller(self.asked)]
        assert self.may_go_on.wait(30)
        return answer


@pytest.fixture
def count() -> Counter:
    return Counter()


@pytest.fixture
def client(redis_url: str) -> Redis:
    return Redis.from_url(redis_url)


def test_a_list_is_counted_once_and_read_from_the_cache(redis_url: str, count: Counter) -> None:
    best = BestSellers(redis_url, count)
    assert best.top() == best.top() == BestSellers(redis_url, count).top() == (seller(1),)
    assert count.asked == 1


def test_at_most_ten_are_kept(redis_url: str, count: Counter) -> None:
    BestSellers(redis_url, lambda: [seller(number) for number in range(12)]).top()
    assert BestSellers(redis_url, count).top() == tuple(seller(number) for number in range(10))
    assert count.asked == 0


def test_of_many_who_find_no_list_one_counts(redis_url: str, count: Counter) -> None:
    best = BestSellers(redis_url, count)
    count.may_go_on.clear()
    with ThreadPoolExecutor(20) as threads:
        asked = [threads.submit(best.top) for _ in range(20)]
        while not count.asked:
            time.sleep(0.001)
        count.may_go_on.set()
        assert {each.result() for each in asked} == {(seller(1),)}
    assert count.asked == 1


def test_of_many_who_find_an_old_list_one_counts_and_the_others_do_not_wait(
    redis_url: str, client: Redis, count: Counter
) -> None:
    best = BestSellers(redis_url, count)
    best.top()
    client.delete(FRESH, LOCK)
    count.may_go_on.clear()
    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(best.top) for _ in range(8)]
        while count.asked < 2:
            time.sleep(0.001)
        assert best.top() == (seller(1),)
        count.may_go_on.set()
        assert {each.result() for each in asked} <= {(seller(1),), (seller(2),)}
    assert count.asked == 2
    assert best.top() == (seller(2),)


def test_an_order_lets_the_list_be_counted_again_but_not_at_once_again(
    redis_url: str, client: Redis, count: Counter
) -> None:
    best = BestSellers(redis_url, count)
    best.top()
    best.touch()
    assert best.top() == (seller(1),)  # the last count is less than two seconds ago
    client.delete(LOCK)
    assert best.top() == (seller(2),)


def test_an_order_during_a_count_is_counted_next_time(redis_url: str, client: Redis, count: Counter) -> None:
    best = BestSellers(redis_url, count)
    count.may_go_on.clear()
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(best.top)
        while not count.asked:
            time.sleep(0.001)
        best.touch()
        count.may_go_on.set()
        asked.result()
    client.delete(LOCK)
    assert best.top() == (seller(2),)


def test_a_process_that_ends_while_it_counts_does_not_block_others_for_long(
    redis_url: str, client: Redis, count: Counter
) -> None:
    client.set(LOCK, 1, px=200)
    assert BestSellers(redis_url, count).top() == (seller(1),)
    client.set(LOCK, 1)
    client.delete(LIST)
    assert BestSellers(redis_url, count, Times(wait=0.1)).top() == (seller(2),)


@pytest.mark.parametrize("text", ["", "no json", "[[1]]", '{"a": 1}', '[["a", "b", 1, 2, "x"]]', "7"])
def test_something_else_in_the_place_of_the_list_is_replaced(
    text: str, redis_url: str, client: Redis, count: Counter
) -> None:
    client.set(LIST, text)
    client.set(FRESH, 1)
    best = BestSellers(redis_url, count)
    assert best.top() == best.top() == (seller(1),)


def test_without_a_cache_every_read_counts(count: Counter) -> None:
    best = BestSellers(NOWHERE, count)
    assert [best.top(), best.top()] == [(seller(1),), (seller(2),)]


def test_a_cache_that_does_not_answer_is_named_without_its_password(count: Counter) -> None:
    best = BestSellers(NOWHERE, count)
    for use in (best.touch, lambda: invalidate_best_sellers(NOWHERE)):
        with pytest.raises(ShopUnavailableError, match=r"127.0.0.1:1") as caught:
            use()
        assert "secret" not in str(caught.value)


def test_a_cache_that_answers_again_is_used_again(count: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "PAUSE_S", 0.0)
    server = LocalRedis()
    server.start()
    best = BestSellers(server.url, count)
    best.top()
    server.stop()
    best.top()
    server.start()
    assert best.top() == best.top() == (seller(3),)
    server.stop()


def test_what_fails_the_count_fails_the_read_and_lets_the_next_try(redis_url: str, count: Counter) -> None:
    def fail() -> Sequence[BestSeller]:
        raise ShopUnavailableError("no database")

    with pytest.raises(ShopUnavailableError, match="no database"):
        BestSellers(redis_url, fail, Times(least=0.001)).top()
    assert BestSellers(redis_url, count).top() == (seller(1),)
