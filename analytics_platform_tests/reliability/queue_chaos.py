"""Consumers of one queue that are killed again and again, at a queue that does everything wrong a queue may do.

What a consumer does with the messages is up to the caller: `run_chaos` takes a function that drains the queue once into
something durable, and runs it in separate processes.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeAlias
from unittest.mock import patch

from analytics_platform.connectors.sqs import Depth, Queue
from analytics_platform.demo.servers.sqs_server import Faults, serve_in_process
from analytics_platform_tests.connectors.sqs.kit import CREDENTIALS, DRAINED, create_queue

Consume: TypeAlias = Callable[[Queue, Path], None]
"""Drains the queue once into a folder; a function of a module, for it is run in another process."""

SENDERS = 4
PATIENCE = 60
"""Seconds a consumer may take to start or, left alone, to drain the queue."""


@dataclass(frozen=True, slots=True)
class Chaos:
    """How many of the consumers run at once, how often the first is killed, and how long (s) it works until then."""

    seed: int
    kills: int = 15
    consumers: int = 2
    works_for: tuple[float, float] = (0.0, 0.4)

    def faults(self) -> Faults:
        """The faults of the queue during the run."""
        faults = Faults(self.seed, shuffle=1.0, duplicates=0.03, empty_receives=0.03)
        faults.failed_entries, faults.lost_deletes, faults.server_errors = 0.01, 0.01, 0.002
        return faults


@dataclass(frozen=True, slots=True)
class Outcome:
    """How often a consumer was killed at work, and what is left in the queue."""

    kills: int
    left: Depth


class Consumer:
    """A process that drains the queue once."""

    def __init__(self, consume: Consume, queue: Queue, endpoint: str, folder: Path) -> None:
        context = multiprocessing.get_context("forkserver")
        self._own = consume, queue, endpoint, folder
        self._started, started = context.Pipe(duplex=False)
        self._process = context.Process(target=_consume, args=(consume, queue.url, endpoint, folder, started))
        self._process.start()
        started.close()

    def again(self) -> Consumer:
        """A new process that does the same."""
        return Consumer(*self._own)

    def ended(self) -> bool:
        """Whether it is gone; it may not have failed."""
        code = self._process.exitcode
        assert code in (None, 0, -signal.SIGKILL), f"a consumer ended with {code}"
        return code is not None

    def kill_at_work(self, after: float) -> bool:
        """Kill it some seconds after it began to work; False if it was done before."""
        assert self._started.poll(PATIENCE), "a consumer did not start"
        self._process.join(after)
        self._process.kill()
        self._process.join(PATIENCE)
        return self._process.exitcode == -signal.SIGKILL

    def wait(self) -> None:
        """Let it drain the queue."""
        self._process.join(PATIENCE)
        assert self.ended(), "a consumer did not end"

    def close(self) -> None:
        """End it, however it is."""
        self._process.kill()
        self._process.join()


def _consume(consume: Consume, url: str, endpoint: str, folder: Path, started: Connection) -> None:
    os.environ.update(CREDENTIALS)
    queue = Queue(url, endpoint)
    started.send_bytes(b"!")
    consume(queue, folder)


def run_chaos(consume: Consume, folder: Path, bodies: Sequence[str], chaos: Chaos) -> Outcome:
    """Send the messages in as many parts as there are kills, kill the first consumer during each, drain the rest."""
    draws, kills = random.Random(chaos.seed), 0
    with patch.dict(os.environ, CREDENTIALS), serve_in_process(chaos.faults()) as endpoint:
        queue = create_queue(endpoint, "events")
        crew = [Consumer(consume, queue, endpoint, folder) for _ in range(chaos.consumers)]
        try:
            for part in _parts(bodies, chaos.kills):
                with _sending(queue, part):
                    kills += crew[0].kill_at_work(draws.uniform(*chaos.works_for))
                    _replace_ended(crew)
            return Outcome(kills, _drain_rest(crew, queue))
        finally:
            for consumer in crew:
                consumer.close()


@contextmanager
def _sending(queue: Queue, bodies: Sequence[str]) -> Iterator[None]:
    """Send in the background, with several senders."""
    with ThreadPoolExecutor(SENDERS) as pool:
        sent = [pool.submit(queue.send, part) for part in _parts(bodies, SENDERS)]
        yield
        assert sum(future.result() for future in sent) == len(bodies)


def _parts(bodies: Sequence[str], count: int) -> list[Sequence[str]]:
    return [bodies[number::count] for number in range(count)]


def _replace_ended(crew: list[Consumer]) -> None:
    crew[:] = [consumer.again() if consumer.ended() else consumer for consumer in crew]


def _drain_rest(crew: list[Consumer], queue: Queue) -> Depth:
    end = time.monotonic() + PATIENCE
    while (left := queue.depth()) != DRAINED and time.monotonic() < end:
        _replace_ended(crew)
        for consumer in crew:
            consumer.wait()
    return left
