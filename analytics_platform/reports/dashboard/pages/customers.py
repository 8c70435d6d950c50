"""Who buys and where they live, over all days."""

from __future__ import annotations

import polars as pl
import streamlit as st

from analytics_platform.reports.dashboard import charts, queries, shell
from analytics_platform.reports.dashboard.shell import KeyFigure
from analytics_platform.reports.tables import Table
from analytics_platform.reports.wording import NOTHING, clean, day, money, percent, share, whole
from analytics_platform.warehouse import Session

_TOP = 25


def show() -> None:
    """Draw the page."""
    shell.heading("Customers")
    shell.show(queries.CUSTOMERS, _draw)


def _draw(session: Session) -> None:
    found = queries.read_customers(session)
    shell.sentence("Customers the users API told of, over all days.", "caption")
    shell.key_figures(
        [
            KeyFigure("Customers", whole(found["customers"])),
            KeyFigure("Seen in the shop", whole(found["active"])),
            KeyFigure("Have bought", whole(found["buyers"])),
            KeyFigure("Bought again", percent(share(found["repeat_buyers"], found["buyers"]))),
            KeyFigure("Their revenue", money(found["revenue"])),
            KeyFigure(
                "Unknown users", whole(found["orphans"]), help="Users in the logs that the users API does not know."
            ),
        ]
    )
    cities = queries.read_cities(session, _TOP).with_columns(
        city=pl.col("city").map_elements(lambda city: clean(city) or "City not known", return_dtype=pl.String)
    )
    with shell.card("Where they live"):
        if not cities.is_empty():
            st.altair_chart(charts.ranked(cities, "city", "revenue", money), theme=None, alt="Revenue by city")
        shell.table(cities_table(cities), "No customers yet.")
    with shell.card("Best customers"):
        shell.table(best_table(queries.read_best_customers(session, _TOP)), "No customers yet.")


def cities_table(cities: pl.DataFrame) -> Table | None:
    """Cities as text."""
    if cities.is_empty():
        return None
    rows = tuple(
        (
            row["city"],
            whole(row["customers"]),
            percent(share(row["buyers"], row["customers"])),
            whole(row["orders"]),
            money(row["revenue"]),
        )
        for row in cities.iter_rows(named=True)
    )
    return Table("Cities, by revenue", ("City", "Customers", "Have bought", "Orders", "Revenue"), rows)


def best_table(customers: pl.DataFrame) -> Table | None:
    """Customers as text."""
    if customers.is_empty():
        return None
    rows = tuple(
        (
            clean(row["name"], 40),
            clean(row["city"], 30) or NOTHING,
            clean(row["favourite"], 40) or NOTHING,
            whole(row["sessions"]),
            whole(row["orders"]),
            money(row["revenue"]),
            day(row["last_active_at"].date(), True) if row["last_active_at"] else NOTHING,
        )
        for row in customers.iter_rows(named=True)
    )
    header = ("Customer", "City", "Favourite product", "Sessions", "Orders", "Revenue", "Last seen")
    return Table("Customers, by revenue", header, rows, names=3)
