"""The fast lane and files that S3 announces: it asks the queue, and lists what is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from analytics_platform.connectors.sqs import Queue
from analytics_platform.orchestration.build import build_definitions
from analytics_platform.orchestration.follow import lane as lane_module
from analytics_platform.orchestration.follow.lane import Lane
from analytics_platform.orchestration.jobs import FOLLOW
from analytics_platform.sources.arrivals.notices import LIST_AFTER
from analytics_platform_tests.connectors.sqs.kit import DRAINED
from analytics_platform_tests.kit import Platform
from analytics_platform_tests.lake.s3_kit import Bucket
from analytics_platform_tests.names import CLICKSTREAM
from analytics_platform_tests.sources.arrivals.notices_kit import FOLDERS, ROWS, announce, counted


@pytest.fixture
def queue(bucket: Bucket) -> Queue:
    return announce(bucket)


class Looks:
    """A lane that only looks for files, what it says, and its requests."""

    def __init__(self, platform: Platform, asked: Counter[str], instance: dg.DagsterInstance) -> None:
        self.platform, self.asked = platform, asked
        self.said: list[Any] = []
        job = build_definitions(platform.settings).resolve_job_def(FOLLOW)
        self._lane = Lane(job, instance, platform.settings, self.said.append)

    def look(self) -> None:
        self._lane._look_for_files()

    def let_time_pass(self) -> None:
        self._lane._list_at -= LIST_AFTER.total_seconds()

    @property
    def landed(self) -> list[str]:
        return sorted(batch.name for batch in self.platform.lake.batches(CLICKSTREAM))


@pytest.fixture
def looks(tmp_path: Path, bucket: Bucket, queue: Queue) -> Iterator[Looks]:
    with counted(tmp_path, bucket, queue) as (platform, asked), dg.DagsterInstance.ephemeral() as instance:
        yield Looks(platform, asked, instance)


def test_a_lane_lists_all_folders_once_and_then_what_is_announced(looks: Looks, bucket: Bucket, queue: Queue) -> None:
    bucket.put("clickstream/before.csv", ROWS)
    looks.look()
    assert looks.landed == ["before.csv"] and not looks.asked["queue"]
    looks.look()  # the message of before.csv, and the one that S3 sends when notifications are set up
    looks.asked.clear()
    for _ in range(3):
        looks.look()
    assert looks.asked == {"queue": 3}
    bucket.put("clickstream/after.csv", ROWS.replace(b"ada", b"bob"))
    bucket.put("payslips/a.csv", b"")
    looks.look()
    assert looks.landed == ["after.csv", "before.csv"] and queue.depth() == DRAINED
    assert looks.asked["list"] == 2, "to see that something is new, and to land it"
    (warning,) = looks.said
    assert warning["event"] == "warning" and f"{bucket.url}/payslips/a.csv" in warning["reason"]


def test_a_lane_finds_a_file_of_which_no_message_came_when_it_lists_all_folders(looks: Looks, bucket: Bucket) -> None:
    looks.look()
    bucket.client.put_bucket_notification_configuration(Bucket="shop", NotificationConfiguration={})
    bucket.put("clickstream/lost.csv", ROWS)
    looks.look()
    assert not looks.landed and looks.asked["list"] == len(FOLDERS)
    looks.let_time_pass()
    looks.look()
    assert looks.landed == ["lost.csv"]


def test_a_message_stays_until_its_file_is_in_the_lake(
    looks: Looks, bucket: Bucket, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(Exception):
        """The process ends."""

    def end(*_: object) -> None:
        raise KilledError

    looks.look()
    bucket.put("clickstream/a.csv", ROWS)
    with monkeypatch.context() as patch, pytest.raises(KilledError):
        patch.setattr(lane_module, "land_files", end)
        looks.look()
    assert queue.depth().in_flight == 2 and not looks.landed
