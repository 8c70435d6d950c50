"""What one drain holds: the open batch, closed ones, and the newest receipt handle of every message not yet deleted.

Shared by all threads of a drain; every method takes the lock for a moment. It knows no queue and does no I/O.
Times are seconds of the monotonic clock.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from analytics_platform.connectors.sqs.client import BATCH, Handles
from analytics_platform.connectors.sqs.message import Message

WAITING_BATCHES = 2
"""So many closed batches may wait to be stored; then the fetchers pause."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a batch is closed (whichever comes first), and when the drain ends."""

    batch_messages: int
    batch_seconds: float
    batch_bytes: int
    max_messages: int | None
    max_seconds: float | None


@dataclass(slots=True, eq=False)
class Held:
    """One message with its newest receipt handle. It is hidden from other consumers until `hidden_until`."""

    message: Message
    handle: str
    hidden_until: float
    stored: bool = False

    @property
    def key(self) -> str:
        """The message's id."""
        return self.message.message_id

    def renew(self, again: Held) -> None:
        """Take over the handle of another receipt, if it is the newer one: answers may overtake each other."""
        if again.message.receive_count >= self.message.receive_count:
            self.message, self.handle, self.hidden_until = again.message, again.handle, again.hidden_until


@dataclass(slots=True)
class Counts:
    """What happened so far; the words are those of `Drained`."""

    received: int = 0
    redelivered: int = 0
    taken: int = 0
    deleted: int = 0
    given_back: int = 0


@dataclass(frozen=True, slots=True)
class Offered:
    """Received messages that were not taken: give them back to the queue, or delete them, for they are stored."""

    give_back: dict[str, str]
    delete: list[Held]


class HeldMessages:
    """The messages in hand, from receive to delete.

    The drain is idle after a row of `row` empty receives, each begun after the last message came. Receives that would
    only make the row longer are not begun, so none is under way when it ends.
    """

    def __init__(self, limits: Limits, row: int) -> None:
        self.counts = Counts()
        self._limits = limits
        self._row = row
        self._changed = threading.Condition()
        self._held: dict[str, Held] = {}
        self._undeleted: set[str] = set()
        self._open: list[Held] = []
        self._open_bytes = 0
        self._opened_at = 0.0
        self._closed: deque[list[Held]] = deque()
        self._reserved = 0
        self._polling = 0
        self._empties = 0
        self._last_arrival = 0.0
        self._end = math.inf if limits.max_seconds is None else time.monotonic() + limits.max_seconds
        self._error: BaseException | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more is taken: a limit is reached, or `end` was called."""
        most = self._limits.max_messages
        return time.monotonic() >= self._end or (most is not None and self.counts.taken >= most)

    @property
    def not_deleted(self) -> int:
        """How many stored messages are left in the queue, since deleting them failed."""
        return len(self._undeleted)

    def seconds_left(self) -> float:
        """Seconds until the time limit; infinite if there is none."""
        return self._end - time.monotonic()

    def reserve(self) -> int:
        """How many messages (1 to 10) a fetcher may ask for; waits for room, 0 means stop."""
        with self._changed:
            while not self.is_over:
                room = BATCH
                if self._limits.max_messages is not None:
                    room = min(room, self._limits.max_messages - self.counts.taken - self._reserved)
                if room > 0 and len(self._closed) < WAITING_BATCHES and self._polling + self._empties < self._row:
                    self._reserved += room
                    self._polling += 1
                    return room
                self._wait(self._end)
            return 0

    def offer(
        self, received: Sequence[tuple[Message, str]], reserved: int, asked_at: float, visibility: float
    ) -> Offered:
        """Take the answer to a receive that was asked for `reserved` messages at `asked_at`.

        A message that is held already keeps its place and gets the newer receipt handle, the only one that surely
        deletes it. One that was stored, but could not be deleted, is to be deleted now.
        """
        offered = Offered({}, [])
        with self._changed:
            self._reserved -= reserved
            self._polling -= 1
            over = self.is_over
            for message, handle in received:
                self._place(Held(message, handle, asked_at + visibility), over, offered)
            self.counts.received += len(received)
            if received:
                self._empties, self._last_arrival = 0, time.monotonic()
            elif asked_at >= self._last_arrival:
                self._empties += 1
            self._changed.notify_all()
        return offered

    def _place(self, new: Held, over: bool, offered: Offered) -> None:
        key = new.key
        known = self._held.get(key)
        if known is not None:
            known.renew(new)
        elif key in self._undeleted:
            self._undeleted.discard(key)
            self._held[key], new.stored = new, True
            offered.delete.append(new)
        elif over:
            offered.give_back[key] = new.handle
            self.counts.given_back += 1
            return
        else:
            self._take(new)
            return
        self.counts.redelivered += 1

    def _take(self, new: Held) -> None:
        if not self._open:
            self._opened_at = time.monotonic()
        self._held[new.key] = new
        self._open.append(new)
        self._open_bytes += len(new.message.body)
        self.counts.taken += 1
        if len(self._open) >= self._limits.batch_messages or self._open_bytes >= self._limits.batch_bytes:
            self._close()

    def _close(self) -> None:
        self._closed.append(self._open)
        self._open, self._open_bytes = [], 0

    def next_batch(self) -> list[Held] | None:
        """The next closed batch, waiting for it; None when the drain is over or idle, and nothing is open.

        Raises what `fail` was told.
        """
        with self._changed:
            while True:
                if self._error is not None:
                    raise self._error
                done = self.is_over or self._empties >= self._row
                due = self._opened_at + self._limits.batch_seconds
                if self._open and (done or time.monotonic() >= due):
                    self._close()
                if self._closed:
                    self._changed.notify_all()
                    return self._closed.popleft()
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

    def settle(self, batch: Sequence[Held], used: Handles, failed: frozenset[str]) -> list[Held]:
        """Let go of what was deleted with the handles `used`; returns what must be tried again.

        A delete with a handle that is not the newest may be answered as successful and have no effect.
        """
        with self._changed:
            again = [held for held in batch if held.key in failed or held.handle != used[held.key]]
            for held in batch:
                if held not in again:
                    self._held.pop(held.key, None)
            self.counts.deleted += len(batch) - len(again)
        return again

    def give_up(self, batch: Sequence[Held]) -> None:
        """Leave stored messages in the queue; they will come again and are deleted then."""
        with self._changed:
            for held in batch:
                self._undeleted.add(held.key)
                self._held.pop(held.key, None)

    def hidden_less_than(self, seconds: float) -> Handles:
        """The messages that become visible to others within so many seconds."""
        limit = time.monotonic() + seconds
        with self._changed:
            return {key: held.handle for key, held in self._held.items() if held.hidden_until < limit}

    def hide_until(self, handles: Handles, until: float) -> None:
        """Note that the messages are hidden longer."""
        with self._changed:
            for key in handles.keys() & self._held.keys():
                self._held[key].hidden_until = until

    def abandon(self) -> Handles:
        """Let go of everything; returns what is not stored, to be given back."""
        with self._changed:
            left = {key: held.handle for key, held in self._held.items() if not held.stored}
            self.counts.given_back += len(left)
            self._held.clear()
            self._open, self._open_bytes = [], 0
            self._closed.clear()
        return left
