"""Synthetic traffic of a web shop, from end to end, and the truth about it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from analytics_platform.demo.simulator.events import DAY, Bought, Scope, draw_answers, instant_of
from analytics_platform.demo.simulator.feeds import ClickFeed, Feed, LogFeed, MessageFeed, write_lines
from analytics_platform.demo.simulator.money import draw_rates
from analytics_platform.demo.simulator.tally import Figures, Tally
from analytics_platform.errors import UserError

PURCHASES = "purchases.jsonl"


class FolderInUseError(UserError):
    """The output folder has other files, which would be mixed with those of the simulation."""


class Truth(NamedTuple):
    """The true figures before the late files arrive, and with them."""

    before_late: Figures
    total: Figures


@dataclass(frozen=True, slots=True)
class BoughtOrder:
    """An order of a client: its number, time and revenue, and what was bought; an order without items has no lines.

    `user_id` is who is signed in, empty for a guest. `revenue` is in euros, None if unknown; `goods` is what the lines
    cost in the shop's catalogue, without shipping and discounts.
    """

    client_id: str
    user_id: str
    transaction_id: str
    at: datetime
    revenue: Decimal | None
    goods: Decimal
    is_cancelled: bool
    lines: tuple[Bought, ...]


_ORDER = TypeAdapter(BoughtOrder)


def simulate(days: int, visitors: int, seed: int, out: Path, start: date | None = None, early_days: int = 0) -> Truth:
    """Write shop traffic below `out` and `out/truth.json`; the same arguments give the same bytes.

    `visitors` is the rough number of distinct visitors a day; the `early_days` about a month before the last day have
    fewer. Without a `start` the last day is yesterday in UTC. Files
    of the days go to `out/clickstream`, `out/messages` and `out/web_logs`, what arrives later to the same folders below
    `out/late`; the users API answers `out/users.json`, later `out/late/users.json`. `out/purchases.jsonl` has every
    order once, `out/exchange_rates` the rates of the days. Raises `FolderInUseError`.
    """
    scope = Scope(seed, start or datetime.now(UTC).date() - timedelta(days=days), days, visitors, early_days)
    clicks = ClickFeed(scope, out)
    sources: dict[str, Feed] = {
        "clickstream": clicks,
        "ecommerce_events": MessageFeed(scope, out, clicks.logins),
        "web_logs": LogFeed(scope, out),
    }
    ours = {path for source in sources.values() for path in source.paths}
    for folder in sorted({path.parent for path in ours}):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path not in ours:
                raise FolderInUseError(f"{path} is not a file of this simulation: choose an empty folder.")
    tally, truth = _write_arrivals(scope, sources, out)
    orders = []
    for sold in sorted(tally.orders(), key=lambda each: (each.at, each.client_id)):
        bought, goods = sold.purchase, Decimal(sold.purchase.goods) / 100
        ids = sold.client_id, sold.user, bought.transaction_id
        order = BoughtOrder(*ids, instant_of(sold.at), sold.revenue, goods, bought.is_cancelled, bought.lines)
        orders.append(_ORDER.dump_json(order).decode())
    write_lines(out / PURCHASES, orders)
    write_lines(out / "truth.json", [json.dumps(_by_scope(truth), indent=2, sort_keys=True)])
    return truth


def _write_arrivals(scope: Scope, sources: Mapping[str, Feed], out: Path) -> tuple[Tally, Truth]:
    """Write the files of all sources and the answers of the users API; returns what was counted."""
    rates = draw_rates(scope)
    lines = (f"{instant_of(day * DAY).date()},{currency},{rate}" for (currency, day), rate in rates.items())
    write_lines(out / "exchange_rates" / "rates.csv", ["date,currency,rate", *lines])
    tally, figures = Tally(rates, scope.start), []
    files = {name: zip(source.paths, source.pack(), strict=True) for name, source in sources.items()}
    for part, count, users in zip((out, out / "late"), (len(scope.midnights), None), draw_answers(scope), strict=True):
        for name, source in sources.items():
            for path, packed in islice(files[name], count):
                source.write(path, packed)
                tally.add(name, packed)
        answer = json.dumps([user.entry for user in users.values()], ensure_ascii=False, indent=2)
        write_lines(part / "users.json", [answer])
        people = {str(user_id): user.person for user_id, user in users.items() if user.person is not None}
        figures.append(tally.figures(people))
    return tally, Truth(*figures)


def _by_scope(truth: Truth) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the truth in the shape of `truth.json`: by stage, scope and name."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for stage, figures in truth._asdict().items():
        for (scope, name), value in figures.items():
            found.setdefault(stage, {}).setdefault(scope, {})[name] = value
    return found


def read_purchases(path: Path) -> Iterator[BoughtOrder]:
    """Read the orders of a simulation, by time."""
    return map(_ORDER.validate_json, read_documents(path))


def read_messages(path: Path) -> Iterator[str]:
    """Read the message bodies of a file of `messages`, in sending order, each the exact text."""
    return (json.loads(line)["body"] for line in read_documents(path))


def read_documents(path: Path) -> Iterator[str]:
    """Read the documents of a file of `web_logs`, in order, each as canonical Extended JSON."""
    with path.open(encoding="utf-8", newline="\n") as stream:
        for line in stream:
            yield line.rstrip("\n")
