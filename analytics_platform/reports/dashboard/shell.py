"""What all pages share: heading, filter of days, notes, key figures, tables, and an open warehouse to draw from."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from analytics_platform.reports.colours import INK, LINE, MUTED
from analytics_platform.reports.dashboard import queries
from analytics_platform.reports.html import escape, table_html
from analytics_platform.reports.tables import Table
from analytics_platform.reports.wording import moment, percent, span
from analytics_platform.settings import Settings, SettingsError, load_settings
from analytics_platform.transform import DayRange
from analytics_platform.warehouse import Session, WarehouseError
from analytics_platform.warehouse.published import Published, View

TITLE = "Analytics"
REFRESH_S = 10
"""How often an open page looks whether there is something new."""

_STYLE = f"""<style>
.stMainBlockContainer {{ max-width: 76rem; padding: 4.5rem 2rem 4rem; }}
h1 {{ font-size: 1.9rem !important; letter-spacing: -.02em; padding: 0 0 .2rem !important; }}
h3 {{ font-size: 1.1rem !important; padding: .2rem 0 .5rem !important; }}
[class*="st-key-card"] {{ background: #fff; padding: 1.1rem 1.3rem 1.3rem; }}
p.about, p.sentence, p.caption {{ color: {MUTED}; font-size: .875rem; margin: 0; line-height: 1.5; }}
p.sentence {{ max-width: 48rem; overflow-wrap: anywhere; }}
.st-key-figures {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(9.4rem, 1fr)); gap: .75rem; }}
.st-key-figures > div {{ width: auto !important; min-width: 0; }}
.st-key-figures [data-testid="stMetric"] {{ background: #fff; height: 100%; padding: .9rem 1.1rem; }}
.st-key-figures [data-testid="stMetric"] > div {{ padding: 0; }}
[data-testid="stMetricValue"] {{ font-variant-numeric: tabular-nums; }}
.scroll {{ overflow-x: auto; }}
.scroll table {{ border-collapse: collapse; width: 100%; font-size: .875rem; font-variant-numeric: tabular-nums; }}
.scroll th, .scroll td {{ padding: .38rem 0 .38rem 1.2rem; text-align: right; white-space: nowrap; border: 0;
  border-bottom: 1px solid {LINE}; color: {INK}; }}
.scroll th {{ color: {MUTED}; font-weight: 600; }}
.scroll .name {{ text-align: left; padding-left: 0; padding-right: .6rem; }}
.scroll td.name {{ white-space: normal; overflow-wrap: break-word; min-width: 5.5rem; max-width: 22rem; }}
.log {{ font-size: .8rem; line-height: 1.6; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }}
.log span {{ color: {MUTED}; padding-right: .6rem; }} .log .bad {{ color: #b42318; }}
@media (max-width: 640px) {{
  .stMainBlockContainer {{ padding: 4rem 1rem 3rem; }}
  h1 {{ font-size: 1.6rem !important; }}
  .st-key-figures {{ grid-template-columns: 1fr 1fr; gap: .5rem; }}
  .st-key-figures [data-testid="stMetric"] {{ padding: .7rem .8rem; }}
  [class*="st-key-card"] {{ padding: .9rem; }}
  .scroll th, .scroll td {{ padding-left: .45rem; font-size: .75rem; }}
  .scroll td.name {{ min-width: 4.4rem; max-width: 11rem; }}
  .scroll th {{ white-space: normal; vertical-align: bottom; }}
}}
</style>"""

_EMPTY = (
    "There is nothing to show yet. Let data arrive (files into the landing folder, messages, logs, users), then start "
    "“Load new data” and “Rebuild days” on the page Pipeline. `make demo` fills everything with simulated data."
)
_PERIODS = {"7 days": 7, "14 days": 14, "28 days": 28, "90 days": 90}
_ALL, _OTHER = "All", "Other days"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The days that a page shows, those they are compared with (if data covers them), and how far days are complete."""

    days: DayRange
    before: DayRange | None
    complete_until: dt.date


def settings() -> Settings:
    """The settings; a wrong one ends the page in its sentence."""
    try:
        return load_settings()
    except SettingsError as error:
        st.error(escape_markdown(str(error)))
        st.stop()


@st.cache_resource(show_spinner=False)
def _published(warehouse_url: str, data_dir: str, _settings: Settings) -> Published:
    return Published(_settings, queries.READS, _settings.data_dir / "dashboard")


def view() -> View:
    """The state of the warehouse that can be read now. Raises `WarehouseError` in one sentence."""
    chosen = settings()
    return _published(chosen.warehouse_url, str(chosen.data_dir), chosen).view()


def style() -> None:
    """The look of all pages."""
    st.html(_STYLE)


def card(name: str) -> DeltaGenerator:
    """A white box with a heading; to be used in a `with` block."""
    box = st.container(border=True, key=f"card-{name.lower().replace(' ', '-')}")
    box.subheader(name, anchor=False)
    return box


def heading(title: str) -> None:
    """The title of a page."""
    st.title(title, anchor=False)


def show(tables: Sequence[str], draw: Callable[[Session], None], refreshes: bool = True) -> None:
    """Draw with an open warehouse that has the tables; say what to do if it is empty, broken, or being written.

    A page that `refreshes` is drawn anew once there is something newer.
    """
    try:
        state = view()
        if state.warehouse is None:
            note(_EMPTY)
            return
        with state.warehouse.session(read_only=True) as session:
            if queries.missing_tables(session, tables):
                note(_EMPTY)
                return
            _about(state, session)
            draw(session)
            if refreshes and state.version:
                _refresh(state.version)
    except WarehouseError as error:
        st.warning(escape_markdown(str(error)))


def _about(state: View, session: Session) -> None:
    """When the data are of."""
    loaded = queries.loaded_at(session) if not queries.missing_tables(session, queries.PIPELINE) else None
    text = f"Last data loaded {moment(loaded)}." if loaded else "No data loaded yet."
    if state.is_behind and state.as_of is not None:
        text += f" A run is writing: figures are as of {moment(state.as_of)}, new ones appear when it has ended."
    sentence(text, "about")


@st.fragment(run_every=REFRESH_S)
def _refresh(shown: str) -> None:
    """Draw the page anew if the tables are no longer those that are shown."""
    try:
        is_new = view().version != shown
    except WarehouseError:
        return
    if is_new:
        st.rerun()


def note(text: str) -> None:
    """Something the reader should know or do, in Markdown."""
    st.info(text)


def sentence(text: str, kind: str = "sentence") -> None:
    """Plain text, whatever is in it."""
    st.html(f'<p class="{kind}">{escape(text)}</p>')


def escape_markdown(text: str) -> str:
    """Text that Streamlit's Markdown shows as it is."""
    return "".join(f"\\{letter}" if letter in "\\`*_[]{}|~#!$:<>" else letter for letter in text)


def table(content: Table | None, nothing: str = "Nothing in these days.") -> None:
    """A table of text."""
    if content is None:
        sentence(nothing)
    else:
        st.html(table_html(content))


def choose_days(session: Session) -> Chosen | None:
    """The filter of days: the last complete days, all of them, or any others. None (and a note) without any traffic."""
    known = queries.days_with_data(session, dt.datetime.now(dt.UTC))
    if known is None:
        note(_EMPTY)
        return None
    data, complete_until = known
    with st.container(horizontal=True, vertical_alignment="center", key="days"):
        options = [*_PERIODS, _ALL, _OTHER]
        period = st.segmented_control(
            "Days", options, default="7 days", key="period", persist_state="session", label_visibility="collapsed",
            required=True, wrap=True,
        )  # fmt: skip
        days = _other_days(data) if period == _OTHER else _last_days(_PERIODS.get(str(period)), data, complete_until)
    before = _before(days)
    covered = before.first >= data.first
    against = (
        f", compared with {span(before.first, before.last)}" if covered else "; there is no data of as many days before"
    )
    sentence(f"{span(days.first, days.last, year=True)} (UTC){against}.", "caption")
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


def _before(days: DayRange) -> DayRange:
    """As many days, just before."""
    length = (days.last - days.first).days + 1
    return DayRange(days.first - dt.timedelta(days=length), days.first - dt.timedelta(days=1))


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """A number in words, how it changed (`+12 %`; empty where that is not known), and which way is `good`."""

    name: str
    value: str
    change: str = ""
    good: Literal["up", "down", "either"] = "up"
    help: str | None = None


def key_figures(figures: Sequence[KeyFigure]) -> None:
    """A row of numbers; two columns on a phone."""
    colours: dict[str, Literal["normal", "inverse", "off"]] = {"up": "normal", "down": "inverse", "either": "off"}
    with st.container(key="figures"):
        for figure in figures:
            is_level = figure.change.startswith("0")
            st.metric(
                figure.name,
                figure.value,
                figure.change.replace("−", "-") or None,
                delta_color="off" if is_level else colours[figure.good],
                delta_arrow="off" if is_level else "auto",
                help=figure.help,
                border=True,
            )


def changed(before: float | None, after: float | None) -> str:
    """`+12 %`, `−3.4 %`, `0 %`; empty where there was nothing to compare with."""
    if before is None or after is None or before <= 0:
        return ""
    ratio = after / before - 1
    return f"+{percent(ratio)}" if ratio > 0 else percent(ratio)


def points(before: float | None, after: float | None) -> str:
    """The change of a share in percentage points: `+0.4 pp`."""
    if before is None or after is None:
        return ""
    difference = round((after - before) * 100, 1)
    return f"{difference:+.1f} pp".replace("-", "−") if difference else "0 pp"
