"""Variants of a product: their own members below the product, at their own prices."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

from analytics_platform.transform import DayRange
from analytics_platform_tests.kit import both_warehouses, build, click, contents, load_rows, loaded_days, needed, opened

TABLES = needed("star.fact_order_items", "star.fact_event_items")
BOT = "Googlebot/2.1 (+http://www.google.com/bot.html)"


def item(variant: str | None, price: float) -> dict[str, object]:
    return {"item_id": "desk", "item_name": "Desk", "item_variant": variant, "price": price, "quantity": 1}


def order(number: int, day: int, *items: dict[str, object]) -> dict[str, str]:
    data = {"transaction_id": f"T{number}", "revenue": sum(float(str(each["price"])) for each in items), "items": items}
    return click(f"c{number}", f"2024-03-0{day}T12:00:00Z", "purchase", data=data)


ROWS = [
    order(1, 1, item("oak", 300), item("|2", 200), item(None, 250)),
    order(2, 2, item("oak", 320)),
    click("bot", "2024-03-02T13:00:00Z", "view_item", data={"items": [item("ash", 1)]}, user_agent=BOT),
]


@both_warehouses
def test_a_variant_is_a_member_below_its_product_and_their_sums_are_those_of_products(
    tmp_path: Path, kind: str
) -> None:
    with opened(kind, tmp_path) as (platform, session):
        load_rows(platform, session, ROWS)
        for day in (dt.date(2024, 3, 1), dt.date(2024, 3, 2)):
            build(session, DayRange(day, day), platform.settings, TABLES)
        by_day = contents(session, ["star.dim_product", "star.fact_order_items", "star.fact_event_items"])
        build(session, loaded_days(session), platform.settings, TABLES)
        assert contents(session, list(by_day)) == by_day
        members = session.rows(
            "SELECT variant, product_name, price, is_current FROM star.dim_product WHERE product_id = 'desk' ORDER BY 1"
        )
        assert sorted(members, key=str) == [
            ("ash", "Desk", None, False),
            ("oak", "Desk", Decimal(320), False),
            ("|2", "Desk", Decimal(200), False),
            (None, "Desk", Decimal(320), True),
        ]
        sales = """
            SELECT members.variant, sum(amount), min(parents.product_id)
            FROM star.fact_order_items AS facts
            INNER JOIN star.dim_product AS members ON facts.variant_key = members.product_key
            LEFT JOIN star.dim_product AS parents ON members.parent_product_key = parents.product_key
            GROUP BY 1
        """
        assert sorted(session.rows(sales), key=str) == [
            ("oak", Decimal(620), "desk"),
            ("|2", Decimal(200), "desk"),
            (None, Decimal(250), None),
        ]
        without = "WHERE variant IS NULL AND variant_key <> product_key OR product_key = -1"
        for fact in ("fact_order_items", "fact_event_items"):
            assert session.rows(f"SELECT * FROM star.{fact} {without}") == [], fact
        of_products = "SELECT sum(amount) FROM star.fact_order_items INNER JOIN star.dim_product USING (product_key)"
        assert session.rows(of_products) == [(Decimal(1070),)]
