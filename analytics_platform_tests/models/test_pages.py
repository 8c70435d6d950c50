"""Pages: one for each host and path, with its latest title, and the pages on which sessions begin and end."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from analytics_platform.transform import DayRange, day_ranges
from analytics_platform.warehouse.ledger import find_batch, known_batches
from analytics_platform.warehouse.touched import days_after
from analytics_platform.warehouse.withdraw import withdraw_batch
from analytics_platform_tests.kit import (
    Row,
    both_warehouses,
    build,
    click,
    contents,
    load_rows,
    loaded_days,
    needed,
    opened,
)

TABLES = needed("star.fact_events", "star.fact_sessions")
FACTS = ("star.fact_events", "star.fact_sessions", "star.dim_page")
SHOP = "https://shop.example"


def see(day: int, minute: int, page: str, title: str = "", **columns: object) -> Row:
    """A view of a page on a day of March."""
    data = {"page_title": title} if title else {}
    return click("ada", f"2024-03-{day:02}T10:{minute:02}:00Z", page_url=page, data=data, **columns)


ROWS = [
    see(1, 0, f"{SHOP}/a?utm_source=x", "Old"),
    see(1, 1, f"{SHOP}/a#top", "(not set)"),
    see(1, 2, "/a"),
    see(1, 3, f"{SHOP}/end"),
    see(1, 4, "no address"),
    see(2, 0, "https://SHOP.example:443/a", "New"),
    {**see(2, 0, f"{SHOP}/a", "Bot's"), "client_id": "bot", "user_agent": "Googlebot/2.1"},
    {**see(3, 0, ""), "client_id": "app"},
]
PAGES = "SELECT host, path, title FROM star.dim_page ORDER BY path, host"


@both_warehouses
def test_a_page_is_a_host_and_a_path_and_facts_point_to_it(tmp_path: Path, kind: str) -> None:
    with opened(kind, tmp_path) as (platform, session):
        load_rows(platform, session, ROWS)
        for day in (3, 1, 2):
            date = dt.date(2024, 3, day)
            build(session, DayRange(date, date), platform.settings, TABLES)
        assert sorted(session.rows(PAGES), key=repr) == [
            ("shop.example", "/a", "New"),
            ("shop.example", "/end", None),
            (None, "(not set)", None),
            (None, "/a", None),
        ]
        pages = """
            SELECT client_id, session_date, concat(first.host, first.path), concat(final.host, final.path)
            FROM star.fact_sessions
            JOIN star.dim_page AS first ON entry_page_key = first.page_key
            JOIN star.dim_page AS final ON exit_page_key = final.page_key
            ORDER BY 1, 2
        """
        assert session.rows(pages) == [
            ("ada", dt.date(2024, 3, 1), "shop.example/a", "shop.example/end"),
            ("ada", dt.date(2024, 3, 2), "shop.example/a", "shop.example/a"),
            ("app", dt.date(2024, 3, 3), "(not set)", "(not set)"),
            ("bot", dt.date(2024, 3, 2), "shop.example/a", "shop.example/a"),
        ]
        seen = "SELECT count(*) FROM star.fact_events JOIN star.dim_page USING (page_key) WHERE path = '/a'"
        assert session.rows(seen) == [(5,)]
        daily = contents(session, FACTS)
        build(session, loaded_days(session), platform.settings, TABLES)
        assert contents(session, FACTS) == daily


@both_warehouses
def test_a_late_title_and_its_withdrawal_end_in_the_same_pages(tmp_path: Path, kind: str) -> None:
    with opened(kind, tmp_path) as (platform, session):
        load_rows(platform, session, ROWS)
        build(session, loaded_days(session), platform.settings, TABLES)
        before, known = session.rows(PAGES), set(known_batches(session))
        load_rows(platform, session, [see(2, 30, f"{SHOP}/a", "Late"), see(1, 30, f"{SHOP}/a", "Older")], "late.csv")
        (batch,) = set(known_batches(session)) - known
        for change in ("load", "withdraw"):
            if change == "withdraw":
                withdraw_batch(session, platform.settings, platform.lake, find_batch(session, batch), "test", "me")
            for days in day_ranges(days_after(session, [batch], platform.settings)):
                build(session, days, platform.settings, TABLES)
            title = "SELECT title FROM star.dim_page WHERE host = 'shop.example' AND path = '/a'"
            assert session.rows(title) == [("Late" if change == "load" else "New",)]
        assert session.rows(PAGES) == before
