"""Rows of the keys that a batch touches, and days that fit into memory: built alone, they are as if built together."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import settings

from analytics_platform.catalog import CONTRACTS
from analytics_platform.sources.registry import SOURCES
from analytics_platform.transform import DayRange, Keys, day_ranges
from analytics_platform.transform.lookups.tables import LOOKUPS
from analytics_platform.warehouse.build import build_ranges, parts_of, tables_to_build
from analytics_platform.warehouse.ledger import known_days
from analytics_platform.warehouse.load import load_new_batches
from analytics_platform.warehouse.narrow import MOST_KEYS, keys_of
from analytics_platform.warehouse.touched import touched_after
from analytics_platform_tests.kit import Platform, build, click, contents, load_landed, load_rows, needed
from analytics_platform_tests.orchestration.follow.lane_kit import FIRST, clicks, messages
from analytics_platform_tests.shop_logs import put_users
from analytics_platform_tests.shop_messages import load_messages


def test_every_table_that_is_narrowed_to_keys_gets_the_rows_of_a_build_of_whole_days(platform: Platform) -> None:
    with platform.session() as session:
        session.ensure(*CONTRACTS.values())
        for seed in range(max(2, settings().max_examples // 100)):
            load_messages(platform, session, messages(seed, 30, users=20, without_id=0))
            platform.landing.joinpath(f"{seed}.csv").write_text(clicks(seed, 20, clients=20), "utf-8")
            load_landed(platform, session)
        build(session, DayRange(*known_days(session) or ()), platform.settings)
        before = contents(session)
        for (batch,) in session.rows("SELECT batch_id FROM ops.pipeline_logs"):
            keys, touched = keys_of(session, [batch]), touched_after(session, [batch], platform.settings)
            assert keys and touched
            with session.transaction():
                for name in (each for each in tables_to_build() if CONTRACTS[each].table.narrow or each in LOOKUPS):
                    ranges = [None] if is_whole(name) else day_ranges(touched.days_of(name))
                    list(build_ranges(session, name, ranges, platform.settings, keys))
        after = contents(session)
        assert {name for name in before if before[name] != after[name]} == set()


def test_values_of_a_batch_come_on_top_of_those_that_lookups_have(platform: Platform) -> None:
    pages, blog = ("https://shop.example/a", "https://shop.example/b?gclid=1"), "https://blog.other.example/"
    batches = [
        [click("ada", FIRST, page_url=pages[0], referrer=blog, user_agent="curl/8.0")],
        [click("bob", FIRST, page_url=pages[0], user_agent="curl/8.0")],  # nothing new
        [click("bob", FIRST, "checkout_started", page_url=pages[1], user_agent="Wget/1.21")],
        [click("eve", FIRST, "checkout_completed", page_url=blog, data={"transaction_id": 1, "currency": "EUR"})],
        [click("ada", FIRST, "checkout_completed", page_url=pages[0], data={"transaction_id": 2, "currency": "SEK"})],
    ]
    days, settings = [None, *day_ranges([FIRST.date()])], platform.settings
    with platform.session() as session:
        session.ensure(*CONTRACTS.values())
        for number, rows in enumerate(batches):
            load_rows(platform, session, rows, f"{number}.csv")
            ids = [
                id for (id,) in session.rows(f"SELECT batch_id FROM ops.pipeline_logs WHERE input LIKE '%{number}.csv'")
            ]
            for name in LOOKUPS:
                table = CONTRACTS[name].table
                ranges = days[:1] if table.write == "whole" else days[1:]
                list(build_ranges(session, name, ranges, settings, Keys(ids, (), ()) if number else None))
                narrow = sorted(session.frame(f"SELECT * FROM {name}").rows(), key=str)
                list(build_ranges(session, name, ranges, settings))
                assert narrow == sorted(session.frame(f"SELECT * FROM {name}").rows(), key=str), (name, number)
        roles = session.rows(f"SELECT role FROM cleaned.urls WHERE url = '{blog}'")
    assert roles == [("page",)]


def test_the_keys_of_a_batch_are_all_clients_and_users_that_are_linked_with_one_in_it(platform: Platform) -> None:
    with platform.session() as session:
        session.ensure(*CONTRACTS.values())
        load_rows(platform, session, [click("phone", FIRST, user_id="ada"), click("pc", FIRST, user_id="ada")], "a.csv")
        load_rows(platform, session, [click("pc", FIRST, user_id="bob"), click("tv", FIRST, user_id="eve")], "b.csv")
        load_rows(platform, session, [click("phone", FIRST, "checkout_started")], "c.csv")
        ((batch,),) = session.rows("SELECT batch_id FROM ops.pipeline_logs WHERE input LIKE '%c.csv'")
        keys = keys_of(session, [batch])
    assert keys and (keys.clients, keys.users) == ({"phone", "pc", "user:ada", "user:bob"}, {"ada", "bob"})


def test_more_clients_than_a_query_lists_are_not_narrowed_to(platform: Platform) -> None:
    with platform.session() as session:
        session.ensure(*CONTRACTS.values())
        load_rows(platform, session, [click(f"c{number}", FIRST) for number in range(MOST_KEYS + 1)])
        batches = [batch for (batch,) in session.rows("SELECT batch_id FROM ops.pipeline_logs")]
        assert keys_of(session, batches) is None


def test_batches_of_users_and_those_that_were_taken_out_are_not_narrowed_to_keys(platform: Platform) -> None:
    with platform.session() as session:
        session.ensure(*CONTRACTS.values())
        load_rows(platform, session, [click("phone", FIRST)])
        ((events,),) = session.rows("SELECT batch_id FROM ops.pipeline_logs")
        put_users(platform, {"id": 1, "name": "Ada", "email": "ada@example.com"})
        list(load_new_batches(SOURCES["users"], session, platform.settings, platform.lake, "test"))
        ((users,),) = session.rows("SELECT batch_id FROM ops.pipeline_logs WHERE source = 'users'")
        assert keys_of(session, [events])
        assert keys_of(session, [events, users]) is keys_of(session, [events, "withdrawn"]) is None


def test_days_whose_events_do_not_fit_into_memory_together_are_built_in_parts(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = [FIRST + dt.timedelta(hours=hours) for hours in (0, 1, 23, 24, 25, 26, 27, 49, 100)]
    settings, whole = platform.settings.model_copy(update={"warehouse_memory": "2GB"}), DayRange(*[
        each.date() for each in (days[0], days[-1])
    ])  # fmt: skip
    tables = needed("marts.daily_trends")
    with platform.session() as session:
        load_rows(platform, session, [click("ada", each, "page_viewed") for each in days])
        build(session, whole, settings, tables)
        together = contents(session, tables)
        monkeypatch.setattr("analytics_platform.warehouse.build.EVENTS_PER_GB", 2)
        first = [DayRange(each, each) for each in sorted({each.date() for each in days})]
        assert [*parts_of(session, whole, "2GB")] == [*first[:2], DayRange(first[2].first, whole.last)]
        for name in (each for each in tables_to_build() if each in tables):
            found = list(build_ranges(session, name, [None if is_whole(name) else whole], settings))
            assert CONTRACTS[name].table.write != "days" or len(found) == 3
        assert contents(session, tables) == together


def is_whole(name: str) -> bool:
    return CONTRACTS[name].table.write == "whole"
