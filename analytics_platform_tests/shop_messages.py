"""Messages of the mobile shop for tests, and their way into a platform without a queue."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence

from analytics_platform.connectors.sqs import Message
from analytics_platform.sources.arrivals.queue import put_messages
from analytics_platform.sources.registry import SOURCES
from analytics_platform.warehouse import Loaded, Session
from analytics_platform.warehouse.load import load_new_batches
from analytics_platform_tests.kit import Platform
from analytics_platform_tests.names import ECOMMERCE_EVENTS

SENT_AT = dt.datetime(2026, 10, 1, tzinfo=dt.UTC)


def shop_message(user: str | None, at: dt.datetime | str, name: str = "view_item", **fields: object) -> str:
    """The body of a message; other fields go in as they are."""
    when = at if isinstance(at, str) else at.isoformat()
    return json.dumps({"event_timestamp": when, "user_id": user, "event_name": name, "platform": "IOS"} | fields)


def load_messages(platform: Platform, session: Session, bodies: Sequence[str]) -> list[Loaded]:
    """Put messages into the lake as one batch, as a drain does, and load it."""
    received = [Message(f"m{number}", body, SENT_AT, 1, {}) for number, body in enumerate(bodies)]
    put_messages(platform.lake, ECOMMERCE_EVENTS, "events", received)
    return load_drained(platform, session)


def load_drained(platform: Platform, session: Session) -> list[Loaded]:
    """Load the batches of messages in the lake that are not loaded yet."""
    batches = load_new_batches(SOURCES[ECOMMERCE_EVENTS], session, platform.settings, platform.lake, run_id="test")
    return [loaded for _, loaded in batches]
