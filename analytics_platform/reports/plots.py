"""The plots of findings, dashboard and previews: frame in, PNG out.

Import this module only where something is drawn: matplotlib takes long to load.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.ticker import FormatStrFormatter, MaxNLocator

from analytics_platform.reports import drawing
from analytics_platform.reports.colours import BLUE, COLOURS, GREEN, INK, LINE, MUTED, ORANGE, VERMILLION, colour_of
from analytics_platform.reports.data_quality import day_errors
from analytics_platform.reports.periods import IS_WORTH_KNOWN, WEEK
from analytics_platform.reports.queries import TOP
from analytics_platform.reports.sentences import credit_shares
from analytics_platform.reports.wording import (
    capital,
    clean,
    currency,
    label,
    money,
    percent,
    share,
    shown,
    threshold,
    whole,
)

_CHANNELS = 10
"""Channels drawn; the table lists all."""
_LONG = 92
"""With more complete days than this only the mean of seven days is drawn."""


def _trend(axes: Axes, values: Sequence[float], complete: int, colour: str, means: bool) -> None:
    """Draw a line to the last complete day, dotted beyond; with `means` a bold mean of seven days over it."""
    strength, width, mark = (0.4, 1.0, "") if means else (1.0, 2.0, "o" if len(values) <= 31 else "")
    style: dict[str, Any] = {"color": colour, "alpha": strength, "linewidth": width, "marker": mark, "markersize": 3}
    places = range(len(values))
    split = max(complete - 1, 0)
    axes.plot(places[:complete], values[:complete], **style)
    axes.plot(places[split:], values[split:], ":", **style)
    if means:
        bold = pl.Series(values[:complete]).rolling_mean(WEEK)
        axes.plot(places[:complete], bold.to_list(), color=colour, linewidth=2.2)
    heights = [0.0 if math.isnan(value) else value for value in values]
    peak = max(places, key=lambda place: heights[place])
    side = "left" if peak < len(values) / 10 else "right" if peak > len(values) * 0.9 else "center"
    if heights[peak] > 0:
        drawing.note(axes, f"{heights[peak]:,.0f}", (peak, heights[peak]), INK, side)
    drawing.value_axis(axes, heights)


def trends_plot(days: pl.DataFrame, narrow: bool) -> bytes:
    """Draw sessions, orders and revenue by day, one above the other."""
    figure = drawing.new_figure(narrow, 5.4)
    panels = figure.subplots(3, 1, sharex=True)
    days = days.with_columns(
        revenue=pl.when(IS_WORTH_KNOWN).then(pl.col("revenue").cast(pl.Float64)).otherwise(math.nan)
    )
    complete = int(days["is_complete"].sum())
    means = 2 * WEEK <= complete <= _LONG
    remark = " (bold: mean of 7 days)" if means else ""
    if complete > _LONG:
        numbers = pl.col("sessions", "orders", "revenue").cast(pl.Float64)
        days = days.filter("is_complete").with_columns(numbers.rolling_mean(WEEK))[WEEK - 1 :]
        complete, remark = len(days), " a day, mean of 7 days"
    for axes, name, colour in zip(panels, ("Sessions", "Orders", "Revenue"), COLOURS, strict=False):
        drawing.bare(axes, "y", (f"{name}, {currency()}" if name == "Revenue" and currency() else name) + remark)
        _trend(axes, [float(value) for value in days[name.lower()]], complete, colour, means)
    drawing.day_axis(panels[-1], days["date"].to_list(), 3 if narrow else 7)
    return drawing.png(figure)


def funnel_plot(funnel: pl.DataFrame, narrow: bool) -> bytes:
    """Draw how many sessions have each step."""
    reached = funnel["sessions"].to_list()
    both = zip(funnel["after_previous"][1:], reached, strict=False)
    rates = ["", *(f" · {percent(share(after, before))}" for after, before in both)]
    names = [capital(clean(step)) for step in funnel["step"]]
    labels = [whole(number) + rate for number, rate in zip(reached, rates, strict=True)]
    bars = list(zip(names, reached, labels, strict=True))
    return drawing.ranked("Sessions · share of the step before", bars, narrow)


def attribution_plot(credits: pl.DataFrame, narrow: bool) -> bytes:
    """Draw each channel's share by first, last and last non-direct touch, in marks that stay visible on one spot."""
    shares = credit_shares(credits)[:_CHANNELS]
    figure = drawing.new_figure(narrow, 1.1 + 0.34 * len(shares))
    axes = figure.subplots()
    drawing.bare(axes, "x")
    first, last, indirect = ((shares[model] * 100).to_list() for model in ("first", "last", "indirect"))
    lows, highs = (list(map(end, first, last, indirect)) for end in (min, max))
    places = range(len(shares))
    axes.hlines(places, lows, highs, LINE, linewidth=4)
    axes.scatter(first, places, 105, facecolor="none", edgecolor=BLUE, linewidth=2, label="First touch", zorder=5)
    axes.scatter(last, places, 40, color=VERMILLION, label="Last touch", zorder=4)
    axes.scatter(indirect, places, 190, marker="|", color=GREEN, linewidth=2.5, label="Last non-direct", zorder=3)
    names = [drawing.drawable(clean(channel, 26)) for channel in shares["channel"]]
    axes.set_yticks(places, names, color=INK, parse_math=False)
    axes.set_ylim(len(shares) - 0.5, -0.5)
    most = max(highs)
    axes.set_xlim(min([*lows, 0.0]) - 0.02 * most, most * 1.05)
    axes.xaxis.set_major_locator(MaxNLocator(4 if narrow else 8))
    axes.xaxis.set_major_formatter(FormatStrFormatter("%g %%"))
    drawing.legend(figure, axes, 3)
    return drawing.png(figure)


def devices_plot(devices: pl.DataFrame, narrow: bool) -> bytes:
    """Draw the share of sessions beside the share of revenue, by kind of device."""
    figure = drawing.new_figure(narrow, 1.0 + 0.62 * len(devices))
    axes = figure.subplots()
    drawing.bare(axes)
    for offset, measure, colour in ((-0.19, "sessions", BLUE), (0.19, "revenue", ORANGE)):
        total = Decimal(devices[measure].sum())
        ratios = [share(value, total) for value in devices[measure]]
        if measure == "revenue":
            unknown = zip(ratios, devices["unknown"], strict=True)
            ratios = [None if number and not ratio else ratio for ratio, number in unknown]
        places = [place + offset for place in range(len(devices))]
        bars = axes.barh(places, [ratio or 0.0 for ratio in ratios], 0.36, color=colour, label=f"Share of {measure}")
        axes.bar_label(bars, [percent(ratio) for ratio in ratios], padding=4, fontsize=9, color=INK)
    names = [drawing.drawable(capital(clean(name, 20))) for name in devices["device_type"]]
    axes.set_yticks(range(len(devices)), names, color=INK, parse_math=False)
    axes.set_ylim(len(devices) - 0.5, -0.5)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.margins(x=0.12)
    drawing.legend(figure, axes, 2)
    return drawing.png(figure)


def _best(title: str, frame: pl.DataFrame, kind: str, value: str, text: Callable[[Any], str], narrow: bool) -> bytes:
    """Draw products, lists or users by a value."""
    longest = 18 if narrow else 30
    return drawing.ranked(
        title, [(label(row, kind, longest), row[value], text(row)) for row in frame.rows(named=True)], narrow
    )


def products_plot(products: pl.DataFrame, narrow: bool) -> bytes:
    """Draw the best sellers: revenue, or pieces where nothing was paid, or views where nothing was sold."""
    titles = {"revenue": "Revenue", "quantity": "Pieces ordered", "views": "Views"}
    value = next((name for name in ("revenue", "quantity") if (products[name] > 0).any()), "views")
    return _best(titles[value], products[:TOP], "product", value, lambda row: shown(row[value]), narrow)


def _rates(title: str, kind: str, rate: str, of: str, frame: pl.DataFrame, narrow: bool) -> bytes:
    """Draw a rate of lists or products, with the count it is a part of."""
    return _best(title, frame, kind, rate, lambda row: f"{percent(row[rate])} of {whole(row[of])}", narrow)


lists_plot = partial(_rates, "Engagement rate, of sessions", "list", "engagement_rate", "sessions")
bought_plot = partial(_rates, "View-to-purchase rate, of views", "product", "view_to_purchase_rate", "views")


def customers_plot(customers: pl.DataFrame, narrow: bool) -> bytes:
    """Draw interactions of the most active customers, each with the favourite product where there is room."""

    def text(row: Mapping[str, Any]) -> str:
        favourite = "" if narrow else clean(row["favourite_product"], 24)
        return " · ".join(filter(None, (whole(row["interactions"]), favourite)))

    title = "Interactions" if narrow else "Interactions · favourite product"
    return _best(title, customers, "user", "interactions", text, narrow)


def cities_plot(cities: pl.DataFrame, narrow: bool) -> bytes:
    """Draw revenue by city."""
    rows = cities.drop_nulls("revenue")[:TOP].rows(named=True)
    found = [(clean(row["city"], 20) or "City not known", row["revenue"], money(row["revenue"])) for row in rows]
    return drawing.ranked("Revenue", found, narrow)


def orphans_plot(orphans: pl.DataFrame, narrow: bool) -> bytes:
    """Draw the share of each source's events that are of users who are no known customers."""
    found = []
    for row in orphans.rows(named=True):
        part = share(row["orphan_interactions"], row["interactions"]) or 0.0
        found.append((clean(row["source"], 20), part, f"{percent(part)} of {whole(row['interactions'])}"))
    return drawing.ranked("Events of unknown users", found, narrow, [*map(colour_of, orphans["source"])])


def errors_plot(quality: pl.DataFrame, limit: float | None = None, *, narrow: bool) -> bytes:
    """Draw the error rate by day, a line for each source, and the limit, if there is one."""
    figure = drawing.new_figure(narrow, 3.0)
    axes = figure.subplots()
    drawing.bare(axes, "y", "Rejected records by day")
    errors = day_errors(quality)
    dates = errors["date"].unique().sort().to_list()
    sources = errors["source"].unique().sort().to_list()
    mark = "o-" if len(dates) <= 31 else "-"
    for source in sources:
        rates = errors.filter(source=source)
        places = [dates.index(date) for date in rates["date"]]
        colour, name = colour_of(source), drawing.drawable(clean(source, 20))
        axes.plot(places, rates["rate"] * 100, mark, markersize=3, linewidth=2, color=colour, label=name)
    highest = max([limit or 0.0, *errors["rate"]]) * 100
    if len(sources) > 1:  # above the lines: three sources a row
        axes.legend(loc="upper left", ncols=3, frameon=False, fontsize=8, labelcolor=INK, columnspacing=1.0)
        highest *= 1 + 0.15 * math.ceil(len(sources) / 3)
    if dates:
        drawing.day_axis(axes, dates, 3 if narrow else 7)
    drawing.value_axis(axes, [highest], " %%")
    if limit is not None:
        axes.axhline(limit * 100, color=MUTED, linewidth=1, linestyle="--")
        drawing.note(axes, f"limit {threshold(limit)}", (0, limit * 100), MUTED)
    return drawing.png(figure)
