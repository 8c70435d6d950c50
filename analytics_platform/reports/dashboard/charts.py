"""The charts of the dashboard: frame in, Altair chart out. One accent colour; what is compared with is grey.

Days are drawn in UTC wherever the reader is, and every tooltip is words made here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any, TypeAlias

import altair as alt
import polars as pl

from analytics_platform.reports.colours import BLUE, COLOURS, INK, LINE, MUTED, VERMILLION
from analytics_platform.reports.wording import capital, clean, day, money, percent, share, threshold, whole

_HEIGHT = 260
_FAINT = "#b6bfcc"

Draw: TypeAlias = alt.Chart | alt.LayerChart | alt.FacetChart


def _styled(chart: Draw, height: int = _HEIGHT) -> Draw:
    styled: Draw = (
        chart.properties(height=height, width="container", background="transparent")
        .configure(font="Source Sans, sans-serif", autosize=alt.AutoSizeParams(type="fit-x", contains="padding"))
        .configure_view(stroke=None)
        .configure_axis(
            gridColor=LINE, domain=False, ticks=False, labelColor=MUTED, titleColor=MUTED, labelFontSize=12,
            labelPadding=6, titleFontWeight="normal",
        )
        .configure_legend(labelColor=INK, title=None, orient="top", labelFontSize=12, symbolStrokeWidth=2)
    )  # fmt: skip
    return styled


def _days() -> alt.X:
    return alt.X(
        "date:T",
        title=None,
        scale=alt.Scale(type="utc"),
        axis=alt.Axis(format="%-d %b", grid=False, labelOverlap=True, tickCount=7, labelFlush=True),
    )


def _tooltip(**columns: str) -> list[alt.Tooltip]:
    return [alt.Tooltip(f"{name}:N", title=title) for name, title in columns.items()]


MEASURES: dict[str, tuple[Callable[[dict[str, Any]], Decimal | float | None], Callable[[Any], str]]] = {
    "Revenue": (lambda row: row["revenue"], money),
    "Orders": (lambda row: row["orders"], whole),
    "Sessions": (lambda row: row["sessions"], whole),
    "Visitors": (lambda row: row["visitors"], whole),
    "Conversion": (lambda row: share(row["converted"], row["sessions"]), percent),
}
"""What a day can be judged by: how to read it from a row of the frame of days, and how to say it."""


def trend(days: pl.DataFrame, before: pl.DataFrame | None, measure: str) -> Draw:
    """A line over the days, dotted where they are not complete; the days before them in grey, moved onto them."""
    rows = _trend_rows(days, before, measure)
    base = alt.Chart(pl.DataFrame(rows)).encode(x=_days())
    axis = alt.Axis(format="%" if measure == "Conversion" else "~s", tickCount=4)
    now = base.encode(y=alt.Y("value:Q", title=None, axis=axis, scale=alt.Scale(zero=True)))
    hover = alt.selection_point(on="pointerover", nearest=True, fields=["date"], empty=False)
    layers: list[alt.Chart] = []
    if before is not None:
        layers.append(base.mark_line(color=_FAINT, strokeWidth=1.5).encode(y="before:Q"))
    layers.append(now.mark_area(color=BLUE, opacity=0.07))
    if any(row["is_complete"] for row in rows):
        layers.append(now.mark_line(color=BLUE, strokeWidth=2.5).transform_filter("datum.is_complete"))
    if any(row["is_open"] for row in rows):
        layers.append(now.mark_line(color=BLUE, strokeWidth=2.5, strokeDash=[2, 4]).transform_filter("datum.is_open"))
    shown = {"day": "Day", "now": measure} | (
        {"day_before": "Compared with", "then": measure + " then"} if before is not None else {}
    )
    points = now.mark_point(color=BLUE, filled=True).encode(
        size=alt.condition(hover, alt.value(90), alt.value(0 if len(days) > 1 else 90)), tooltip=_tooltip(**shown)
    )
    return _styled(alt.layer(*layers, points.add_params(hover)))


def _trend_rows(days: pl.DataFrame, before: pl.DataFrame | None, measure: str) -> list[dict[str, object]]:
    read, say = MEASURES[measure]
    past = list(before.iter_rows(named=True)) if before is not None else [None] * len(days)
    rows: list[dict[str, object]] = []
    for row, then in zip(days.iter_rows(named=True), past, strict=True):
        value, old = read(row), read(then) if then is not None else None
        rows.append(
            {
                "date": row["date"],
                "value": float(value or 0),
                "before": float(old or 0),
                "is_complete": row["is_complete"],
                "is_open": not row["is_complete"],
                "day": day(row["date"], True),
                "now": "–" if value is None else say(value),
                "day_before": day(then["date"], True) if then is not None else "",
                "then": "–" if old is None else say(old),
            }
        )
    _join_dotted(rows)
    return rows


def _join_dotted(rows: list[dict[str, object]]) -> None:
    """Let the dotted line begin where the full one ends."""
    for row, following in pairwise(rows):
        row["is_open"] = row["is_open"] or following["is_open"]


def funnel(steps: pl.DataFrame) -> Draw:
    """A bar per step with its sessions and the share of the first step."""
    first = int(steps["sessions"][0]) if len(steps) else 0
    rows = [
        {
            "step": capital(row["step"]),
            "sessions": row["sessions"],
            "says": f"{whole(row['sessions'])}  ·  {percent(share(row['sessions'], first))}",
        }
        for row in steps.iter_rows(named=True)
    ]
    return _bars(rows, "step", "sessions", [row["step"] for row in rows], 48)


def _bars(rows: Sequence[dict[str, Any]], name: str, value: str, order: Sequence[str], band: int) -> Draw:
    """Horizontal bars, each with what it `says` at its end."""
    top = max((float(row[value]) for row in rows), default=0.0) or 1.0
    base = alt.Chart(pl.DataFrame(rows)).encode(
        y=alt.Y(f"{name}:N", sort=list(order), title=None, axis=alt.Axis(labelColor=INK, labelLimit=170)),
        x=alt.X(f"{value}:Q", title=None, axis=None, scale=alt.Scale(domain=[0, top * 1.45])),
        tooltip=_tooltip(**{name: " ", "says": " "}),
    )
    bars = base.mark_bar(color=BLUE, cornerRadiusEnd=3, size=band * 0.55)
    words = base.mark_text(align="left", dx=6, color=MUTED, fontSize=12).encode(text="says:N")
    return _styled(alt.layer(bars, words), max(band * len(rows), band) + 10)


def ranked(frame: pl.DataFrame, name: str, value: str, say: Callable[[Any], str], top: int = 10) -> Draw:
    """A bar per row for the first `top` rows, in their order."""
    rows = [
        {"name": clean(str(row[name]), 34) or "–", value: float(row[value]), "says": say(row[value])}
        for row in frame.head(top).iter_rows(named=True)
    ]
    return _bars(rows, "name", value, [str(row["name"]) for row in rows], 30)


def touches(shares: Sequence[tuple[str, float, float, float]]) -> Draw:
    """Channel by channel: the share of revenue by first touch (hollow) and by last touch (full), joined by a line."""
    rows = [
        {
            "channel": clean(channel),
            "first": first,
            "last": last,
            "a": percent(first),
            "b": percent(last),
            "c": percent(other),
        }
        for channel, first, last, other in shares
    ]
    order = [str(row["channel"]) for row in rows]
    base = alt.Chart(pl.DataFrame(rows)).encode(
        y=alt.Y("channel:N", sort=order, title=None, axis=alt.Axis(labelColor=INK, labelLimit=170, grid=True)),
        tooltip=_tooltip(channel="Channel", a="First touch", b="Last touch", c="Last non-direct"),
    )
    axis = alt.Axis(format="%", tickCount=5, grid=False)
    line = base.mark_rule(color=_FAINT, strokeWidth=2).encode(
        x=alt.X("first:Q", title="share of revenue", axis=axis), x2="last:Q"
    )
    first_dot = base.mark_point(color=BLUE, size=90, fill="white", strokeWidth=2).encode(x="first:Q")
    last_dot = base.mark_point(color=BLUE, size=90, filled=True).encode(x="last:Q")
    return _styled(alt.layer(line, first_dot, last_dot), 34 * len(rows) + 50)


def error_rates(quality: pl.DataFrame, limit: float) -> Draw:
    """The share of refused records by day, a line per source, and the limit above which the line stops."""
    total = pl.col("rows_accepted") + pl.col("rows_duplicate") + pl.col("rows_quarantined")
    rates = quality.with_columns(total=total).filter(pl.col("total") > 0)
    rows = [
        {
            "date": row["date"],
            "source": clean(row["source"], 30),
            "rate": row["rows_quarantined"] / row["total"],
            "day": day(row["date"], True),
            "says": f"{percent(row['rows_quarantined'] / row['total'])} of {whole(row['total'])}",
        }
        for row in rates.iter_rows(named=True)
    ]
    sources = sorted({str(row["source"]) for row in rows})
    lines = (
        alt.Chart(pl.DataFrame(rows))
        .mark_line(point=alt.OverlayMarkDef(size=30), strokeWidth=2)
        .encode(
            x=_days(),
            y=alt.Y("rate:Q", title=None, axis=alt.Axis(format=".0%", tickCount=4)),
            color=alt.Color("source:N", scale=alt.Scale(domain=sources, range=_source_colours(len(sources)))),
            tooltip=_tooltip(day="Day", source="Source", says="Refused"),
        )
    )
    return _styled(alt.layer(lines, *_limit(limit)))


def _source_colours(count: int) -> list[str]:
    """Colours of sources; the limit's own is left out."""
    free = [colour for colour in COLOURS if colour != VERMILLION]
    return [free[number % len(free)] for number in range(count)]


def _limit(limit: float) -> list[alt.Chart]:
    base = alt.Chart(pl.DataFrame({"limit": [limit], "says": [f"limit {threshold(limit)}"]})).encode(y="limit:Q")
    rule = base.mark_rule(color=VERMILLION, strokeDash=[4, 4])
    return [
        rule,
        base.mark_text(align="left", dx=2, dy=-7, color=VERMILLION, fontSize=12).encode(x=alt.value(0), text="says:N"),
    ]
