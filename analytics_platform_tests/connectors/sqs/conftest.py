from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import pytest

from analytics_platform.connectors.sqs import Message, Queue
from analytics_platform.demo.servers.sqs_server import Faults, serve
from analytics_platform_tests.connectors.sqs.kit import CREDENTIALS, create_queue
from analytics_platform_tests.moto_server import serve_moto

NewQueue: TypeAlias = Callable[..., Queue]


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    with serve_moto() as url:
        yield url


@pytest.fixture
def faults() -> Faults:
    """What goes wrong at the local queue: nothing, until a test says otherwise."""
    return Faults()


@pytest.fixture
def local(faults: Faults) -> Iterator[str]:
    with serve(faults) as url:
        yield url


@pytest.fixture(params=["local", "moto"])
def new_queue(request: pytest.FixtureRequest) -> NewQueue:
    """Creates queues on our own server and on moto: what is promised must be kept on both."""
    endpoint: str = request.getfixturevalue(request.param)
    return lambda **attributes: create_queue(endpoint, f"queue-{uuid.uuid4().hex[:8]}", attributes)


@pytest.fixture
def queue(new_queue: NewQueue) -> Queue:
    return new_queue()


@pytest.fixture
def local_queue(local: str) -> Queue:
    return create_queue(local, "events")


class Shelf:
    """A store that keeps batches in memory."""

    def __init__(self) -> None:
        self.batches: list[Sequence[Message]] = []

    def __call__(self, messages: Sequence[Message]) -> None:
        self.batches.append(messages)

    @property
    def bodies(self) -> list[str]:
        return sorted(message.body for batch in self.batches for message in batch)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()
