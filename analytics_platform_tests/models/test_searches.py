"""What visitors searched for: as events name it, else as the address of the page has it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from analytics_platform.transform import DayRange
from analytics_platform_tests.kit import both_warehouses, build, click, load_rows, needed, opened
from analytics_platform_tests.shop_messages import load_messages, shop_message

AT = "2024-03-01T10:00:00Z"
PAGE = "https://shop.example/search?q=red+shoes"


@both_warehouses
def test_a_search_term_is_the_events_else_that_of_the_shops_page(tmp_path: Path, kind: str) -> None:
    rows = [
        click("named", AT, "search", data={"search_term": " Hats "}, page_url=PAGE),
        click("spelled", AT, "Products Searched", data={"searchTerm": "hats"}),
        click("queried", AT, "search_submitted", data={"query": "hats"}),
        click("missing", AT, "view_search_results", data={"search_term": "(not set)"}, page_url=PAGE),
        click("paged", AT, page_url=PAGE),
        click("relative", AT, page_url="/search?s=shoes"),
        click("scrolled", AT, "scroll", page_url=PAGE),
        click("engine", AT, page_url="https://www.google.com/search?q=shop", referrer="https://bing.com/?q=shop"),
        click("other", AT, "share", data={"search_term": "hats"}),
    ]
    bodies = [
        shop_message("app", AT, "search", search_term="hats"),
        shop_message("tracker", AT, "Products Searched", properties={"query": "hats"}),
        shop_message("params", AT, "view_search_results", params={"Search_Term": "hats"}),
    ]
    with opened(kind, tmp_path) as (platform, session):
        load_rows(platform, session, rows)
        load_messages(platform, session, bodies)
        day = dt.date(2024, 3, 1)
        build(session, DayRange(day, day), platform.settings, needed("star.fact_events"))
        assert dict(session.rows("SELECT client_id, search_term FROM star.fact_events")) == {
            **{"named": "Hats", "spelled": "hats", "queried": "hats", "missing": "red shoes", "paged": "red shoes"},
            **{"relative": "shoes", "scrolled": None, "engine": None, "other": None},
            **dict.fromkeys(("user:app", "user:tracker", "user:params"), "hats"),
        }
