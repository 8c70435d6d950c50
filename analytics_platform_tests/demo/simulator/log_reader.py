"""A slow, plain reader of simulated log documents and users answers, from the published rules and nothing else."""

import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from analytics_platform.contracts.missing import known
from analytics_platform_tests.demo.simulator.reader import EARLIEST, EPOCH, LATEST

EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")


class Log(NamedTuple):
    """One document: its text, its fields if it is accepted, and why it is rejected (empty: accepted)."""

    text: str
    user_id: str
    action: str
    item_name: str | None
    at: datetime
    reason: str

    @property
    def client_id(self) -> str:
        return f"user:{self.user_id}"

    @property
    def milliseconds(self) -> int:
        return (self.at - EPOCH) // timedelta(milliseconds=1)

    @property
    def views(self) -> list[tuple[str, int]]:
        """The product viewed, and when (milliseconds since 1970)."""
        return [(self.item_name or "", self.milliseconds)] if self.action == "view_item" else []


def read_document(text: str) -> Log:
    document = json.loads(text)
    reason = "; ".join(find_faults(document))
    if reason:
        return Log(text, "", "", None, EPOCH, reason)
    user_id = document["user_id"]["$numberInt"]
    return Log(text, user_id, document["action"], document.get("item_name"), read_time(document["timestamp"]), "")


def find_faults(document: dict[str, Any]) -> Iterator[str]:
    user = document.get("user_id")
    if user is None:
        yield "user_id: missing"
    elif not isinstance(user, dict) or set(user) != {"$numberInt"}:
        yield "user_id: not a text or whole number"
    try:
        if not EARLIEST <= read_time(document["timestamp"]) < LATEST:
            yield "event_at: out of range"
    except ValueError:
        yield "timestamp: not a time"
    if known(document.get("action") or "") is None:
        yield "action: missing"


def read_time(value: object) -> datetime:
    if isinstance(value, dict) and set(value) == {"$date"}:
        return EPOCH + timedelta(milliseconds=int(value["$date"]["$numberLong"]))
    found = datetime.fromisoformat(str(value))
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def distinct_logs(logs: Iterable[Log]) -> list[Log]:
    return list({log.text: log for log in logs if not log.reason}.values())


def read_users(path: Path) -> tuple[dict[str, dict[str, Any]], int]:
    """The entries that may become customers, by id as text, and how many may not."""
    entries = json.loads(path.read_text("utf-8"))
    sound = {str(entry["id"]): entry for entry in entries if EMAIL.fullmatch(entry["email"])}
    return sound, len(entries) - len(sound)
