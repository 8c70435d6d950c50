"""A slow, plain reader of simulated files, written from the platform's published rules and nothing else."""

import csv
import gzip
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from analytics_platform.contracts.missing import known, known_id

COLUMNS = ("client_id", "page_url", "referrer", "timestamp", "event_name", "event_data", "user_agent")
FIELD = r'(?:"(?:[^"]|"")*"|[^",\n]*)'
WELL_FORMED = re.compile(rf"{FIELD}(?:,{FIELD})*")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST, LATEST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)

csv.field_size_limit(10_000_000)


class Sale(NamedTuple):
    """What an event says of an order or a refund: its amount and its lines' prices and quantities, where told."""

    is_refund: bool
    transaction_id: str
    currency: str
    amount: Decimal | None
    lines: list[tuple[Decimal | None, int]]
    extras: list[tuple[str, Decimal, int]]
    """Tax, shipping, and the discount of a piece of each line: name, amount and how often."""

    @property
    def value(self) -> Decimal | None:
        """The amount, else what the priced items cost, in the sale's currency."""
        priced = [price * (quantity or 1) for price, quantity in self.lines if price is not None]
        return self.amount if self.amount is not None else sum(priced, Decimal()) if priced else None


def read_amount(told: object) -> Decimal | None:
    return None if told is None else Decimal(re.sub(r"[^-0-9.]", "", str(told)))


def read_extras(order: Mapping[str, Any], items: Iterable[Mapping[str, Any]]) -> list[tuple[str, Decimal, int]]:
    found = [(name, Decimal(str(order[name])), 1) for name in ("tax", "shipping") if name in order]
    reduced = [item for item in items if "discount" in item]
    return found + [("discount", Decimal(str(item["discount"])), int(item["quantity"])) for item in reduced]


class Row(NamedTuple):
    """One record: its values by column if it could be read, and why it is rejected (empty: accepted)."""

    values: dict[str, str | None]
    reason: str

    @property
    def at(self) -> datetime:
        return datetime.fromisoformat(self.values["timestamp"] or "").astimezone(UTC)

    @property
    def milliseconds(self) -> int:
        return (self.at - EPOCH) // timedelta(milliseconds=1)

    @property
    def client_id(self) -> str:
        return self.values["client_id"] or ""

    @property
    def user_id(self) -> str:
        return ""

    @property
    def sale(self) -> Sale:
        data = self.data
        amount = read_amount(data["revenue"] if "revenue" in data else data["value"])
        lines = [(read_amount(item.get("item_price", item.get("price"))), item["quantity"]) for item in data["items"]]
        is_refund, number = self.values["event_name"] == "refund", data["transaction_id"]
        return Sale(is_refund, number, data["currency"], amount, lines, read_extras(data, data["items"]))

    @property
    def data(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.values["event_data"] or "{}")
        return parsed

    @property
    def identity(self) -> tuple[str | datetime | None, ...]:
        return tuple(self.at if name == "timestamp" else self.values[name] or None for name in COLUMNS)


def distinct_rows(rows: Iterable[Row]) -> list[Row]:
    return list({row.identity: row for row in rows if not row.reason}.values())


def read_bytes(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def read_file(path: Path) -> list[Row]:
    lines = [line.removesuffix(b"\r") for line in read_bytes(path).removeprefix(b"\xef\xbb\xbf").split(b"\n")]
    header = lines[0].decode().replace("clientId", "client_id").split(",")
    texts = [line.decode(errors="surrogateescape") for line in lines[1:] if line]
    return [check(record, header) for record in split_records(texts, len(header))]


def split_records(lines: list[str], width: int) -> Iterator[str]:
    place = 0
    while place < len(lines):
        end = place + 1
        if is_odd(lines[place]):
            closing = next((n for n in range(place + 1, len(lines)) if is_odd(lines[n])), None)
            if closing is not None and is_record("\n".join(lines[place : closing + 1]), width):
                end = closing + 1
        yield "\n".join(lines[place:end])
        place = end


def is_odd(line: str) -> bool:
    return line.count('"') % 2 == 1


def is_record(text: str, width: int) -> bool:
    return WELL_FORMED.fullmatch(text) is not None and len(parse(text)) == width


def parse(text: str) -> list[str]:
    return next(csv.reader(text.splitlines(keepends=True), strict=True))


def check(record: str, header: list[str]) -> Row:
    reason = find_record_fault(record, len(header))
    if reason:
        return Row({}, reason)
    values = dict.fromkeys(COLUMNS) | dict(zip(header, parse(record), strict=True))
    return Row(values, "; ".join(find_value_faults(values)))


def find_record_fault(record: str, width: int) -> str:
    if re.search("[\udc80-\udcff]", record):
        return "record: not UTF-8"
    if "\0" in record:
        return "record: NUL byte"
    if is_odd(record):
        return "record: unterminated quote"
    if not WELL_FORMED.fullmatch(record):
        return "record: stray quote"
    found = len(parse(record))
    return "" if found == width else f"record: too {'few' if found < width else 'many'} columns"


def find_value_faults(values: dict[str, str | None]) -> Iterator[str]:
    if known_id(values["client_id"] or "") is None:
        yield "client_id: missing"
    yield from find_time_fault((values["timestamp"] or "").strip())
    if known(values["event_name"] or "") is None:
        yield "event_name: missing"
    try:
        yield from find_amount_fault(json.loads(values["event_data"] or "{}"))
    except json.JSONDecodeError:
        yield "event_data: not JSON"


def find_amount_fault(data: dict[str, Any]) -> Iterator[str]:
    prices = [item.get("price") for item in data.get("items", [])]
    for place, told in (("revenue", [data.get("revenue")]), ("items[].price", prices)):
        if any(amount in ("free", "12,99,9", "auf Anfrage") for amount in told):
            yield f"event_data: {place} is no amount"


def find_time_fault(text: str) -> Iterator[str]:
    if not text:
        yield "timestamp: missing"
        return
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        yield "timestamp: not a time"
        return
    if not EARLIEST <= at < LATEST:
        yield "event_at: out of range"
