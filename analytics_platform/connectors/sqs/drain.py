"""Draining a queue: receive, store in batches, and only then delete."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from typing import TypeAlias

from analytics_platform.connectors.sqs.client import ATTEMPTS, BATCH, Handles, Message, Queue, in_tens, pause
from analytics_platform.connectors.sqs.errors import QueueError
from analytics_platform.connectors.sqs.in_flight import Drained, DrainLimits, InFlight, InFlightMessages

Store: TypeAlias = Callable[[Sequence[Message]], None]

SECOND_LOOKS = 3
"""How often a queue that seems empty is polled again because its depth says otherwise."""


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
    stop: Callable[[], bool] = lambda: False,
) -> Drained:
    """Hand the queue's messages to `store` in batches and delete each batch when `store` has returned.

    `store` is called in the caller's thread, one batch at a time, and must return only when the batch is durable. A
    batch is closed at `batch_messages`, at `batch_bytes` characters of bodies, or `batch_seconds` after its first
    message; sooner when nothing more comes. The same message is in a batch once.

    The drain ends when `fetchers` long polls of `wait_seconds` (0 to 20) in a row, each begun after the last message
    came, were empty, nothing is open, and the queue's depth shows nothing visible. (The depth is approximate: if it
    shows something that no poll gets, three times in a row, that is the end too. Polls of 0 seconds ask only a part of
    a queue; the depth is then all there is to tell.) Or it ends when `max_messages` are taken or `max_seconds` are
    over, or a poll ends after `stop` says so: what is open then is stored, what arrives later is made visible again at
    once.

    Messages in flight stay hidden from other consumers, however long `store` takes: their visibility is extended by
    `visibility_seconds` whenever less than half of it is left. If this process dies they come again after that time.

    Raises what `store` raises, and `QueueError` once what came before is stored. The messages of batches not stored are
    then made visible again at once and nothing of them is deleted.
    """
    queue.depth()  # a call with a deadline: see Queue
    fetchers = fetchers if max_messages is None else max(1, min(fetchers, math.ceil(max_messages / BATCH)))
    limits = DrainLimits(batch_messages, batch_seconds, batch_bytes, max_messages, max_seconds, stop)
    messages = InFlightMessages(limits, fetchers)
    consumer = _Consumer(queue, messages, visibility_seconds, wait_seconds, fetchers)
    with consumer.at_work():
        while (batch := consumer.next_batch()) is not None:
            store([each.message for each in batch])
            messages.note_stored(batch)
            consumer.delete(batch)
            on_progress(messages.drained())
    return messages.drained()


class _Consumer:
    """The threads of one drain: fetchers that receive, one that extends visibilities, and some that delete."""

    def __init__(self, queue: Queue, messages: InFlightMessages, visibility: int, wait: int, fetchers: int) -> None:
        self._queue = queue
        self._messages = messages
        self._visibility = visibility
        self._wait = wait
        self._fetchers = fetchers
        self._pool = ThreadPoolExecutor(fetchers, "sqs-delete")
        self._done = threading.Event()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Fetch in the background; at the end stop, and give back what is not stored."""
        with self._pool, ThreadPoolExecutor(self._fetchers + 1, "sqs-fetch") as threads:
            extending = threads.submit(self._extend)
            fetching = [threads.submit(self._fetch) for _ in range(self._fetchers)]
            for future in (extending, *fetching):
                future.add_done_callback(lambda done: self._messages.fail(done.exception()))
            try:
                yield
            finally:
                self._messages.end()
                wait(fetching)
                self._done.set()
                wait([extending])  # else it might hide again what is given back
                self._change_visibility(self._messages.abandon(), 0)

    def next_batch(self) -> list[InFlight] | None:
        """Return the next batch to store, or None at the end of the drain."""
        for _ in range(SECOND_LOOKS):
            batch = self._messages.next_batch()
            if batch is not None or self._messages.is_over or self._queue.depth().visible == 0:
                return batch
            self._messages.look_again()
        return None

    def _fetch(self) -> None:
        while limit := self._messages.reserve():
            seconds = int(max(0, min(self._wait, self._messages.seconds_left())))
            asked_at = time.monotonic()
            received = self._queue.receive(limit, self._visibility, seconds)
            give_back, stored = self._messages.offer(received, limit, asked_at, self._visibility)
            self._change_visibility(give_back, 0)
            if stored:
                self._delete(stored)

    def delete(self, batch: Sequence[InFlight]) -> None:
        """Delete a batch that is stored, in parallel."""
        list(self._pool.map(self._delete, in_tens(batch)))

    def _delete(self, part: Sequence[InFlight]) -> None:
        for attempt in range(ATTEMPTS):
            pause(attempt)
            used = {each.key: each.handle for each in part}
            part = self._messages.settle(part, used, self._queue.delete(used))
            if not part:
                return
        self._messages.give_up(part)

    def _extend(self) -> None:
        while not self._done.wait(self._visibility / 8):
            self._change_visibility(self._messages.extend(self._visibility / 2, self._visibility), self._visibility)

    def _change_visibility(self, handles: Handles, seconds: int) -> None:
        """Change it in parallel. If this fails, messages become visible later or sooner, which does no harm."""

        def change(part: list[tuple[str, str]]) -> None:
            with suppress(QueueError):
                self._queue.change_visibility(dict(part), seconds)

        list(self._pool.map(change, in_tens(handles.items())))
