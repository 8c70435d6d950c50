"""What a queue holds, in our words."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


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
    """How many messages a queue holds; the service only promises approximate numbers.

    `in_flight` are received by someone and neither deleted nor visible again; `delayed` will be visible later.
    """

    visible: int
    in_flight: int
    delayed: int


def parse_message(raw: Mapping[str, Any]) -> Message:
    """A message out of an answer of ReceiveMessage."""
    system = raw.get("Attributes", {})
    sent_ms = system.get("SentTimestamp")
    attributes = raw.get("MessageAttributes")
    return Message(
        raw["MessageId"],
        raw["Body"],
        None if sent_ms is None else dt.datetime.fromtimestamp(int(sent_ms) / 1000, dt.UTC),
        int(system.get("ApproximateReceiveCount", 1)),
        {name: _text(value) for name, value in attributes.items()} if attributes else {},
    )


def _text(value: Mapping[str, Any]) -> str:
    binary = value.get("BinaryValue", b"")  # the client of botocore has decoded it
    return str(value.get("StringValue", base64.b64encode(binary).decode() if isinstance(binary, bytes) else binary))
