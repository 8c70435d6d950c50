"""The sensors in a Dagster instance: what they look at, what they start, and what they do when they cannot look."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from analytics_platform.connectors.sqs import Queue, QueueError
from analytics_platform.demo.servers.start import start_queue
from analytics_platform.orchestration.jobs import INGEST, REBUILD
from analytics_platform.orchestration.sensors import RANGE_END, RANGE_START, SENSOR, build_sensors
from analytics_platform.settings import load_settings
from analytics_platform_tests.kit import Platform, click, load_rows, open_platform, to_csv

AT = dt.datetime(2024, 3, 1, 10, tzinfo=dt.UTC)


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return open_platform(tmp_path)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    with start_queue() as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield Queue(environment["SQS_QUEUE_URL"], environment["AWS_ENDPOINT_URL"])


def look(name: str, platform: Platform, instance: dg.DagsterInstance, cursor: str | None = None) -> dg.SensorResult:
    (sensor,) = (found for found in build_sensors(platform.settings, platform.lake) if found.name == name)
    found = sensor(dg.build_sensor_context(instance, cursor=cursor))
    assert isinstance(found, dg.SensorResult)
    return found


def at_the_queue(platform: Platform) -> Platform:
    """The platform with the settings of the environment."""
    return Platform(load_settings(data_dir=platform.settings.data_dir), platform.lake, platform.warehouse)


def starting_run(instance: dg.DagsterInstance, job: str, sensor: str) -> None:
    instance.add_run(
        dg.DagsterRun(job_name=job, run_id=f"run-{sensor}", status=dg.DagsterRunStatus.STARTED, tags={SENSOR: sensor})
    )


def test_a_new_file_starts_the_intake_of_its_source_once(platform: Platform, instance: dg.DagsterInstance) -> None:
    assert not look("clickstream_files", platform, instance).run_requests
    (platform.landing / "a.csv").write_text(to_csv([click("ada", AT)]), "utf-8")

    found = look("clickstream_files", platform, instance)

    (request,) = found.run_requests or ()
    assert request.job_name == INGEST
    assert request.asset_selection == [dg.AssetKey([layer, "clickstream"]) for layer in ("raw", "cleaned")]
    assert not look("clickstream_files", platform, instance, found.cursor).run_requests


def test_a_file_that_is_still_written_and_one_that_is_hidden_start_nothing(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    for name in (".a.csv", "a.csv.part", "a.csv.tmp"):
        (platform.landing / name).write_text(to_csv([click("ada", AT)]), "utf-8")
    assert not look("clickstream_files", platform, instance).run_requests


def test_messages_in_the_queue_start_a_drain_unless_one_is_going_on(
    platform: Platform, queue: Queue, instance: dg.DagsterInstance
) -> None:
    platform = at_the_queue(platform)
    assert not look("ecommerce_events_sqs_queue", platform, instance).run_requests
    queue.send(["{}"])
    assert len(look("ecommerce_events_sqs_queue", platform, instance).run_requests or ()) == 1
    starting_run(instance, INGEST, "ecommerce_events_sqs_queue")
    assert not look("ecommerce_events_sqs_queue", platform, instance).run_requests


def test_a_queue_that_cannot_be_looked_at_is_not_an_empty_one(
    platform: Platform, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "local")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    settings = load_settings(
        data_dir=platform.settings.data_dir,
        sqs_queue_url="http://127.0.0.1:9/1/events",
        aws_endpoint_url="http://127.0.0.1:9",
    )
    with pytest.raises(QueueError, match=r"127\.0\.0\.1:9"):
        look("ecommerce_events_sqs_queue", Platform(settings, platform.lake, platform.warehouse), instance)


def test_without_a_queue_the_sensor_says_which_setting_is_missing(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    # Once, the environment of the process still had the address of another test's queue.
    settings = platform.settings.model_copy(update={"sqs_queue_url": ""})
    without = Platform(settings, platform.lake, platform.warehouse)
    assert "SQS_QUEUE_URL" in str(look("ecommerce_events_sqs_queue", without, instance).skip_reason)


def test_loaded_events_have_their_days_built_once(platform: Platform, instance: dg.DagsterInstance) -> None:
    assert not look("touched_days", platform, instance).run_requests
    with platform.session() as session:
        load_rows(platform, session, [click("ada", AT), click("ada", AT + dt.timedelta(days=9))])

    found = look("touched_days", platform, instance)

    (request,) = found.run_requests or ()
    assert request.job_name == REBUILD
    # Windows reach days before the first event too, but there is nothing to build.
    assert (request.tags[RANGE_START], request.tags[RANGE_END]) == ("2024-03-01", "2024-03-10")
    assert not look("touched_days", platform, instance, found.cursor).run_requests
    assert look("touched_days", platform, instance).run_requests == found.run_requests, "a cursor that was reset"


def test_a_late_event_touches_the_days_just_before_it_and_those_that_look_back_at_it(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    with platform.session() as session:
        load_rows(platform, session, [click("ada", AT + dt.timedelta(days=shift)) for shift in range(99)])
    cursor = look("touched_days", platform, instance).cursor
    with platform.session() as session:
        load_rows(platform, session, [click("bob", AT + dt.timedelta(days=20))], "late.csv")
    # A visit may begin the evening before, and is paired with the shop's orders of two days around it; an order is
    # known for 30 days and to other clients of its user a day longer, and 30 days after it credits a channel.
    (request,) = look("touched_days", platform, instance, cursor).run_requests or ()
    assert (request.tags[RANGE_START], request.tags[RANGE_END]) == ("2024-03-18", "2024-05-21")


def test_days_are_not_built_twice_at_once(platform: Platform, instance: dg.DagsterInstance) -> None:
    with platform.session() as session:
        load_rows(platform, session, [click("ada", AT)])
    starting_run(instance, REBUILD, "touched_days")
    assert not look("touched_days", platform, instance).run_requests


@pytest.mark.parametrize("automation", [False, True])
def test_whether_sensors_run_from_the_start_is_a_setting(automation: bool, tmp_path: Path) -> None:
    platform = open_platform(tmp_path, automation=automation)
    running = {sensor.default_status for sensor in build_sensors(platform.settings, platform.lake)}
    assert running == {dg.DefaultSensorStatus.RUNNING if automation else dg.DefaultSensorStatus.STOPPED}
