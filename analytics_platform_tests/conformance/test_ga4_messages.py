"""The conformance events as messages: each says what its row in the CSV says, and the tables are the same."""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.ddl import column_types
from analytics_platform.gate.exact_json import canonical_json
from analytics_platform.sources.ecommerce_events.decode import decode_message
from analytics_platform.sources.ecommerce_events.items import parse_items
from analytics_platform.transform import DayRange, all_models
from analytics_platform.warehouse import Session
from analytics_platform_tests.kit import VOLATILE, Contents, Platform, build, contents, load_landed, open_platform
from analytics_platform_tests.shop_messages import load_messages


def test_every_message_is_decoded_and_says_what_its_csv_row_says(conformance_data: Path) -> None:
    folder = conformance_data / "snowplow_ecommerce"
    with (folder / "clickstream.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["event_id"]: row for row in csv.DictReader(file)}
    messages = [decode_message(line) for line in (folder / "ga4_events.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(messages) == len(rows) == 833
    for message in messages:
        row = rows[message["source_event_id"] or ""]
        data = json.loads(row["event_data"] or "{}")
        items = parse_items(data.get("items", []))
        assert message["items"] == (canonical_json(items) if items else None)
        found = tuple(message[name] for name in ("client_id", "event_at", "page_url", "referrer"))
        told = (row["client_id"], row["timestamp"], row["page_url"], row["referrer"])
        assert found == tuple(text or None for text in told)
        assert message["transaction_id"] == data.get("transaction_id")
        assert message["list_name"] == data.get("item_list_name")


OF_THE_FORM: Mapping[str, frozenset[str]] = {
    "cleaned.events": frozenset(
        {"source", "platform", "device_type", "os", "browser", "is_bot", "batch_id", "position"}
    ),
    "sessionized.sessions": frozenset({"device_type", "os", "browser"}),
    "sessionized.buyers": frozenset({"device_key"}),
    "star.fact_events": frozenset({"feed", "device_key", "platform"}),
    "star.fact_event_items": frozenset({"device_key", "platform"}),
    "star.fact_order_items": frozenset({"device_key"}),
    "star.fact_sessions": frozenset({"device_key"}),
    "star.fact_orders": frozenset({"device_key"}),
    "star.fact_promotions": frozenset({"device_key"}),
}
"""Columns that tell of the way events came, or of the user agent, which these messages have not."""
OF_THE_SOURCE = frozenset({"event_id", "order_id", "refunded_id"})
"""Ids never collide across sources: the same event from two has two."""
ABOUT_DEVICES = {"cleaned.user_agents", "star.dim_device", "marts.device_daily", "marts.data_quality_daily"}


@pytest.fixture(scope="module")
def as_csv(conformance_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Contents:
    platform = open_platform(tmp_path_factory.mktemp("csv"))
    (platform.landing / "c.csv").write_bytes((conformance_data / "snowplow_ecommerce" / "clickstream.csv").read_bytes())
    with platform.session() as session:
        load_landed(platform, session)
        return built(session, platform)


@pytest.fixture(scope="module")
def as_messages(conformance_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Contents:
    platform = open_platform(tmp_path_factory.mktemp("messages"))
    lines = (conformance_data / "snowplow_ecommerce" / "ga4_events.jsonl").read_text(encoding="utf-8").splitlines()
    with platform.session() as session:
        (loaded,) = load_messages(platform, session, lines)
        assert (loaded.rows_accepted, loaded.rows_quarantined) == (832, 1)
        return built(session, platform)


def built(session: Session, platform: Platform) -> Contents:
    """The tables that models make of the days of the events, without the columns of the form."""
    ((first, last),) = session.rows("SELECT min(event_date), max(event_date) FROM ops.batch_days")
    assert isinstance(first, dt.date) and isinstance(last, dt.date)
    build(session, DayRange(first, last), platform.settings)
    names = [name for name in all_models() if name not in ABOUT_DEVICES]
    return {name: without(rows, name) for name, rows in contents(session, names).items()}


def without(rows: list[tuple[object, ...]], name: str) -> list[tuple[object, ...]]:
    compared = [column for column in column_types(CONTRACTS[name]) if column not in VOLATILE.get(name, ())]
    kept = [
        place
        for place, column in enumerate(compared)
        if column not in OF_THE_FORM.get(name, OF_THE_SOURCE) | OF_THE_SOURCE
    ]
    return sorted((tuple(row[place] for place in kept) for row in rows), key=repr)


@pytest.mark.parametrize("name", sorted(set(all_models()) - ABOUT_DEVICES))
def test_messages_give_the_same_table_as_their_csv_form(name: str, as_csv: Contents, as_messages: Contents) -> None:
    assert as_messages[name] == as_csv[name]


def test_messages_give_the_sessions_orders_and_items_that_the_vendor_gives(
    as_messages: Contents, conformance_data: Path
) -> None:
    totals = json.loads((conformance_data / "snowplow_ecommerce" / "expected_totals.json").read_text("utf-8"))
    found = {
        "sessions": len(as_messages["star.fact_sessions"]),
        "transactions": len(as_messages["star.fact_orders"]),
        "item_rows": len(as_messages["star.fact_event_items"]),
    }
    assert found == {name: totals[name] for name in found}
