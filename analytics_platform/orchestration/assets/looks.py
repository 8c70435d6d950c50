"""Previews of a table for its page in the UI: its first rows, and a plot of some marts. Cheap: a few rows are read."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import dagster as dg
import polars as pl

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.ddl import column_types
from analytics_platform.contracts.sql import quote, quote_table
from analytics_platform.reports import queries, records
from analytics_platform.reports.render import data_url
from analytics_platform.transform import DayRange
from analytics_platform.warehouse import Session

PREVIEW_ROWS = 5
LONGEST_CELL = 80

PERSONAL = frozenset(
    {"honorific", "first_name", "last_name", "suffix", "username", "email", "phone", "street", "suite", "zipcode"}
)
"""Columns about a person whose values are not copied into Dagster's event log; `name` too in a table with these."""

HIDDEN = "•••"

_TOP_SELLERS = """
SELECT product_id, '' AS product_name, 0 AS views, quantity, revenue FROM marts.top_sellers
ORDER BY revenue DESC, product_id LIMIT 10
"""


def _read_quality(session: Session, days: DayRange) -> pl.DataFrame:
    return records.read_quality(session, 0.0, days)  # the plot shows what was rejected, superseded or not


PLOTS: Mapping[str, tuple[str, str, Callable[[Session, DayRange], pl.DataFrame]]] = MappingProxyType(
    {
        "marts.daily_trends": ("Daily trends", "trends_plot", lambda s, days: queries.read_days(s, days, days.last)),
        "marts.funnel_daily": ("Sessions that reached each step", "funnel_plot", queries.read_funnel),
        "marts.attribution": ("Revenue by channel", "attribution_plot", queries.read_credits),
        "marts.device_daily": ("Sessions and revenue by device", "devices_plot", queries.read_devices),
        "marts.top_sellers": ("Best sellers", "products_plot", lambda s, _: s.frame(_TOP_SELLERS)),
        "marts.list_performance": ("Lists by engagement", "lists_plot", lambda s, _: queries.read_lists(s)),
        "marts.data_quality_daily": ("Rejected records by day", "errors_plot", _read_quality),
    }
)
"""Title, plot of `reports.plots`, and the frame it draws: of the last 30 days where the table has days."""


def looks(session: Session, table: str) -> dict[str, dg.MetadataValue]:
    """Return the preview of a table that was just filled, and its plot, if it has one."""
    shown = {"preview": preview(session, table)}
    if table in PLOTS and session.count(table):
        from analytics_platform.reports import plots  # with matplotlib, which only a table with a plot needs

        title, plot, read = PLOTS[table]
        days = queries.ALL_DAYS
        if CONTRACTS[table].table.partition is not None:
            (last,) = session.one(f"SELECT max(date) FROM {quote_table(table)}")
            days = DayRange(last, last).widen(29, 0)
        found = read(session, days)
        if not found.is_empty():  # a table of lists may have those only that bots saw, which have no rate to draw
            png = getattr(plots, plot)(found, narrow=True)
            shown["plot"] = dg.MetadataValue.md(f"{title}\n\n![{title}]({data_url(png)})")
    return shown


def preview(session: Session, table: str) -> dg.MetadataValue:
    """Return a few rows as a metadata table, personal columns hidden."""
    names, about = list(column_types(CONTRACTS[table])), CONTRACTS[table].table
    # Of marts, which are small, the last days come first; of others any rows will do.
    order = f"ORDER BY {quote(about.partition)} DESC" if about.layer == "marts" and about.partition else ""
    rows = session.rows(f"SELECT {', '.join(map(quote, names))} FROM {quote_table(table)} {order} LIMIT {PREVIEW_ROWS}")
    hidden = PERSONAL | {"name"} if PERSONAL.intersection(names) else PERSONAL
    records = [
        dg.TableRecord(
            {name: HIDDEN if name in hidden else _short(cell) for name, cell in zip(names, row, strict=True)}
        )
        for row in rows
    ]
    return dg.MetadataValue.table(records, schema=dg.TableSchema([dg.TableColumn(name, "string") for name in names]))


def _short(cell: object) -> str:
    text = "" if cell is None else f"{cell:.6g}" if isinstance(cell, float) else str(cell)
    return text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…"
