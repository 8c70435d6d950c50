"""Key figures against the days before, the trend, the funnel, devices."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import streamlit as st

from analytics_platform.reports.dashboard import charts, queries, shell
from analytics_platform.reports.dashboard.shell import Chosen, KeyFigure, changed, points
from analytics_platform.reports.periods import total_of
from analytics_platform.reports.sentences import devices_sentence, funnel_sentence
from analytics_platform.reports.tables import devices_table
from analytics_platform.reports.wording import NOTHING, money, percent, share, whole
from analytics_platform.warehouse import Session


def show() -> None:
    """Draw the page."""
    shell.heading("Overview")
    shell.show(queries.OVERVIEW, _draw)


def _draw(session: Session) -> None:
    chosen = shell.choose_days(session)
    if chosen is None:
        return
    days = queries.read_days(session, chosen.days, chosen.complete_until)
    before = queries.read_days(session, chosen.before, chosen.complete_until) if chosen.before else None
    shell.key_figures(figures(days, before))
    _trend(days, before)
    left, right = st.columns(2, gap="small")
    with left:
        _funnel(session, chosen)
    with right:
        _devices(session, chosen)


def figures(days: pl.DataFrame, before: pl.DataFrame | None) -> list[KeyFigure]:
    """The key figures of the days, and their change against the days before."""
    now, then = _measures(days), _measures(before) if before is not None else {}
    average, conversion = now["average"], now["conversion"]
    return [
        KeyFigure("Revenue", money(Decimal(days["revenue"].sum())), changed(then.get("revenue"), now["revenue"])),
        KeyFigure("Orders", whole(int(days["orders"].sum())), changed(then.get("orders"), now["orders"])),
        KeyFigure(
            "Average order",
            NOTHING if average is None else money(Decimal(str(average))),
            changed(then.get("average"), average),
        ),
        KeyFigure("Sessions", whole(int(days["sessions"].sum())), changed(then.get("sessions"), now["sessions"])),
        KeyFigure(
            "Visitors a day",
            whole(round(now["visitors"] or 0)),
            changed(then.get("visitors"), now["visitors"]),
            help="Mean over the days. Distinct visitors of several days are not stored by day.",
        ),
        KeyFigure(
            "Conversion",
            percent(conversion),
            points(then.get("conversion"), conversion),
            help="Sessions with an order / sessions. Change in percentage points.",
        ),
    ]


def _measures(days: pl.DataFrame) -> dict[str, float | None]:
    total = total_of(days)
    if total is None:
        return {}
    return {
        "revenue": float(total.revenue),
        "orders": total.orders,
        "average": share(total.revenue, total.orders),
        "sessions": total.sessions,
        "visitors": float(days["visitors"].sum()) / total.days,
        "conversion": total.conversion,
    }


def _trend(days: pl.DataFrame, before: pl.DataFrame | None) -> None:
    with shell.card("Daily trend"):
        measure = st.segmented_control(
            "Measure", list(charts.MEASURES), default="Revenue", key="measure", label_visibility="collapsed",
            persist_state="session", required=True,
        )  # fmt: skip
        st.altair_chart(charts.trend(days, before, str(measure)), theme=None, alt=f"{measure} by day")
        says = "Grey: the same number of days before. " if before is not None else ""
        dotted = "Dotted: days that were not over when the data arrived." if not days["is_complete"].all() else ""
        shell.sentence(says + dotted, "caption")


def _funnel(session: Session, chosen: Chosen) -> None:
    steps = queries.read_funnel(session, chosen.days)
    with shell.card("Funnel"):
        shell.sentence(funnel_sentence(steps))
        if steps["sessions"].sum():
            st.altair_chart(charts.funnel(steps), theme=None, alt="Sessions that reached each step")


def _devices(session: Session, chosen: Chosen) -> None:
    devices = queries.read_devices(session, chosen.days)
    with shell.card("Devices"):
        shell.sentence(devices_sentence(devices))
        shell.table(devices_table(devices))
