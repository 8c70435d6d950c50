"""Who buys and where they live, over all days."""

from __future__ import annotations

import streamlit as st

from analytics_platform.reports import queries
from analytics_platform.reports.dashboard import shell
from analytics_platform.reports.dashboard.shell import KeyFigure
from analytics_platform.reports.tables import cities_table, customers_table
from analytics_platform.reports.wording import money, percent, share, whole
from analytics_platform.warehouse import Session

_TOP = 25


def show() -> None:
    """Draw the page."""
    shell.show(queries.CUSTOMERS, _draw)


def _draw(session: Session) -> None:
    found = queries.read_customer_totals(session)
    st.text("Customers that the users API lists, over all days.")
    unknown = "Users in the logs that the users API does not know."
    shell.key_figures(
        [
            KeyFigure("Customers", whole(found["customers"])),
            KeyFigure("Seen in the shop", whole(found["active"])),
            KeyFigure("Have bought", whole(found["buyers"])),
            KeyFigure("Bought again", percent(share(found["repeat_buyers"], found["buyers"]))),
            KeyFigure("Their revenue", money(found["revenue"])),
            KeyFigure("Unknown users", whole(found["orphans"]), help=unknown),
        ]
    )
    cities = queries.read_cities(session, _TOP)
    with shell.card("Where they live"):
        shell.plot("cities_plot", "Revenue by city", cities)
        shell.table(cities_table(cities), "No customers yet.")
    with shell.card("Best customers"):
        best = customers_table(queries.read_customers(session, "revenue", _TOP), "Customers by revenue")
        shell.table(best, "No customers yet.")
