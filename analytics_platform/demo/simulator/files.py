"""The files of a simulation, each under a temporary name until it is whole; and reading them back to send them on."""

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from random import Random
from typing import BinaryIO, NamedTuple, cast

from analytics_platform.demo.simulator.breakage import Broken, MakeRow
from analytics_platform.demo.simulator.events import Bought, Event, Purchase, format_money, format_time
from analytics_platform.demo.simulator.rows import FileStyle, write_row

PURCHASES = "purchases.jsonl"
_BATCH = 4_096
"""Rows turned into bytes at once."""


@contextmanager
def _open_new(path: Path) -> Iterator[BinaryIO]:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("wb") as stream:
        yield stream
    part.replace(path)


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write lines as UTF-8."""
    with _open_new(path) as stream:
        stream.writelines(f"{line}\n".encode() for line in lines)


def write_rows(
    path: Path, style: FileStyle, rows: Sequence[Event], broken: Mapping[int, Broken[MakeRow]], rng: Random
) -> None:
    """Write rows, with a broken one before each place named in `broken`."""
    lines = _make_rows(style, rows, broken, rng)
    with ExitStack() as stack:
        stream = stack.enter_context(_open_new(path))
        if style.is_gzipped:
            zipped = gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=stream, mtime=0)
            stream = cast(BinaryIO, stack.enter_context(zipped))
        stream.write(style.header.encode("utf-8-sig" if style.has_bom else "utf-8"))
        while batch := list(islice(lines, _BATCH)):
            text = style.newline + style.newline.join(batch)
            # lone surrogates stand for bytes that are not UTF-8
            stream.write(text.encode("utf-8", errors="surrogateescape"))
        if style.has_final_newline:
            stream.write(style.newline.encode())


def _make_rows(
    style: FileStyle, rows: Sequence[Event], broken: Mapping[int, Broken[MakeRow]], rng: Random
) -> Iterator[str]:
    for place, row in enumerate(rows):
        if place in broken:
            yield broken[place].make(rng, row, style)
        yield write_row(row, style)


class BoughtOrder(NamedTuple):
    """An order of a client: the number it gave it, when, what it paid, and for what; a free one has no lines."""

    client_id: str
    transaction_id: str
    at: datetime
    revenue: Decimal
    lines: tuple[Bought, ...]


def write_purchases(path: Path, purchases: Iterable[tuple[str, int, Purchase]]) -> None:
    """Write orders (client, time in milliseconds since 1970, content), as the shop's own service gets them: by time."""
    in_order = sorted(purchases, key=lambda each: (each[1], each[0], each[2].transaction_id))
    orders = (
        {
            "client_id": client_id,
            "transaction_id": purchase.transaction_id,
            "at": format_time(at),
            "revenue": format_money(purchase.cents),
            "lines": purchase.lines,
        }
        for client_id, at, purchase in in_order
    )
    write_lines(path, (json.dumps(order, ensure_ascii=False) for order in orders))


def read_purchases(path: Path) -> Iterator[BoughtOrder]:
    """Read the orders of a file that `write_purchases` wrote."""
    for each in map(json.loads, read_documents(path)):
        lines = tuple(Bought(*bought) for bought in each["lines"])
        at, revenue = datetime.fromisoformat(each["at"]), Decimal(each["revenue"])
        yield BoughtOrder(each["client_id"], each["transaction_id"], at, revenue, lines)


def read_messages(path: Path) -> Iterator[str]:
    """Read the message bodies of a file of `messages`, in sending order, each the exact text."""
    for line in read_documents(path):
        body: str = json.loads(line)["body"]
        yield body


def read_documents(path: Path) -> Iterator[str]:
    """Read the documents of a file of `web_logs`, in order, each as canonical Extended JSON."""
    with path.open(encoding="utf-8", newline="\n") as stream:
        for line in stream:
            yield line.rstrip("\n")
