"""Writes a realistic clickstream CSV of any length, with 6 % of its rows broken in several ways: 2 M rows, 391 MB."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.progress import track

HEADER = ("client_id", "page_url", "referrer", "timestamp", "event_name", "event_data", "user_agent")
FIRST = dt.datetime(2026, 10, 1, tzinfo=dt.UTC)
DAYS = 3
_CHUNK = 50_000
_PAGES = [f"https://www.shop.example/tables/item-{n}" for n in range(500)]
_REFERRERS = ("", "https://www.google.com/", "https://t.co/x", "https://www.shop.example/")
_BROWSERS = [
    f"Mozilla/5.0 (X11; Linux x86_64; rv:{version}.0) Gecko/20100101 Firefox/{version}.0" for version in range(80, 120)
]
_BROKEN = (
    "no client",
    "no client",
    "not a time",
    "impossible date",
    "far future",
    "torn",
    "unterminated quote",
    "bad JSON",
    "extra columns",
    "not UTF-8",
)


def clickstream(folder: Path, rows: int, seed: int = 1, quotes_end: bool = False) -> Path:
    """The file of `rows` rows, written if it is not in `folder` already; with `quotes_end`, every quote has its end."""
    kinds = [kind for kind in _BROKEN if not (quotes_end and kind == "unterminated quote")]
    path = folder / f"clickstream_{rows}_{seed}{'_quotes_end' if quotes_end else ''}.csv"
    if not path.exists():
        draft = path.with_suffix(".part")
        folder.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            file.write((",".join(HEADER) + "\n").encode())
            for start in track(range(0, rows, _CHUNK), description=f"writing {path.name}"):
                chunk = random.Random(f"{seed}:{start}")
                file.write(b"".join(_records(chunk, start, min(start + _CHUNK, rows), rows, kinds)))
        draft.rename(path)
    return path


def _records(choose: random.Random, start: int, end: int, rows: int, kinds: Sequence[str]) -> Iterator[bytes]:
    text = io.StringIO()
    for number in range(start, end):
        at = FIRST + dt.timedelta(days=DAYS) * (number / rows)
        record = _record(choose, at, number)
        if choose.random() < 0.06:
            yield _broken(choose.choice(kinds), record, text)
        else:
            yield _written(record, text)


def _record(choose: random.Random, at: dt.datetime, number: int) -> dict[str, str]:
    buys = choose.random() < 0.05
    return {
        "client_id": f"{choose.getrandbits(64):016x}",
        "page_url": choose.choice(_PAGES),
        "referrer": choose.choice(_REFERRERS),
        "timestamp": f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z",
        "event_name": "checkout_completed" if buys else "page_viewed",
        "event_data": _order(choose, number) if buys else "",
        "user_agent": choose.choice(_BROWSERS),
    }


def _order(choose: random.Random, number: int) -> str:
    item = {"item_id": f"p{choose.randrange(50)}", "item_name": 'Bed 12"', "item_variant": "oak"}
    items = [{**item, "quantity": 1, "item_price": 12.5}]
    order = {"transaction_id": f"T{number}", "revenue": choose.randrange(10_000) / 100, "items": items}
    return json.dumps({**order, "user_email": f"{choose.getrandbits(256):064x}"})


def _written(record: dict[str, str], text: io.StringIO) -> bytes:
    text.seek(0)
    text.truncate()
    csv.writer(text, lineterminator="\n").writerow(record.values())
    return text.getvalue().encode()


def _broken(kind: str, record: dict[str, str], text: io.StringIO) -> bytes:
    match kind:
        case "no client":
            record["client_id"] = ""
        case "not a time":
            record["timestamp"] = "yesterday"
        case "impossible date":
            record["timestamp"] = "2026-02-30T00:00:00.000Z"
        case "far future":
            record["timestamp"] = "2126-10-01T00:00:00.000Z"
        case "bad JSON":
            record["event_data"] = '{"items": ['
        case "torn":
            return f"{record['client_id']},{record['page_url']}\n".encode()
        case "unterminated quote":
            return _written(record, text).replace(b"Mozilla", b'"Mozilla')
        case "not UTF-8":
            return _written(record, text).replace(b"Mozilla", b"Mozill\xe4")
        case "extra columns":
            return _written(record, text).removesuffix(b"\n") + b",more,columns\n"
    return _written(record, text)
