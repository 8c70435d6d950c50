"""One SQS queue: a thin, thread-safe layer over botocore that speaks of messages and fails with `QueueError`."""

from __future__ import annotations

import random
import re
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import botocore.session
from botocore.config import Config

from analytics_platform.connectors.sqs.errors import QueueError, explained, queue_name
from analytics_platform.connectors.sqs.fast_calls import FastCalls
from analytics_platform.connectors.sqs.message import Depth, Message, parse_message

Handles: TypeAlias = Mapping[str, str]
"""Message id → receipt handle: what a consumer needs to speak of a message that it holds."""

Outgoing: TypeAlias = tuple[str, Mapping[str, str]]
"""A body and its attributes."""

BATCH = 10
"""The most messages in one request (SQS API)."""

SEND_BYTES = 256 << 10
"""Requests that send several messages stay below this; a longer message is sent alone."""

LONGEST_MESSAGE = 1 << 20
"""Bytes of the longest message, attributes included."""

ATTEMPTS = 5
"""How often failed entries of a batch are tried."""

AGENT = "analytics-platform"


def _config() -> Config:
    """A client's configuration; each client gets its own, for botocore writes what it finds out into it."""
    return Config(
        retries={"mode": "standard"},  # three attempts, unless AWS_MAX_ATTEMPTS says otherwise
        connect_timeout=5,
        read_timeout=35,  # long polls last up to 20 s
        max_pool_connections=64,
        # A third of botocore's work would be checking arguments, made here, and building its own user agent.
        parameter_validation=False,
        user_agent=AGENT,
    )


class Queue:
    """The queue at `url`. Credentials, region and endpoint come from the default chain of the AWS SDK unless given.

    A region that the chain does not know is taken from the URL. Methods raise `QueueError`.
    """

    def __init__(self, url: str, endpoint_url: str | None = None, region: str | None = None) -> None:
        self.url = url
        self._endpoint = endpoint_url or url
        with explained(url, self._endpoint):
            session = botocore.session.get_session()
            chosen = region or session.get_config_variable("region") or _region_of(url)
            self._client = session.create_client("sqs", chosen, endpoint_url=endpoint_url, config=_config())
            self._fast = FastCalls(session, self._client)
        self._endpoint = self._client.meta.endpoint_url

    @property
    def name(self) -> str:
        """The name of the queue."""
        return queue_name(self.url)

    def depth(self) -> Depth:
        """How many messages it holds, approximately."""
        prefix = "ApproximateNumberOfMessages"
        names = [prefix, f"{prefix}NotVisible", f"{prefix}Delayed"]
        with explained(self.url, self._endpoint):
            answer = self._client.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
        return Depth(*(int(answer["Attributes"][name]) for name in names))

    def receive(self, limit: int, visibility: int, wait: int) -> list[tuple[Message, str]]:
        """Up to `limit` (1 to 10) messages with receipt handles, waiting up to `wait` s until there is one.

        They are hidden from other consumers for `visibility` s. A `wait` above 0 asks all servers of a queue; without
        it only some are asked, and an empty answer says little.
        """
        call = {
            "QueueUrl": self.url,
            "MaxNumberOfMessages": limit,
            "VisibilityTimeout": visibility,
            "WaitTimeSeconds": wait,
            "MessageSystemAttributeNames": ["SentTimestamp", "ApproximateReceiveCount"],
            "MessageAttributeNames": ["All"],
        }
        with explained(self.url, self._endpoint):
            answer = self._fast.call("ReceiveMessage", call)
            if answer is None:
                answer = self._client.receive_message(**call)
        return [(parse_message(raw), raw["ReceiptHandle"]) for raw in answer.get("Messages", ())]

    def delete(self, handles: Handles) -> frozenset[str]:
        """Delete up to 10 messages in one request; returns the ids of those that failed."""
        entries = [{"Id": str(number), "ReceiptHandle": handle} for number, handle in enumerate(handles.values())]
        call = {"QueueUrl": self.url, "Entries": entries}
        with explained(self.url, self._endpoint):
            answer = self._fast.call("DeleteMessageBatch", call)
            if answer is None:
                answer = self._client.delete_message_batch(**call)
        return _failed(answer, list(handles))

    def change_visibility(self, handles: Handles, seconds: int) -> frozenset[str]:
        """Hide up to 10 messages for `seconds` from now, 0 shows them at once; returns the ids of those that failed."""
        entries = [
            {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": seconds}
            for number, handle in enumerate(handles.values())
        ]
        with explained(self.url, self._endpoint):
            answer = self._client.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)
        return _failed(answer, list(handles))

    def send(self, bodies: Iterable[str]) -> int:
        """Send messages; returns how many. See `send_messages`."""
        return self.send_messages((body, {}) for body in bodies)

    def send_messages(self, messages: Iterable[Outgoing]) -> int:
        """Send bodies with attributes; returns how many.

        Entries that fail are tried again. If one cannot be sent a `QueueError` says so; others may have been sent.
        """
        return sum(self._send_batch(batch) for batch in _in_requests(messages))

    def _send_batch(self, batch: Sequence[Outgoing]) -> int:
        left = [self._entry(str(number), *message) for number, message in enumerate(batch)]
        failed: Mapping[str, Any] = {}
        for attempt in range(ATTEMPTS):
            pause(attempt)
            with explained(self.url, self._endpoint):
                answer = self._client.send_message_batch(QueueUrl=self.url, Entries=left)
            failed = {failure["Id"]: failure for failure in answer.get("Failed", ())}
            left = [entry for entry in left if entry["Id"] in failed]
            if not left:
                return len(batch)
        code = next(iter(failed.values())).get("Code")
        raise QueueError(f"The queue {self.name} took {len(batch) - len(left)} of {len(batch)} messages ({code}).")

    def _entry(self, number: str, body: str, attributes: Mapping[str, str]) -> dict[str, Any]:
        entry: dict[str, Any] = {"Id": number, "MessageBody": body}
        if attributes:
            values = attributes.items()
            entry["MessageAttributes"] = {
                name: {"DataType": "String", "StringValue": value} for name, value in values if value
            }
        if self.name.endswith(".fifo"):
            entry |= {"MessageGroupId": AGENT, "MessageDeduplicationId": str(uuid.uuid4())}
        return entry


def tens(handles: Handles) -> Iterator[Handles]:
    """The handles in parts that fit into one request."""
    items = list(handles.items())
    return (dict(items[start : start + BATCH]) for start in range(0, len(items), BATCH))


def pause(attempt: int) -> None:
    """Wait before an attempt (0 is the first, at once) longer each time, up to 2 s, and not in step with others."""
    if attempt:
        time.sleep(random.uniform(0.5, 1) * min(2.0, 0.05 * 2**attempt))


def _in_requests(messages: Iterable[Outgoing]) -> Iterator[list[Outgoing]]:
    request: list[Outgoing] = []
    size = 0
    for message in messages:
        weight = bytes_of(message)
        if request and (len(request) == BATCH or size + weight > SEND_BYTES):
            yield request
            request, size = [], 0
        request.append(message)
        size += weight
    if request:
        yield request


def bytes_of(message: Outgoing) -> int:
    """Size of a message as SQS counts it: body, and names, types and values of the attributes."""
    body, attributes = message
    return len(body.encode()) + sum(len((name + value).encode()) + 6 for name, value in attributes.items())


def _failed(answer: Mapping[str, Any], ids: Sequence[str]) -> frozenset[str]:
    return frozenset(ids[int(failure["Id"])] for failure in answer.get("Failed", ()))


def _region_of(url: str) -> str | None:
    found = re.match(r"https://(?:sqs\.([a-z0-9-]+)|([a-z0-9-]+)\.queue)\.amazonaws\.com", url)
    return (found[1] or found[2]) if found else None
