"""Starts runs, shows their log live, and what the last runs and batches did."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import polars as pl
import streamlit as st

from analytics_platform.reports.dashboard import queries, shell
from analytics_platform.reports.dashboard.dagster_api import (
    INGEST,
    REBUILD,
    DagsterApi,
    DagsterError,
    LogLine,
    Run,
)
from analytics_platform.reports.html import escape
from analytics_platform.reports.tables import Table
from analytics_platform.reports.wording import NOTHING, clean, count, day, moment, whole
from analytics_platform.transform import DayRange
from analytics_platform.warehouse import Session, WarehouseError

_RUNS, _BATCHES, _LINES = 10, 20, 400
_POLL_S = 1.0
_WORDS = {
    "SUCCESS": "succeeded", "FAILURE": "failed", "CANCELED": "cancelled", "CANCELING": "is being cancelled",
    "QUEUED": "waits", "NOT_STARTED": "waits", "STARTING": "starts", "STARTED": "goes on",
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
    shell.heading("Pipeline")
    api = DagsterApi(shell.settings().dagster_url)
    with shell.card("Start a run"):
        _start(api)
    _follow(api)
    with shell.card("Last runs"):
        _runs(api)
    with shell.card("Last batches"):
        shell.show(queries.PIPELINE, _batches, refreshes=False)


def _start(api: DagsterApi) -> None:
    job = st.segmented_control(
        "What", list(_ACTIONS), format_func=_ACTIONS.__getitem__, default=INGEST, key="job", required=True,
        label_visibility="collapsed",
    )  # fmt: skip
    days = _choose_days() if job == REBUILD else None
    if job == INGEST:
        shell.sentence(
            "Loads new files, messages, logs and users. Their days are then rebuilt by hand, or by AUTOMATION."
        )
    if st.button("Start", type="primary", key="start", disabled=job == REBUILD and days is None):
        followed = _followed()
        try:
            with st.spinner("Starting …"):
                followed[:] = [Followed(api.start(str(job), days))]
        except DagsterError as error:
            st.error(shell.escape_markdown(str(error)))


def _followed() -> list[Followed]:
    """The run that this browser session follows, if any: one list for the whole session."""
    followed: list[Followed] = st.session_state.setdefault("followed", [])
    return followed


def _choose_days() -> DayRange | None:
    """The days to build: at first those of the last load."""
    settings = shell.settings()
    today = dt.datetime.now(dt.UTC).date()
    first, last = _last_load() or (today, today)
    picked = st.date_input(
        "Days", (max(first, settings.partition_start), min(last, today)), min_value=settings.partition_start,
        max_value=today, format="YYYY-MM-DD", width=260, key="rebuild", label_visibility="collapsed",
    )  # fmt: skip
    shell.sentence("All tables of these days are built anew. At first: the days of the last load.")
    if not isinstance(picked, tuple) or len(picked) != 2:
        return None
    return DayRange(*picked)


def _last_load() -> tuple[dt.date, dt.date] | None:
    try:
        state = shell.view()
        if state.warehouse is None:
            return None
        with state.warehouse.session(read_only=True) as session:
            if queries.missing_tables(session, queries.PIPELINE):
                return None
            return queries.days_of_last_load(session)
    except WarehouseError:
        return None


def _follow(api: DagsterApi) -> None:
    """The log of the run that was started, looked for every second until it ends."""
    for followed in _followed():
        with shell.card("Run"):
            st.fragment(_log, run_every=None if followed.has_ended else _POLL_S)(api, followed)


def _log(api: DagsterApi, followed: Followed) -> None:
    was_going_on = not followed.has_ended
    if was_going_on:
        try:
            _look(api, followed)
        except DagsterError as error:
            st.warning(shell.escape_markdown(str(error)))
    if followed.run is not None:
        _progress(api, followed.run)
    with st.container(height=340, autoscroll=True, key="log"):
        st.html(log_html(followed.lines[-_LINES:]))
    if was_going_on and followed.has_ended:
        st.rerun()  # for the list of runs, and to look no more


def _look(api: DagsterApi, followed: Followed) -> None:
    """Fetch what was logged since the last look, all of it."""
    has_more = True
    while has_more:
        progress = api.follow(followed.run_id, followed.cursor)
        followed.run, followed.cursor, has_more = progress.run, progress.cursor, progress.has_more
        followed.lines.extend(progress.lines)


def _progress(api: DagsterApi, run: Run) -> None:
    done = sum(step.status in ("SUCCESS", "SKIPPED", "FAILURE") for step in run.steps)
    total = max(run.planned, len(run.steps), 1)
    going_on = [step.name for step in run.steps if step.status == "IN_PROGRESS"]
    title = f"{_ACTIONS.get(run.job, run.job)} {run.days}".strip()
    st.subheader(f"{shell.escape_markdown(title)}: {_WORDS.get(run.status, run.status.lower())}", anchor=False)
    if not run.has_ended:
        now = f", now {going_on[-1]}" if going_on else ""
        st.progress(min(done / total, 1.0), f"{done} of {count(total, 'step')}{now}")
        return
    took = f" in {_seconds(run.seconds)}" if run.seconds is not None else ""
    shell.sentence(f"{count(done, 'step')}{took}. The other pages show the new figures.")
    st.link_button("Open in Dagster", api.link(run.run_id))


def log_html(lines: list[LogLine]) -> str:
    """The log as HTML, everything escaped."""
    shown = "".join(
        f"<div{_bad(line)}><span>{line.at:%H:%M:%S}</span><span>{escape(line.step)}</span>"
        f"{escape(clean(line.text, 400))}</div>"
        for line in lines
    )
    return f'<div class="log">{shown or "Waiting for the first line …"}</div>'


def _bad(line: LogLine) -> str:
    return ' class="bad"' if line.level in ("ERROR", "CRITICAL") or "Failure" in line.kind else ""


def _runs(api: DagsterApi) -> None:
    try:
        runs = api.runs(_RUNS)
    except DagsterError as error:
        st.warning(shell.escape_markdown(str(error)))
        return
    if not runs:
        shell.sentence("No run yet.")
    for run in runs:
        took = f" · {_seconds(run.seconds)}" if run.seconds is not None else ""
        days = f" · {run.days}" if run.days else ""
        label = f"{_MARKS.get(run.status, '○')} {_name(run)} {_WORDS.get(run.status, run.status.lower())}"
        with st.expander(shell.escape_markdown(f"{label} · {moment(run.created_at)}{days}{took}")):
            shell.table(steps_table(run), "No step has started.")
            st.link_button("Open in Dagster", api.link(run.run_id), type="tertiary")


def _name(run: Run) -> str:
    return "Materialize assets" if run.job.startswith("__") else _ACTIONS.get(run.job, run.job)


def steps_table(run: Run) -> Table | None:
    """The steps of a run as text."""
    if not run.steps:
        return None
    rows = tuple(
        (
            step.name,
            _WORDS.get(step.status or "", "goes on" if step.status == "IN_PROGRESS" else "did not run"),
            f"{step.started_at:%H:%M:%S}" if step.started_at else NOTHING,
            _seconds(step.seconds),
        )
        for step in run.steps
    )
    return Table(f"Steps of run {run.run_id[:8]}", ("Step", "", "Started", "Took"), rows, names=2)


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return NOTHING
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def _batches(session: Session) -> None:
    sources = st.pills(
        "Sources", queries.data_sources(session), selection_mode="multi", key="sources", persist_state="session",
        label_visibility="collapsed",
    )  # fmt: skip
    shell.table(batches_table(queries.read_batches(session, _BATCHES, sources)), "No batch yet.")


def batches_table(batches: pl.DataFrame) -> Table | None:
    """The latest batches as text."""
    if batches.is_empty():
        return None
    numbers = ("rows_read", "rows_accepted", "rows_duplicate", "rows_quarantined")
    rows = tuple(
        (
            f"{day(row['finished_at'].date())}, {row['finished_at']:%H:%M}",
            clean(row["source"]),
            clean(row["input"], 40),
            *(whole(row[name]) for name in numbers),
        )
        for row in batches.iter_rows(named=True)
    )
    header = ("Loaded", "Source", "Input", "Read", "Accepted", "Seen before", "Refused")
    return Table("What passed the gate last (UTC)", header, rows, names=3)
