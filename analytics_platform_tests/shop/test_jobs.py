"""Dagster's part: the outbox is drained when something waits, and built marts make the cache of best sellers stale."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import dagster as dg
import pytest
from pydantic import SecretStr
from redis import Redis

from analytics_platform.orchestration.assets.cache import best_sellers
from analytics_platform.orchestration.decisions import Runs, Start, Wait, decide_waiting
from analytics_platform.orchestration.jobs import drain_outbox
from analytics_platform.orchestration.resources import build_resources
from analytics_platform.orchestration.sensors import outbox_sensor
from analytics_platform.settings import Settings
from analytics_platform.shop.best_sellers import FRESH, LIST, LOCK
from analytics_platform.shop.domain import CartLine
from analytics_platform.shop.service import Shop
from analytics_platform_tests.shop.kit import LAMP, cart_of, furnish, run, stored

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    changed = {"data_dir": tmp_path, "warehouse_url": SecretStr(f"duckdb:///{tmp_path / 'warehouse.duckdb'}")}
    return settings.model_copy(update=changed)


def drain(settings: Settings) -> dg.ExecuteInProcessResult:
    return drain_outbox.execute_in_process(resources={"settings": settings}, raise_on_error=False)


def fill_outbox(shop: Shop) -> None:
    customer = furnish(shop)
    shop.carts.add("customer:1", CartLine(LAMP, 1))
    shop.place_order(cart_of((LAMP, 1), cart_id="customer:1"), customer, "web/1", follow_up=False)


def test_the_job_does_what_waits(shop: Shop, settings: Settings) -> None:
    fill_outbox(shop)
    assert drain(settings).success
    assert stored(shop)["outbox"] == []
    assert shop.carts.get("customer:1").lines == ()


def test_the_job_fails_while_a_server_does_not_answer_and_names_it(shop: Shop, settings: Settings) -> None:
    fill_outbox(shop)
    away = settings.model_copy(update={"redis_url": type(settings.redis_url)("redis://127.0.0.1:1/0")})
    result = drain(away)
    assert not result.success
    (failure,) = [event for event in result.all_node_events if event.is_step_failure]
    assert "The cache redis://127.0.0.1:1/0 cannot be used" in str(failure.event_specific_data)
    assert [task for _, task in stored(shop)["outbox"]] == ["count_sales"]


def test_without_a_shop_the_job_and_the_sensor_say_so(settings: Settings) -> None:
    without = settings.model_copy(update={"shop_database_url": type(settings.shop_database_url)("")})
    assert drain(without).success
    found = outbox_sensor(without)(dg.build_sensor_context(dg.DagsterInstance.ephemeral()))
    assert isinstance(found, dg.SensorResult)
    assert "SHOP_DATABASE_URL is not set" in str(found.skip_reason)


def test_the_sensor_starts_the_job_when_something_waits(shop: Shop, settings: Settings) -> None:
    look = outbox_sensor(settings)
    with dg.instance_for_test() as instance:
        context = dg.build_sensor_context(instance=instance)
        fill_outbox(shop)
        assert look(context).skip_reason.skip_message == "nothing waits in the shop's outbox"  # type: ignore[union-attr]
        run(shop, "UPDATE shop.outbox SET due_at = now() - interval '1 min'")
        assert [request.job_name for request in look(context).run_requests or ()] == ["drain_outbox"]  # type: ignore[union-attr]


def test_a_job_that_failed_is_tried_again_after_a_while() -> None:
    failed = Runs(failed_at=NOW)
    assert isinstance(decide_waiting(3, "the outbox", failed, NOW + dt.timedelta(minutes=1)), Wait)
    assert isinstance(decide_waiting(3, "the outbox", failed, NOW + dt.timedelta(minutes=6)), Start)
    assert isinstance(decide_waiting(3, "the outbox", Runs(unfinished=1), NOW), Wait)
    assert isinstance(decide_waiting(0, "the outbox", Runs(), NOW), Wait)


def materialize(settings: Settings) -> dict[str, object]:
    result = dg.materialize([best_sellers], resources=dict(build_resources(settings)))
    (event,) = result.get_asset_materialization_events()
    return {name: value.value for name, value in event.materialization.metadata.items()}


def test_the_warehouse_only_makes_the_list_stale_so_that_newer_orders_stay_in_it(
    shop: Shop, settings: Settings, redis_url: str
) -> None:
    customer = furnish(shop)
    shop.place_order(cart_of((LAMP, 2)), customer, "web/1")
    before = shop.top_sellers()
    client = Redis.from_url(redis_url)
    known = client.get(LIST)
    assert materialize(settings)["cache"] == "marked as stale"
    assert client.get(LIST) == known and client.get(FRESH) is None
    client.delete(LOCK)
    shop.place_order(cart_of((LAMP, 1)), customer, "web/2")
    assert [each.quantity for each in (*before, *shop.top_sellers())] == [2, 3]


@pytest.mark.parametrize(("url", "words"), [("", "REDIS_URL is not set"), ("redis://127.0.0.1:1/0", "cannot be used")])
def test_without_a_cache_the_asset_says_so_and_does_not_fail(url: str, words: str, settings: Settings) -> None:
    without = settings.model_copy(update={"redis_url": type(settings.redis_url)(url)})
    assert words in str(materialize(without)["cache"])
