"""The filter of days that pages share."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import streamlit as st

from analytics_platform.reports import queries
from analytics_platform.reports.dashboard import shell
from analytics_platform.reports.wording import span
from analytics_platform.transform import DayRange
from analytics_platform.warehouse import Session

_PERIODS = {"7 days": 7, "14 days": 14, "28 days": 28, "90 days": 90}
_ALL, _OTHER = "All", "Other days"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The days that a page shows, those they are compared with (if data covers them), and how far days are complete."""

    days: DayRange
    before: DayRange | None
    complete_until: dt.date


def choose_days(session: Session) -> Chosen | None:
    """Show the filter: the last complete days, all days, or any others. None (and a note) without any traffic."""
    known = queries.days_with_data(session, dt.datetime.now(dt.UTC))
    if known is None:
        st.info(shell.EMPTY)
        return None
    data, complete_until = known
    with st.container(horizontal=True, vertical_alignment="center", key="days"):
        period = st.segmented_control(
            "Days", [*_PERIODS, _ALL, _OTHER], default="7 days", key="period", persist_state="session",
            label_visibility="collapsed", required=True, wrap=True,
        )  # fmt: skip
        days = _other_days(data) if period == _OTHER else _last_days(_PERIODS.get(str(period)), data, complete_until)
    length = (days.last - days.first).days + 1
    before = DayRange(days.first - dt.timedelta(days=length), days.first - dt.timedelta(days=1))
    covered = before.first >= data.first
    compared = (
        f"compared with {span(before.first, before.last)}" if covered else "there is no earlier data to compare with"
    )
    st.text(f"{span(days.first, days.last, year=True)} (UTC), {compared}.")
    return Chosen(days, before if covered else None, complete_until)


def _last_days(count: int | None, data: DayRange, complete_until: dt.date) -> DayRange:
    if count is None:
        return data
    last = max(data.first, min(data.last, complete_until - dt.timedelta(days=1)))
    return DayRange(max(data.first, last - dt.timedelta(days=count - 1)), last)


def _other_days(data: DayRange) -> DayRange:
    picked = st.date_input(
        "From – to", (data.first, data.last), min_value=data.first, max_value=data.last, key="other_days",
        persist_state="session", label_visibility="collapsed", format="YYYY-MM-DD", width=260,
    )  # fmt: skip
    days = [day for day in picked if day is not None] if isinstance(picked, tuple) else [picked]
    return DayRange(min(days), max(days)) if days else data
