"""A platform whose queues are on a local server that speaks SQS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from analytics_platform.connectors.sqs import Queue
from analytics_platform.demo.servers.sqs_server import Faults, serve
from analytics_platform_tests.connectors.sqs.kit import CREDENTIALS, create_queue
from analytics_platform_tests.kit import Platform, open_platform
from analytics_platform_tests.lake.s3_kit import bucket, served

__all__ = ["bucket", "served"]


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**CREDENTIALS, "AWS_MAX_ATTEMPTS": "1"}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def faults() -> Faults:
    """What goes wrong at the queue: nothing, until a test says otherwise."""
    return Faults()


@pytest.fixture
def endpoint(faults: Faults) -> Iterator[str]:
    with serve(faults) as url:
        yield url


@pytest.fixture
def queue(endpoint: str) -> Queue:
    return create_queue(endpoint, "events")


@pytest.fixture
def dead_letters(endpoint: str) -> Queue:
    return create_queue(endpoint, "events-rejected")


@pytest.fixture
def platform(tmp_path: Path, endpoint: str, queue: Queue) -> Platform:
    """A platform that drains the queue. It has no dead-letter queue."""
    return open_platform(tmp_path / "data", sqs_queue_url=queue.url, aws_endpoint_url=endpoint)


@pytest.fixture
def careful_platform(tmp_path: Path, endpoint: str, queue: Queue, dead_letters: Queue) -> Platform:
    """A platform that copies rejected messages to a dead-letter queue."""
    return open_platform(
        tmp_path / "data", sqs_queue_url=queue.url, sqs_dlq_url=dead_letters.url, aws_endpoint_url=endpoint
    )
