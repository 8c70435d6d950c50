"""A bucket of moto that announces its objects in a queue, and messages as Amazon documents them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote_plus

import boto3

from analytics_platform.connectors.sqs import Queue
from analytics_platform.sources.registry import SOURCES
from analytics_platform_tests.kit import Platform, click, open_platform, to_csv
from analytics_platform_tests.lake.s3_kit import NAME, REGION, Bucket, serve_faults

ROWS = to_csv([click("ada", "2026-03-01T10:00:00+00:00")]).encode()
FOLDERS = [source.name for source in SOURCES.values() if source.format.suffixes]


def announce(bucket: Bucket) -> Queue:
    """Let the bucket send what is put below its prefix to a new queue, as an administrator sets it up."""
    client = boto3.client("sqs", REGION, endpoint_url=bucket.endpoint)
    url = client.create_queue(QueueName=bucket.prefix.replace("/", "-"))["QueueUrl"]
    arn = client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    rule = {"Name": "prefix", "Value": f"{bucket.prefix}/"}
    sent = {"QueueArn": arn, "Events": ["s3:ObjectCreated:*"], "Filter": {"Key": {"FilterRules": [rule]}}}
    bucket.client.put_bucket_notification_configuration(
        Bucket=NAME, NotificationConfiguration={"QueueConfigurations": [sent]}
    )
    return Queue(url, bucket.endpoint, REGION)


def open_on(folder: Path, bucket: Bucket, queue: Queue, endpoint: str = "", queues: str = "") -> Platform:
    """A platform whose files arrive in the bucket and are announced in the queue; endpoints of S3 and SQS."""
    return open_platform(
        folder,
        landing_url=bucket.url,
        landing_queue_url=queue.url,
        aws_endpoint_url=queues or bucket.endpoint,
        aws_endpoint_url_s3=endpoint or bucket.endpoint,
        aws_default_region=REGION,
    )


@contextmanager
def counted(folder: Path, bucket: Bucket, queue: Queue) -> Iterator[tuple[Platform, Counter[str]]]:
    """A platform whose requests are counted: those to the queue, those that list the bucket, those for an object."""
    asked = Counter[str]()

    def note(method: str, path: str) -> None:
        asked["queue" if method == "POST" else "list" if "list-type" in path else "object"] += 1

    with serve_faults(bucket.endpoint, note) as endpoint:
        yield open_on(folder, bucket, queue, endpoint, endpoint), asked


def notice(key: str, bucket: str = NAME) -> str:
    """A message of S3, which writes a blank in a key as `+`, and a slash as it is."""
    of_bucket = {"name": bucket, "ownerIdentity": {"principalId": "A3NL1KOZZKExample"}, "arn": f"arn:aws:s3:::{bucket}"}
    an_object = {
        "key": quote_plus(key, "/"),
        "size": 1024,
        "eTag": "d41d8cd98f00b204e9800998ecf8427e",
        "sequencer": "0055AED6DCD90281E5",
    }
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": REGION,
        "eventTime": "2026-03-01T10:00:00.000Z",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "AIDAJDPLRKLG7UEXAMPLE"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810", "x-amz-id-2": "FMyUVURIY8/IgAtTv8xRjskZQpcIZ9KG"},
        "s3": {"s3SchemaVersion": "1.0", "configurationId": "landing", "bucket": of_bucket, "object": an_object},
    }
    return json.dumps({"Records": [record]})


def notice_of_sns(text: str) -> str:
    """A message of a topic of SNS that S3 sends to."""
    return json.dumps(
        {
            "Type": "Notification",
            "MessageId": "63a3f6b6-d533-4a47-aef9-fcf5cf758c76",
            "TopicArn": f"arn:aws:sns:{REGION}:123456789012:landing",
            "Subject": "Amazon S3 Notification",
            "Message": text,
            "Timestamp": "2026-03-01T10:00:00.000Z",
            "SignatureVersion": "1",
        }
    )


def notice_of_eventbridge(key: str, bucket: str = NAME) -> str:
    """A message of a rule of EventBridge, which writes the key as it is."""
    detail = {
        "version": "0",
        "bucket": {"name": bucket},
        "object": {"key": key, "size": 5, "etag": "b1946ac92492d2347c6235b4d2611184", "sequencer": "617f08299329d189"},
        "request-id": "N4N7GDK58NMKJ12R",
        "requester": "123456789012",
        "source-ip-address": "1.2.3.4",
        "reason": "PutObject",
    }
    return json.dumps(
        {
            "version": "0",
            "id": "17793124-05d4-b198-2fde-7ededc63b103",
            "detail-type": "Object Created",
            "source": "aws.s3",
            "account": "111122223333",
            "time": "2026-03-01T10:00:00Z",
            "region": REGION,
            "resources": [f"arn:aws:s3:::{bucket}"],
            "detail": detail,
        }
    )
