"""The process `follow`: a thread takes messages into the lake, another loads and builds what is there, batch by batch.

While a batch is built the next one grows: when the lane is behind, batches get larger, and none waits in line.
"""

from __future__ import annotations

import datetime as dt
import itertools
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache, partial
from types import FrameType
from typing import TypeAlias

import dagster as dg

from analytics_platform.connectors.sqs import Message
from analytics_platform.errors import UserError, count
from analytics_platform.lake import Batch, check_writable, open_lake
from analytics_platform.orchestration.console import causes_of
from analytics_platform.orchestration.decisions import RETRY_AFTER
from analytics_platform.orchestration.follow.batch import has_work
from analytics_platform.orchestration.follow.state import ENDED, LaneState, only_lane, write_state
from analytics_platform.orchestration.jobs import BUILT_UP_TO, FOLLOW, FOLLOWED_UP_TO
from analytics_platform.orchestration.launch import built_up_to, history, prepare_home
from analytics_platform.orchestration.timeline import show_in_timeline
from analytics_platform.settings import Settings
from analytics_platform.sources.arrivals.files import land_files, new_files
from analytics_platform.sources.arrivals.notices import LIST_AFTER, Notices, delete_notices, receive_notices
from analytics_platform.sources.arrivals.queue import client_of, drain_queue
from analytics_platform.sources.registry import SOURCES
from analytics_platform.warehouse import Session, WarehouseError, open_warehouse
from analytics_platform.warehouse.upgrade import check_current

QUEUE = "ecommerce_events"
"""The source whose messages are followed."""

CLOSE_AFTER_S = 0.5
"""A batch of messages is closed this long after its first."""

POLL_S = 2
"""How long a poll of the queue waits for a message: so long a clean stop may take."""

LOOK_S = 1.0
"""Seconds between two looks into the landing folders, at a warehouse that is in use, and two words of the lane."""

SAY_EVERY = 5
"""Looks after which the lane says in its file how it is."""

UNFINISHED = [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
QUIET = {"console": {"config": {"log_level": "CRITICAL"}}}
PROCESS = "analytics/follow"
"""The tag with the process of a lane's run."""

Say: TypeAlias = Callable[[Mapping[str, object]], None]
"""Tells people and logs what happened."""


@dataclass(slots=True)
class Arrived:
    """What is in the lake and not built yet: contents by source (None: look for all), and its oldest message."""

    batches: dict[str, list[str]] | None = field(default_factory=dict)
    messages: int = 0
    since: dt.datetime | None = None

    def add(self, other: Arrived) -> None:
        """Take in what arrived besides."""
        if self.batches is None or other.batches is None:
            self.batches = None
        else:
            for source, contents in other.batches.items():
                self.batches.setdefault(source, []).extend(contents)
        self.messages += other.messages
        self.since = min(filter(None, (self.since, other.since)), default=None)


@dataclass(slots=True)
class Marks:
    """Places in the ledger up to which all tables are built, and those that every batch builds.

    Summaries are `due` at a moment of the monotonic clock. `failed` are tables with a check that failed last.
    """

    built: str
    followed: str = ""
    due: float = 0.0
    failed: set[str] = field(default_factory=set)

    def are_summaries_due(self) -> bool:
        """Return whether summaries are behind, and it is time to build them."""
        return self.followed > self.built and time.monotonic() >= self.due


class Lane:
    """The state that the threads of one lane share; `changed` guards what arrived."""

    def __init__(self, job: dg.JobDefinition, instance: dg.DagsterInstance, settings: Settings, say: Say) -> None:
        self.stop = threading.Event()
        self._job = job
        self._instance = instance
        self._settings = settings
        self._lake = open_lake(settings)
        self._say = say
        self._changed = threading.Condition()
        self._waiting, self._building = Arrived(), Arrived()
        self._done: list[tuple[float, int]] = []
        self._state = LaneState(at=dt.datetime.now(dt.UTC), pid=os.getpid(), doing="starts")
        self._tried: dict[str, set[str]] = {}
        self._list_at = 0.0

    def state(self) -> LaneState:
        """Tell how the lane is now."""
        now, recent = dt.datetime.now(dt.UTC), time.monotonic() - 10
        with self._changed:
            since = min(filter(None, (self._waiting.since, self._building.since)), default=now)
            per_s = sum(messages for at, messages in self._done if at > recent) / 10
            return self._state.model_copy(update={"at": now, "lag_s": (now - since).total_seconds(), "per_s": per_s})

    def receive(self) -> None:
        """Take messages into the lake until the lane stops. A queue that fails is asked again."""
        # To make the clients anew each time the queue is empty took a fifteenth of the lane's time.
        connect = lru_cache(maxsize=2)(partial(client_of, settings=self._settings))
        while not self.stop.is_set() and self._settings.sqs_queue_url:
            try:
                drain_queue(
                    SOURCES[QUEUE],
                    self._settings,
                    self._lake,
                    None,
                    None,
                    connect=connect,
                    on_batch=self._received,
                    batch_messages=self._settings.follow_messages,
                    batch_seconds=CLOSE_AFTER_S,
                    wait_seconds=POLL_S,
                    stop=self.stop.is_set,
                )
            except UserError as error:
                self._say({"event": "waits", "reason": str(error)})
                connect.cache_clear()  # credentials may have expired
                self.stop.wait(10 * LOOK_S)

    def _received(self, batch: Batch, messages: Sequence[Message]) -> None:
        since = min((message.sent_at for message in messages if message.sent_at), default=batch.arrived_at)
        self._add(Arrived({batch.source: [batch.content_sha256]}, len(messages), since))

    def _add(self, arrived: Arrived) -> None:
        with self._changed:
            self._waiting.add(arrived)
            self._changed.notify_all()

    def build(self) -> None:
        """Build what arrives until the lane stops; first what an earlier process loaded and did not build."""
        for run in self._instance.get_runs(dg.RunsFilter(job_name=FOLLOW, statuses=UNFINISHED)):
            if PROCESS in run.tags:
                self._instance.report_run_canceled(run, "Its process was killed; what it had loaded is built next.")
        self._wait_for_warehouse(check_current)
        if self.stop.is_set():  # while it waited: to look for work would add columns to tables that are outdated
            return
        marks = Marks(built_up_to(self._instance))
        if has_work(self._settings, self._lake, marks.built):
            self._add(Arrived(None))
        self._do("follows")
        while not self.stop.is_set():
            try:
                self._look_for_files()
            except UserError as error:  # the disk of the lake may be full: messages already there are built
                self._say({"event": "waits", "reason": str(error)})
            if self._take() or marks.are_summaries_due():
                self._wait_for_warehouse()
                self._run(marks)

    def _look_for_files(self) -> None:
        """Put new files into the lake. Those that were tried already are not tried again until they change.

        With LANDING_QUEUE_URL the folders of those sources are listed that it names, and all now and then.
        """
        folders = {each.name: each for each in SOURCES.values() if each.format.suffixes}
        is_due = not self._settings.landing_queue_url or time.monotonic() >= self._list_at
        notices = Notices() if is_due else receive_notices(folders, self._settings)
        for source in (folders[name] for name in (folders if is_due else notices.sources)):
            new = new_files(source, self._settings, self._lake)
            if not self._tried.get(source.name, set()).issuperset(new):
                landed = land_files(source, self._settings, self._lake).batches
                self._add(
                    Arrived({source.name: [batch.content_sha256 for batch in landed]}, 0, dt.datetime.now(dt.UTC))
                )
            self._tried[source.name] = set(new)
        if is_due:
            self._list_at = time.monotonic() + LIST_AFTER.total_seconds()
        if notices.warning:
            self._say({"event": "warning", "reason": notices.warning})
        delete_notices(notices, self._settings)  # what they name is in the lake, where the next lane would find it

    def _take(self) -> bool:
        """Take over what waits, if something does within a moment."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting.batches != {}, LOOK_S)
            self._building.add(self._waiting)
            self._waiting = Arrived()
            return self._building.batches != {}

    def _wait_for_warehouse(self, check: Callable[[Session], None] = lambda session: None) -> None:
        """Return once the warehouse can be written and passes the check: another process may have the DuckDB file."""
        warehouse, waits = open_warehouse(self._settings), ""
        while not self.stop.is_set():
            try:
                with warehouse.session() as session:
                    check(session)
                    break
            except WarehouseError as error:
                if str(error) != waits:
                    waits = str(error)
                    self._do(f"waits: {waits}")
                self.stop.wait(LOOK_S)
        if waits:
            self._do("follows")

    def _run(self, marks: Marks) -> None:
        """Load and build a batch in one run, and move the marks.

        After a failure what arrives goes on into the lake, and nothing is built until the failure may be resolved.
        """
        taken, started = self._building, time.monotonic()
        with_summaries = not marks.followed or time.monotonic() >= marks.due
        config = {
            "batches": taken.batches,
            "built_up_to": marks.built,
            "followed_up_to": marks.followed,
            "with_summaries": with_summaries,
            "failed": sorted(marks.failed),
        }
        result = self._job.execute_in_process(
            run_config={"ops": {"follow_batch": {"config": config}}, "loggers": QUIET},
            instance=self._instance,
            tags={PROCESS: str(os.getpid())},
            raise_on_error=False,
        )
        seconds = time.monotonic() - started
        show_in_timeline(self._instance, result.run_id)
        for event in result.all_events:
            if event.is_asset_observation:
                self._say({"event": "warning", "reason": event.asset_observation_data.asset_observation.description})
        run = self._instance.get_run_by_id(result.run_id)
        if result.success and run is not None:
            with self._changed:
                lag = (dt.datetime.now(dt.UTC) - taken.since).total_seconds() if taken.since else 0.0
                self._building = Arrived()
                self._done = [*self._done[-1000:], (time.monotonic(), taken.messages)]
                at = f"{dt.datetime.now(dt.UTC):%H:%M:%S} UTC"
                last = f"last batch {at}, {count(taken.messages, 'message')} in {seconds:.1f} s"
                self._state = self._state.model_copy(
                    update={"messages": self._state.messages + taken.messages, "last": last}
                )
            self._say(
                {"event": "batch", "messages": taken.messages, "seconds": round(seconds, 2), "lag_s": round(lag, 2)}
                | {"run": result.run_id}
            )
            marks.built, marks.followed, marks.failed = run.tags[BUILT_UP_TO], run.tags[FOLLOWED_UP_TO], set()
            if with_summaries:
                marks.due = time.monotonic() + max(self._settings.follow_summary_seconds, 10 * seconds)
            return
        causes = [cause for event in result.get_step_failure_events() for cause in causes_of(event)]
        checks = result.get_asset_check_evaluations()
        marks.failed |= {".".join(check.asset_key.path) for check in checks if not check.passed}
        marks.followed = ""  # all is built next
        self._pause(" ".join(causes), marks.built)

    def _pause(self, reason: str, mark: str) -> None:
        """Build nothing for a while, or until another run has built what waits."""
        self._do(f"stopped building: {reason}")
        until = time.monotonic() + RETRY_AFTER.total_seconds()
        while time.monotonic() < until and not self.stop.wait(5 * LOOK_S):
            if built_up_to(self._instance) > mark:
                break
        self._do("follows")

    def _do(self, what: str) -> None:
        with self._changed:
            self._state = self._state.model_copy(update={"doing": what})
        self._say({"event": "state", "state": what})


def follow(definitions: dg.Definitions, settings: Settings, say: Say, show: Callable[[LaneState], None]) -> None:
    """Follow queue and landing folder until SIGTERM or Ctrl-C; a batch that is being built is finished before.

    `say` gets what happens, in sentences, `show` gets its state every second. Raises `UserError` if another lane runs.
    """
    check_writable(settings)
    open_lake(settings).exists()  # a bucket that cannot be used is said before a run starts
    prepare_home(settings)
    with only_lane(settings), history() as instance, ThreadPoolExecutor(2, "follow") as threads:
        lane = Lane(definitions.resolve_job_def(FOLLOW), instance, settings, say)

        def end(number: int, frame: FrameType | None) -> None:
            lane.stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
        work = [threads.submit(lane.receive), threads.submit(lane.build)]
        try:
            for second in itertools.count():
                if second % SAY_EVERY == 0:
                    write_state(settings, lane.state())
                show(lane.state())
                if lane.stop.wait(LOOK_S) or any(each.done() and each.exception() for each in work):
                    break
        finally:
            lane.stop.set()
        for each in work:
            each.result()
        write_state(settings, lane.state().model_copy(update={"doing": ENDED}))
    say({"event": "state", "state": ENDED})
