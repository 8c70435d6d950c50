"""The watchdog warns when too many logs name unknown users."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.ddl import polars_schema
from analytics_platform.orchestration.checks.business import DESCRIPTIONS
from analytics_platform.warehouse.watchdog import (
    Observation,
    has_few_orphans,
    has_known_event_names,
    has_read_fields,
    has_the_sources_sessions,
    unknown_events,
    unread_fields,
    watch,
)
from analytics_platform_tests.kit import click, load_rows, open_platform
from analytics_platform_tests.shop_messages import load_messages, shop_message

NOW = dt.datetime(2026, 3, 9, tzinfo=dt.UTC)


def observe(root: Path, known: dict[str, int], orphaned: dict[str, int]) -> Observation:
    """What is observed where known and unknown users (user → logs) are all there is."""
    platform = open_platform(root)
    logs = known | orphaned
    filled = {
        "cleaned.users": {"user_id": list(known)},
        "sessionized.user_totals": {"user_id": list(logs), "log_interactions": list(logs.values())},
        "ops.orphans": {"user_id": list(orphaned), "log_interactions": list(orphaned.values())},
    }
    with platform.session() as session:
        for name, columns in filled.items():
            types = polars_schema(CONTRACTS[name])
            session.ensure(CONTRACTS[name])
            session.insert(name, pl.DataFrame(columns, schema={column: types[column] for column in columns}))
        return has_few_orphans(session, platform.settings, NOW)


def test_a_tenth_of_the_logs_may_be_of_unknown_users(tmp_path: Path) -> None:
    seen = observe(tmp_path, {"ann": 90}, {"eve": 7, "mal": 3})
    assert seen.passed
    assert seen.seen == "10 of 100 logs (10.0%): 2 users not known as customers, allowed 10%"


def test_more_than_a_tenth_is_too_many_and_it_says_what_to_do(tmp_path: Path) -> None:
    seen = observe(tmp_path, {"ann": 89}, {"eve": 11})
    assert not seen.passed
    assert "Fetch the users" in seen.remedy and "ops.orphans" in seen.remedy


@pytest.mark.parametrize(("known", "orphaned"), [({}, {"eve": 5}), ({"ann": 0}, {})])
def test_without_customers_or_logs_nothing_is_checked(
    tmp_path: Path, known: dict[str, int], orphaned: dict[str, int]
) -> None:
    seen = observe(tmp_path, known, orphaned)
    assert seen.passed and seen.seen.endswith("not checked")


def test_before_the_first_build_nothing_is_checked(tmp_path: Path) -> None:
    platform = open_platform(tmp_path)
    with platform.session() as session:
        assert has_few_orphans(session, platform.settings, NOW).passed


def test_names_of_events_that_nothing_maps_are_named_with_their_source(tmp_path: Path) -> None:
    platform = open_platform(tmp_path)
    with platform.session() as session:
        assert has_known_event_names(session, platform.settings, NOW).seen == "no event is built yet, so not checked"
        session.ensure(CONTRACTS["cleaned.events"])
        assert has_known_event_names(session, platform.settings, NOW).seen == "all event names are known so far"
        for name, known, day in [("wiggle", False, 9), ("wiggle", False, 8), ("purchase", True, 9), ("old", False, 1)]:
            session.execute(
                "INSERT INTO cleaned.events (event_id, source, event_name, is_known_event, event_date) "
                f"VALUES ('{name}{day}', 'kiosk', '{name}', {known}, DATE '2026-03-0{day}')"
            )
        observation = has_known_event_names(session, platform.settings, NOW)
        assert unknown_events(session) == ["'wiggle' of kiosk (2)", "'old' of kiosk (1)"]

    assert observation.passed
    told = "not GA4's, map them in the source's events.sql: 'wiggle' of kiosk (2) in the 7 days to 2026-03-09"
    assert observation.seen == told


def test_of_many_names_that_nothing_maps_each_source_has_its_share(tmp_path: Path) -> None:
    platform = open_platform(tmp_path)
    with platform.session() as session:
        session.ensure(CONTRACTS["cleaned.events"])
        for number, (source, count) in enumerate([*[("kiosk", 3)] * 12, ("app", 2), ("app", 1)]):
            session.execute(
                "INSERT INTO cleaned.events (event_id, source, event_name, is_known_event, event_date) SELECT "
                f"'{number}', '{source}', 'n{number:02}', FALSE, DATE '2026-03-01' FROM range({count})"
            )
        names = unknown_events(session)
    kiosk = [f"'n{number:02}' of kiosk (3)" for number in range(8)]
    assert names == [*kiosk, "'n12' of app (2)", "'n13' of app (1)", "4 more in cleaned.events (NOT is_known_event)"]


def test_that_no_source_names_sessions_is_said_of_the_last_week_only(tmp_path: Path) -> None:
    platform = open_platform(tmp_path)
    with platform.session() as session:
        for name in ("cleaned.events", "sessionized.session_events"):
            session.ensure(CONTRACTS[name])
        seen = has_the_sources_sessions(session, platform.settings, NOW).seen
    assert seen == "no source names sessions, in the last 7 days of data"


def test_fields_that_nothing_reads_and_that_say_something_are_named_once_with_their_place(tmp_path: Path) -> None:
    platform = open_platform(tmp_path)
    with platform.session() as session:
        data = {"orderId": "T1", "revenue": 1, "gift_note": "x", "totalValue": 2}
        load_rows(platform, session, [click("ada", "2026-03-09T10:00:00Z", data=data, colour="red")], "1.csv")
        noted = click("bob", "2026-03-09T10:00:00Z", data={"gift_note": "y", "card": None})
        load_rows(platform, session, [noted], "2.csv")
        session.ensure(CONTRACTS["cleaned.ecommerce_events"])
        items = [{"item_id": "A", "colour": "red"}]
        load_messages(platform, session, [shop_message("u1", "2026-03-09T10:00:00Z", campaign="a", items=items)])
        fields = [
            "gift_note, totalValue in event_data of clickstream",
            "colour in extra of clickstream",
            "campaign in extra of ecommerce_events",
            "colour in items of ecommerce_events",
        ]
        assert unread_fields(session) == fields
        assert has_read_fields(session, platform.settings, NOW).seen == f"nothing reads {'; '.join(fields)}"


def test_every_observation_is_an_asset_check_too(tmp_path: Path) -> None:
    platform = open_platform(tmp_path)
    with platform.session() as session:
        assert [seen.name for seen in watch(session, platform.settings, NOW)] == list(DESCRIPTIONS)
