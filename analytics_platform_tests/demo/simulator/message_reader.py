"""A slow, plain reader of simulated messages, written from the platform's published rules and nothing else."""

import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from analytics_platform.contracts.missing import known, known_id
from analytics_platform_tests.demo.simulator.reader import EARLIEST, EPOCH, LATEST, Sale, read_amount, read_extras

NEXT_FIELD = re.compile(r", (?=\w+=)")
Item = dict[str, Any]


class Message(NamedTuple):
    """One body: its event in one shape whatever its form, and why it is rejected (empty: accepted)."""

    event: dict[str, Any]
    reason: str
    stamp: str = ""
    form: str = ""

    @property
    def at(self) -> datetime:
        at: datetime = self.event["event_at"]
        return at

    @property
    def milliseconds(self) -> int:
        return (self.at - EPOCH) // timedelta(milliseconds=1)

    @property
    def client_id(self) -> str:
        return known_id(self.event.get("client_id", "")) or f"user:{self.user_id}"

    @property
    def user_id(self) -> str:
        user_id: str = self.event["user_id"]
        return user_id

    @property
    def items(self) -> list[Item]:
        items: list[Item] = self.event["items"]
        return items

    @property
    def sale(self) -> Sale:
        event = self.event
        lines = [(read_amount(item.get("price")), int(item["quantity"])) for item in self.items]
        number, amount = event["transaction_id"], read_amount(event["value"])
        extras = read_extras(event, self.items)
        return Sale(event["event_name"] == "refund", number, event["currency"], amount, lines, extras)

    @property
    def views(self) -> list[tuple[str, int]]:
        """Each product viewed, and when (milliseconds since 1970)."""
        viewed = self.items if self.event["event_name"] == "view_item" else []
        return [(item["item_name"], self.milliseconds) for item in viewed]

    @property
    def identity(self) -> str:
        return json.dumps(self.event, sort_keys=True, default=str)


def distinct(messages: Iterable[Message]) -> list[Message]:
    return list({message.identity: message for message in messages if not message.reason}.values())


def read_body(body: str) -> Message:
    try:
        found, wrap = unwrap(body)
    except json.JSONDecodeError:
        return Message({}, "body: not JSON")
    written = found.get("items", [])
    try:
        items = read_items(written)
    except ValueError:
        return Message({}, "items: cannot be parsed")
    reason = "; ".join(find_faults(found))
    if reason:
        return Message({}, reason)
    event = {name: value for name, value in found.items() if name not in ("event_timestamp", "user_id", "items")}
    event |= {"event_at": read_time(found["event_timestamp"]), "user_id": str(found["user_id"]), "items": items}
    return Message(event, "", name_stamp(found["event_timestamp"]), f"{wrap}/{name_items(written)}")


def unwrap(body: str) -> tuple[dict[str, Any], str]:
    found = json.loads(body)
    if isinstance(found, str):
        return json.loads(found), "twice"
    if found.get("Type") == "Notification":
        return json.loads(found["Message"]), "sns"
    return found, "plain"


def find_faults(found: dict[str, Any]) -> Iterator[str]:
    user = found.get("user_id")
    if user is None or (isinstance(user, str) and known_id(user) is None):
        yield "user_id: missing"
    elif not isinstance(user, str | int):
        yield "user_id: not a text or whole number"
    try:
        if not EARLIEST <= read_time(found["event_timestamp"]) < LATEST:
            yield "event_at: out of range"
    except ValueError:
        yield "event_timestamp: not a time"
    if known(found.get("event_name") or "") is None:
        yield "event_name: missing"
    if found.get("revenue") in ("free", "auf Anfrage"):
        yield "revenue: not an amount"


def read_time(value: object) -> datetime:
    if isinstance(value, bool) or not isinstance(value, int):
        found = datetime.fromisoformat(str(value))
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    unit = 1 if value >= 10**14 else 1_000 if value >= 10**11 else 1_000_000
    return EPOCH + timedelta(microseconds=value * unit)


def name_stamp(value: object) -> str:
    return f"{len(str(value))} digits" if isinstance(value, int) else re.sub(r"\d", "9", str(value))


def name_items(written: object) -> str:
    if not isinstance(written, str):
        return "list" if written else "none"
    return "ga4" if written.startswith("[{item_id=") else "text"


def read_items(written: object) -> list[Item]:
    if not isinstance(written, str):
        assert isinstance(written, list)
        return [drop_missing(item) for item in written]
    try:
        return [drop_missing(item) for item in json.loads(written)]
    except json.JSONDecodeError:
        return [drop_missing(item) for item in read_ga4_list(written)]


def drop_missing(item: Item) -> Item:
    return {name: str(value) if not isinstance(value, list) else value for name, value in item.items() if value}


def read_ga4_list(text: str) -> list[Item]:
    if not (text.startswith("[{") and text.endswith("}]")):
        raise ValueError(text)
    return [read_ga4_item(part) for part in text[2:-2].split("}, {item_id=")]


def read_ga4_item(text: str) -> Item:
    text, _, params = text.partition(", item_params=")
    fields = dict(part.split("=", 1) for part in NEXT_FIELD.split(text if "item_id=" in text else f"item_id={text}"))
    item: Item = {name: read_scalar(value) for name, value in fields.items()}
    return item | ({"item_params": list(read_params(params))} if params else {})


def read_params(text: str) -> Iterator[Item]:
    for part in text[2:-2].split("}, {key="):
        key, _, value = part.removeprefix("key=").partition(", value={")
        pairs = (field.split("=", 1) for field in NEXT_FIELD.split(value.rstrip("}")))
        yield {"key": key, "value": {name: read_number(value) for name, value in pairs}}


def read_scalar(text: str) -> str | None:
    return None if text in ("null", "(not set)") else text


def read_number(text: str) -> object:
    scalar = read_scalar(text)
    return json.loads(scalar) if scalar and re.fullmatch(r"-?\d+(\.\d+)?", scalar) else scalar
