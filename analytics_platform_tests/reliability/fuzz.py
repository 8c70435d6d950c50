"""Damaged records of every source through the real gates: none stops the load, and every one ends in one place.

python -m analytics_platform_tests.reliability.fuzz --records 1000000 --seed 1
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from random import Random

import bson

from analytics_platform.connectors.rest_api.content import BadAnswerError, split_records
from analytics_platform.connectors.sqs import Message
from analytics_platform.lake import Batch
from analytics_platform.sources.arrivals.api import put_answer
from analytics_platform.sources.arrivals.collection import to_parquet
from analytics_platform.sources.arrivals.queue import put_messages
from analytics_platform.sources.arrivals.tables import SUFFIX
from analytics_platform.sources.registry import SOURCES
from analytics_platform.warehouse.ledger import unloaded_batches
from analytics_platform.warehouse.load import load_new_batches
from analytics_platform_tests.ga4_rows import ga4_row
from analytics_platform_tests.kit import Platform, click, open_with_tables, to_csv
from analytics_platform_tests.names import CLICKSTREAM, ECOMMERCE_EVENTS, EXCHANGE_RATES, GA4_EVENTS, USERS, WEB_LOGS
from analytics_platform_tests.shop_logs import log, user
from analytics_platform_tests.shop_messages import SENT_AT, shop_message
from analytics_platform_tests.shop_rows import customer, line, order, product

BATCH, PAGE = 5_000, 20
"""Records of a batch, and of a page of an answer: one damaged bracket costs a page."""

DAMAGED = 0.6
"""Share of the records that are damaged."""

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
STRANGE: Sequence[object] = (
    *(None, True, False, "", " ", 0, -1, -0.0, 1e308, 10**18, 10**30, -(10**400), 0.1 + 0.2, "1e5", "0x10", "١٢"),
    *("NaN", "Infinity", "null", "\x00", "\ufeff", "\u202e", "\U0001f600" * 9, "e\u0301", "\ud800", "\uffff"),
    *('"', '""', "'", "\\", "a,b", "a\nb", "a\r\nb", "\r", "\t", ";", "=1+1", "<b>", "%s", "x" * 70_000),
    *([], {}, [[]], {"": {}}, [None, {"a": [1]}]),
    *("0001-01-01", "9999-12-31T23:59:59.999999Z", "2026-02-30", "2026-03-01T24:00:00Z", "2026-03-01T10:00:00+99:99"),
    *("1969-12-31T23:59:60Z", "9" * 17, "2026-03-01T10:00:00.1234567891Z", "10000-01-01", "-0001-01-01"),
)  # fmt: skip
DEEP = '{"a":' * 2_000 + "1" + "}" * 2_000


def strange_fields(record: Mapping[str, object], rng: Random) -> dict[str, object]:
    """The record with some of its fields replaced, moved, doubled or taken away."""
    changed = dict(record)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        name = rng.choice(list(changed) or [""])
        match rng.randrange(6):
            case 0:
                changed.pop(name, None)
            case 1:
                changed[name] = {name: changed.get(name)}
            case 2:
                changed[name] = [changed.get(name)] * rng.randrange(3)
            case 3:
                changed[str(rng.choice(STRANGE))[:50]] = changed.get(name)
            case _:
                changed[name] = rng.choice(STRANGE)
    return changed


def damaged_bytes(content: bytes, rng: Random) -> bytes:
    """The bytes with one of them flipped, some cut out, put in or doubled, or the end cut off."""
    place = rng.randrange(len(content) + 1)
    match rng.randrange(6):
        case 0:
            return content[:place]
        case 1:
            return content[:place] + bytes([rng.randrange(256)]) + content[place + 1 :]
        case 2:
            return (
                content[:place]
                + rng.choice((b'"', b"\x00", b"\xff", b",", b"{", b"]", b"\\u", b"\xed\xa0\x80"))
                + content[place:]
            )
        case 3:
            return content[:place] + content[place : place + 40] + content[place:]
        case 4:
            return content[place:] + content[:place]
        case _:
            return rng.randbytes(rng.randrange(60))


def as_json(record: Mapping[str, object], rng: Random) -> bytes:
    """The record as JSON, perhaps damaged: fields, keys that stand twice, deep nesting, bytes."""
    plain = record if rng.random() > DAMAGED else strange_fields(record, rng)
    text = json.dumps(plain, default=_plain, ensure_ascii=rng.random() < 0.5)
    if rng.random() < DAMAGED / 5:
        name = rng.choice(list(record))
        text = f'{text[:-1]}, "{name}": {rng.choice((DEEP, "1e999999", "-0", "NaN", "[1", text))}}}'
    content = text.encode(errors="surrogatepass")
    content = damaged_bytes(content, rng) if rng.random() < DAMAGED / 3 else content
    return content if content.strip() else b"{"  # a blank line is no record


def _plain(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else str(value)


def _answered(record: Mapping[str, object], rng: Random) -> bytes:
    """The record as JSON that a page may hold: the client keeps no answer that is not JSON."""
    while True:
        content = as_json(record, rng)
        with suppress(BadAnswerError):
            if [*split_records(b"[" + content + b"]")]:
                return content


def _moment(rng: Random) -> dt.datetime:
    return NOW + dt.timedelta(seconds=rng.randrange(20 * 86_400))


def put_clicks(platform: Platform, rng: Random, count: int, number: int) -> Batch:
    """Put a CSV file into the lake."""
    rows = [click(f"c{rng.randrange(900)}", _moment(rng), data={"items": [{"price": 1}]}) for _ in range(count)]
    changed = [row if rng.random() > DAMAGED else strange_fields(row, rng) for row in rows]
    kept = [{name: str(value) for name, value in row.items() if name in rows[0]} for row in changed]
    header, *lines = to_csv([rows[0], *kept]).encode(errors="surrogatepass").splitlines(keepends=True)
    lines = [damaged_bytes(each, rng) if rng.random() < DAMAGED / 3 else each for each in lines[1:]]
    return platform.lake.put_bytes(CLICKSTREAM, f"{number}.csv", ".csv", header + b"".join(lines))


def put_rates(platform: Platform, rng: Random, count: int, number: int) -> Batch:
    """Put a CSV file of exchange rates into the lake."""
    lines = [b"date,currency,rate\n"]
    for _ in range(count):
        row = {"date": f"{_moment(rng):%Y-%m-%d}", "currency": rng.choice(("USD", "GBP")), "rate": str(rng.random())}
        changed = strange_fields(row, rng) if rng.random() < DAMAGED else row
        line = ",".join(str(changed.get(name, "")) for name in row).encode(errors="surrogatepass") + b"\n"
        lines.append(damaged_bytes(line, rng) if rng.random() < DAMAGED / 3 else line)
    return platform.lake.put_bytes(EXCHANGE_RATES, f"{number}.csv", ".csv", b"".join(lines))


def export_row(rng: Random) -> dict[str, object]:
    """Make a row of GA4's export of which perhaps a struct, or the value of a parameter, is damaged."""
    item = {"item_id": "a", "item_name": "Lamp", "price": 1.5, "quantity": "2"}
    params = {"page_location": "https://shop.example/", "ga_session_id": 1, "value": 2.5, "currency": "EUR"}
    structs = {"device": {"category": "mobile"}, "geo": {"country": "Spain"}, "ecommerce": {"transaction_id": "t"}}
    at, name = _moment(rng).replace(tzinfo=None).isoformat(), rng.choice(("view_item", "purchase", "refund"))
    row = json.loads(ga4_row(f"c{rng.randrange(900)}", at, name, params=params, items=[item], **structs))
    if rng.random() < DAMAGED / 2:
        damaged = rng.choice((row, *row["event_params"]))
        inner = rng.choice([key for key, value in damaged.items() if isinstance(value, dict)] or list(damaged))
        damaged[inner] = strange_fields(value if isinstance(value := damaged[inner], dict) else {}, rng)
    return dict(row)


def put_events(platform: Platform, rng: Random, count: int, number: int) -> Batch:
    """Put messages into the lake."""
    items = [{"item_id": "a", "price": "1.5", "quantity": 2}]
    events = (json.loads(shop_message(f"u{rng.randrange(900)}", _moment(rng), items=items)) for _ in range(count))
    bodies = [as_json(event, rng).decode(errors="replace") for event in events]
    put_messages(
        platform.lake,
        ECOMMERCE_EVENTS,
        f"{number}",
        [Message(f"m{i}", x, SENT_AT, 1, {}) for i, x in enumerate(bodies)],
    )
    return platform.lake.batches(ECOMMERCE_EVENTS)[-1]


def put_documents(platform: Platform, rng: Random, count: int, number: int) -> Batch:
    """Put BSON documents into the lake."""
    found = []
    for _ in range(count):
        document = log(rng.randrange(900), _moment(rng).replace(tzinfo=None), item="Lamp")
        if rng.random() < DAMAGED:
            try:
                content = bson.encode(strange_fields(document, rng))
            except (OverflowError, bson.errors.InvalidDocument, UnicodeEncodeError):
                content = bson.encode(document)
        else:
            content = bson.encode(document)
        found.append(damaged_bytes(content, rng) if rng.random() < DAMAGED / 3 else content)
    return platform.lake.put_bytes(WEB_LOGS, f"{number}", ".parquet", to_parquet(found))


def put_people(platform: Platform, rng: Random, count: int, number: int) -> Batch:
    """Put an answer of the API into the lake, in pages."""
    texts = [_answered(user(rng.randrange(900), city="Köln", seen=f"{number}"), rng) for _ in range(count)]
    pages = [b"[" + b",".join(texts[start : start + PAGE]) + b"]" for start in range(0, count, PAGE)]
    return put_answer(platform.lake, USERS, pages)


def put_rows(source: str, make: Callable[[Random], Mapping[str, object]], suffix: str = SUFFIX) -> Put:
    """Make what puts rows into the lake, a JSON object per line, by default those of a table of the shop."""

    def put(platform: Platform, rng: Random, count: int, number: int) -> Batch:
        lines = (as_json(make(rng), rng).replace(b"\n", b" ") for _ in range(count))
        return platform.lake.put_bytes(source, f"{number}", suffix, b"".join(line + b"\n" for line in lines))

    return put


Put = Callable[[Platform, Random, int, int], Batch]
PUTS: Mapping[str, Put] = {
    CLICKSTREAM: put_clicks,
    ECOMMERCE_EVENTS: put_events,
    WEB_LOGS: put_documents,
    GA4_EVENTS: put_rows(GA4_EVENTS, export_row, ".jsonl"),
    EXCHANGE_RATES: put_rates,
    USERS: put_people,
    "customers": put_rows("customers", lambda rng: customer(rng.randrange(900), _moment(rng))),
    "products": put_rows("products", lambda rng: product(f"p{rng.randrange(900)}", _moment(rng))),
    "orders": put_rows("orders", lambda rng: order(rng.randrange(10**6), "c/1", 1, _moment(rng))),
    "order_items": put_rows("order_items", lambda rng: line(rng.randrange(10**6), 1, "p", _moment(rng))),
}


UNCOUNTED = (CLICKSTREAM, EXCHANGE_RATES, USERS)
"""Sources whose records a damaged byte joins or parts: in CSV a quote, in an answer a bracket."""


def fuzz(platform: Platform, source: str, records: int, rng: Random) -> tuple[int, ...]:
    """Load that many records of a source, and return how many were read, accepted, duplicate and quarantined.

    Raises `AssertionError` if a batch fails, or a record is not in exactly one place.
    """
    found, contract = [0, 0, 0, 0], SOURCES[source].contract
    with platform.session() as session:
        for number, start in enumerate(range(0, records, BATCH)):
            count = min(BATCH, records - start)
            PUTS[source](platform, rng, count, number)
            loads = load_new_batches(SOURCES[source], session, platform.settings, platform.lake, "fuzz")
            for _, loaded in loads:
                ends = (loaded.rows_accepted, loaded.rows_duplicate, loaded.rows_quarantined)
                assert source in (CLICKSTREAM, EXCHANGE_RATES, USERS) or loaded.rows_read == count, (
                    f"{loaded} of {count} in {number}"
                )
                found = [a + b for a, b in zip(found, (loaded.rows_read, *ends), strict=True)]
            assert not (failed := unloaded_batches(session)), str(failed[0])
        stored = session.count(contract.table.name)
        sql = "SELECT count(*) FROM ops.quarantine WHERE source = $source"
        assert found[1::2] == [stored, *session.one(sql, {"source": source})], contract.table.name
        assert found[0] == sum(found[1:])
    return tuple(found)


def main() -> None:
    """Fuzz every source, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--records", type=int, default=100_000, help="over all sources")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--source", choices=list(PUTS), action="append", help="only this one; may be repeated")
    given = parser.parse_args()
    print(f"seed {given.seed}\n{'source':<18}{'read':>10}{'accepted':>10}{'duplicate':>10}{'rejected':>10}{'CPU s':>8}")
    for source in given.source or PUTS:
        with tempfile.TemporaryDirectory() as folder:
            start, platform = time.process_time(), open_with_tables(Path(folder))
            figures = fuzz(
                platform, source, given.records // len(given.source or PUTS), Random(f"{given.seed} {source}")
            )
            took = time.process_time() - start
        print(f"{source:<18}{''.join(f'{figure:>10,}' for figure in figures)}{took:>8.1f}", flush=True)


if __name__ == "__main__":
    main()
