"""One SQS queue: a thin, thread-safe layer over botocore that gives messages and fails with `QueueError`."""

from __future__ import annotations

import base64
import datetime as dt
import random
import re
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import botocore.session
from botocore import xform_name
from botocore.config import Config
from botocore.parsers import ResponseParserError

from analytics_platform.connectors.sqs.errors import QueueError, check_answer, explained, queue_name
from analytics_platform.connectors.sqs.fast_calls import FAST_CALLS, FastCalls
from analytics_platform.deadline import within
from analytics_platform.errors import count

Handles: TypeAlias = Mapping[str, str]
"""Message id → receipt handle, which names a message that was received."""

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

ANSWER_SECONDS = 60.0
"""How long a call of the client may take, its attempts included. A long poll lasts up to 20 s."""

AGENT = "analytics-platform"

AnyT = TypeVar("AnyT")


@dataclass(frozen=True, slots=True)
class Message:
    """One message as received. `attributes` are the sender's; binary values are base64 text.

    `receive_count` is approximate, 1 at the first delivery. `sent_at` (UTC) is absent if the service does not say.
    """

    message_id: str
    body: str
    sent_at: dt.datetime | None
    receive_count: int
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Depth:
    """How many messages a queue has; the service only promises approximate numbers.

    `in_flight` are received by someone and neither deleted nor visible again; `delayed` will be visible later.
    """

    visible: int
    in_flight: int
    delayed: int


class Queue:
    """The queue at `url`. Credentials, region and endpoint come from the default chain of the AWS SDK unless given.

    A `session` is one of botocore. A region that it does not know is taken from the URL. Methods raise `QueueError`,
    also for a call that takes longer than `answer_seconds`.
    """

    def __init__(
        self,
        url: str,
        endpoint_url: str | None = None,
        region: str | None = None,
        session: botocore.session.Session | None = None,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self.url = url
        self._answer_seconds = answer_seconds
        self._endpoint = endpoint_url or url
        config = Config(  # one for each client, since botocore writes what it finds out into it
            retries={"mode": "standard"},  # three attempts, unless AWS_MAX_ATTEMPTS says otherwise
            connect_timeout=5,
            read_timeout=35,  # long polls last up to 20 s
            max_pool_connections=64,
            # A third of botocore's work would be checking arguments, made here, and building its own user agent.
            parameter_validation=False,
            user_agent=AGENT,
        )
        with explained(url, self._endpoint):
            session = session or botocore.session.get_session()
            chosen = region or session.get_config_variable("region") or _region_of(url)
            self._client = session.create_client("sqs", chosen, endpoint_url=endpoint_url, config=config)
            self._client.meta.events.register("before-parse.sqs", check_answer)
            self._fast = FastCalls(session, self._client)
        self._endpoint = self._client.meta.endpoint_url

    @property
    def name(self) -> str:
        """The name of the queue."""
        return queue_name(self.url)

    def depth(self) -> Depth:
        """Return how many messages it has, approximately."""
        prefix = "ApproximateNumberOfMessages"
        names = [prefix, f"{prefix}NotVisible", f"{prefix}Delayed"]
        with explained(self.url, self._endpoint):
            answer = self._call("GetQueueAttributes", AttributeNames=names)
            return Depth(*(int(_given(answer["Attributes"], name, "[0-9]{1,15}")) for name in names))

    def receive(self, limit: int, visibility: int, wait: int) -> list[tuple[Message, str]]:
        """Receive up to `limit` (1 to 10) messages with receipt handles, waiting up to `wait` s until there is one.

        They are hidden from other consumers for `visibility` s. A `wait` above 0 asks all servers of a queue; without
        it only some are asked, and an empty answer does not mean an empty queue.
        """
        with explained(self.url, self._endpoint):
            answer = self._call(
                "ReceiveMessage",
                MaxNumberOfMessages=limit,
                VisibilityTimeout=visibility,
                WaitTimeSeconds=wait,
                MessageSystemAttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
                MessageAttributeNames=["All"],
            )
            return [(_parse_message(raw), _given(raw, "ReceiptHandle")) for raw in answer.get("Messages", ())]

    def delete(self, handles: Handles) -> frozenset[str]:
        """Delete up to 10 messages in one request; returns the ids of those that failed."""
        entries = [{"Id": str(number), "ReceiptHandle": handle} for number, handle in enumerate(handles.values())]
        with explained(self.url, self._endpoint):
            return _failed(self._call("DeleteMessageBatch", Entries=entries), list(handles))

    def change_visibility(self, handles: Handles, seconds: int) -> frozenset[str]:
        """Hide up to 10 messages for `seconds` from now, 0 shows them at once; returns the ids of those that failed."""
        entries = [
            {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": seconds}
            for number, handle in enumerate(handles.values())
        ]
        with explained(self.url, self._endpoint):
            return _failed(self._call("ChangeMessageVisibilityBatch", Entries=entries), list(handles))

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
        for attempt in range(ATTEMPTS):
            pause(attempt)
            with explained(self.url, self._endpoint):
                answer = self._call("SendMessageBatch", Entries=left)
                left = [entry for entry in left if entry["Id"] not in _done(answer)]
            if not left:
                return len(batch)
        code = next((failure.get("Code") for failure in answer.get("Failed", ())), "no reason given")
        raise QueueError(
            f"The queue {self.name} took {len(batch) - len(left)} of {count(len(batch), 'message')} ({code})."
        )

    def _call(self, action: str, **parameters: Any) -> Mapping[str, Any]:
        call = {"QueueUrl": self.url, **parameters}
        if action in FAST_CALLS and (answer := self._fast.call(action, call)) is not None:
            return answer
        # Time-outs of sockets begin anew with each byte: an endpoint that sent one every few seconds held up `drain`
        # for hours, past its `max_seconds` and past SIGTERM. To hand the fast calls to a thread too would take a third
        # of the speed of a drain, which asks for the depth first.
        return within(self._answer_seconds, lambda: getattr(self._client, xform_name(action))(**call))

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


def in_tens(items: Iterable[AnyT]) -> Iterator[list[AnyT]]:
    """Yield the items in parts that fit into one request."""
    rest = list(items)
    return (rest[start : start + BATCH] for start in range(0, len(rest), BATCH))


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
    """Return the size of a message in bytes as SQS counts it: body, and names, types and values of the attributes."""
    body, attributes = message
    return len(body.encode()) + sum(len((name + value).encode()) + 6 for name, value in attributes.items())


def _parse_message(raw: Mapping[str, Any]) -> Message:
    # One that is odd must not hold up the others, which come in the same answer: the gate rejects an empty body.
    body, system, attributes = raw.get("Body"), raw.get("Attributes") or {}, raw.get("MessageAttributes") or {}
    sent_ms, times = (str(system.get(name)) for name in ("SentTimestamp", "ApproximateReceiveCount"))
    return Message(
        _given(raw, "MessageId"),
        body if isinstance(body, str) else "",
        dt.datetime.fromtimestamp(int(sent_ms) / 1000, dt.UTC) if re.fullmatch("[0-9]{1,13}", sent_ms) else None,
        int(times) if re.fullmatch("[0-9]{1,9}", times) else 1,
        {name: _text(value or {}) for name, value in attributes.items()},
    )


def _given(answer: Mapping[str, Any], name: str, form: str = "[!-~]+") -> str:
    """Return a text of an answer that every SQS gives in this form; by default, characters of ASCII."""
    if not isinstance(answer[name], str) or not re.fullmatch(form, answer[name]):
        raise ResponseParserError(f"no {name}")
    return str(answer[name])


def _text(value: Mapping[str, Any]) -> str:
    binary = value.get("BinaryValue", b"")  # the client of botocore has decoded it
    return str(value.get("StringValue", base64.b64encode(binary).decode() if isinstance(binary, bytes) else binary))


def _failed(answer: Mapping[str, Any], ids: Sequence[str]) -> frozenset[str]:
    return frozenset(each for number, each in enumerate(ids) if str(number) not in _done(answer))


def _done(answer: Mapping[str, Any]) -> frozenset[str]:
    """Return the entries that succeeded: one that the answer does not name has failed."""
    return frozenset(entry["Id"] for entry in answer.get("Successful", ()))


def _region_of(url: str) -> str | None:
    found = re.match(r"https://(?:sqs\.([a-z0-9-]+)|([a-z0-9-]+)\.queue)\.amazonaws\.com", url)
    return (found[1] or found[2]) if found else None
