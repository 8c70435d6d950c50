"""The plots: frame in, PNG out. Matplotlib's object interface only, so nothing global is touched.

Colours are those of Okabe and Ito, told apart by colour-blind readers too. Each plot is drawn twice, for a
page and, `narrow`, for a phone.
"""

from __future__ import annotations

import datetime as dt
import io
import math
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from itertools import pairwise
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.ticker import FuncFormatter, MaxNLocator
from PIL import Image

from analytics_platform.reports.colours import BLUE, COLOURS, GREEN, INK, LINE, MUTED, ORANGE, VERMILLION
from analytics_platform.reports.periods import WEEK
from analytics_platform.reports.sentences import (
    credit_shares,
    customer_label,
    day_errors,
    list_label,
    product_label,
)
from analytics_platform.reports.wording import capital, clean, day, money, percent, share, threshold, whole

CHANNELS = 10
"""Channels drawn; the table lists all."""

_WIDE, _NARROW = (8.0, 144), (4.2, 170)
_SLOTS = 4
"""Bars are as thin as if there were this many of them at least."""
_LONG = 92
"""With more complete days than this only the mean of seven days is drawn."""
_PALETTE = 128
"""A plot uses few colours: stored with a palette it takes a third of the space."""
_FONT = "DejaVu Sans"
"""Comes with matplotlib, so a plot looks the same everywhere."""


@cache
def _glyphs() -> frozenset[int]:
    return frozenset(get_font(findfont(_FONT)).get_charmap())


def _drawable(text: str) -> str:
    """The text with a box for each letter the font lacks."""
    return "".join(letter if ord(letter) in _glyphs() else "▯" for letter in text)


def _figure(narrow: bool, height: float) -> Figure:
    width, dpi = _NARROW if narrow else _WIDE
    return Figure(figsize=(width, height), dpi=dpi, facecolor="white", layout="constrained")


def _png(figure: Figure) -> bytes:
    raw, small = io.BytesIO(), io.BytesIO()
    figure.savefig(raw, format="png", metadata={"Software": None})
    picture = (
        Image.open(raw).convert("RGB").quantize(_PALETTE, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    )
    picture.save(small, format="png", optimize=True)
    return small.getvalue()


def _bare(axes: Axes, grid: str | None = None) -> None:
    """Only what carries meaning: no box, no tick marks, a faint grid along one axis."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(LINE)
    axes.tick_params(length=0, labelsize=9, labelcolor=MUTED)
    if grid is not None:
        axes.grid(axis=grid, color=LINE, linewidth=0.8)  # type: ignore[arg-type]
    axes.set_axisbelow(True)


def _title(axes: Axes, text: str) -> None:
    axes.set_title(_drawable(text), loc="left", fontsize=10, fontweight="bold", color=INK, parse_math=False)


def _short(value: float, _: int = 0) -> str:
    """`12k`, `3.4M`: axis labels."""
    for size, unit in ((1e9, "bn"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:,.4g}{unit}"
    return f"{value:,.4g}"


def _day_axis(axes: Axes, dates: Sequence[dt.date], ticks: int) -> None:
    """A few dates below the plot, evenly spaced, the last among them."""
    places = range(len(dates) - 1, -1, -math.ceil(len(dates) / ticks))
    years = dates[0].year != dates[-1].year
    axes.set_xticks(places, [day(dates[place], years) for place in places])
    axes.set_xlim(-0.5, len(dates) - 0.5)


def _value_axis(axes: Axes, values: Sequence[float]) -> None:
    top, bottom = max([*values, 0.0]), min([*values, 0.0])
    axes.set_ylim(bottom * 1.2, top * 1.25 or (0.0 if bottom else 1.0))
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.yaxis.set_major_formatter(FuncFormatter(_short))


def _trend(axes: Axes, values: Sequence[float], complete: int, colour: str, means: bool) -> None:
    """A line to the last complete day, dotted beyond; with `means` a bold mean of seven days over it."""
    strength, width, mark = (0.4, 1.0, "") if means else (1.0, 2.0, "o" if len(values) <= 31 else "")
    style: dict[str, Any] = {"color": colour, "alpha": strength, "linewidth": width, "marker": mark}
    places = range(len(values))
    split = max(complete - 1, 0)
    axes.plot(places[:complete], values[:complete], markersize=3, **style)
    axes.plot(places[split:], values[split:], ":", markersize=3, **style)
    if means:
        bold = pl.Series(values[:complete]).rolling_mean(WEEK)
        axes.plot(places[:complete], bold.to_list(), color=colour, linewidth=2.2)


def _smoothed(days: pl.DataFrame) -> pl.DataFrame:
    """The complete days, each with the mean of the seven days that end with it."""
    numbers = pl.col("sessions", "orders", "revenue").cast(pl.Float64)
    return days.filter("is_complete").with_columns(numbers.rolling_mean(WEEK))[WEEK - 1 :]


def _name_peak(axes: Axes, values: Sequence[float]) -> None:
    peak = max(range(len(values)), key=lambda place: values[place])
    side = "left" if peak < len(values) / 10 else "right" if peak > len(values) * 0.9 else "center"
    if values[peak] > 0:
        _note(axes, f"{values[peak]:,.0f}", (peak, values[peak]), INK, side)


def _note(axes: Axes, text: str, place: tuple[float, float], colour: str, side: str = "left") -> None:
    """A word just above a point."""
    axes.annotate(text, place, (0, 4), textcoords="offset points", horizontalalignment=side, fontsize=9, color=colour)


def trends_plot(days: pl.DataFrame, narrow: bool) -> bytes:
    """Sessions, orders and revenue by day, one above the other."""
    figure = _figure(narrow, 5.4)
    panels = figure.subplots(3, 1, sharex=True)
    complete = int(days["is_complete"].sum())
    means = 2 * WEEK <= complete <= _LONG
    shown = _smoothed(days) if complete > _LONG else days
    remark = " (bold: mean of 7 days)" if means else " a day, mean of 7 days" if complete > _LONG else ""
    for axes, name, colour in zip(panels, ("Sessions", "Orders", "Revenue"), COLOURS, strict=False):
        values = [float(value) for value in shown[name.lower()]]
        _bare(axes, "y")
        _title(axes, name + remark)
        _trend(axes, values, int(shown["is_complete"].sum()), colour, means)
        _name_peak(axes, values)
        _value_axis(axes, values)
    _day_axis(panels[-1], shown["date"].to_list(), 3 if narrow else 7)
    return _png(figure)


def _bars(axes: Axes, names: Sequence[str], values: Sequence[float], labels: Sequence[str], colour: str) -> None:
    """Horizontal bars from top to bottom, each with its label at its end instead of an axis."""
    _bare(axes)
    places = range(len(values))
    axes.barh(places, values, color=colour, height=0.66)
    widest = max([*values, 0.0]) or 1.0
    for place, value, label in zip(places, values, labels, strict=True):
        end, text = max(value, 0.0) + widest * 0.015, _drawable(label)
        axes.text(end, place, text, va="center", fontsize=9, color=INK, parse_math=False)
    axes.set_yticks(places, [_drawable(name) for name in names], color=INK, parse_math=False)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.set_xlim(min([*values, 0.0]), widest * (1.06 + 0.022 * max(map(len, labels), default=0)))
    axes.set_ylim(max(len(values), _SLOTS) - 0.5, -0.5)


def funnel_plot(funnel: pl.DataFrame, narrow: bool) -> bytes:
    """How many sessions came as far as each step."""
    figure = _figure(narrow, 2.4)
    reached = funnel["sessions"].to_list()
    labels = [whole(reached[0])] + [
        f"{whole(after)} · {percent(share(after, before))}" + ("" if narrow else " of the step before")
        for before, after in pairwise(reached)
    ]
    names = [capital(clean(step)) for step in funnel["step"]]
    _bars(figure.subplots(), names, [float(value) for value in reached], labels, BLUE)
    return _png(figure)


def _legend(figure: Figure, axes: Axes, columns: int) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper left", ncols=columns, frameon=False, fontsize=9, labelcolor=INK,
        handletextpad=0.4, columnspacing=1.2,
    )  # fmt: skip


def attribution_plot(credits: pl.DataFrame, narrow: bool) -> bytes:
    """Each channel's share by first, last and last non-direct touch, in marks that stay visible on one spot."""
    shares = credit_shares(credits)[:CHANNELS]
    figure = _figure(narrow, 1.1 + 0.34 * len(shares))
    axes = figure.subplots()
    _bare(axes, "x")
    places = list(range(len(shares)))
    first, last, indirect = zip(*((a * 100, b * 100, c * 100) for _, a, b, c in shares), strict=True)
    lows, highs = (list(map(end, first, last, indirect)) for end in (min, max))
    axes.hlines(places, lows, highs, LINE, linewidth=4)
    axes.scatter(first, places, 105, facecolor="none", edgecolor=BLUE, linewidth=2, label="First touch", zorder=5)
    axes.scatter(last, places, 40, color=VERMILLION, label="Last touch", zorder=4)
    axes.scatter(indirect, places, 190, marker="|", color=GREEN, linewidth=2.5, label="Last non-direct", zorder=3)
    axes.set_yticks(places, [_drawable(clean(row[0], 26)) for row in shares], color=INK, parse_math=False)
    axes.set_ylim(len(shares) - 0.5, -0.5)
    most = max(highs)
    axes.set_xlim(min([*lows, 0.0]) - 0.02 * most, most * 1.05)
    axes.xaxis.set_major_locator(MaxNLocator(4 if narrow else 8))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} %"))
    _legend(figure, axes, 3)
    return _png(figure)


def devices_plot(devices: pl.DataFrame, narrow: bool) -> bytes:
    """Share of sessions beside share of revenue, by kind of device."""
    figure = _figure(narrow, 1.0 + 0.62 * len(devices))
    axes = figure.subplots()
    _bare(axes)
    for offset, measure, colour in ((-0.19, "sessions", BLUE), (0.19, "revenue", ORANGE)):
        total = Decimal(devices[measure].sum())
        ratios = [share(value, total) for value in devices[measure]]
        places = [place + offset for place in range(len(devices))]
        axes.barh(places, [(ratio or 0.0) for ratio in ratios], 0.36, color=colour, label=f"Share of {measure}")
        for place, ratio in zip(places, ratios, strict=True):
            axes.text(max(ratio or 0.0, 0.0) + 0.008, place, percent(ratio), va="center", fontsize=9, color=INK)
    names = [_drawable(capital(clean(name, 20))) for name in devices["device_type"]]
    axes.set_yticks(range(len(devices)), names, color=INK, parse_math=False)
    axes.set_ylim(len(devices) - 0.5, -0.5)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.margins(x=0.12)
    _legend(figure, axes, 2)
    return _png(figure)


def products_plot(products: pl.DataFrame, narrow: bool) -> bytes:
    """The best sellers: revenue, or pieces where nothing was paid, or views where nothing was sold."""
    rows = products.rows(named=True)
    measure = next((name for name in ("revenue", "quantity") if any(row[name] > 0 for row in rows)), "views")
    labels = [money(row[measure]) if measure == "revenue" else whole(row[measure]) for row in rows]
    names = [product_label(row, 20 if narrow else 36) for row in rows]
    title = {"revenue": "Revenue", "quantity": "Pieces ordered", "views": "Views"}[measure]
    return _ranked(title, names, [float(row[measure]) for row in rows], labels, narrow)


def _ranked(title: str, names: Sequence[str], values: Sequence[float], labels: Sequence[str], narrow: bool) -> bytes:
    figure = _figure(narrow, 0.7 + 0.32 * max(len(values), _SLOTS))
    axes = figure.subplots()
    _bars(axes, names, values, labels, BLUE)
    _title(axes, title)
    return _png(figure)


def lists_plot(lists: pl.DataFrame, narrow: bool) -> bytes:
    """The engagement rate of the lists that engage most, with the sessions it is a part of."""
    rows = lists.rows(named=True)
    names = [list_label(row, 20 if narrow else 36) for row in rows]
    labels = [f"{percent(row['engagement_rate'])} of {whole(row['sessions'])}" for row in rows]
    return _ranked("Engagement rate, of sessions", names, lists["engagement_rate"].to_list(), labels, narrow)


def bought_plot(bought: pl.DataFrame, narrow: bool) -> bytes:
    """Purchases / views of the products that turn views into purchases best."""
    rows = bought.rows(named=True)
    names = [product_label(row, 18 if narrow else 26) for row in rows]
    labels = [f"{percent(row['view_to_purchase_rate'])} of {whole(row['views'])}" for row in rows]
    return _ranked("View-to-purchase rate, of views", names, bought["view_to_purchase_rate"].to_list(), labels, narrow)


def customers_plot(customers: pl.DataFrame, narrow: bool) -> bytes:
    """Interactions of the most active customers, each with the favourite product where there is room."""
    rows = customers.rows(named=True)
    names = [customer_label(row, 20 if narrow else 36) for row in rows]
    likes = ["" if narrow else clean(row["favourite_product"], 24) for row in rows]
    labels = [
        whole(row["interactions"]) + (f" · {like}" if like else "") for row, like in zip(rows, likes, strict=True)
    ]
    title = "Interactions" if narrow else "Interactions · favourite product"
    return _ranked(title, names, [float(row["interactions"]) for row in rows], labels, narrow)


def orphans_plot(orphans: pl.DataFrame, narrow: bool) -> bytes:
    """Share of each source's events that name a user who is no known customer."""
    rows = orphans.rows(named=True)
    shares = [share(row["orphan_interactions"], row["interactions"]) or 0.0 for row in rows]
    labels = [f"{percent(part)} of {whole(row['interactions'])}" for part, row in zip(shares, rows, strict=True)]
    return _ranked("Events of unknown users", [clean(row["source"], 20) for row in rows], shares, labels, narrow)


def _error_lines(axes: Axes, quality: pl.DataFrame, limit: float, ticks: int) -> None:
    errors = day_errors(quality)
    dates = sorted({date for date, _, _ in errors})
    sources = sorted({source for _, source, _ in errors})
    for number, source in enumerate(sources):
        rates = {date: rate * 100 for date, name, rate in errors if name == source}
        places = [place for place, date in enumerate(dates) if date in rates]
        colour, name = COLOURS[number % len(COLOURS)], _drawable(clean(source, 20))
        mark = "o-" if len(dates) <= 31 else "-"
        axes.plot(places, list(rates.values()), mark, markersize=3, linewidth=2, color=colour, label=name)
    if len(sources) > 1:
        axes.legend(loc="upper left", ncols=3, frameon=False, fontsize=8, labelcolor=INK, columnspacing=1.0)
    if dates:
        _day_axis(axes, dates, ticks)
    _value_axis(axes, [limit * 100, *(rate * 100 for _, _, rate in errors)])


def _error_panel(axes: Axes, quality: pl.DataFrame, limit: float, ticks: int) -> None:
    _bare(axes, "y")
    _error_lines(axes, quality, limit, ticks)
    axes.axhline(limit * 100, color=MUTED, linewidth=1, linestyle="--")
    _note(axes, f"limit {threshold(limit)}", (0, limit * 100), MUTED)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} %"))
    _title(axes, "Refused records by day")


def quality_plot(quality: pl.DataFrame, reasons: pl.DataFrame, limit: float, narrow: bool) -> bytes:
    """The error rate by day and source against the limit, and why records were refused."""
    figure = _figure(narrow, 5.6 if narrow else 3.2)
    left, right = figure.subplots(2, 1) if narrow else figure.subplots(1, 2)
    _error_panel(left, quality, limit, 3 if narrow else 4)
    rows: list[dict[str, Any]] = reasons.rows(named=True)
    names = [clean(row["reason"], 28) for row in rows]
    _bars(right, names, [float(row["rows"]) for row in rows], [whole(row["rows"]) for row in rows], MUTED)
    _title(right, "Reasons of refusal, records" if rows else "Nothing was refused")
    return _png(figure)
