"""Dead letters: copies of messages that cannot be used, with the reason, and the way back."""

from __future__ import annotations

import re
from collections.abc import Iterable

from analytics_platform.connectors.sqs.client import LONGEST_MESSAGE, Message, Outgoing, Queue, bytes_of
from analytics_platform.connectors.sqs.drain import drain

REASON = "error_reason"
ORIGINAL_ID = "original_message_id"
LONGEST_REASON = 1000
"""Characters of a reason that are kept."""

REDRIVE_BATCH = 100

_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What a message may not hold (SQS API, SendMessage)."""

_MOST_ATTRIBUTES = 10


def send_copies(dead_letters: Queue, rejected: Iterable[tuple[Message, str]]) -> int:
    """Send a copy of each message with the reason it was rejected for as its attribute `error_reason`.

    Return how many. The reason is cut to 1,000 characters, and those that SQS does not take become `?`. A message too
    long for any attribute is copied without. Raises `QueueError`.
    """
    copies: list[Outgoing] = []
    for message, reason in rejected:
        own = {REASON: _ILLEGAL.sub("?", reason)[:LONGEST_REASON], ORIGINAL_ID: message.message_id}
        kept = list(_senders_own(message).items())[: _MOST_ATTRIBUTES - len(own)]
        copy = message.body, {**dict(kept), **own}
        copies.append(copy if bytes_of(copy) <= LONGEST_MESSAGE else (message.body, {}))
    return dead_letters.send_messages(copies)


def redrive(dead_letters: Queue, queue: Queue, max_messages: int | None = None) -> int:
    """Send dead letters back to `queue`; return how many. They are deleted only when they are sent.

    Without `max_messages` as many as are there now: what is rejected again meanwhile waits for the next time.
    Raises `QueueError`; what was sent until then may be sent again next time.
    """
    most = dead_letters.depth().visible if max_messages is None else max_messages
    if not most:
        return 0

    def send_back(messages: Iterable[Message]) -> None:
        queue.send_messages((message.body, _senders_own(message)) for message in messages)

    return drain(dead_letters, send_back, max_messages=most, batch_messages=REDRIVE_BATCH, wait_seconds=1).stored


def _senders_own(message: Message) -> dict[str, str]:
    return {name: value for name, value in message.attributes.items() if name not in (REASON, ORIGINAL_ID)}
