"""Which channels earn the revenue, what sells, and who buys."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import altair as alt
import polars as pl
import streamlit as st

from analytics_platform.errors import count
from analytics_platform.reports import customers, queries, records, sentences, tables
from analytics_platform.reports.colours import BLUE, FAINT, LINE, PAGE
from analytics_platform.reports.coverage import (
    NEEDS,
    bad_days,
    channel_gaps,
    empty_columns,
    lost_purchases,
    unknown_amounts,
    unknown_refunds,
)
from analytics_platform.reports.dashboard import shell
from analytics_platform.reports.dashboard.shell import Chosen, KeyFigure
from analytics_platform.reports.periods import Total, total_of
from analytics_platform.reports.wording import UNKNOWN, figure, money, percent, share, whole
from analytics_platform.warehouse import Session

_SOURCES = 200
"""Traffic sources to choose from."""
_LAND = Path(__file__).parents[1] / "land.json"
"""A package of charts brings no coastlines: it would load them from another server."""
_TOP, _PLACES = 25, 5000
_LONGEST_SEARCH = 100


def show_channels() -> None:
    """Draw the credit of channels by first and by last touch."""
    with shell.open_warehouse(*queries.OVERVIEW, *queries.CHANNELS) as session:
        chosen = shell.choose_days(session)
        sources = st.multiselect(
            "Traffic sources", queries.traffic_sources(session, chosen.days, _SOURCES), key="traffic_sources",
            placeholder="All traffic sources", label_visibility="collapsed",
        )  # fmt: skip
        credits = queries.read_credits(session, chosen.days, sources)
        before = queries.read_credits(session, chosen.before, sources) if chosen.before else None
        gaps = channel_gaps(records.read_quality(session, shell.settings().max_error_rate, chosen.days))
        with shell.card("First touch against last touch"):
            st.text(
                sentences.but(
                    sentences.attribution_sentence(credits), [*gaps, *_missing(session, chosen, unknown_amounts)]
                )
            )
            shell.plot("attribution_plot", "Share of revenue by first and last touch", sentences.credit_shares(credits))
        with shell.card("Credit by channel"):
            shell.table(tables.attribution_table(credits, before))


def show_products() -> None:
    """Draw products by day and product lists over all days."""
    with shell.open_warehouse(*queries.OVERVIEW, *queries.PRODUCTS) as session:
        chosen = shell.choose_days(session)
        with shell.card("Best sellers"):
            best = queries.read_products(session, chosen.days, _TOP)
            quality = records.read_quality(session, shell.settings().max_error_rate, queries.ALL_DAYS)
            empty = empty_columns(quality, NEEDS["products"], chosen.days)
            st.text(
                sentences.but(
                    sentences.products_sentence(best),
                    [
                        *_missing(
                            session, chosen, partial(sentences.unnamed_sales, best), unknown_amounts, unknown_refunds
                        ),
                        *empty,
                    ],
                )
            )
            shell.plot("products_plot", "Best sellers", best)
            text = st.text_input(
                "Find a product", key="product", placeholder="Find a product by name or id", max_chars=_LONGEST_SEARCH,
                label_visibility="collapsed",
            ).strip()  # fmt: skip
            found = queries.read_products(session, chosen.days, _TOP, text) if text else best
            before = None
            if chosen.before and not found.is_empty():
                ids = found["product_id"].to_list()
                before = ("product_id", queries.read_products(session, chosen.before, _TOP, only=ids))
            shell.table(
                tables.products_table(found, before=before),
                f"No product {'with this text in its name or id' if text else 'with an id'} was seen in these days.",
            )
        with shell.card("Product lists"):
            lists = queries.read_lists(session, _TOP)
            lacks = [*empty_columns(quality, NEEDS["lists"]), *bad_days(quality)]
            st.text(f"Over all days: {sentences.but(sentences.lists_sentence(lists), lacks)}")
            shell.table(tables.lists_table(lists), "No list was shown yet.")


def show_customers() -> None:
    """Draw who buys and where they live, over all days."""
    with shell.open_warehouse(*queries.OVERVIEW, *queries.CUSTOMERS) as session:
        found = customers.read_customer_totals(session)
        quality = records.read_quality(session, shell.settings().max_error_rate, queries.ALL_DAYS)
        lacks = [*empty_columns(quality, NEEDS["customers"])]
        whose = "Users of the users API and customers of the shop's database, over all days; the same id is one person."
        part = f"{whole(found['orders'])} of {count(found['all_orders'], 'order')}"
        revenue = figure(found, "revenue")
        of = "" if revenue == UNKNOWN else f" and {revenue} of the {money(found['orders_revenue'])} in revenue"
        theirs = f"Theirs are {part}{of}"
        others = "; nobody there is known to have placed the others" if found["orders"] < found["all_orders"] else ""
        if found["unknown"]:
            others = f"; of their orders {whole(found['unknown'])} of unknown amount are in no sum{others}"
        st.text(f"{whose} {sentences.but(f'{theirs}{others}.', lacks)} {shell.NO_BOTS}")
        unknown = "Users in the logs that neither the users API nor the shop's database knows."
        signed_in = "Known customers whom events of a visit name."
        bought = "Known customers with an order, also those whom only the shop's database names."
        shell.key_figures(
            [
                KeyFigure("Known customers", whole(found["customers"])),
                KeyFigure("Seen signed in", whole(found["active"]), help=signed_in),
                KeyFigure("Have bought", whole(found["buyers"]), help=bought),
                KeyFigure("Bought again", percent(share(found["repeat_buyers"], found["buyers"]))),
                KeyFigure("Their revenue", revenue),
                KeyFigure("Unknown users", whole(found["orphans"]), help=unknown),
            ]
        )
        cities = customers.read_cities(session, _TOP)
        with shell.card("Where they live"):
            _map(customers.read_places(session, _PLACES))
            shell.plot("cities_plot", "Revenue by city", cities)
            shell.table(tables.cities_table(cities), "No customers yet.")
        with shell.card("Best customers"):
            best = tables.customers_table(customers.read_customers(session, "revenue", _TOP), "Customers by revenue")
            shell.table(best, "No customers yet.")
            shell.table(tables.persons_table(customers.read_persons(session, _TOP)), "No order yet.")


def _missing(session: Session, chosen: Chosen, *amounts: Callable[[Total], Iterable[str]]) -> Iterator[str]:
    """Name the purchases of these days that no share of the revenue has in it, and which `amounts` are unknown."""
    if total := total_of(queries.read_days(session, chosen.days, chosen.complete_until)):
        yield from lost_purchases(
            records.read_rejected_purchases(session, shell.settings().max_error_rate, chosen.days), total
        )
        for unknown in amounts:
            yield from unknown(total)


def _map(places: pl.DataFrame) -> None:
    """Draw a dot at each place, as large as it has customers, on the land of the globe."""
    if places.is_empty():
        return
    dots = alt.Chart(places.with_columns(pl.col("revenue").cast(pl.Float64))).mark_circle(color=BLUE, opacity=0.6)
    dots = dots.encode(
        longitude="longitude:Q",
        latitude="latitude:Q",
        size=alt.Size("customers:Q", legend=None, scale=alt.Scale(domain=[0, 10], range=[0, 300])),
        tooltip=["city:N", "customers:Q", alt.Tooltip("revenue:Q", format=",.2f")],
    )
    globe = alt.Chart(alt.sphere()).mark_geoshape(fill=PAGE, stroke=LINE)
    land = alt.Chart(alt.InlineData(json.loads(_LAND.read_text("utf-8")))).mark_geoshape(fill=LINE, stroke=FAINT)
    layers = alt.layer(globe, land, dots, height=300, background="transparent").project("equalEarth")
    st.altair_chart(layers, alt="Customers by latitude and longitude")
