"""The orders that the events tell of, as the shop's own service gets them: each once, by time."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from analytics_platform.demo.simulator.event import Bought, Purchase
from analytics_platform.demo.simulator.tally import format_money, format_time

PURCHASES = "purchases.jsonl"


class BoughtOrder(NamedTuple):
    """An order of a client: the number it gave it, when, what it paid, and for what; a free one has no lines."""

    client_id: str
    transaction_id: str
    at: datetime
    revenue: Decimal
    lines: tuple[Bought, ...]


def write_purchases(path: Path, purchases: Iterable[tuple[str, int, Purchase]]) -> None:
    """Write orders (client, time in milliseconds since 1970, content) as JSON lines."""
    in_order = sorted(purchases, key=lambda each: (each[1], each[0], each[2].transaction_id))
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(json.dumps(_describe(*each), ensure_ascii=False) + "\n" for each in in_order)


def read_purchases(path: Path) -> Iterator[BoughtOrder]:
    """The orders of a file that `write_purchases` wrote."""
    with path.open(encoding="utf-8", newline="\n") as stream:
        for line in stream:
            each = json.loads(line)
            yield BoughtOrder(
                each["client_id"],
                each["transaction_id"],
                datetime.fromisoformat(each["at"]),
                Decimal(each["revenue"]),
                tuple(Bought(*bought) for bought in each["lines"]),
            )


def _describe(client_id: str, at: int, purchase: Purchase) -> dict[str, Any]:
    return {
        "client_id": client_id,
        "transaction_id": purchase.transaction_id,
        "at": format_time(at),
        "revenue": format_money(purchase.cents),
        "lines": purchase.lines,
    }
