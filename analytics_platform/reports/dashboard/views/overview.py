"""Key figures against the days before, the trend, the funnel, devices."""

from __future__ import annotations

from collections.abc import Callable

import altair as alt
import polars as pl
import streamlit as st

from analytics_platform.reports import data_quality, queries, records, sentences, tables
from analytics_platform.reports.colours import BLUE, FAINT
from analytics_platform.reports.coverage import (
    NEEDS,
    bad_days,
    empty_columns,
    lost_purchases,
    unknown_amounts,
    untold_orders,
)
from analytics_platform.reports.dashboard import shell
from analytics_platform.reports.dashboard.shell import KeyFigure
from analytics_platform.reports.periods import IS_WORTH_KNOWN, total_of
from analytics_platform.reports.wording import (
    NOTHING,
    change,
    currency,
    day,
    figure,
    is_known,
    percent,
    points,
    shown,
    whole,
)

_CONVERSION = pl.col("converted") / pl.col("sessions") * 100
_MEASURES = {
    "Revenue": pl.when(IS_WORTH_KNOWN).then("revenue"), "Refunds": pl.col("refunds"),
    "Net revenue": pl.when(IS_WORTH_KNOWN).then("net_revenue"),
    "Orders": pl.col("orders"), "Sessions": pl.col("sessions"), "Visitors": pl.col("visitors"),
    "Conversion, %": _CONVERSION.fill_nan(None),
}  # fmt: skip
_AMOUNTS = ("Revenue", "Refunds", "Net revenue")
_MEAN = "Mean over the days. Distinct visitors of several days are not stored by day."
_SESSIONS = "Sessions with an order / sessions. Change in percentage points."
_GROSS = "Orders at their value when they were placed, before refunds."
_DAY_MS = 86_400_000
"""No two ticks are in one day: each of three days was written four times."""
_BEFORE, _OPEN = "Days before", "May not be complete"


def show() -> None:
    """Draw the page."""
    with shell.open_warehouse(*queries.OVERVIEW) as session:
        chosen = shell.choose_days(session)
        days = queries.read_days(session, chosen.days, chosen.complete_until)
        before = queries.read_days(session, chosen.before, chosen.complete_until) if chosen.before else days.clear()
        shell.key_figures(figures(days, before))
        limit = shell.settings().max_error_rate
        unknown = queries.read_unknown(session, limit, chosen.days)
        if said := data_quality.unknown_sentence(unknown, queries.unconverted(session, chosen.days)):
            st.text(said)
        rejected, total = records.read_rejected_purchases(session, limit, chosen.days), total_of(days)
        for said in lost_purchases(rejected, total) if total else ():
            st.text(f"{said}.")
        for said in untold_orders(*queries.read_untold(session, chosen.days)):
            st.text(f"{said}.")
        with shell.card("Daily trend"):
            _trend(days, before)
        quality = records.read_quality(session, limit, chosen.days)
        # A week without a cart was one of the shop's: that there had been carts before was in none of its days.
        ever = records.read_quality(session, limit, queries.ALL_DAYS)
        left, right = st.columns(2, gap="small")
        with left, shell.card("Funnel"):
            steps = queries.read_funnel(session, chosen.days)
            lacks = [*empty_columns(ever, NEEDS["funnel"], chosen.days), *bad_days(quality)]
            st.text(sentences.but(sentences.funnel_sentence(steps), lacks))
            shell.plot("funnel_plot", "Sessions with each step", steps)
            shell.table(tables.funnel_table(steps))
        with right, shell.card("Devices"):
            devices = queries.read_devices(session, chosen.days)
            empty = empty_columns(ever, NEEDS["devices"], chosen.days)
            st.text(sentences.but(sentences.devices_sentence(devices), [*empty, *unknown_amounts(total)]))
            then = ("device_type", queries.read_devices(session, chosen.before)) if chosen.before else None
            shell.table(tables.devices_table(devices, before=then))


def figures(days: pl.DataFrame, before: pl.DataFrame) -> list[KeyFigure]:
    """Return the key figures of the days, and the change of complete days against those before, which may be none."""
    now, complete = total_of(days), days.filter("is_complete")
    if now is None:
        return []
    compared, then = total_of(complete), total_of(before[: len(complete)])

    def moved(measure: str, write: Callable[..., str] = change) -> str:
        if not (then and compared and all(is_known(sums.row, measure) for sums in (then, compared))):
            return NOTHING
        return write(getattr(then, measure), getattr(compared, measure))

    # Rounded to 0 it stood beside 206 sessions.
    visitors = whole(round(now.daily_visitors)) if now.daily_visitors >= 10 else f"{now.daily_visitors:.1f}"
    return [
        KeyFigure("Revenue", figure(now.row, "revenue"), moved("revenue"), help=_GROSS),
        KeyFigure("Refunds", figure(now.row, "refunds"), moved("refunds"), "inverse"),
        KeyFigure("Net revenue", figure(now.row, "net_revenue"), moved("net_revenue")),
        KeyFigure("Orders", whole(now.orders), moved("orders")),
        KeyFigure("Average order", shown(now.average_order), moved("average_order")),
        KeyFigure("Sessions", whole(now.sessions), moved("sessions")),
        KeyFigure("Visitors a day", visitors, moved("daily_visitors"), help=_MEAN),
        KeyFigure("Conversion", percent(now.conversion), moved("conversion", points), help=_SESSIONS),
    ]


def trend(days: pl.DataFrame, before: pl.DataFrame, measure: str) -> pl.DataFrame:
    """Return the points of each line: of complete days, of days that are not over, and of the days before.

    A day that is not over is joined to the complete day before it. The days before are moved onto these days.
    """
    value, complete = _MEASURES[measure].cast(pl.Float64), pl.col("is_complete")
    lines = days.select(
        "date",
        pl.col("date").map_elements(lambda date: day(date, True), pl.String).alias("day"),
        pl.when(complete).then(value).alias(measure),
        pl.when(~complete | ~complete.shift(-1, fill_value=True)).then(value).alias(_OPEN),
    )
    if not before.is_empty():
        lines = lines.with_columns(before.select(value.alias(_BEFORE)).to_series())
    if days["is_complete"].all():
        lines = lines.drop(_OPEN)
    return lines.unpivot(index=["date", "day"], variable_name="line").drop_nulls()


def _trend(days: pl.DataFrame, before: pl.DataFrame) -> None:
    measure = st.segmented_control(
        "Measure", list(_MEASURES), default="Revenue", key="measure", label_visibility="collapsed",
        persist_state="session", required=True,
    )  # fmt: skip
    lines = trend(days, before, str(measure))
    colours = {str(measure): BLUE, _OPEN: BLUE, _BEFORE: FAINT}
    names = [name for name in colours if name in lines["line"]]
    axis = alt.Axis(format="%-d %b", tickCount=7, tickMinStep=_DAY_MS)
    chart = alt.Chart(lines, height=280, background="transparent").mark_line(point=True)
    chart = chart.encode(
        x=alt.X("date:T", title=None, scale=alt.Scale(type="utc"), axis=axis),
        y=alt.Y("value:Q", title=(currency() or None) if measure in _AMOUNTS else None, axis=alt.Axis(tickCount=4)),
        color=alt.Color("line:N", title=None, legend=alt.Legend(orient="top")).scale(
            domain=names, range=[colours[name] for name in names]
        ),
        strokeDash=alt.when(alt.datum.line == _OPEN).then(alt.value([2, 4])).otherwise(alt.value([1, 0])),
        tooltip=[alt.Tooltip("day:N"), alt.Tooltip("line:N"), alt.Tooltip("value:Q", format=",.2~f")],
    )
    st.altair_chart(chart, alt=f"{measure} by day")
