"""Which channels earn the revenue, what sells, and who buys."""

from __future__ import annotations

import streamlit as st

from analytics_platform.reports import queries, sentences, tables
from analytics_platform.reports.dashboard import shell
from analytics_platform.reports.dashboard.shell import KeyFigure
from analytics_platform.reports.wording import money, percent, share, whole

_SOURCES = 200
"""Traffic sources to choose from."""
_TOP = 25
_LONGEST_SEARCH = 100


def show_channels() -> None:
    """Draw the credit of channels by first and by last touch."""
    with shell.open_warehouse(*queries.OVERVIEW, *queries.CHANNELS) as session:
        days = shell.choose_days(session).days
        sources = st.multiselect(
            "Traffic sources", queries.traffic_sources(session, days, _SOURCES), key="traffic_sources",
            placeholder="All traffic sources", label_visibility="collapsed",
        )  # fmt: skip
        credits = queries.read_credits(session, days, sources)
        with shell.card("First touch against last touch"):
            st.text(sentences.attribution_sentence(credits))
            shell.plot("attribution_plot", "Share of revenue by first and last touch", sentences.credit_shares(credits))
        with shell.card("Credit by channel"):
            shell.table(tables.attribution_table(credits))


def show_products() -> None:
    """Draw products by day and product lists over all days."""
    with shell.open_warehouse(*queries.OVERVIEW, *queries.PRODUCTS) as session:
        days = shell.choose_days(session).days
        with shell.card("Best sellers"):
            best = queries.read_products(session, days, _TOP)
            st.text(sentences.products_sentence(best))
            shell.plot("products_plot", "Best sellers", best)
            text = st.text_input(
                "Find a product", key="product", placeholder="Find a product by name or id", max_chars=_LONGEST_SEARCH,
                label_visibility="collapsed",
            ).strip()  # fmt: skip
            found = queries.read_products(session, days, _TOP, text) if text else best
            shell.table(
                tables.products_table(found), "No product with this text in its name or id was seen in these days."
            )
        with shell.card("Product lists"):
            lists = queries.read_lists(session, _TOP)
            st.text(f"Over all days: {sentences.lists_sentence(lists)}")
            shell.table(tables.lists_table(lists), "No list was shown yet.")


def show_customers() -> None:
    """Draw who buys and where they live, over all days."""
    with shell.open_warehouse(*queries.CUSTOMERS) as session:
        found = queries.read_customer_totals(session)
        st.text("Customers of the users API and of the shop's database, over all days.")
        unknown = "Users in the logs that neither the users API nor the shop's database knows."
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
            shell.table(tables.cities_table(cities), "No customers yet.")
        with shell.card("Best customers"):
            best = tables.customers_table(queries.read_customers(session, "revenue", _TOP), "Customers by revenue")
            shell.table(best, "No customers yet.")
            shell.table(tables.clients_table(queries.read_clients(session, _TOP)), "No order yet.")
