"""The messages in flight in one drain: the open batch, closed ones, and the newest receipt handle of each message.

Shared by all threads of a drain; every method takes the lock for a moment. It knows no queue and does no I/O.
Times are seconds of the monotonic clock.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from analytics_platform.connectors.sqs.client import BATCH, Handles, Message

WAITING_BATCHES = 2
"""Closed batches that may wait to be stored; with more the fetchers pause."""


@dataclass(frozen=True, slots=True)
class DrainLimits:
    """When a batch is closed (whichever comes first), and when the drain ends."""

    batch_messages: int
    batch_seconds: float
    batch_bytes: int
    max_messages: int | None
    max_seconds: float | None
    stop: Callable[[], bool] = lambda: False


@dataclass(slots=True)
class Drained:
    """What a drain did, in messages: received = stored + redelivered + given back.

    `received` counts every receipt, `redelivered` those of a message that this drain had received already,
    `stored` what went through `store`, in `batches` batches. Of these, `deleted` are gone from the queue and
    `not_deleted` are still there (deleting failed repeatedly): they will come again.
    `given_back` were received too late for a bounded drain and made visible again.
    """

    received: int = 0
    stored: int = 0
    redelivered: int = 0
    deleted: int = 0
    not_deleted: int = 0
    given_back: int = 0
    batches: int = 0


@dataclass(slots=True, eq=False)
class InFlight:
    """One message with its newest receipt handle, the only one that surely deletes it.

    It is hidden from other consumers until `hidden_until`. It `is_given_up` if it was stored, and deleting it failed
    repeatedly.
    """

    message: Message
    handle: str
    hidden_until: float
    is_stored: bool = False
    is_given_up: bool = False

    @property
    def key(self) -> str:
        """The message's id."""
        return self.message.message_id


class InFlightMessages:
    """The messages of a drain from receive to delete.

    The drain is idle after `row` empty receives in a row, each begun after the last message came. Receives that would
    only make the row longer are not begun, so none is under way when it ends.
    """

    def __init__(self, limits: DrainLimits, row: int) -> None:
        self._limits = limits
        self._row = row
        self._changed = threading.Condition()
        self._counts = Drained()
        self._in_flight: dict[str, InFlight] = {}
        self._open: list[InFlight] = []
        self._open_bytes = 0
        self._opened_at = 0.0
        self._closed: deque[list[InFlight]] = deque()
        self._taken = 0
        self._reserved = 0
        self._polling = 0
        self._empties = 0
        self._last_arrival = 0.0
        self._end = math.inf if limits.max_seconds is None else time.monotonic() + limits.max_seconds
        self._error: BaseException | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more is taken: a limit is reached, it was stopped, or a thread failed."""
        most = self._limits.max_messages
        return (
            self._error is not None
            or self._limits.stop()
            or time.monotonic() >= self._end
            or (most is not None and self._taken >= most)
        )

    def drained(self) -> Drained:
        """Return what was done so far."""
        with self._changed:
            return replace(self._counts, not_deleted=sum(each.is_given_up for each in self._in_flight.values()))

    def seconds_left(self) -> float:
        """Return the seconds until the time limit; infinite if there is none."""
        return self._end - time.monotonic()

    def reserve(self) -> int:
        """Return how many messages (1 to 10) a fetcher may ask for; waits for room, 0 means stop."""
        with self._changed:
            while not self.is_over:
                room = BATCH
                if self._limits.max_messages is not None:
                    room = min(room, self._limits.max_messages - self._taken - self._reserved)
                if room > 0 and len(self._closed) < WAITING_BATCHES and self._polling + self._empties < self._row:
                    self._reserved += room
                    self._polling += 1
                    return room
                self._wait(self._end)
            return 0

    def offer(
        self, received: Sequence[tuple[Message, str]], reserved: int, asked_at: float, visibility: float
    ) -> tuple[dict[str, str], list[InFlight]]:
        """Take the answer to a receive that was asked for `reserved` messages at `asked_at`.

        Return what was not taken: handles to give back to the queue, and stored messages to delete.
        """
        give_back: dict[str, str] = {}
        delete: list[InFlight] = []
        with self._changed:
            self._reserved -= reserved
            self._polling -= 1
            over = self.is_over
            for message, handle in received:
                hidden_until = asked_at + visibility
                known = self._in_flight.get(message.message_id)
                if known is not None:
                    self._counts.redelivered += 1
                    if message.receive_count >= known.message.receive_count:  # answers may arrive out of order
                        known.message, known.handle, known.hidden_until = message, handle, hidden_until
                    if known.is_given_up:
                        known.is_given_up = False
                        delete.append(known)
                elif over:
                    give_back[message.message_id] = handle
                else:
                    self._take(InFlight(message, handle, hidden_until))
            self._counts.received += len(received)
            self._counts.given_back += len(give_back)
            if received:
                self._empties, self._last_arrival = 0, time.monotonic()
            elif asked_at >= self._last_arrival:
                self._empties += 1
            self._changed.notify_all()
        return give_back, delete

    def _take(self, new: InFlight) -> None:
        if not self._open:
            self._opened_at = time.monotonic()
        self._in_flight[new.key] = new
        self._open.append(new)
        self._open_bytes += len(new.message.body)
        self._taken += 1
        if len(self._open) >= self._limits.batch_messages or self._open_bytes >= self._limits.batch_bytes:
            self._close()

    def _close(self) -> None:
        self._closed.append(self._open)
        self._open, self._open_bytes = [], 0

    def next_batch(self) -> list[InFlight] | None:
        """Wait for the next closed batch and return it; None when the drain is over or idle, and nothing is open.

        Raises what `fail` was given, after the last batch: one bad answer must not hold up the good ones before it.
        """
        with self._changed:
            while True:
                done = self.is_over or self._empties >= self._row
                due = self._opened_at + self._limits.batch_seconds
                if self._open and (done or time.monotonic() >= due):
                    self._close()
                if self._closed:
                    self._changed.notify_all()
                    return self._closed.popleft()
                if self._error is not None:
                    raise self._error
                if done:
                    return None
                self._wait(min(self._end, due if self._open else math.inf))

    def _wait(self, until: float) -> None:
        self._changed.wait(None if math.isinf(until) else max(0.0, until - time.monotonic()))

    def look_again(self) -> None:
        """Start a new row of empty receives."""
        with self._changed:
            self._empties = 0
            self._changed.notify_all()

    def fail(self, error: BaseException | None) -> None:
        """End the drain with this error, if it is one."""
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()

    def end(self) -> None:
        """Take nothing more."""
        with self._changed:
            self._end = 0.0
            self._changed.notify_all()

    def note_stored(self, batch: Sequence[InFlight]) -> None:
        """Note that a batch is stored."""
        with self._changed:
            for each in batch:
                each.is_stored = True
            self._counts.stored += len(batch)
            self._counts.batches += 1

    def settle(self, batch: Sequence[InFlight], used: Handles, failed: frozenset[str]) -> list[InFlight]:
        """Remove what was deleted with the handles `used`; return what must be tried again.

        A delete with a handle that is not the newest may be answered as successful and have no effect.
        """
        with self._changed:
            again = [each for each in batch if each.key in failed or each.handle != used[each.key]]
            for each in set(batch).difference(again):
                self._counts.deleted += self._in_flight.pop(each.key, None) is not None
        return again

    def give_up(self, batch: Sequence[InFlight]) -> None:
        """Leave stored messages in the queue; those that come again during this drain are deleted then."""
        with self._changed:
            for each in batch:
                each.is_given_up = True

    def extend(self, below: float, seconds: float) -> Handles:
        """Return what becomes visible to others within `below` s, and note that it is hidden for `seconds` from now."""
        now = time.monotonic()
        with self._changed:
            going_on = (each for each in self._in_flight.values() if not each.is_given_up)
            due = [each for each in going_on if each.hidden_until < now + below]
            for each in due:
                each.hidden_until = now + seconds
            return {each.key: each.handle for each in due}

    def abandon(self) -> Handles:
        """Return what is not stored, to be given back: after this nothing more is done."""
        with self._changed:
            left = {key: each.handle for key, each in self._in_flight.items() if not each.is_stored}
            self._counts.given_back += len(left)
        return left
