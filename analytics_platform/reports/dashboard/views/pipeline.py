"""Starts runs, shows their log live, and what the latest runs and batches did."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import streamlit as st

from analytics_platform.reports import queries, records
from analytics_platform.reports.dashboard import shell
from analytics_platform.reports.dashboard.dagster_api import INGEST, REBUILD, DagsterApi, DagsterError
from analytics_platform.reports.dashboard.runs import LogLine, Run
from analytics_platform.reports.render import escape_markdown, render_html
from analytics_platform.reports.tables import TextTable, batches_table
from analytics_platform.reports.wording import NOTHING, count, duration, moment
from analytics_platform.transform import DayRange
from analytics_platform.warehouse import WarehouseError
from analytics_platform.warehouse.ledger import unloaded_batches

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
    """The run that is followed in this browser session, and its log so far."""

    run_id: str
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
    for one in followed:
        with shell.card("Run"):
            st.fragment(_log, run_every=None if one.has_ended else _POLL_S)(api, one)
    with shell.card("Latest runs"):
        _runs(api)
    with shell.card("Latest batches"), shell.open_warehouse(*queries.PIPELINE, refreshes=False) as session:
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
        st.text(
            "Loads new files, messages, logs and users. Then rebuild their days here; AUTOMATION does it by itself."
        )
    if st.button("Start", type="primary", key="start", disabled=job == REBUILD and days is None):
        try:
            with st.spinner("Starting …"):
                followed[:] = [Followed(api.start(str(job), days))]
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


def _log(api: DagsterApi, followed: Followed) -> None:
    """Show the log of a run, and fetch what is new until the run has ended."""
    was_going_on = not followed.has_ended
    if was_going_on:
        try:
            followed.run, lines, followed.cursor = api.follow(followed.run_id, followed.cursor)
            followed.lines += lines
        except DagsterError as error:
            st.warning(escape_markdown(str(error)))
    if followed.run is not None:
        _progress(api, followed.run)
    with st.container(height=340, autoscroll=True, key="log"):
        st.html(render_html("log.html.j2", lines=followed.lines[-_LINES:]))
    if was_going_on and followed.has_ended:
        st.rerun()  # for the list of runs, and to stop polling


def _progress(api: DagsterApi, run: Run) -> None:
    done = sum(step.status in ("SUCCESS", "SKIPPED", "FAILURE") for step in run.steps)
    title = escape_markdown(f"{_ACTIONS.get(run.job, run.job)} {run.days}".strip())
    st.subheader(f"{title}: {_WORDS.get(run.status, run.status)}", anchor=False)
    if run.has_ended:
        took = f" in {duration(run.seconds)}" if run.seconds is not None else ""
        st.text(f"{count(done, 'step')}{took}. The other pages show the new figures.")
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
