"""The job `follow`: what a batch changes, on both warehouses."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from analytics_platform.orchestration.follow import batch
from analytics_platform.orchestration.follow.batch import MOST_EVENTS
from analytics_platform_tests.kit import both_warehouses, platform_on
from analytics_platform_tests.names import CLICKSTREAM, ECOMMERCE_EVENTS
from analytics_platform_tests.orchestration.follow.lane_kit import FIRST, Followed, clicks, messages
from analytics_platform_tests.shop_messages import shop_message

ITEM = {"item_id": "p1", "item_name": "Pillow", "price": 10, "item_list_name": "Beds"}


@pytest.fixture(params=["duckdb", "postgres"])
def followed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Followed]:
    with dg.DagsterInstance.ephemeral() as instance, platform_on(request.param, tmp_path) as platform:
        yield Followed(platform, instance)


# Each run takes seconds. Batches of one message are those of the next test too.
@pytest.mark.parametrize("least", [10, pytest.param(1, marks=pytest.mark.slow)])
def test_after_batches_in_any_order_every_table_is_as_if_built_at_once(
    followed: Followed, tmp_path: Path, least: int
) -> None:
    bodies, chance = messages(7, 100, users=20), random.Random(7)
    files = [followed.drop(f"{seed}.csv", clicks(seed, 20, clients=20)) for seed in range(3)]
    while bodies:
        size = 40 if len(bodies) == 100 else chance.randrange(least, 30)
        arrived = {ECOMMERCE_EVENTS: [followed.put(bodies[:size]).content_sha256]}
        with_summaries = not followed.built or chance.random() < 0.3
        assert followed.run(arrived | ({CLICKSTREAM: files.pop()} if files else {}), with_summaries).success
        bodies = bodies[size:]
    assert followed.run({}).success
    assert followed.unlike(followed.rebuilt(tmp_path / "rebuilt")) == set()


HOSTILE = (
    "\ufeff%d",
    "o'neil %d",
    "a', 'b%d",
    "x) OR (1 = 1 OR '%d",
    "IN ('u%d', 'u')",
    '"%d"',
    "%d -- ü\\",
    "%d" + "x" * 300,
)


@both_warehouses
def test_batches_of_many_people_with_any_names_end_in_the_tables_of_a_whole_build(kind: str, tmp_path: Path) -> None:
    bodies = messages(8, 420, users=150, without_id=0, called=HOSTILE)
    with dg.DagsterInstance.ephemeral() as instance, platform_on(kind, tmp_path) as platform:
        followed = Followed(platform, instance)
        for first in range(0, len(bodies), 140):
            assert followed.follow(*bodies[first : first + 140]).success
        assert followed.unlike(followed.rebuilt(tmp_path / "rebuilt")) == set()


OTHER = shop_message("other", FIRST, items=[ITEM], page_referrer="https://two.example/a")
IN_EUROS = {"transaction_id": "t", "revenue": 10, "currency": "EUR"}
LAMP = {"item_name": "Lamp", "price": 20}

BEFORE = (
    OTHER,
    shop_message("other", FIRST, items=[LAMP]),
    shop_message("other", FIRST, "purchase", **IN_EUROS),
    shop_message("w", FIRST + dt.timedelta(hours=2), "purchase", client_id="tablet", **IN_EUROS),
)
AFTER = {
    "no guard": shop_message("u", FIRST, items=[ITEM]),
    "a page has the domain of another's referrer": shop_message(
        "v", FIRST, items=[ITEM], page_location="https://two.example/b"
    ),
    "a name has an id": shop_message("u", FIRST, items=[LAMP | {"item_id": "l1"}]),
    "an order of another client of the user": shop_message(
        "w", FIRST + dt.timedelta(hours=1), "purchase", client_id="phone", **IN_EUROS
    ),
    "a second currency": shop_message("u", FIRST, "purchase", **IN_EUROS | {"currency": "USD"}),
}


def test_a_message_that_changes_what_others_did_builds_that_too(followed: Followed, tmp_path: Path) -> None:
    assert followed.follow(*BEFORE).success
    for number, (change, message) in enumerate(AFTER.items()):
        assert followed.follow(message).success
        assert followed.unlike(followed.rebuilt(tmp_path / f"rebuilt{number}")) == set(), change


def test_a_batch_does_not_touch_rows_of_others(followed: Followed) -> None:
    tables = ("cleaned.events", "sessionized.session_events", "star.fact_events", "star.fact_sessions")
    assert followed.follow(OTHER).success
    with followed.platform.session() as session:
        for table in tables:
            session.execute(f"UPDATE {table} SET client_id = 'by hand'")
    assert followed.follow(shop_message("u", FIRST, items=[ITEM])).success
    for table in tables:
        found = followed.rows(f"SELECT client_id FROM {table} ORDER BY client_id")
        assert found == [("by hand",), ("user:u",)], table


def test_a_run_has_at_most_a_hundred_events_and_tells_rows_and_day_of_each_table(followed: Followed) -> None:
    result = followed.follow(*messages(3, 40))
    events = followed.instance.get_records_for_run(result.run_id).records
    assert len(events) <= MOST_EVENTS
    told = {".".join(each.asset_key.path): each for each in result.get_asset_materialization_events() if each.asset_key}
    made = told["star.fact_events"].step_materialization_data.materialization
    assert made.partition == "2026-03-03"
    assert made.metadata["dagster/row_count"].value == followed.rows("SELECT count(*) FROM star.fact_events")[0][0]
    assert {"cleaned.ecommerce_events", "marts.daily_trends", "marts.customer_rfm"} <= told.keys()


def test_a_narrowed_run_tells_the_check_of_each_table_with_other_rows_than_before(followed: Followed) -> None:
    assert followed.follow(*messages(3, 2)).success
    tables = ("star.fact_events", "star.fact_sessions", "marts.list_performance", "star.dim_product", "cleaned.events")
    message = followed.put([shop_message("u9", FIRST, "view_item_list", items=[ITEM])])
    result = followed.run({ECOMMERCE_EVENTS: [message.content_sha256]}, with_summaries=False)
    assert len(followed.instance.get_records_for_run(result.run_id).records) <= MOST_EVENTS
    checked = {".".join(each.asset_key.path) for each in result.get_asset_check_evaluations() if each.passed}
    assert checked.issuperset(tables)
    made = {".".join(each.asset_key.path): each for each in result.get_asset_materialization_events() if each.asset_key}
    # Not as the number of rows of the table, which the UI would show.
    facts = made["star.fact_events"].step_materialization_data.materialization.metadata
    assert (facts["rows published"].value, "dagster/row_count" in facts) == (1, False)


def test_after_a_broken_contract_nothing_of_the_batch_is_published_and_all_of_it_once_that_is_mended(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of an earlier day are changed by hand; a total over all days then breaks its contract."""
    monkeypatch.setattr(batch, "OVERLAP", dt.timedelta(microseconds=-1))
    assert followed.follow(shop_message("u1", FIRST, "view_item_list", items=[ITEM])).success
    _set_impressions(followed, -99)
    before = followed.contents()

    later = FIRST + dt.timedelta(days=2)
    result = followed.follow(shop_message("u2", later, "view_item_list", items=[ITEM]))

    assert not result.success
    (check,) = (each for each in result.get_asset_check_evaluations() if not each.passed)
    assert check.check_name == "contract" and "impressions" in str(check.description)
    after = followed.contents()
    assert [name for name in before if after[name] != before[name]] == ["cleaned.ecommerce_events"]
    _set_impressions(followed, 1)
    followed.failed = [".".join(check.asset_key.path)]
    mended = followed.run({})
    assert mended.success
    assert (check.asset_key, True) in [(each.asset_key, each.passed) for each in mended.get_asset_check_evaluations()]
    assert followed.rows("SELECT impressions FROM marts.list_performance") == [(2,)]


def _set_impressions(followed: Followed, number: int) -> None:
    with followed.platform.session() as session:
        session.execute(f"UPDATE sessionized.product_interactions SET impressions = {number}")


def test_too_many_rejected_rows_stop_building_until_a_person_accepts_them(followed: Followed) -> None:
    good = [shop_message(f"u{number}", FIRST, items=[ITEM]) for number in range(100)]
    stopped = followed.follow(*good, *(f"no message {number}" for number in range(20)))
    assert not stopped.success
    (check,) = (each for each in stopped.get_asset_check_evaluations() if each.check_name == "error_rate")
    assert not check.passed and check.asset_key == dg.AssetKey(["cleaned", ECOMMERCE_EVENTS])
    assert followed.rows("SELECT count(*) FROM star.fact_events") == [(0,)]
    assert not followed.follow(shop_message("late", FIRST, items=[ITEM])).success
    with followed.platform.session() as session:
        session.execute("INSERT INTO ops.acceptances SELECT batch_id, 'known', 'ada', now() FROM ops.pipeline_logs")
    assert followed.run({}).success
    assert followed.rows("SELECT count(*) FROM star.fact_events") == [(101,)]
