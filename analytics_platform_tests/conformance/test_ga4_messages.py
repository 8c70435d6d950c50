"""The conformance events as messages: each is decoded, and says what its row in the CSV says."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from analytics_platform.gate.messages import canonical_json, decode_message, parse_items


def test_every_message_is_decoded_and_says_what_its_csv_row_says(conformance_data: Path) -> None:
    folder = conformance_data / "snowplow_ecommerce"
    with (folder / "clickstream.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["event_id"]: row for row in csv.DictReader(file)}
    messages = [decode_message(line) for line in (folder / "ga4_events.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(messages) == len(rows) == 833
    for message in messages:
        row = rows[message.event_id or ""]
        data = json.loads(row["event_data"] or "{}")
        items = parse_items(data.get("items", []))
        assert message.items == (canonical_json(items) if items else None)
        found = (message.client_id, message.event_at, message.page_url, message.referrer)
        told = (row["client_id"], row["timestamp"], row["page_url"], row["referrer"])
        assert found == tuple(text or None for text in told)
        assert (message.transaction_id, message.list_name) == (data.get("transaction_id"), data.get("item_list_name"))
