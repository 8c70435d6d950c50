"""The sensor that loads what S3 announces: it lists no folder without need, and no file waits for ever."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from analytics_platform.connectors.sqs import Queue, QueueError
from analytics_platform.orchestration.follow.state import only_lane
from analytics_platform.orchestration.jobs import INGEST
from analytics_platform.orchestration.sensors import SENSOR, Listed, build_sensors
from analytics_platform.sources.arrivals import notices
from analytics_platform.sources.arrivals.files import land_files
from analytics_platform.sources.arrivals.notices import LIST_AFTER
from analytics_platform.sources.registry import SOURCES
from analytics_platform_tests.connectors.sqs.kit import DRAINED
from analytics_platform_tests.kit import Platform
from analytics_platform_tests.lake.s3_kit import Bucket
from analytics_platform_tests.names import CLICKSTREAM, WEB_LOGS
from analytics_platform_tests.sources.arrivals.notices_kit import FOLDERS, ROWS, announce, counted, open_on


@pytest.fixture
def queue(bucket: Bucket) -> Queue:
    return announce(bucket)


@pytest.fixture
def platform(tmp_path: Path, bucket: Bucket, queue: Queue) -> Platform:
    return open_on(tmp_path, bucket, queue)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def look(platform: Platform, instance: dg.DagsterInstance, cursor: str | None) -> dg.SensorResult:
    (sensor,) = (each for each in build_sensors(platform.settings, platform.lake) if each.name == "landed_files")
    found = sensor(dg.build_sensor_context(instance, cursor=cursor))
    assert isinstance(found, dg.SensorResult)
    return found


def just_listed(**tried: str) -> str:
    return Listed(at=dt.datetime.now(dt.UTC), tried=tried).model_dump_json()


def requested(found: dg.SensorResult) -> list[str]:
    """The sources whose runs are requested."""
    return [str((each.asset_selection or ())[0].path[-1]) for each in found.run_requests or ()]


def run_of(instance: dg.DagsterInstance, status: dg.DagsterRunStatus) -> dg.DagsterRun:
    tags = {SENSOR: f"{CLICKSTREAM}_files"}
    return instance.add_run(dg.DagsterRun(job_name=INGEST, run_id="a-run", status=status, tags=tags))


def test_with_a_queue_one_sensor_stands_for_those_of_all_folders(platform: Platform) -> None:
    names = [sensor.name for sensor in build_sensors(platform.settings, platform.lake)]
    assert "landed_files" in names and not {f"{name}_files" for name in FOLDERS}.intersection(names)
    without = platform.settings.model_copy(update={"landing_queue_url": ""})
    names = [sensor.name for sensor in build_sensors(without, platform.lake)]
    assert "landed_files" not in names and {f"{name}_files" for name in FOLDERS}.issubset(names)


def test_a_file_that_s3_announces_is_loaded_and_its_message_deleted_after_that(
    platform: Platform, bucket: Bucket, queue: Queue, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "HIDDEN_S", 1)
    cursor = look(platform, instance, just_listed()).cursor  # what S3 sends when notifications are set up
    assert queue.depth() == DRAINED
    bucket.put("clickstream/2026/sales of march.csv", ROWS)

    found = look(platform, instance, cursor)

    (request,) = found.run_requests or ()
    assert request.job_name == INGEST and request.tags[SENSOR] == f"{CLICKSTREAM}_files"
    assert request.asset_selection == [dg.AssetKey([layer, CLICKSTREAM]) for layer in ("raw", "cleaned")]
    assert queue.depth() != DRAINED, "the request is not stored yet"
    land_files(SOURCES[CLICKSTREAM], platform.settings, platform.lake)  # the run
    _wait_until_visible(queue)
    assert not look(platform, instance, found.cursor).run_requests and queue.depth() == DRAINED


def test_after_a_crash_between_look_and_request_the_same_run_is_requested(
    platform: Platform, bucket: Bucket, queue: Queue, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "HIDDEN_S", 1)
    bucket.put("clickstream/a.csv", ROWS)
    cursor = just_listed()
    found = look(platform, instance, cursor)
    _wait_until_visible(queue)
    assert look(platform, instance, cursor).run_requests == found.run_requests != []


def _wait_until_visible(queue: Queue) -> None:
    deadline = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=20)
    while not queue.depth().visible:
        assert dt.datetime.now(dt.UTC) < deadline


def test_exactly_the_sources_are_loaded_whose_objects_are_named(
    tmp_path: Path, bucket: Bucket, instance: dg.DagsterInstance
) -> None:
    bucket.put("ga4_events/unannounced.jsonl", b"{}")
    queue = announce(bucket)
    bucket.put("clickstream/a.csv", ROWS)
    bucket.put("clickstream/b.csv", ROWS)
    bucket.put("web_logs/a.jsonl", b'{"a": 1}\n')
    bucket.put("payslips/a.csv", b"")
    found = look(open_on(tmp_path, bucket, queue), instance, just_listed())
    assert requested(found) == [CLICKSTREAM, WEB_LOGS]
    assert len({each.run_key for each in found.run_requests or ()}) == 2


def test_while_nothing_is_announced_no_folder_is_listed_and_the_queue_asked_once_a_look(
    tmp_path: Path, bucket: Bucket, queue: Queue, instance: dg.DagsterInstance
) -> None:
    cursor = look(open_on(tmp_path, bucket, queue), instance, just_listed()).cursor
    with counted(tmp_path, bucket, queue) as (platform, asked):
        for _ in range(3):
            found = look(platform, instance, cursor)
            assert found.skip_reason and "nothing is announced" in str(found.skip_reason)
        assert asked == {"queue": 3}
        bucket.put("clickstream/a.csv", ROWS)
        assert requested(look(platform, instance, cursor)) == [CLICKSTREAM]
    assert asked["list"] == 1 and asked["object"] == 2


def test_a_file_of_which_no_message_came_is_found_when_all_folders_are_listed(
    tmp_path: Path, bucket: Bucket, queue: Queue, instance: dg.DagsterInstance
) -> None:
    bucket.client.put_bucket_notification_configuration(Bucket="shop", NotificationConfiguration={})
    bucket.put("clickstream/a.csv", ROWS)
    now = dt.datetime.now(dt.UTC)
    with counted(tmp_path, bucket, queue) as (platform, asked):
        early = Listed(at=now - LIST_AFTER + dt.timedelta(minutes=1)).model_dump_json()
        assert not look(platform, instance, early).run_requests and not asked["list"]
        for at in (now - LIST_AFTER, now + dt.timedelta(days=400), None):  # also after a clock was wrong
            found = look(platform, instance, Listed(at=at).model_dump_json())
            assert requested(found) == [CLICKSTREAM]
            assert now <= (Listed.model_validate_json(found.cursor or "").at or now) <= dt.datetime.now(dt.UTC)


@pytest.mark.parametrize("cursor", [None, "", "no JSON", '{"at": 7, "tried": []}', '{"at": "2026-03-01T10:00:00"}'])
def test_a_cursor_that_is_lost_or_damaged_has_all_folders_listed(
    cursor: str | None, platform: Platform, bucket: Bucket, instance: dg.DagsterInstance
) -> None:
    bucket.put("clickstream/a.csv", ROWS)
    assert requested(look(platform, instance, cursor)) == [CLICKSTREAM]


def test_a_queue_that_is_away_fails_the_look_and_folders_are_listed_all_the_same(
    tmp_path: Path, bucket: Bucket, queue: Queue, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    bucket.put("clickstream/a.csv", ROWS)
    platform = open_on(tmp_path, bucket, queue, queues="http://127.0.0.1:9")
    with pytest.raises(QueueError, match=r"cannot be reached at http://127\.0\.0\.1:9"):
        look(platform, instance, just_listed())
    assert requested(look(platform, instance, None)) == [CLICKSTREAM]


def test_messages_that_cannot_be_deleted_keep_nothing_from_being_loaded(
    platform: Platform, bucket: Bucket, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deny(queue: Queue, handles: object) -> None:
        raise QueueError("The queue denies DeleteMessageBatch.")

    monkeypatch.setattr(Queue, "delete", deny)
    bucket.put("clickstream/a.csv", ROWS)
    bucket.put("payslips/a.csv", b"")
    assert requested(look(platform, instance, just_listed())) == [CLICKSTREAM]


def test_while_a_run_goes_on_or_a_lane_follows_nothing_is_asked_and_nothing_lost(
    tmp_path: Path, bucket: Bucket, queue: Queue, instance: dg.DagsterInstance
) -> None:
    bucket.put("clickstream/a.csv", ROWS)
    with counted(tmp_path, bucket, queue) as (platform, asked):
        cursor = just_listed()
        with only_lane(platform.settings):
            assert "follow" in str(look(platform, instance, cursor).skip_reason)
        run = run_of(instance, dg.DagsterRunStatus.STARTED)
        found = look(platform, instance, cursor)
        assert found.cursor == cursor and not asked
        instance.report_run_canceled(run)
        assert requested(look(platform, instance, cursor)) == [CLICKSTREAM]


def test_a_source_whose_run_failed_waits_and_keeps_its_message_and_no_other_source_waits(
    platform: Platform, bucket: Bucket, queue: Queue, instance: dg.DagsterInstance
) -> None:
    run_of(instance, dg.DagsterRunStatus.FAILURE)
    cursor = look(platform, instance, just_listed()).cursor
    bucket.put("clickstream/a.csv", ROWS)
    bucket.put("web_logs/a.jsonl", b'{"a": 1}\n')
    found = look(platform, instance, cursor)
    assert requested(found) == [WEB_LOGS] and queue.depth().in_flight == 2
    found = look(platform, instance, None)
    assert requested(found) == [WEB_LOGS] and not Listed.model_validate_json(found.cursor or "").at, (
        "it is listed again"
    )


def test_a_bad_file_is_tried_once_then_named_and_its_message_deleted(
    platform: Platform, bucket: Bucket, queue: Queue, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "HIDDEN_S", 1)
    bucket.put("clickstream/bad.csv", b"a,b\n1,2\n")
    found = look(platform, instance, just_listed())
    assert requested(found) == [CLICKSTREAM]
    _wait_until_visible(queue)
    again = look(platform, instance, found.cursor)
    assert not again.run_requests and queue.depth() == DRAINED
    assert f"Rejected: {bucket.url}/clickstream/bad.csv: " in str(again.skip_reason)
