"""Stock by day: what the shop's database said at the end of each day, and at least on it, in any order of arrival."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from analytics_platform.transform import DayRange
from analytics_platform.warehouse import Session
from analytics_platform.warehouse.touched import days_after, touched_after
from analytics_platform_tests.kit import both_warehouses, build, click, contents, load_rows, loaded_days, needed, opened
from analytics_platform_tests.models.test_order_facts import build_after
from analytics_platform_tests.shop_rows import load_shop, product

TABLES = needed("marts.product_daily")
NOON = dt.datetime(2024, 3, 1, 12, tzinfo=dt.UTC)
DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)
VIEWS = [
    click("a", NOON + day * DAY, "view_item", data={"items": [{"item_id": name}]}) for day in range(5) for name in "pq"
]


def stock(session: Session, name: str) -> list[tuple[object, object]]:
    sql = "SELECT stock, lowest_stock FROM marts.product_daily WHERE product_id = $name ORDER BY date"
    return [(last, least) for last, least in session.rows(sql, {"name": name})]


@both_warehouses
def test_a_day_knows_the_last_and_the_lowest_stock_also_when_the_shop_is_read_days_later(
    tmp_path: Path, kind: str
) -> None:
    with opened(kind, tmp_path) as (platform, session):
        load_rows(platform, session, VIEWS)
        first = load_shop(platform, session, "products", [product("p", NOON + DAY, stock=3)])
        build(session, loaded_days(session), platform.settings, TABLES)
        assert stock(session, "p") == [(None, None), *[(3, 3)] * 4]
        late = [(DAY + 8 * HOUR, 0), (DAY + 9 * HOUR, 5), (2 * DAY + 12 * HOUR, 4)]
        read = [product("p", NOON + after, stock=pieces) for after, pieces in late]
        batches = {*load_shop(platform, session, "products", read)}
        touched = touched_after(session, sorted(batches), platform.settings)
        assert touched and min(touched.days_of("marts.product_daily")) == (NOON + DAY).date()
        assert (NOON + DAY).date() not in touched.days_of("star.fact_event_items")
        build_after(platform, session, batches, TABLES)
        assert stock(session, "p") == [(None, None), (5, 0), (5, 5), (4, 4), (4, 4)]
        assert stock(session, "q") == [(None, None)] * 5
        at_once = contents(session, ["marts.product_daily"])
        seen = [NOON.date() + number * DAY for number in range(5)]
        assert {*seen[1:]} <= days_after(
            session, [*first, *batches], platform.settings
        )  # up to today, when it was read
        for day in seen:
            build(session, DayRange(day, day), platform.settings, TABLES)
        assert contents(session, ["marts.product_daily"]) == at_once
