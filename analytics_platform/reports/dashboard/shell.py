"""What all pages share: an open warehouse to draw from, filters, cards, key figures, tables and plots."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

import polars as pl
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from analytics_platform.reports import queries, records
from analytics_platform.reports.coverage import differences, missing_orders, unevenness, unknown_amounts
from analytics_platform.reports.periods import total_of
from analytics_platform.reports.render import escape_markdown, render_html
from analytics_platform.reports.sentences import but, currency_sentence
from analytics_platform.reports.tables import TextTable
from analytics_platform.reports.wording import NOTHING, amounts_in, currency, moment, span
from analytics_platform.settings import Settings, SettingsError, load_settings
from analytics_platform.transform import DayRange
from analytics_platform.warehouse import Session, WarehouseError
from analytics_platform.warehouse.published import Published, View
from analytics_platform.warehouse.watchdog import shop_currency

REFRESH_S = 10
"""How often an open page looks whether there is something new."""

EMPTY = (
    "There is nothing to show yet. Let data arrive (files into the landing folder, messages, logs, users), then start "
    "“Load new data” on the page Pipeline. `make demo` fills everything with simulated data."
)
_PERIODS = {"7 days": 7, "14 days": 14, "28 days": 28, "90 days": 90}
_ALL, _OTHER = "All", "Other days"


def settings() -> Settings:
    """Return the settings; a wrong one ends the page in its sentence."""
    try:
        return load_settings()
    except SettingsError as error:
        st.error(escape_markdown(str(error)))
        st.stop()


@st.cache_resource(show_spinner=False)
def _published(warehouse_url: str, data_dir: str, _settings: Settings) -> Published:
    return Published(_settings, queries.DASHBOARD, _settings.data_dir / "dashboard")


def view() -> View:
    """Return the state of the warehouse that can be read now. Raises `WarehouseError` in one sentence."""
    chosen = settings()
    return _published(chosen.warehouse_url.get_secret_value(), str(chosen.data_dir), chosen).view()


@contextmanager
def open_warehouse(*tables: str, refreshes: bool = True) -> Iterator[Session]:
    """Open the warehouse to draw from; the page ends in a sentence if tables are missing, or it cannot be read.

    A page that `refreshes` is drawn anew once there is something newer.
    """
    try:
        state = view()
        if state.warehouse is None:
            _end_empty()
        with state.warehouse.session(read_only=True) as session:
            if queries.missing_tables(session, tables):
                _end_empty()
            try:
                with amounts_in(shop_currency(session, settings().shop_currency)):
                    _about(state, session)
                    yield session
            finally:  # also of a page that ends early, because there is no traffic yet
                if refreshes and state.version:
                    _refresh(state.version)
    except WarehouseError as error:
        st.warning(escape_markdown(str(error)))
        st.stop()


def _end_empty() -> NoReturn:
    st.info(EMPTY)
    st.stop()


def _about(state: View, session: Session) -> None:
    """Say how recent the data is, and in which currency amounts are."""
    loaded = None if queries.missing_tables(session, queries.PIPELINE) else records.loaded_at(session)
    text = f"Last data loaded {moment(loaded)}." if loaded else "No data loaded yet."
    if state.is_behind and state.as_of is not None:
        text += f" A run is writing: figures are as of {moment(state.as_of)}, new ones appear when it has ended."
    st.text(f"{text} {currency_sentence()}")


@st.fragment(run_every=REFRESH_S)
def _refresh(shown: str) -> None:
    """Draw the page anew if the tables are no longer those that are shown."""
    try:
        is_new = view().version != shown
    except WarehouseError:
        return
    if is_new:
        st.rerun()


@dataclass(frozen=True, slots=True)
class Chosen:
    """The days that a page shows, those they are compared with (if data covers them), and how far days are complete."""

    days: DayRange
    before: DayRange | None
    complete_until: dt.date


NO_BOTS = "Bots that buy nothing are left out."


def choose_days(session: Session, population: str = NO_BOTS) -> Chosen:
    """Show the filter: the last complete days, all days, or any others. Without any traffic the page ends in a note.

    The line below says which days are compared, how their data differs, and whose figures they are (`population`).
    """
    known = queries.days_with_data(session, dt.datetime.now(dt.UTC))
    if known is None:
        _end_empty()
    data, complete_until = known
    with st.container(horizontal=True, vertical_alignment="center", key="days"):
        period = st.segmented_control(
            "Days", [*_PERIODS, _ALL, _OTHER], default="7 days", key="period", persist_state="session",
            label_visibility="collapsed", required=True, wrap=True,
        )  # fmt: skip
        days = data
        if period == _OTHER:
            days = _other_days(data)
        elif period != _ALL:
            last = max(data.first, min(data.last, complete_until - dt.timedelta(days=1)))
            days = DayRange(max(data.first, last - dt.timedelta(days=_PERIODS[str(period)] - 1)), last)
    length = (days.last - days.first).days + 1
    before = DayRange(days.first - dt.timedelta(days=length), days.first - dt.timedelta(days=1))
    is_covered, limit = before.first >= data.first, settings().max_error_rate
    shown = DayRange(before.first if is_covered else days.first, days.last)
    by_day = queries.read_days(session, shown, complete_until)
    reservations = [*missing_orders(by_day)]
    if not is_covered:
        compared = "there is no earlier data to compare with"
        reservations += unevenness(records.read_quality(session, limit, days))
    else:
        compared = f"compared with {span(before.first, before.last)}"
        reservations += differences(records.read_quality(session, limit, shown), before, days)
        reservations += unknown_amounts(total_of(by_day.filter(pl.col("date") < days.first)))
    st.text(f"{but(f'{span(days.first, days.last, year=True)} (UTC), {compared}.', reservations)} {population}")
    return Chosen(days, before if is_covered else None, complete_until)


def _other_days(data: DayRange) -> DayRange:
    picked = st.date_input(
        "From – to", (data.first, data.last), min_value=data.first, max_value=data.last, key="other_days",
        persist_state="session", label_visibility="collapsed", format="YYYY-MM-DD", width=260,
    )  # fmt: skip
    days = [day for day in picked if day is not None] if isinstance(picked, tuple) else [picked]
    return DayRange(min(days), max(days)) if days else data


def choose_sources(session: Session) -> list[str]:
    """Show the filter of sources; none chosen means all."""
    return st.pills(
        "Sources", records.data_sources(session), selection_mode="multi", key="sources", persist_state="session",
        label_visibility="collapsed",
    )  # fmt: skip


def card(name: str) -> DeltaGenerator:
    """Make a white box with a heading, to be used in a `with` block."""
    box = st.container(border=True, key=f"card-{name.lower().replace(' ', '-')}")
    box.subheader(name, anchor=False)
    return box


def table(content: TextTable | None, nothing: str = "Nothing in these days.") -> None:
    """Show a table of text, or say that there is nothing."""
    if content is None:
        st.text(nothing)
    else:
        st.html(render_html("table.html.j2", table=content))


@st.cache_data(show_spinner=False, max_entries=100)
def _figure(plot: str, says: str, unit: str, *content: Any) -> str:
    from analytics_platform.reports import plots  # with matplotlib, which takes long to load
    from analytics_platform.reports.drawing import draw

    with amounts_in(unit):
        return render_html("figure.html.j2", plot=draw(getattr(plots, plot), *content), says=says)


def plot(name: str, says: str, frame: pl.DataFrame, *content: Any) -> None:
    """Show a plot of `reports.plots` if the frame has rows; `says` describes it to those who cannot see it."""
    if not frame.is_empty():
        st.html(_figure(name, says, currency(), frame, *content))


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """A number in words, how it changed (`+12 %`, a dash where that is not known), and the colour of a rise."""

    name: str
    value: str
    change: str = NOTHING
    colour: Literal["normal", "inverse", "off"] = "normal"
    help: str | None = None


def key_figures(figures: Sequence[KeyFigure]) -> None:
    """Show a row of numbers; two columns on a phone."""
    with st.container(key="figures"):
        for figure in figures:
            is_level = figure.change.startswith("0")
            st.metric(
                figure.name,
                figure.value,
                None if figure.change == NOTHING else figure.change.replace("−", "-"),
                delta_color="off" if is_level else figure.colour,
                delta_arrow="off" if is_level else "auto",
                help=figure.help,
                border=True,
            )
