"""Carts: every change is whole, they expire, and a login loses nothing and adds nothing twice."""

from __future__ import annotations

import datetime as dt
import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from pymongo import MongoClient

from analytics_platform.shop.carts import COLLECTION, Carts
from analytics_platform.shop.domain import CartLine
from analytics_platform.shop.errors import BadOrderError, BadQuantityError, NotInCartError, ShopUnavailableError

ADA, GUEST = "customer:1", "visitor:abc"
LAMP, DESK = CartLine("lamp", 2), CartLine("desk", 1, "oak")


class Clock:
    """A clock that tests turn."""

    def __init__(self) -> None:
        self.now = dt.datetime.now(dt.UTC).replace(microsecond=0)

    def __call__(self) -> dt.datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database() -> str:
    return f"shop_{secrets.token_hex(4)}"


@pytest.fixture
def carts(mongo_uri: str, database: str, clock: Clock) -> Iterator[Carts]:
    carts = Carts(mongo_uri, database, dt.timedelta(days=30), clock)
    yield carts
    carts.close()


def pieces(carts: Carts, cart_id: str) -> dict[str, int]:
    return {line.product_id: line.quantity for line in carts.get(cart_id).lines}


def test_a_cart_holds_what_was_put_in_each_thing_in_one_line(carts: Carts) -> None:
    assert carts.get(ADA).lines == ()
    carts.add(ADA, LAMP)
    carts.add(ADA, DESK)
    carts.add(ADA, CartLine("desk", 1))
    cart = carts.add(ADA, LAMP)
    assert cart.lines == (CartLine("lamp", 4), DESK, CartLine("desk", 1))
    assert carts.get(ADA) == cart


def test_a_line_can_be_changed_and_removed(carts: Carts) -> None:
    carts.add(ADA, LAMP)
    carts.add(ADA, DESK)
    assert carts.change(ADA, CartLine("lamp", 7)).lines == (CartLine("lamp", 7), DESK)
    assert carts.remove(ADA, "desk", "oak").lines == (CartLine("lamp", 7),)
    assert carts.remove(ADA, "desk", "oak").lines == (CartLine("lamp", 7),)


def test_what_is_not_in_the_cart_cannot_be_changed(carts: Carts) -> None:
    with pytest.raises(NotInCartError):
        carts.change(ADA, LAMP)


def test_a_line_does_not_grow_beyond_its_limit(carts: Carts) -> None:
    carts.add(ADA, CartLine("lamp", 999_999))
    with pytest.raises(BadQuantityError):
        carts.add(ADA, LAMP)
    assert pieces(carts, ADA) == {"lamp": 999_999}


@pytest.mark.parametrize("name", ["a.b", "$set", "", "\U0001f6cf", "x" * 500])
def test_a_product_may_have_any_name(name: str, carts: Carts) -> None:
    carts.add(ADA, CartLine(name, 1, name))
    assert carts.get(ADA).lines == (CartLine(name, 1, name),)


def test_of_many_changes_at_once_none_is_lost(carts: Carts) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: carts.add(ADA, CartLine(f"p{number % 3}", 1)), range(60)))
    assert pieces(carts, ADA) == {"p0": 20, "p1": 20, "p2": 20}


def test_a_cart_expires_after_a_month_without_a_change(carts: Carts, clock: Clock) -> None:
    carts.add(ADA, LAMP)
    clock.now += dt.timedelta(days=29)
    carts.add(ADA, DESK)
    clock.now += dt.timedelta(days=29)
    assert carts.get(ADA).lines == (LAMP, DESK)
    clock.now += dt.timedelta(days=1)
    assert carts.get(ADA).lines == ()
    assert carts.add(ADA, LAMP).lines == (LAMP,)


def test_the_server_knows_when_a_cart_expires(carts: Carts, mongo_uri: str, database: str, clock: Clock) -> None:
    carts.prepare()
    carts.prepare()
    carts.add(ADA, LAMP)
    with MongoClient[dict[str, object]](mongo_uri, tz_aware=True) as client:
        collection = client[database][COLLECTION]
        indexes = collection.index_information().values()
        (document,) = collection.find()
    assert [index["expireAfterSeconds"] for index in indexes if "expireAfterSeconds" in index] == [0]
    assert document["expires_at"] == clock.now + dt.timedelta(days=30)


def test_the_server_removes_what_expired(carts: Carts, mongo_uri: str, database: str, clock: Clock) -> None:
    carts.prepare()
    clock.now -= dt.timedelta(days=31)
    carts.add(ADA, LAMP)
    until = time.monotonic() + 90  # MongoDB looks once a minute
    with MongoClient[dict[str, object]](mongo_uri) as client:
        while client[database][COLLECTION].find_one() is not None:
            assert time.monotonic() < until
            time.sleep(0.1)


def test_at_login_the_visitor_s_cart_is_merged_into_the_customer_s(carts: Carts) -> None:
    carts.add(ADA, LAMP)
    carts.add(GUEST, LAMP)
    carts.add(GUEST, DESK)
    assert carts.merge(GUEST, ADA).lines == (CartLine("lamp", 4), DESK)
    assert carts.get(GUEST).lines == ()
    assert carts.merge(GUEST, ADA).lines == (CartLine("lamp", 4), DESK)
    assert carts.add(GUEST, DESK).lines == (DESK,)


def test_only_a_visitor_s_cart_is_merged_and_only_into_a_customer_s(carts: Carts) -> None:
    for one, other in ((ADA, GUEST), (ADA, "customer:2"), (GUEST, "visitor:2")):
        with pytest.raises(BadOrderError):
            carts.merge(one, other)


class Tripping:
    """A collection whose N-th write does not come through, as when the process ends there."""

    def __init__(self, collection: object, at: int) -> None:
        self._collection = collection
        self._left = at

    def __getattr__(self, name: str) -> object:
        if name in ("replace_one", "insert_one", "delete_one"):
            self._left -= 1
            if self._left < 0:
                raise KeyboardInterrupt
        return getattr(self._collection, name)


@pytest.mark.parametrize("at", range(3))
@pytest.mark.parametrize("who", ["merges again", "looks", "goes on as a guest"])
def test_a_login_that_ends_halfway_is_finished_by_the_next_reader(at: int, who: str, carts: Carts) -> None:
    carts.add(ADA, LAMP)
    carts.add(GUEST, LAMP)
    carts.add(GUEST, DESK)
    whole = carts._carts
    carts._carts = Tripping(whole, at)  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        carts.merge(GUEST, ADA)
    carts._carts = whole

    if who == "merges again":
        carts.merge(GUEST, ADA)
    elif who == "looks":
        carts.get(GUEST)
    else:
        carts.add(GUEST, CartLine("vase", 1))
        if at == 0:
            assert carts.remove(GUEST, "vase").lines == (LAMP, DESK)

    together = pieces(carts, ADA).get("lamp", 0) + pieces(carts, GUEST).get("lamp", 0)
    assert together == 4
    assert (at == 0 and who != "merges again") or pieces(carts, ADA) == {"lamp": 4, "desk": 1}


def test_what_was_ordered_is_taken_out_once_and_what_came_since_stays(carts: Carts) -> None:
    carts.add(ADA, LAMP)
    carts.add(ADA, DESK)
    ordered = carts.get(ADA).lines
    carts.add(ADA, CartLine("lamp", 1))
    carts.add(ADA, CartLine("vase", 1))
    for _ in range(2):
        assert carts.take_out(ADA, ordered, "web/1").lines == (CartLine("lamp", 1), CartLine("vase", 1))
    assert carts.take_out(ADA, (CartLine("vase", 1),), "web/2").lines == (CartLine("lamp", 1),)


def test_an_order_repeated_later_does_not_take_from_a_refilled_cart(carts: Carts) -> None:
    carts.add(ADA, LAMP)
    carts.take_out(ADA, (LAMP,), "web/1")
    carts.add(ADA, LAMP)
    assert carts.take_out(ADA, (LAMP,), "web/1").lines == (LAMP,)


def test_a_server_that_does_not_answer_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analytics_platform.shop.carts._TIMEOUT_MS", 300)
    carts = Carts("mongodb://ada:secret@127.0.0.1:1/?directConnection=true", "shop")
    for _ in range(2):
        with pytest.raises(ShopUnavailableError, match=r"://\*\*\*@127.0.0.1:1") as caught:
            carts.get(ADA)
        assert "secret" not in str(caught.value)
    carts.close()
