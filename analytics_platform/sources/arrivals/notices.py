"""What S3 says through SQS of the bucket LANDING_URL: an object was put there.

It only has a folder be listed. What is new there is found as without it, so a message that comes twice, late or never
does no harm.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from analytics_platform.errors import count, printable, some
from analytics_platform.settings import Settings
from analytics_platform.sources.arrivals.queue import client_of

if TYPE_CHECKING:  # as in queue.py
    from analytics_platform.connectors.sqs import Message, Queue

LIST_AFTER = dt.timedelta(minutes=15)
"""All folders are listed this long after the last time, announced or not: a notification may be lost."""

HIDDEN_S = 60
"""A message that is not deleted is received again after this."""

MOST_REQUESTS = 100
"""What more requests would receive is left for the next look: Dagster gives a sensor 60 seconds."""


@dataclass(frozen=True, slots=True)
class Notices:
    """Messages that were received: id → receipt handle, and id → sources whose objects it names.

    `strange` are objects that nothing reads, and messages that are no notification.
    """

    handles: dict[str, str] = field(default_factory=dict)
    named: dict[str, frozenset[str]] = field(default_factory=dict)
    strange: list[str] = field(default_factory=list)

    @property
    def sources(self) -> frozenset[str]:
        """Give the sources whose objects are named."""
        return frozenset().union(*self.named.values())

    @property
    def warning(self) -> str:
        """Say in a sentence what came that names nothing to read; empty if nothing did."""
        if not self.strange:
            return ""
        names = ", ".join(some([printable(name) for name in self.strange], longest=200))
        what = f"{count(len(self.strange), 'notification')} in LANDING_QUEUE_URL"
        return f"{what} named nothing that is read, and went: {names}; let only events of LANDING_URL go there."


def receive_notices(folders: Collection[str], settings: Settings, wait: int = 0) -> Notices:
    """Receive what waits in LANDING_QUEUE_URL, waiting up to `wait` s for the first; `folders` are those of sources.

    It takes one request if nothing waits. Raises `QueueError`.
    """
    from analytics_platform.connectors.sqs import QueueError
    from analytics_platform.connectors.sqs.client import BATCH

    queue, found = _queue(settings), Notices()
    for number in range(MOST_REQUESTS):
        try:
            received = queue.receive(BATCH, HIDDEN_S, 0 if number else wait)
        except QueueError:
            _queue.cache_clear()  # its credentials may have expired
            raise
        if not received:
            break
        for message, handle in received:
            named = _named(message, folders, settings)
            found.handles[message.message_id] = handle
            found.named[message.message_id] = frozenset(filter(None, named.values()))
            found.strange.extend(what for what, source in named.items() if source is None)
    return found


def delete_notices(notices: Notices, settings: Settings, but: Collection[str] = ()) -> None:
    """Delete the messages, but for those that name one of the sources `but`. Raises `QueueError`."""
    from analytics_platform.connectors.sqs.client import in_tens

    done = [each for each in notices.handles if notices.named[each].isdisjoint(but)]
    for part in in_tens(done):
        _queue(settings).delete({each: notices.handles[each] for each in part})


@lru_cache(maxsize=1)
def _queue(settings: Settings) -> Queue:
    return client_of(settings.landing_queue_url, settings)  # `follow` asks once a second


def _named(message: Message, folders: Collection[str], settings: Settings) -> dict[str, str | None]:
    """Tell what a message names, and of which source it is: the address of each object, or the message itself."""
    try:
        objects = _objects(message.body)
    except (ValueError, RecursionError):
        return {f"message {message.message_id}": None}
    folder_of = {f"{settings.landing_place}/{folder}/": folder for folder in folders}
    return {
        each or f"message {message.message_id}": next((folder_of[x] for x in folder_of if each.startswith(x)), None)
        for each in objects
    }


def _objects(body: str) -> list[str]:
    """Read the addresses of the objects that a notification names; empty for what cannot be read of one.

    S3 sends it in one form, EventBridge in another, and SNS wraps either. One that says that an object was deleted is
    read like the others. Raises `ValueError` or `RecursionError` for a message that is no notification.
    """
    event = json.loads(body)
    match event:
        case {"Type": "Notification", "Message": str(text)}:
            event = json.loads(text)
    match event:
        case {"Event": "s3:TestEvent"}:  # which S3 sends when notifications are set up
            return []
        case {"detail-type": str(), "detail": {"bucket": {"name": str(bucket)}, "object": {"key": str(key)}}}:
            return [f"s3://{bucket}/{key}"]
        case {"Records": [_, *_] as records}:
            return [_address(record) for record in records]
    raise ValueError("no notification of S3")


def _address(record: object) -> str:
    match record:
        case {"s3": {"bucket": {"name": str(bucket)}, "object": {"key": str(key)}}}:
            return f"s3://{bucket}/{unquote_plus(key)}"  # Amazon writes a blank as `+`
    return ""
