"""Starts runs, shows their log live, and what the latest runs and batches did."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

import streamlit as st

from analytics_platform.errors import count
from analytics_platform.reports import queries, records
from analytics_platform.reports.dashboard import shell
from analytics_platform.reports.dashboard.dagster_api import INGEST, REBUILD, DagsterApi, DagsterError
from analytics_platform.reports.dashboard.runs import LogLine, Run
from analytics_platform.reports.dashboard.views import overview
from analytics_platform.reports.render import escape_markdown, render_html
from analytics_platform.reports.tables import TextTable, batches_table
from analytics_platform.reports.wording import NOTHING, duration, moment, span
from analytics_platform.transform import DayRange
from analytics_platform.warehouse import Session, WarehouseError, open_warehouse
from analytics_platform.warehouse.ledger import unloaded_batches
from analytics_platform.warehouse.touched import days_not_built

_RUNS, _BATCHES, _LINES = 10, 20, 400
_POLL_S = 1.0
_WORDS = {
    "SUCCESS": "succeeded", "FAILURE": "failed", "CANCELED": "cancelled", "CANCELING": "is being cancelled",
    "QUEUED": "is waiting", "NOT_STARTED": "is waiting", "STARTING": "is starting", "STARTED": "is running",
    "IN_PROGRESS": "is running", "SKIPPED": "was skipped", None: "did not run",
}  # fmt: skip
_MARKS = {"SUCCESS": "●", "FAILURE": "▲", "CANCELED": "■"}
_ACTIONS = {INGEST: "Load new data", REBUILD: "Rebuild days"}


@dataclass
class Followed:
    """A run that is followed in this browser session, its days, its log so far, and what comes after it."""

    run_id: str
    days: DayRange | None = None
    then: str = ""
    cursor: str | None = None
    run: Run | None = None
    lines: list[LogLine] = field(default_factory=list)

    @property
    def has_ended(self) -> bool:
        """Whether there is nothing more to wait for."""
        return self.run is not None and self.run.has_ended


def show() -> None:
    """Draw the page."""
    api = DagsterApi(shell.settings().dagster_url)
    followed: list[Followed] = st.session_state.setdefault("followed", [])
    with shell.card("Start a run"):
        _start(api, followed)
    for place, one in enumerate(tuple(followed)):
        with shell.card("Then" if place else "Run"):
            st.fragment(_log, run_every=None if one.has_ended else _POLL_S)(api, followed, one)
    with shell.card("Latest runs"):
        _runs(api)
    new = st.container()
    with shell.card("Latest batches"), shell.open_warehouse(*queries.PIPELINE, refreshes=False) as session:
        with new:
            _new_figures(session, followed)
        for each in unloaded_batches(session):
            st.warning(escape_markdown(str(each)))
        batches = records.read_batches(session, _BATCHES, shell.choose_sources(session))
        shell.table(batches_table(batches), "No batch yet.")


def _start(api: DagsterApi, followed: list[Followed]) -> None:
    job = st.segmented_control(
        "What", list(_ACTIONS), format_func=_ACTIONS.__getitem__, default=INGEST, key="job", required=True,
        label_visibility="collapsed",
    )  # fmt: skip
    days = _choose_days() if job == REBUILD else None
    if job == INGEST:
        st.text("Loads new files, messages, logs and users, then builds the days that they change.")
    if st.button("Start", type="primary", key="start", disabled=job == REBUILD and days is None):
        try:
            with st.spinner("Starting …"):
                followed[:] = [Followed(api.start(str(job), days), days)]
        except DagsterError as error:
            st.error(escape_markdown(str(error)))


def _choose_days() -> DayRange | None:
    """Choose the days to build: at first those of the last load."""
    start, today = shell.settings().partition_start, dt.datetime.now(dt.UTC).date()
    first, last = _last_load() or (today, today)
    picked = st.date_input(
        "Days", (max(first, start), min(last, today)), min_value=start, max_value=today, format="YYYY-MM-DD",
        width=260, key="rebuild", label_visibility="collapsed",
    )  # fmt: skip
    st.text("Builds all tables of these days again. At first these are the days of the last load.")
    return DayRange(*picked) if isinstance(picked, tuple) and len(picked) == 2 else None


def _last_load() -> tuple[dt.date, dt.date] | None:
    try:
        state = shell.view()
        if state.warehouse is None:
            return None
        with state.warehouse.session(read_only=True) as session:
            is_loaded = not queries.missing_tables(session, queries.PIPELINE)
            return records.days_of_last_load(session) if is_loaded else None
    except WarehouseError:
        return None


def _log(api: DagsterApi, followed: list[Followed], one: Followed) -> None:
    """Show the log of a run, and fetch what is new until the run has ended; then build what it loaded."""
    was_going_on = not one.has_ended
    if was_going_on:
        try:
            one.run, lines, one.cursor = api.follow(one.run_id, one.cursor)
            one.lines += lines
        except DagsterError as error:
            st.warning(escape_markdown(str(error)))
    if was_going_on and one.has_ended:
        one.then = _continue(api, followed, one)
    if one.run is not None:
        _progress(api, one.run, one.then)
    with st.container(height=340, autoscroll=True, key=f"log-{one.run_id}"):
        st.html(render_html("log.html.j2", lines=one.lines[-_LINES:]))
    if was_going_on and one.has_ended:
        st.rerun()  # for the list of runs, and to stop polling


def _continue(api: DagsterApi, followed: list[Followed], one: Followed) -> str:
    """Start what comes after a run that has ended, and say so: the build of all days that wait for it after a load."""
    assert one.run is not None
    if one.run.status != "SUCCESS":
        return "The other pages may show figures of before: correct what the log names, then start again."
    if one.run.job != INGEST:
        return "The other pages show the new figures."
    settings = shell.settings()
    if settings.automation:
        return "AUTOMATION builds the days that the new data changes: see the latest runs."
    try:
        with open_warehouse(settings).session(read_only=True) as session:
            text = days_not_built(session, settings)
        days = DayRange.parse(text) if text else None
        if days is None:
            return "No day waits to be built: the other pages show all that was loaded."
        followed.append(Followed(api.start(REBUILD, days), days))
    except (DagsterError, WarehouseError) as error:
        return f"The other pages do not show the new data yet: start “{_ACTIONS[REBUILD]}”. {error}"
    return "The days that it changes are built now: see below."


def _new_figures(session: Session, followed: Sequence[Followed]) -> None:
    """Show the key figures of the days that were built last."""
    last = followed[-1] if followed else None
    is_built = last is not None and last.run is not None and last.run.status == "SUCCESS"
    if last is None or last.days is None or not is_built or queries.missing_tables(session, ["marts.daily_trends"]):
        return
    days = queries.read_days(session, last.days, last.days.last + dt.timedelta(days=1))
    with shell.card("New figures"):
        st.text(f"{span(last.days.first, last.days.last, year=True)} (UTC). {shell.NO_BOTS}")
        shell.key_figures(overview.figures(days, days.clear()))


def _progress(api: DagsterApi, run: Run, then: str) -> None:
    done = sum(step.status in ("SUCCESS", "SKIPPED", "FAILURE") for step in run.steps)
    title = escape_markdown(f"{_ACTIONS.get(run.job, run.job)} {run.days}".strip())
    st.subheader(f"{title}: {_WORDS.get(run.status, run.status)}", anchor=False)
    if run.has_ended:
        took = f" in {duration(run.seconds)}" if run.seconds is not None else ""
        st.text(f"{count(done, 'step')}{took}. {then}")
        st.link_button("Open in Dagster", api.link(run.run_id))
        return
    total = max(len(run.planned), len(run.steps), 1)
    now = [f", now {step.name}" for step in run.steps if step.status == "IN_PROGRESS"]
    st.progress(min(done / total, 1.0), f"{done} of {count(total, 'step')}{''.join(now[-1:])}")


def _runs(api: DagsterApi) -> None:
    try:
        runs = api.runs(_RUNS)
    except DagsterError as error:
        st.warning(escape_markdown(str(error)))
        return
    if not runs:
        st.text("No run yet.")
    for run in runs:
        name = "Materialize assets" if run.job.startswith("__") else _ACTIONS.get(run.job, run.job)
        state = f"{_MARKS.get(str(run.status), '○')} {name} {_WORDS.get(run.status, run.status)}"
        took = duration(run.seconds) if run.seconds is not None else ""
        with st.expander(escape_markdown(" · ".join(filter(None, (state, moment(run.created_at), run.days, took))))):
            shell.table(steps_table(run), "No step has started.")
            st.link_button("Open in Dagster", api.link(run.run_id), type="tertiary")


def steps_table(run: Run) -> TextTable | None:
    """Show the steps of a run as text."""
    rows = tuple(
        (
            step.name,
            _WORDS.get(step.status, str(step.status)),
            f"{step.started_at:%H:%M:%S}" if step.started_at else NOTHING,
            duration(step.seconds),
        )
        for step in run.steps
    )
    return TextTable(f"Steps of run {run.run_id[:8]}", ("Step", "", "Started", "Took"), rows, names=2) if rows else None
