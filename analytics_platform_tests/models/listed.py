"""Events about products in lists, and a warehouse with the tables that are made of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from analytics_platform.transform import DayRange
from analytics_platform.warehouse import Session
from analytics_platform_tests.kit import Row, build, click, load_rows, needed, open_with_tables
from analytics_platform_tests.shop_messages import load_messages

TABLES = needed(
    "marts.list_performance",
    "marts.product_performance",
    "marts.category_sellers",
    "star.fact_event_items",
    "star.fact_order_items",
)
DAY = dt.date(2024, 3, 1)
BOT = "Googlebot/2.1 (+http://www.google.com/bot.html)"
Item: TypeAlias = Mapping[str, object]


def act(
    client: str, at: str, name: str, *items: Item | str, in_list: str | None = None, agent: str = "", **data: object
) -> Row:
    """An event on the day at `at`, or at a whole time; an item may be given by its id. `data` goes in as it is."""
    when = f"{DAY}T{at}Z" if len(at) < 10 else at
    listed = {} if in_list is None else {"item_list_id": in_list}
    data |= {"items": [{"item_id": item} if isinstance(item, str) else item for item in items], **listed}
    return click(client, when, name, data=data, user_agent=agent)


def buy(client: str, at: str, order: str, *items: Item, in_list: str | None = None, agent: str = "") -> Row:
    return act(client, at, "purchase", *items, in_list=in_list, agent=agent, transaction_id=order, revenue=1)


@contextmanager
def shop(root: Path, rows: Sequence[Row] = (), messages: Sequence[str] = ()) -> Iterator[Session]:
    """A warehouse with these events, and the tables of two days built."""
    platform = open_with_tables(root)
    with platform.session() as session:
        load_rows(platform, session, rows or [click("nobody", f"{DAY}T00:00:00Z")])
        if messages:
            load_messages(platform, session, messages)
        build(session, DayRange(DAY, DAY + dt.timedelta(days=1)), platform.settings, TABLES)
        assert_the_facts_credit_the_same_lists(session)
        yield session


def assert_the_facts_credit_the_same_lists(session: Session) -> None:
    """What an analyst sums up by the credited list of facts is what the mart has of the list."""
    events, orders = "star.fact_event_items WHERE NOT is_bot AND event_name", "star.fact_order_items WHERE TRUE"
    for column, figure, facts in (
        ("impressions", "count(*)", f"{events} = 'view_item_list'"),
        ("clicks", "count(*)", f"{events} = 'select_item'"),
        ("revenue", "coalesce(sum(amount), 0)", orders),
    ):
        differing = session.rows(f"""
            SELECT lists.list_id, {column}, figure
            FROM marts.list_performance AS lists
            JOIN star.dim_list AS members ON lists.list_id = members.list_id
            LEFT JOIN (
                SELECT credited_list_key, {figure} AS figure FROM {facts} GROUP BY credited_list_key
            ) AS facts ON members.list_key = facts.credited_list_key
            WHERE {column} <> coalesce(figure, 0)
        """)
        assert not differing, (column, differing)
