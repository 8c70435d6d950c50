"""Rows of the clickstream from what their columns hold: what the tests of their reading share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from analytics_platform_tests.kit import Row, built_platform, click

CLEANED = {"cleaned.urls", "cleaned.user_agents", "cleaned.source_categories", "cleaned.events", "cleaned.event_items"}
AT = "2024-03-01T10:00:00Z"


def events_of(root: Path, *cases: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The row of cleaned.events that a clickstream row with the columns of each case becomes."""
    with built_platform(root, clicks_of(cases), CLEANED) as session:
        return session.frame("SELECT * FROM cleaned.events ORDER BY client_id").rows(named=True)


def items_of(root: Path, *cases: object) -> list[list[dict[str, Any]]]:
    """The rows of cleaned.event_items that an event carrying the data of each case becomes."""
    with built_platform(root, clicks_of([{"name": "view_item", "data": data} for data in cases]), CLEANED) as session:
        joined = "cleaned.event_items AS items JOIN cleaned.events USING (event_id)"
        items = session.frame(f"SELECT client_id, items.* FROM {joined} ORDER BY item_index").rows(named=True)
    return [[item for item in items if item["client_id"] == f"c{n:02}"] for n in range(len(cases))]


def purchases_of(cases: Iterable[object]) -> list[Row]:
    """A purchase with the data of each case."""
    return clicks_of([{"name": "purchase", "data": data} for data in cases])


def clicks_of(cases: Sequence[Mapping[str, Any]]) -> list[Row]:
    return [click(f"c{number:02}", AT, **columns) for number, columns in enumerate(cases)]
