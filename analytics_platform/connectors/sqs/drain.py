"""Draining a queue: receive, store in batches, and only then delete."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TypeAlias

from analytics_platform.connectors.sqs.client import ATTEMPTS, BATCH, Handles, Queue, pause, tens
from analytics_platform.connectors.sqs.errors import QueueError
from analytics_platform.connectors.sqs.held import Held, HeldMessages, Limits
from analytics_platform.connectors.sqs.message import Message

Store: TypeAlias = Callable[[Sequence[Message]], None]

SECOND_LOOKS = 3
"""So often a queue that seems empty is polled again because its depth says otherwise."""


@dataclass(frozen=True, slots=True)
class Drained:
    """What a drain did, in messages: received = stored + redelivered + given back.

    `received` counts every receipt, `redelivered` those of a message that this drain held or had stored already,
    `stored` what went through `store`, in so many `batches`. Of these, `deleted` are gone from the queue and
    `not_deleted` are still there (deleting failed time and again): they will come again.
    `given_back` were received too late for a bounded drain and made visible again.
    """

    received: int
    stored: int
    redelivered: int
    deleted: int
    not_deleted: int
    given_back: int
    batches: int


def drain(
    queue: Queue,
    store: Store,
    *,
    max_messages: int | None = None,
    max_seconds: float | None = None,
    fetchers: int = 4,
    batch_messages: int = 10_000,
    batch_seconds: float = 5.0,
    batch_bytes: int = 64 << 20,
    visibility_seconds: int = 60,
    wait_seconds: int = 2,
    on_progress: Callable[[Drained], None] = lambda drained: None,
) -> Drained:
    """Hand the queue's messages to `store` in batches and delete each batch when `store` has returned.

    `store` is called in the caller's thread, one batch at a time, and must return only when the batch is durable. A
    batch is closed at `batch_messages`, at `batch_bytes` characters of bodies, or `batch_seconds` after its first
    message; sooner when nothing more comes. The same message is in a batch once.

    The drain ends when `fetchers` long polls of `wait_seconds` (0 to 20) in a row, each begun after the last message
    came, were empty, nothing is open, and the queue's depth shows nothing visible. (The depth is approximate: if it
    shows something that no poll gets, three times in a row, that is the end too. Polls of 0 seconds ask only a part of
    a queue; the depth is then all there is to tell.) Or it ends when `max_messages` are taken or `max_seconds` are
    over: what is open then is stored, what arrives later is made visible again at once.

    Held messages stay hidden from other consumers, however long `store` takes: their visibility is extended by
    `visibility_seconds` whenever less than half of it is left. If this process dies they come again after that time.

    Raises what `store` raises, and `QueueError`. The messages of batches not stored are then made visible again at once
    and nothing of them is deleted.
    """
    fetchers = fetchers if max_messages is None else max(1, min(fetchers, math.ceil(max_messages / BATCH)))
    limits = Limits(batch_messages, batch_seconds, batch_bytes, max_messages, max_seconds)
    consumer = _Consumer(queue, HeldMessages(limits, fetchers), visibility_seconds, wait_seconds, fetchers)
    with consumer.at_work():
        while (batch := consumer.next_batch()) is not None:
            store([held.message for held in batch])
            consumer.delete_stored(batch)
            on_progress(consumer.drained())
    return consumer.drained()


class _Consumer:
    """The threads of one drain: fetchers that receive, one that extends visibilities, and some that delete."""

    def __init__(self, queue: Queue, held: HeldMessages, visibility: int, wait: int, fetchers: int) -> None:
        self._queue = queue
        self._held = held
        self._visibility = visibility
        self._wait = wait
        self._fetchers = fetchers
        self._pool = ThreadPoolExecutor(fetchers, "sqs-delete")
        self._done = threading.Event()
        self._stored = self._batches = 0

    def drained(self) -> Drained:
        """What was done so far."""
        counts = self._held.counts
        return Drained(
            received=counts.received,
            stored=self._stored,
            redelivered=counts.redelivered,
            deleted=counts.deleted,
            not_deleted=self._held.not_deleted,
            given_back=counts.given_back,
            batches=self._batches,
        )

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Fetch in the background; at the end stop, and give back what is held and not stored."""
        with self._pool, ThreadPoolExecutor(1, "sqs-extend") as extender:
            extending = extender.submit(self._extend)
            extending.add_done_callback(self._notice)
            try:
                with self._fetching():
                    yield
            finally:
                self._done.set()
                wait([extending])  # else it might hide again what is given back
                self._give_back(self._held.abandon())

    @contextmanager
    def _fetching(self) -> Iterator[None]:
        with ThreadPoolExecutor(self._fetchers, "sqs-fetch") as pool:
            for _ in range(self._fetchers):
                pool.submit(self._fetch).add_done_callback(self._notice)
            try:
                yield
            finally:
                self._held.end()

    def _notice(self, future: Future[None]) -> None:
        self._held.fail(future.exception())

    def next_batch(self) -> list[Held] | None:
        """The next batch to store, or None at the end of the drain."""
        for _ in range(SECOND_LOOKS):
            batch = self._held.next_batch()
            if batch is not None or self._held.is_over or self._queue.depth().visible == 0:
                return batch
            self._held.look_again()
        return None

    def _fetch(self) -> None:
        while limit := self._held.reserve():
            seconds = int(max(0, min(self._wait, self._held.seconds_left())))
            asked_at = time.monotonic()
            received = self._queue.receive(limit, self._visibility, seconds)
            offered = self._held.offer(received, limit, asked_at, self._visibility)
            self._give_back(offered.give_back)
            if offered.delete:
                self._delete(offered.delete)

    def delete_stored(self, batch: Sequence[Held]) -> None:
        """Delete a batch that is stored, in parallel."""
        self._batches += 1
        self._stored += len(batch)
        for held in batch:
            held.stored = True
        parts = [batch[start : start + BATCH] for start in range(0, len(batch), BATCH)]
        for _ in self._pool.map(self._delete, parts):
            pass

    def _delete(self, part: Sequence[Held]) -> None:
        for attempt in range(ATTEMPTS):
            pause(attempt)
            used = {held.key: held.handle for held in part}
            part = self._held.settle(part, used, self._queue.delete(used))
            if not part:
                return
        self._held.give_up(part)

    def _extend(self) -> None:
        while not self._done.wait(self._visibility / 8):
            asked_at = time.monotonic()
            due = self._held.hidden_less_than(self._visibility / 2)
            self._change_visibility(due, self._visibility)
            self._held.hide_until(due, asked_at + self._visibility)

    def _give_back(self, handles: Handles) -> None:
        self._change_visibility(handles, 0)

    def _change_visibility(self, handles: Handles, seconds: int) -> None:
        """Where this fails messages become visible later or sooner than wished, which does no harm."""

        def change(part: Handles) -> None:
            with suppress(QueueError):
                self._queue.change_visibility(part, seconds)

        for _ in self._pool.map(change, tens(handles)):
            pass
