"""Queues to test with."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import boto3

from analytics_platform.connectors.sqs import Depth, Queue

CREDENTIALS: Mapping[str, str] = MappingProxyType(
    {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "not-a-secret",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
)
"""What boto3 wants to see in the environment; local servers check none of it."""

DRAINED = Depth(visible=0, in_flight=0, delayed=0)


def create_queue(endpoint: str, name: str, attributes: Mapping[str, str] | None = None) -> Queue:
    """A new queue at a local endpoint."""
    client = boto3.client("sqs", endpoint_url=endpoint)
    return Queue(client.create_queue(QueueName=name, Attributes=dict(attributes or {}))["QueueUrl"], endpoint)


def numbered(count: int) -> list[str]:
    """Bodies that sort in the order they are made."""
    return [f"message {number:05}" for number in range(count)]
