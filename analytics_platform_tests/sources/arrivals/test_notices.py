"""What S3 announces names the sources whose folders are listed, and what is no such message holds up nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from analytics_platform.connectors.sqs import Queue, QueueError
from analytics_platform.settings import SettingsError, load_settings
from analytics_platform.sources.arrivals import notices
from analytics_platform.sources.arrivals.notices import Notices, delete_notices, receive_notices
from analytics_platform_tests.connectors.sqs.kit import DRAINED
from analytics_platform_tests.kit import Platform
from analytics_platform_tests.lake.s3_kit import NAME, Bucket, serve_faults
from analytics_platform_tests.names import CLICKSTREAM, WEB_LOGS
from analytics_platform_tests.sources.arrivals.notices_kit import (
    announce,
    notice,
    notice_of_eventbridge,
    notice_of_sns,
    open_on,
)

FOLDERS = (CLICKSTREAM, WEB_LOGS)
QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/landing"


@pytest.fixture
def queue(bucket: Bucket) -> Queue:
    return announce(bucket)


@pytest.fixture
def platform(tmp_path: Path, bucket: Bucket, queue: Queue) -> Platform:
    return open_on(tmp_path, bucket, queue)


def take(platform: Platform) -> Notices:
    """Receive what waits, and delete it."""
    found = receive_notices(FOLDERS, platform.settings)
    delete_notices(found, platform.settings)
    return found


def test_what_is_put_into_the_bucket_is_announced_as_of_its_source(
    platform: Platform, bucket: Bucket, queue: Queue
) -> None:
    bucket.put("clickstream/2026/03/sales of märz + april.csv", b"a")
    found = take(platform)
    assert (found.sources, found.warning) == ({CLICKSTREAM}, "")
    assert len(found.handles) == 2, "S3 sends a message when notifications are set up"
    assert queue.depth() == DRAINED


@pytest.mark.parametrize(
    "form",
    [
        notice,
        notice_of_eventbridge,
        lambda key: notice_of_sns(notice(key)),
        lambda key: notice_of_sns(notice_of_eventbridge(key)),
        lambda key: json.dumps(
            {"Records": [*json.loads(notice(key))["Records"], *json.loads(notice(f"{key}.2"))["Records"]]}
        ),
    ],
    ids=["S3", "EventBridge", "SNS", "EventBridge through SNS", "two records"],
)
def test_each_form_in_which_amazon_announces_an_object_names_its_source(
    form: Callable[[str], str], platform: Platform, bucket: Bucket, queue: Queue
) -> None:
    queue.send([form(f"{bucket.prefix}/web_logs/a b+c%20d.jsonl")])
    found = take(platform)
    assert (found.sources, found.warning) == ({WEB_LOGS}, "")


def test_a_key_is_decoded_once_and_only_where_s3_encoded_it(platform: Platform, bucket: Bucket, queue: Queue) -> None:
    odd = f"{bucket.prefix}/click%73tream/a.csv"
    queue.send([notice(odd), notice_of_eventbridge(odd)])
    found = take(platform)
    assert not found.sources and set(found.strange) == {f"s3://{NAME}/{odd}"}


HOSTILE = (
    "no JSON",
    "null",
    "[]",
    "7" * 5000,
    "[" * 100_000,
    json.dumps({"Records": []}),
    json.dumps({"Records": "x"}),
    json.dumps({"Records": [None, 1]}),
    json.dumps({"Records": [{"s3": {"bucket": {"name": 1}, "object": {"key": {}}}}]}),
    json.dumps({"detail-type": "Object Created", "detail": {"bucket": "shop"}}),
    notice_of_sns("no JSON"),
    notice_of_sns(notice_of_sns(notice("clickstream/a.csv"))),
)


def test_a_record_that_cannot_be_read_hides_none_beside_it(platform: Platform, bucket: Bucket, queue: Queue) -> None:
    take(platform)
    records = json.loads(notice(f"{bucket.prefix}/clickstream/a.csv"))["Records"]
    queue.send([json.dumps({"Records": [None, *records]})])
    found = take(platform)
    assert (found.sources, len(found.strange)) == ({CLICKSTREAM}, 1)


def test_what_is_no_notification_is_named_once_deleted_and_holds_up_no_other(
    platform: Platform, bucket: Bucket, queue: Queue
) -> None:
    take(platform)  # what S3 sends when notifications are set up
    queue.send([*HOSTILE, notice(f"{bucket.prefix}/clickstream/a.csv")])
    found = take(platform)
    assert found.sources == {CLICKSTREAM} and len(found.strange) == len(HOSTILE)
    assert found.warning.startswith(f"{len(HOSTILE)} notifications in LANDING_QUEUE_URL named nothing that is read")
    assert queue.depth() == DRAINED and not take(platform).warning


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("{}/payslips/a.csv", "{}/payslips/a.csv"),
        ("{}/a.csv", "{}/a.csv"),
        ("{}0/clickstream/a.csv", "{}0/clickstream/a.csv"),
        ("{}/../clickstream/a.csv", "{}/../clickstream/a.csv"),
        ("clickstream/a.csv", "clickstream/a.csv"),
        ("{}/\r\n\x1b[2Jgone/a.csv", r"{}/\r\n\x1b[2Jgone/a.csv"),
    ],
)
def test_an_object_that_no_source_reads_is_named_in_one_line(
    key: str, shown: str, platform: Platform, bucket: Bucket, queue: Queue
) -> None:
    queue.send([notice(key.format(bucket.prefix)), notice_of_eventbridge(f"{bucket.prefix}/clickstream/a", "other")])
    found = take(platform)
    assert not found.sources and f"s3://{NAME}/{shown.format(bucket.prefix)}" in found.warning
    assert f"s3://other/{bucket.prefix}/clickstream/a" in found.warning and found.warning.isprintable()
    assert queue.depth() == DRAINED


def test_an_empty_queue_is_asked_with_one_request(tmp_path: Path, bucket: Bucket, queue: Queue) -> None:
    take(open_on(tmp_path, bucket, queue))
    asked = list[str]()
    with serve_faults(bucket.endpoint, lambda method, path: asked.append(method)) as endpoint:
        platform = open_on(tmp_path, bucket, queue, queues=endpoint)
        assert take(platform) == Notices()
    assert asked == ["POST"]


def test_a_look_takes_all_that_waits(platform: Platform, bucket: Bucket, queue: Queue) -> None:
    queue.send(notice(f"{bucket.prefix}/clickstream/{number}.csv") for number in range(35))
    assert len(take(platform).handles) == 36 and queue.depth() == DRAINED


def test_a_message_that_names_a_source_with_work_to_do_stays_and_comes_again(
    platform: Platform, bucket: Bucket, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "HIDDEN_S", 0)
    monkeypatch.setattr(notices, "MOST_REQUESTS", 1)
    queue.send(notice(f"{bucket.prefix}/{name}/a.csv") for name in FOLDERS)
    delete_notices(receive_notices(FOLDERS, platform.settings), platform.settings, {WEB_LOGS})
    assert receive_notices(FOLDERS, platform.settings).sources == {WEB_LOGS}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"landing_queue_url": QUEUE}, r"LANDING_QUEUE_URL=\*\*\*: .*, set LANDING_URL too\.$"),
        ({"landing_queue_url": "landing", "landing_url": "s3://shop/in"}, "not an address, write https://"),
        (
            {"landing_queue_url": QUEUE, "landing_url": "s3://shop/in", "sqs_queue_url": f"{QUEUE}/"},
            "product events would be deleted there, choose another queue for notifications",
        ),
        (
            {
                "landing_queue_url": "http://127.0.0.1:9324/1/events",
                "landing_url": "s3://shop/in",
                "sqs_dlq_url": "http://localhost:9324/1/events",
            },
            "product events would be deleted there, choose another queue for notifications",
        ),
    ],
)
def test_a_queue_that_cannot_announce_files_is_refused(given: dict[str, str], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=sentence):
        load_settings(data_dir=tmp_path, **given)
    assert load_settings(data_dir=tmp_path, landing_queue_url=QUEUE, landing_url="s3://shop/in").landing_queue_url


def test_after_a_queue_has_refused_it_is_opened_anew_with_the_credentials_of_then(
    platform: Platform, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    expired = Queue("http://127.0.0.1:9/landing", "http://127.0.0.1:9")
    clients = iter([expired, queue])
    monkeypatch.setattr(notices, "client_of", lambda url, settings: next(clients))
    notices._queue.cache_clear()
    with pytest.raises(QueueError):
        receive_notices(FOLDERS, platform.settings)
    assert receive_notices(FOLDERS, platform.settings).handles
    notices._queue.cache_clear()
