"""One standard queue in memory, and the faults that it makes on demand. Times are seconds of one monotonic clock."""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import itertools
import random
import time
import uuid
from collections import Counter, deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from typing import Any, Literal, TypeAlias


@dataclass(slots=True)
class Faults:
    """The chance (0 to 1) of each fault, drawn from one seeded generator. May be changed while the server runs."""

    seed: int = 0
    at_most: float = inf
    """How many faults happen in all."""
    shuffle: float = 0.0
    """A message is received at a random place in the order, not after those sent before it."""
    duplicates: float = 0.0
    """A received message stays visible, so that it is received again at once, with a new receipt handle."""
    empty_receives: float = 0.0
    """A receive comes back empty at once, as if it had asked the wrong part of the queue."""
    failed_entries: float = 0.0
    """An entry of a batch (send, delete, change of visibility) fails while others succeed."""
    lost_deletes: float = 0.0
    """A delete is answered as successful, and the message stays."""
    server_errors: float = 0.0
    """A request is answered with status 500; half of these were carried out all the same."""
    draws: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.draws = random.Random(self.seed)

    def strike(self, chance: float) -> bool:
        """Decide whether a fault of this chance happens now."""
        struck = chance > 0 and self.at_most > 0 and self.draws.random() < chance
        self.at_most -= struck
        return struck


State: TypeAlias = Literal["visible", "in flight", "delayed"]


@dataclass(slots=True, eq=False)
class QueuedMessage:
    """One message in the queue. `due` is when it becomes visible, `handle` the newest receipt handle."""

    message_id: str
    body: str
    attributes: Mapping[str, Any]
    sent_ms: int
    md5: str
    state: State = "delayed"
    due: float = 0.0
    handle: str = ""
    receive_count: int = 0
    first_received_ms: int = 0


class LocalQueue:
    """A queue; send, receive, delete and change take O(log n)."""

    def __init__(self, name: str, faults: Faults, attributes: Mapping[str, str]) -> None:
        self.name = name
        self.attributes = dict(attributes)
        self.faults = faults
        self._messages: dict[str, QueuedMessage] = {}
        self._order = itertools.count()
        self._visible: list[tuple[float, int, QueuedMessage]] = []
        self._timers: list[tuple[float, int, QueuedMessage]] = []
        self._counts: Counter[State] = Counter()
        self._waiting: deque[asyncio.Future[None]] = deque()

    def seconds(self, attribute: str, default: int) -> int:
        """Return a whole number of seconds among the queue's attributes."""
        return int(self.attributes.get(attribute, default))

    def send(self, body: str, attributes: Mapping[str, Any], delay: float) -> QueuedMessage:
        """Add a message that becomes visible after `delay` seconds."""
        md5 = hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
        message = QueuedMessage(str(uuid.uuid4()), body, attributes, time.time_ns() // 1_000_000, md5)
        self._messages[message.message_id] = message
        self._counts["delayed"] += 1
        self._hide(message, delay, "delayed")
        return message

    def receive(self, limit: int, visibility: float) -> list[QueuedMessage]:
        """Return up to `limit` visible messages, which then are in flight for `visibility` seconds."""
        self._show_due()
        # all are taken before one is handed out: a duplicate becomes visible again at once
        visible = (heapq.heappop(self._visible)[2] for _ in range(len(self._visible)))
        present = (message for message in visible if message.message_id in self._messages)
        popped = list(itertools.islice(present, limit))
        return [self._hand_out(message, visibility) for message in popped]

    def _hand_out(self, message: QueuedMessage, visibility: float) -> QueuedMessage:
        message.receive_count += 1
        message.first_received_ms = message.first_received_ms or time.time_ns() // 1_000_000
        message.handle = f"{message.message_id}#{message.receive_count}"
        twice = self.faults.strike(self.faults.duplicates)
        self._hide(message, 0 if twice else visibility, "in flight")
        return message

    async def wait(self, seconds: float) -> None:
        """Wait until a message may have become visible, for at most the given seconds."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        until_next = self._timers[0][0] - time.monotonic() if self._timers else inf
        with suppress(TimeoutError):
            await asyncio.wait_for(future, max(0.0, min(seconds, until_next)))

    def delete(self, handle: str) -> None:
        """Delete the message, if this is its newest handle; an older one has no effect, as in the real service."""
        message = self._messages.get(message_id_of(handle))
        lost = self.faults.strike(self.faults.lost_deletes)
        if message is not None and message.handle == handle and not lost:
            del self._messages[message.message_id]
            self._counts[message.state] -= 1

    def change_visibility(self, handle: str, seconds: float) -> bool:
        """Make the message visible after the given seconds; False if it is not in flight."""
        self._show_due()
        message = self._messages.get(message_id_of(handle))
        if message is None or message.state != "in flight":
            return False
        if message.handle == handle:
            self._hide(message, seconds, "in flight")
        return True

    def depth(self) -> Mapping[State, int]:
        """Count the messages in each state."""
        self._show_due()
        return self._counts

    def _hide(self, message: QueuedMessage, seconds: float, state: State) -> None:
        if seconds <= 0:
            self._show(message)
            return
        message.due = time.monotonic() + seconds
        self._move(message, state)
        heapq.heappush(self._timers, (message.due, next(self._order), message))

    def _show(self, message: QueuedMessage) -> None:
        """Make a message visible, and wake the receive that has waited longest."""
        message.due = 0.0
        self._move(message, "visible")
        number = next(self._order)
        draw = self.faults.draws.random
        rank = draw() * number if draw() < self.faults.shuffle else number
        heapq.heappush(self._visible, (rank, number, message))
        while self._waiting:
            future = self._waiting.popleft()
            # the future of a client that went away is done: to wake it would wake no receive
            if not future.done():
                future.set_result(None)
                break

    def _show_due(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            due, _, message = heapq.heappop(self._timers)
            if message.due == due and message.message_id in self._messages:
                self._show(message)

    def _move(self, message: QueuedMessage, state: State) -> None:
        self._counts[message.state] -= 1
        self._counts[state] += 1
        message.state = state


def message_id_of(handle: str) -> str:
    """Return the id of the message that a receipt handle was given out for."""
    return handle.partition("#")[0]
