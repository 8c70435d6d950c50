"""Messages: from the queue into the lake. A message is deleted only once it is in the lake, on the disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from analytics_platform.errors import count
from analytics_platform.lake import Batch, Lake
from analytics_platform.progress import progress_bar
from analytics_platform.settings import Settings, SettingsError
from analytics_platform.sources.arrivals.parquet import encode_table
from analytics_platform.sources.source import Connect, CountedArrival, Say, Source

if TYPE_CHECKING:  # botocore takes longer to import than `status` to answer: only what asks a queue does it
    from analytics_platform.connectors.sqs import Drained, Message, Queue

LONGEST_COPY = (1 << 20) - (8 << 10)
"""Bytes of a rejected message, with its attributes, that is copied: a queue takes 1 MiB, the reason included."""


MESSAGE_SCHEMA = pa.schema(
    [
        pa.field("message_id", pa.string(), nullable=False),
        pa.field("body", pa.string(), nullable=False),
        pa.field("sent_at", pa.timestamp("us", "UTC")),
        pa.field("receive_count", pa.int64()),
        pa.field("attributes", pa.string()),
    ]
)
"""A raw message: its id on the queue, its whole text, when it was sent, how often received, attributes as JSON."""


class SqsQueue(CountedArrival):
    """Messages of an SQS queue."""

    system = "sqs_queue"
    about = "Queue of product events (SQS_QUEUE_URL)."
    description = (
        "Messages drained from the queue SQS_QUEUE_URL, as Parquet batches. A message is deleted from the queue only "
        "once it is here; delivered twice, it is here twice, and counted once behind the gate."
    )
    kinds = ("sqs", "parquet")
    setting = "SQS_QUEUE_URL"

    def waiting(self, settings: Settings) -> int:
        """Count the messages that can be received, about."""
        return queue_of(settings).depth().visible

    def fetch(
        self, source: Source, settings: Settings, lake: Lake, say: Say, connect: Connect | None = None
    ) -> Mapping[str, int | str]:
        """Drain the queue, within DRAIN_MAX_MESSAGES and DRAIN_MAX_SECONDS."""
        with progress_bar(source.name) as report:
            drained = drain_queue(
                source, settings, lake, settings.drain_max_messages, settings.drain_max_seconds, report, connect
            )
        say(
            f"{count(drained.received, 'message')} received, {drained.stored:,} stored "
            f"in {count(drained.batches, 'batch')}, {drained.redelivered:,} of them again, "
            f"{drained.deleted:,} deleted from the queue"
        )
        return {
            "messages received": drained.received,
            "messages stored": drained.stored,
            "messages not deleted": drained.not_deleted,
        }


def queue_of(settings: Settings, connect: Connect | None = None) -> Queue:
    """Give the queue of product events that the settings name. Raises `SettingsError` if they name none."""
    if not settings.sqs_queue_url:
        raise SettingsError("SQS_QUEUE_URL is not set: give the address of the queue.")
    return client_of(settings.sqs_queue_url, settings, connect)


def dead_letters_of(settings: Settings, connect: Connect | None = None) -> Queue | None:
    """Give the queue for copies of rejected messages, if there is one."""
    return client_of(settings.sqs_dlq_url, settings, connect) if settings.sqs_dlq_url else None


def client_of(url: str, settings: Settings, connect: Connect | None = None) -> Queue:
    """Give a queue at AWS_ENDPOINT_URL, else at Amazon's."""
    from analytics_platform.connectors.sqs import Queue

    return (
        connect(url) if connect else Queue(url, settings.aws_endpoint_url or None, settings.aws_default_region or None)
    )


def drain_queue(
    source: Source,
    settings: Settings,
    lake: Lake,
    max_messages: int | None,
    max_seconds: float | None,
    on_progress: Callable[[int], None] = lambda messages: None,
    connect: Connect | None = None,
    on_batch: Callable[[Batch, Sequence[Message]], None] = lambda batch, messages: None,
    **limits: Any,
) -> Drained:
    """Move what waits in the queue into the lake, up to a number of messages and of seconds.

    `on_batch` is called for each batch that is in the lake; `limits` are others of `drain`.

    Messages that the gate rejects are copied to the dead-letter queue, with the reason, before they are deleted: what
    is undecodable never blocks the queue. One too long for a queue to take it with a reason is in quarantine only, with
    all others. Raises `QueueError`.
    """
    from analytics_platform.connectors.sqs import drain, send_copies

    queue, dead_letters = queue_of(settings, connect), dead_letters_of(settings, connect)

    def store(messages: Sequence[Message]) -> None:
        batch = put_messages(lake, source.name, queue.name, messages)
        if dead_letters is not None:
            copy_rejected(dead_letters, batch, messages)
        on_batch(batch, messages)

    def copy_rejected(dead_letters: Queue, batch: Batch, messages: Sequence[Message]) -> None:
        copies = []
        for verdict in source.validate(batch, settings):
            for place, reason in verdict.rejected.select("position", "error_reason").iter_rows():
                message = messages[place - 1]
                text = "".join((message.body, *message.attributes, *message.attributes.values()))
                if len(text.encode(errors="replace")) <= LONGEST_COPY:
                    copies.append((message, reason))
        send_copies(dead_letters, copies)

    return drain(
        queue,
        store,
        max_messages=max_messages,
        max_seconds=max_seconds,
        on_progress=lambda drained: on_progress(drained.received),
        **limits,
    )


def put_messages(lake: Lake, source: str, queue_name: str, messages: Sequence[Message]) -> Batch:
    """Store messages as one batch of the lake; when this returns they are on the disk."""
    return lake.put_bytes(source, queue_name, ".parquet", encode_messages(messages))


def encode_messages(messages: Sequence[Message]) -> bytes:
    """Write messages as the bytes of one Parquet file with the columns of `MESSAGE_SCHEMA`.

    Half of a surrogate pair, which UTF-8 cannot write, becomes \\xNN: one hostile message must not hold up the others.
    """
    rows = [
        {
            "message_id": message.message_id,
            "body": message.body.encode(errors="surrogatepass").decode(errors="backslashreplace"),
            "sent_at": message.sent_at,
            "receive_count": message.receive_count,
            "attributes": json.dumps(dict(message.attributes), sort_keys=True),
        }
        for message in messages
    ]
    return encode_table(pa.Table.from_pylist(rows, schema=MESSAGE_SCHEMA))


def redrive_messages(settings: Settings, max_messages: int | None) -> int:
    """Send the copies in the dead-letter queue back to the queue and count them. Raises `QueueError`."""
    from analytics_platform.connectors.sqs import redrive

    dead_letters = dead_letters_of(settings)
    if dead_letters is None:
        raise SettingsError("SQS_DLQ_URL is not set: give the address of the dead-letter queue.")
    return redrive(dead_letters, queue_of(settings), max_messages)
