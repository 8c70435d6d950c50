"""What all pages share: an open warehouse to draw from, cards, key figures, tables and plots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from analytics_platform.reports import queries, records
from analytics_platform.reports.render import escape_markdown, render_html
from analytics_platform.reports.tables import TextTable
from analytics_platform.reports.wording import NOTHING, moment
from analytics_platform.settings import Settings, SettingsError, load_settings
from analytics_platform.warehouse import Session, WarehouseError
from analytics_platform.warehouse.published import Published, View

REFRESH_S = 10
"""How often an open page looks whether there is something new."""

EMPTY = (
    "There is nothing to show yet. Let data arrive (files into the landing folder, messages, logs, users), then start "
    "“Load new data” and “Rebuild days” on the page Pipeline. `make demo` fills everything with simulated data."
)
_STYLES = Path(__file__).parents[1] / "templates"


def style() -> None:
    """Set the look of all pages."""
    st.html(_STYLES / "shared.css")
    st.html(_STYLES / "dashboard.css")


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
    return _published(chosen.warehouse_url, str(chosen.data_dir), chosen).view()


def show(tables: Sequence[str], draw: Callable[[Session], None], refreshes: bool = True) -> None:
    """Draw with an open warehouse that has the tables; say what to do if it is empty, broken, or being written.

    A page that `refreshes` is drawn anew once there is something newer.
    """
    try:
        state = view()
        if state.warehouse is None:
            st.info(EMPTY)
            return
        with state.warehouse.session(read_only=True) as session:
            if queries.missing_tables(session, tables):
                st.info(EMPTY)
                return
            _about(state, session)
            draw(session)
            if refreshes and state.version:
                _refresh(state.version)
    except WarehouseError as error:
        st.warning(escape_markdown(str(error)))


def _about(state: View, session: Session) -> None:
    """Say when the data are of."""
    loaded = None if queries.missing_tables(session, queries.PIPELINE) else records.loaded_at(session)
    text = f"Last data loaded {moment(loaded)}." if loaded else "No data loaded yet."
    if state.is_behind and state.as_of is not None:
        text += f" A run is writing: figures are as of {moment(state.as_of)}, new ones appear when it has ended."
    st.text(text)


@st.fragment(run_every=REFRESH_S)
def _refresh(shown: str) -> None:
    """Draw the page anew if the tables are no longer those that are shown."""
    try:
        is_new = view().version != shown
    except WarehouseError:
        return
    if is_new:
        st.rerun()


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
def _figure(plot: str, says: str, *content: Any) -> str:
    from analytics_platform.reports import plots  # with matplotlib, which takes long to load
    from analytics_platform.reports.drawing import draw

    return render_html("figure.html.j2", plot=draw(getattr(plots, plot), *content), says=says)


def plot(name: str, says: str, frame: pl.DataFrame, *content: Any) -> None:
    """Show a plot of `reports.plots` if the frame has rows; `says` describes it to those who cannot see it."""
    if not frame.is_empty():
        st.html(_figure(name, says, frame, *content))


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """A number in words, how it changed (`+12 %`, a dash where that is not known), and which way is `good`."""

    name: str
    value: str
    change: str = NOTHING
    good: Literal["up", "down", "either"] = "up"
    help: str | None = None


def key_figures(figures: Sequence[KeyFigure]) -> None:
    """Show a row of numbers; two columns on a phone."""
    colours: dict[str, Literal["normal", "inverse", "off"]] = {"up": "normal", "down": "inverse", "either": "off"}
    with st.container(key="figures"):
        for figure in figures:
            is_level = figure.change.startswith("0")
            st.metric(
                figure.name,
                figure.value,
                None if figure.change == NOTHING else figure.change.replace("−", "-"),
                delta_color="off" if is_level else colours[figure.good],
                delta_arrow="off" if is_level else "auto",
                help=figure.help,
                border=True,
            )
