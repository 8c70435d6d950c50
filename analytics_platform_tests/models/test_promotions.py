"""Promotions that were seen and clicked, of events and of their items."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from analytics_platform.transform import DayRange, day_ranges
from analytics_platform.warehouse import Session
from analytics_platform.warehouse.ledger import find_batch, known_batches
from analytics_platform.warehouse.touched import days_after
from analytics_platform.warehouse.withdraw import withdraw_batch
from analytics_platform_tests.kit import both_warehouses, build, click, contents, load_rows, loaded_days, needed, opened
from analytics_platform_tests.shop_messages import load_messages, shop_message

TABLES = needed("star.fact_promotions")
AT = "2024-03-01T10:00:00Z"
OWN = {"promotion_id": 7.0, "promotion_name": "Summer", "creative_name": "beach.jpg", "creative_slot": "top"}
ITEMS = [{"item_id": "x", **OWN}, {"item_id": "y", **OWN}, {"item_id": "z", "creative_slot": "foot"}, {"item_id": "w"}]
ROWS = [
    click("event", AT, "view_promotion", data=OWN),
    click("items", AT, "Promotion Clicked", data={"items": ITEMS}),
    click("both", AT, "select_promotion", data={"promotionName": "Winter", "items": [{"creative_name": "snow.jpg"}]}),
    click("nothing", AT, "view_promotion", data={"promotion_id": "(not set)", "items": []}),
    click("other", AT, "view_item", data=OWN),
]
SEEN = """
    SELECT client_id, event_name, promotion_id, promotion_name, creative_name, creative_slot
    FROM star.fact_promotions INNER JOIN star.dim_promotion USING (promotion_key) ORDER BY client_id, promotion_index
"""


def promotions(session: Session) -> list[tuple[object, ...]]:
    """All of them by client."""
    return session.rows(SEEN)


@both_warehouses
def test_promotions_of_events_and_items_are_rows_and_go_with_their_batch(tmp_path: Path, kind: str) -> None:
    summer = ("7", "Summer", "beach.jpg", "top")
    expected = [
        ("both", "select_promotion", None, "Winter", "snow.jpg", None),
        ("event", "view_promotion", *summer),
        ("items", "select_promotion", *summer),
        ("items", "select_promotion", None, None, None, "foot"),
        ("nothing", "view_promotion", "(not set)", None, None, None),
    ]
    with opened(kind, tmp_path) as (platform, session):
        load_rows(platform, session, ROWS)
        build(session, loaded_days(session), platform.settings, TABLES)
        assert promotions(session) == expected
        before, known = contents(session, ["star.fact_promotions"]), set(known_batches(session))
        message = shop_message("u1", "2024-03-02T10:00:00Z", "view_promotion", params=OWN)
        load_messages(platform, session, [message, shop_message("u2", AT, "view_promotion", **OWN)])
        (batch,) = set(known_batches(session)) - known
        days = days_after(session, [batch], platform.settings)
        for day in sorted(days):
            build(session, DayRange(day, day), platform.settings, TABLES)
        assert promotions(session) == [*expected, *((f"user:u{n}", "view_promotion", *summer) for n in (1, 2))]
        withdraw_batch(session, platform.settings, platform.lake, find_batch(session, batch), "test", "me")
        for each in day_ranges({*days, *days_after(session, [batch], platform.settings)}):
            build(session, each, platform.settings, TABLES)
        assert contents(session, ["star.fact_promotions"]) == before


MEMBERS = "SELECT promotion_key, promotion_id, promotion_name, creative_name, creative_slot FROM star.dim_promotion"


@both_warehouses
def test_each_promotion_creative_and_slot_is_one_member_whatever_the_order_of_days(tmp_path: Path, kind: str) -> None:
    renamed = {**OWN, "promotion_name": "Summer sale"}
    moved = {**OWN, "creative_slot": None}
    # What two texts say together is not what the next two say.
    split = [{"promotion_id": "a", "promotion_name": "b|c"}, {"promotion_id": "a|b", "promotion_name": "c"}]
    rows = [
        *ROWS,
        click("later", "2024-03-02T10:00:00Z", "view_promotion", data=renamed),
        click("later", "2024-03-03T10:00:00Z", "view_promotion", data={"items": [moved, *split]}),
        click("later", "2024-03-03T11:00:00Z", "select_promotion", data=OWN),
    ]
    with opened(kind, tmp_path) as (platform, session):
        load_rows(platform, session, rows)
        for number in (3, 1, 2):
            day = dt.date(2024, 3, number)
            build(session, DayRange(day, day), platform.settings, TABLES)
        members = {key: texts for key, *texts in session.rows(MEMBERS)}
        assert sorted(members.values(), key=repr) == [
            ["(not set)", None, None, None],
            ["7", "Summer sale", "beach.jpg", "top"],
            ["7", "Summer", "beach.jpg", "top"],
            ["7", "Summer", "beach.jpg", None],
            ["a", "b|c", None, None],
            ["a|b", "c", None, None],
            [None, "Winter", "snow.jpg", None],
            [None, None, None, "foot"],
        ]
        assert members[-1][0] == "(not set)"
        daily = contents(session, ["star.dim_promotion", "star.fact_promotions"])
        build(session, loaded_days(session), platform.settings, TABLES)
        assert contents(session, ["star.dim_promotion", "star.fact_promotions"]) == daily
        seen = "SELECT count(*) FROM star.fact_promotions INNER JOIN star.dim_promotion USING (promotion_key)"
        assert session.one(f"{seen} WHERE promotion_id = '7'") == (5,)
        assert session.one(seen) == session.one("SELECT count(*) FROM star.fact_promotions")
