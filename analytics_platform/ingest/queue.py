"""Messages: from the queue into the lake. A message is deleted only once it is in the lake, on the disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from analytics_platform.connectors.sqs import Drained, Message, Queue, drain, redrive, send_copies
from analytics_platform.gate import encode_messages
from analytics_platform.ingest.load import judge_batch
from analytics_platform.ingest.sources import ECOMMERCE_EVENTS
from analytics_platform.lake import Batch, FolderLake
from analytics_platform.settings import Settings, SettingsError

LONGEST_COPY = (1 << 20) - (8 << 10)
"""Bytes of a refused message, with its attributes, that is copied: a queue takes 1 MiB, and the reason goes with it."""


def queue_of(settings: Settings) -> Queue:
    """The queue of product events that the settings name. Raises `SettingsError` if they name none."""
    if not settings.sqs_queue_url:
        raise SettingsError("SQS_QUEUE_URL is not set: give the address of the queue.")
    return Queue(settings.sqs_queue_url, settings.aws_endpoint_url or None)


def dead_letters_of(settings: Settings) -> Queue | None:
    """The queue for copies of refused messages, if there is one."""
    return Queue(settings.sqs_dlq_url, settings.aws_endpoint_url or None) if settings.sqs_dlq_url else None


def drain_queue(
    settings: Settings,
    lake: FolderLake,
    max_messages: int,
    max_seconds: float,
    on_progress: Callable[[int], None] = lambda messages: None,
) -> Drained:
    """Move what waits in the queue into the lake, at most so many messages or for so long.

    Messages that the gate refuses are copied to the dead-letter queue, with the reason, before they are deleted: what
    is undecodable never blocks the queue. One too long for a queue to take it with a reason is in quarantine only, with
    all others. Raises `QueueError`.
    """
    queue, dead_letters = queue_of(settings), dead_letters_of(settings)

    def store(messages: Sequence[Message]) -> None:
        batch = put_messages(lake, queue.name, messages)
        if dead_letters is not None:
            refused = [(messages[place - 1], reason) for place, reason in _refusals(batch, settings).items()]
            send_copies(dead_letters, [entry for entry in refused if _size(entry[0]) <= LONGEST_COPY])

    return drain(
        queue,
        store,
        max_messages=max_messages,
        max_seconds=max_seconds,
        on_progress=lambda drained: on_progress(drained.received),
    )


def _size(message: Message) -> int:
    return len("".join((message.body, *message.attributes, *message.attributes.values())).encode(errors="replace"))


def put_messages(lake: FolderLake, queue_name: str, messages: Sequence[Message]) -> Batch:
    """Store messages as one batch of the lake; when this returns they are on the disk."""
    rows = [
        {
            "message_id": message.message_id,
            "body": message.body,
            "sent_at": message.sent_at,
            "receive_count": message.receive_count,
            "attributes": json.dumps(dict(message.attributes), sort_keys=True),
        }
        for message in messages
    ]
    return lake.put_bytes(ECOMMERCE_EVENTS, queue_name, ".parquet", encode_messages(rows))


def _refusals(batch: Batch, settings: Settings) -> dict[int, str]:
    """Place in the batch → reason, for the messages that the gate refuses."""
    refused = [verdict.refused for verdict in judge_batch(batch, settings)]
    return {
        place: reason for frame in refused for place, reason in frame.select("position", "error_reason").iter_rows()
    }


def redrive_messages(settings: Settings, max_messages: int | None) -> int:
    """Send the copies in the dead-letter queue back to the queue; returns how many. Raises `QueueError`."""
    dead_letters = dead_letters_of(settings)
    if dead_letters is None:
        raise SettingsError("SQS_DLQ_URL is not set: give the address of the dead-letter queue.")
    return redrive(dead_letters, queue_of(settings), max_messages)
