"""A server stops at any step: the order is placed or nothing happened, and what is left to do is done later."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from analytics_platform.demo.servers import free_port
from analytics_platform.demo.servers.databases import LocalRedis, serve_postgres
from analytics_platform.demo.servers.mongo_server import serve_mongo
from analytics_platform.settings import Settings, SettingsError, load_settings
from analytics_platform.shop import carts, database, outbox
from analytics_platform.shop.domain import CartLine, Order
from analytics_platform.shop.errors import ShopError, ShopUnavailableError
from analytics_platform.shop.orders import CLEAR_CART, COUNT_SALES, OrderRequest, find_order
from analytics_platform.shop.schema import migrate
from analytics_platform.shop.service import Shop, open_shop
from analytics_platform_tests.postgres import kill_server
from analytics_platform_tests.shop.kit import LAMP, VASE, cart_of, furnish, rows, stock, stored


@contextmanager
def reopened(settings: Settings, **changed: object) -> Iterator[Shop]:
    """The same shop with other addresses, and little patience with those that do not answer."""
    names = ("shop_database_url", "mongodb_uri", "redis_url")
    same = {name: getattr(settings, name).get_secret_value() for name in names}
    chosen = load_settings(**{**same, "mongodb_database": settings.mongodb_database, **changed})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(carts, "_TIMEOUT_MS", 300)
        with open_shop(chosen) as shop:
            yield shop


NO_MONGO = {"mongodb_uri": "mongodb://127.0.0.1:1/?directConnection=true"}
NO_REDIS = {"redis_url": "redis://127.0.0.1:1/0"}


@pytest.mark.parametrize(
    ("missing", "waiting"),
    [
        (NO_MONGO, [CLEAR_CART]),
        (NO_REDIS, [COUNT_SALES]),
        ({**NO_MONGO, **NO_REDIS}, [CLEAR_CART, COUNT_SALES]),
    ],
)
def test_without_a_server_the_order_is_placed_and_the_rest_is_done_when_it_returns(
    missing: dict[str, str], waiting: list[str], shop: Shop, settings: Settings
) -> None:
    customer = furnish(shop)
    cart_id = f"customer:{customer}"
    shop.carts.add(cart_id, CartLine(LAMP, 2))
    assert shop.top_sellers() == ()
    with reopened(settings, **missing) as degraded:
        order = degraded.place_order(cart_of((LAMP, 2), cart_id=cart_id), customer, "web/1")
        assert [task for _, task in stored(degraded)["outbox"]] == waiting
        drained = degraded.drain_outbox()
        assert (drained.done, drained.left, len(drained.reasons)) == (0, len(waiting), len(waiting))
        assert {each.product_id for each in degraded.top_sellers()} <= {LAMP}
    assert find_order(shop.database, "web/1") == order
    assert stock(shop)[LAMP] == 8

    drained = shop.drain_outbox()

    assert (drained.done, drained.left, drained.reasons) == (len(waiting), 0, ())
    assert shop.carts.get(cart_id).lines == ()


def test_servers_that_stop_and_return_are_used_again(database_url: str, tmp_path: Path) -> None:
    cache, port = LocalRedis(), free_port()
    mongo_uri = f"mongodb://127.0.0.1:{port}/?directConnection=true"
    settings = load_settings(shop_database_url=database_url, redis_url=cache.url, mongodb_uri=mongo_uri)
    with open_shop(settings) as shop:
        customer = furnish(shop)
        cart = cart_of((LAMP, 1), cart_id=f"customer:{customer}")
        with serve_mongo(tmp_path, port):
            cache.start()
            assert shop.carts.add(f"customer:{customer}", CartLine(LAMP, 3)).lines
            shop.place_order(cart, customer, "web/1")
            assert stored(shop)["outbox"] == []
            cache.stop()
        shop.place_order(cart, customer, "web/2")
        with pytest.raises(ShopUnavailableError, match="cannot be reached"):
            shop.carts.get(f"customer:{customer}")
        assert len(stored(shop)["outbox"]) == 2
        with serve_mongo(tmp_path, port):
            cache.start()
            assert shop.drain_outbox().left == 0
            assert shop.carts.get(f"customer:{customer}").lines == (CartLine(LAMP, 1),)
            cache.stop()


def test_a_server_that_does_not_answer_delays_only_the_first_order(
    shop: Shop, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    customer = furnish(shop)
    with reopened(settings, **NO_MONGO) as degraded:
        for number in range(5):
            degraded.place_order(cart_of((LAMP, 1), cart_id="customer:1"), customer, f"web/{number}")
    assert len([record for record in caplog.records if "cannot be reached" in record.message]) == 1


def test_without_carts_and_cache_orders_are_placed_and_nothing_waits(shop: Shop, settings: Settings) -> None:
    customer = furnish(shop)
    with reopened(settings, mongodb_uri="", redis_url="") as bare:
        bare.place_order(cart_of((LAMP, 3), cart_id="customer:1"), customer, "web/1")
        assert stored(bare)["outbox"] == []
        assert [each.quantity for each in bare.top_sellers()] == [3]
        with pytest.raises(ShopError, match="MONGODB_URI is not set"):
            _ = bare.carts


def test_a_database_that_stops_and_returns_loses_nothing(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_WAIT_S", 3.0)
    with (
        tempfile.TemporaryDirectory(prefix="postgres-") as folder,
        serve_postgres(Path(folder) / "server") as server,
    ):
        migrate(server.url)
        with open_shop(load_settings(shop_database_url=server.url, redis_url=redis_url)) as shop:
            customer = furnish(shop)
            first = shop.place_order(cart_of((LAMP, 1)), customer, "web/1")
            kill_server(server)
            with pytest.raises(ShopUnavailableError, match=r"fails|cannot be reached|became free"):
                shop.place_order(cart_of((LAMP, 1)), customer, "web/2")
            server.start()
            assert until_available(lambda: shop.place_order(cart_of((LAMP, 1)), customer, "web/1")) == first
            shop.place_order(cart_of((LAMP, 1)), customer, "web/2")
            assert stock(shop)[LAMP] == 8


def until_available(ask: Callable[[], Order]) -> Order:
    """What is answered once the pool has found the server again."""
    until = time.monotonic() + 60
    while True:
        try:
            return ask()
        except ShopUnavailableError:
            assert time.monotonic() < until


def test_a_task_that_fails_is_put_off_and_keeps_nothing_else_waiting(shop: Shop) -> None:
    customer = furnish(shop)
    for number, cart_id in enumerate(("customer:1", "customer:2")):
        shop.carts.add(cart_id, CartLine(VASE, 1))
        shop.place_order(cart_of((VASE, 1), cart_id=cart_id), customer, f"web/{number}", follow_up=False)
    rows(shop, "UPDATE shop.outbox SET payload = '{}' WHERE task = 'clear_cart' AND order_id = 1 RETURNING 1")

    drained = shop.drain_outbox()

    assert (drained.done, drained.left) == (3, 1)
    assert "clear_cart" in drained.reasons[0] and "failed, attempt 1" in drained.reasons[0]
    assert shop.carts.get("customer:2").lines == ()
    assert rows(shop, "SELECT attempts, due_at > now() FROM shop.outbox") == [(1, True)]
    assert shop.drain_outbox().reasons == ()
    assert outbox.count_due(shop.database) == 0


def test_many_sales_make_the_cache_stale_once(shop: Shop, settings: Settings) -> None:
    customer = furnish(shop, stock=500)
    calls: list[object] = []
    for number in range(300):
        shop.place_order(cart_of((VASE, 1)), customer, f"web/{number}", follow_up=False)
    drained = outbox.drain(shop.database, {COUNT_SALES: calls.append})
    assert (drained.done, drained.left, len(calls)) == (300, 0, 2)


def test_several_who_drain_at_once_share_the_work(shop: Shop) -> None:
    customer = furnish(shop, stock=900)
    requests = [
        OrderRequest(cart_of((VASE, 1), cart_id="customer:1"), customer, f"web/{number}") for number in range(600)
    ]
    with ThreadPoolExecutor(8) as threads:
        for request in requests:
            threads.submit(shop.place_order, request.cart, customer, request.order_key, follow_up=False)
    done: list[str] = []

    def clear(payload: outbox.Payload) -> None:
        done.append(payload["order_key"])

    with ThreadPoolExecutor(3) as threads:
        drained = list(threads.map(lambda _: outbox.drain(shop.database, {CLEAR_CART: clear}), range(3)))

    assert sum(each.done for each in drained) == 600
    assert sorted(done) == sorted(request.order_key for request in requests)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"shop_database_url": ""}, "SHOP_DATABASE_URL is not set"),
        ({"mongodb_uri": "http://ada:secret@x"}, "MONGODB_URI is not a valid address"),
        ({"redis_url": "http://ada:secret@x"}, "REDIS_URL is not a valid address"),
    ],
)
def test_wrong_settings_are_named_without_secrets(changed: dict[str, str], sentence: str, settings: Settings) -> None:
    with pytest.raises(SettingsError, match=sentence) as caught, reopened(settings, **changed):
        pass
    assert "secret" not in str(caught.value)


def test_a_database_that_does_not_answer_is_named_without_its_password() -> None:
    for url in ("postgresql://ada:secret@127.0.0.1:1/shop", "postgresql://ada:secret@127.0.0.1:x/shop"):
        with pytest.raises(ShopUnavailableError) as caught, open_shop(load_settings(shop_database_url=url)):
            pass
        assert "secret" not in str(caught.value)
        with pytest.raises(ShopUnavailableError) as caught:
            migrate(url)
        assert "secret" not in str(caught.value)
