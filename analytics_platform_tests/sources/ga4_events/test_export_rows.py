"""Rows of GA4's export: the same tables as their CSV form, every field read once, and a reason for what is rejected."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from analytics_platform.sources.arrivals.files import land_files
from analytics_platform.sources.ecommerce_events.decode import decode_message
from analytics_platform.sources.person import Person
from analytics_platform.sources.registry import SOURCES
from analytics_platform.transform import DayRange
from analytics_platform.warehouse import Loaded, Session
from analytics_platform.warehouse.erase import erase
from analytics_platform.warehouse.erasure import open_erasure, search
from analytics_platform.warehouse.load import load_new_batches
from analytics_platform.warehouse.watchdog import unread_fields
from analytics_platform_tests.ga4_rows import as_parquet, ga4_row
from analytics_platform_tests.kit import Platform, Row, build, click, load_rows, needed, open_with_tables

DAYS = DayRange.parse("2026-03-01...2026-03-02")
TABLES = ("star.fact_sessions", "star.fact_orders", "star.fact_order_items", "star.fact_event_items")
OF_THE_FORM = {"event_id", "order_id", "platform"}
SHOP = "https://shop.example"
ITEMS = [{"item_id": "p1", "item_name": "Lamp", "price": 20.0, "quantity": "2"}, {"item_id": "p2", "price": 5.0}]


def load(platform: Platform, session: Session, name: str, rows: Sequence[str]) -> Loaded:
    """Drop rows as a file and load it."""
    folder, source = platform.settings.landing_dir / "ga4_events", SOURCES["ga4_events"]
    folder.mkdir(exist_ok=True)
    content = as_parquet(rows) if name.endswith(".parquet") else "\n".join(rows).encode()
    folder.joinpath(name).write_bytes(content)
    assert not land_files(source, platform.settings, platform.lake).rejected
    ((_, loaded),) = load_new_batches(source, session, platform.settings, platform.lake, "test")
    return loaded


def in_both_forms(at: str, name: str, page: str, **data: object) -> tuple[Row, str]:
    """An event as a row of a CSV export, and as a row of GA4's."""
    items, params = data.pop("items", []), {"page_location": page, "page_referrer": data.pop("referrer", ""), **data}
    row = click("c1", f"{at}Z", name, page_url=page, referrer=params["page_referrer"], user_agent="", user_id="u1")
    row = {**row, "event_data": json.dumps({**data, "items": items})}
    return row, ga4_row("c1", at, name, params=params, items=items, user_id="u1")


BOTH = [
    in_both_forms("2026-03-01T09:00:00", "page_view", f"{SHOP}/?utm_source=news&utm_medium=email"),
    in_both_forms("2026-03-01T09:01:00.000001", "view_item", f"{SHOP}/p1", items=ITEMS[:1]),
    in_both_forms("2026-03-01T09:05:00", "add_to_cart", f"{SHOP}/p1", items=ITEMS[:1], value=40.0, currency="EUR"),
    in_both_forms(
        "2026-03-01T09:09:00", "purchase", f"{SHOP}/ok", items=ITEMS, transaction_id="T1", value=45.5, currency="EUR"
    ),
    in_both_forms("2026-03-01T23:50:00", "page_view", f"{SHOP}/", referrer="https://www.google.com/"),
    in_both_forms("2026-03-02T00:10:00", "purchase", f"{SHOP}/ok", items=ITEMS[1:], transaction_id="T2"),
]


def test_an_export_gives_the_sessions_orders_and_items_of_its_csv_form(tmp_path: Path) -> None:
    found = []
    for form in range(2):
        platform = open_with_tables(tmp_path / str(form))
        with platform.session() as session:
            if form:
                load(platform, session, "a.parquet", [row for _, row in BOTH])
            else:
                load_rows(platform, session, [row for row, _ in BOTH])
            build(session, DAYS, platform.settings, needed(*TABLES))
            found.append({name: without_form(session, name) for name in TABLES})
    assert found[0] == found[1] and all(found[0].values())


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.parquet"])
def test_tax_and_shipping_of_an_export_are_those_of_the_order_and_its_date_is_no_unread_field(
    name: str, tmp_path: Path
) -> None:
    sold = {"transaction_id": "T1", "purchase_revenue": 50.5, "tax_value": 4.9, "shipping_value": 5.0, "total": 1}
    params = {"transaction_id": "T1", "currency": "EUR"}
    row = ga4_row("c1", "2026-03-01T09:00:00", "purchase", params=params, ecommerce=sold, event_date="20260301")
    platform = open_with_tables(tmp_path)
    with platform.session() as session:
        load(platform, session, name, [row])
        build(session, DAYS, platform.settings, needed("cleaned.events"))
        found = session.rows("SELECT amount, tax, shipping FROM cleaned.events")
        assert found == [(Decimal("50.5"), Decimal("4.9"), 5)]
        assert unread_fields(session) == ["ecommerce.total in extra of ga4_events"]


def without_form(session: Session, name: str) -> list[dict[str, object]]:
    rows = session.frame(f"SELECT * FROM {name}").to_dicts()
    return sorted(({x: y for x, y in row.items() if x not in OF_THE_FORM} for row in rows), key=repr)


READ: Mapping[str, tuple[dict[str, object], dict[str, Any], dict[str, str | None]]] = {
    "collected tags win over the event's parameters": (
        {"source": "a", "medium": "b", "campaign": "c"},
        {"collected_traffic_source": {"manual_source": "news & co", "manual_campaign_name": "(not set)"}},
        {"campaign_tags": "?utm_source=news+%26+co&utm_medium=b&utm_campaign=c"},
    ),
    "a click id is a tag": (
        {"campaign": "(direct)"},
        {"collected_traffic_source": {"gclid": "abc", "dclid": None}},
        {"campaign_tags": "?gclid=abc"},
    ),
    "what GA4 made of the referrer is none": (
        {"source": "paypal.com", "medium": "referral", "campaign": "(referral)"},
        {},
        {"campaign_tags": None, "extra": None},
    ),
    "placeholders are missing": (
        {"page_referrer": "(not set)", "page_title": "(not set)"},
        {
            "traffic_source": {"source": "(direct)", "medium": "(none)", "name": "(direct)"},
            "geo": {"country": "(not set)"},
        },
        {"referrer": None, "first_source": None, "first_medium": None, "country": None, "extra": None},
    ),
    "the shop's money wins over dollars": (
        {"currency": "EUR", "value": 9.5},
        {"ecommerce": {"purchase_revenue": 10.0, "purchase_revenue_in_usd": 10.8, "transaction_id": "T1"}},
        {"revenue": "10", "revenue_usd": "10.8", "currency": "EUR", "transaction_id": "T1"},
    ),
    "a refund's value": (
        {},
        {"event_name": "refund", "ecommerce": {"refund_value": 5.25, "transaction_id": "T1"}},
        {"revenue": "5.25", "extra": None},
    ),
    "a refund's value beside the order's": (
        {"value": 20.0},
        {
            "event_name": "refund",
            "ecommerce": {"purchase_revenue": 0.0, "refund_value": 5.25, "refund_value_in_usd": 6.5},
        },
        {"revenue": "5.25", "revenue_usd": "6.5"},
    ),
    "an order's value beside a refund's": (
        {"value": 20.0},
        {"event_name": "purchase", "ecommerce": {"refund_value": 0.0}},
        {"revenue": "20"},
    ),
    "the export's own client wins over a parameter": (
        {"client_id": "GA1.1.c1"},
        {"event_name": "purchase"},
        {"client_id": "c1", "extra": '{"client_id":"GA1.1.c1"}'},
    ),
    "an item that an article or a picture is": (
        {"item_id": "news-5", "item_name": "News", "price": "x"},
        {"event_name": "select_content", "items": []},
        {"items": None, "extra": '{"item_id":"news-5","item_name":"News","price":"x"}'},
    ),
    "a parameter without a value": ({"coupon": None}, {}, {"extra": None}),
    "the session, the device and the user's first source": (
        {"ga_session_id": 7},
        {
            "device": {"category": "smart tv", "operating_system": "Web", "web_info": {"browser": "Chrome"}},
            "traffic_source": {"source": "google", "medium": "organic", "name": "(organic)"},
        },
        {
            "source_session_id": "7",
            "device_type": "smart tv",
            "os": "Web",
            "browser": "Chrome",
            "first_source": "google",
        },
    ),
}


@pytest.mark.parametrize(("params", "fields", "read"), READ.values(), ids=READ)
def test_a_row_says_what_a_message_would(
    params: dict[str, object], fields: dict[str, Any], read: dict[str, str | None]
) -> None:
    decoded = decode_message(ga4_row("c1", "2026-03-01T09:00:00", params=params, **fields))
    assert {name: decoded[name] for name in read} == read


def test_parameters_in_another_form_and_fields_of_other_types_are_kept_as_they_are() -> None:
    message = {"event_params": [{"name": "x"}], "user_pseudo_id": "c1", "city": 5, "geo": {"city": "Bern"}}
    decoded = decode_message(json.dumps(message))
    assert (decoded["client_id"], decoded["city"]) == ("c1", "Bern")
    assert json.loads(decoded["extra"] or "") == {"city": 5, "event_params": [{"name": "x"}]}


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_a_rejected_row_has_its_reason_and_place(name: str, tmp_path: Path) -> None:
    rows = [
        ga4_row("c1", "2026-03-01T09:00:00"),
        ga4_row("(not set)", "2026-03-01T09:00:00", params={"transaction_id": 0.5}),
        ga4_row("(not set)", "2026-03-01T09:00:00"),
        ga4_row("c1", "2026-03-01T09:00:00", "purchase", items=[{"price": "many"}]),
    ]
    platform = open_with_tables(tmp_path)
    with platform.session() as session:
        loaded = load(platform, session, name, rows)
        assert (loaded.rows_accepted, loaded.rows_quarantined) == (1, 3)
        assert session.rows("SELECT position, error_reason FROM ops.quarantine ORDER BY position") == [
            (2, "transaction_id: not a text or whole number"),
            (3, "user_pseudo_id: missing"),
            (4, "items: [].price is no amount"),
        ]


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_of_an_erased_person_only_orders_stay(name: str, tmp_path: Path) -> None:
    ada, order = "1111111111.1741168700", {"transaction_id": "T1", "value": 45.5, "currency": "EUR"}
    rows = [
        ga4_row(ada, "2026-03-01T09:00:00", params={"page_location": SHOP}, user_id="u7"),
        ga4_row(ada, "2026-03-01T09:01:00", "purchase", params={**order, "page_title": f"of {ada}"}, items=ITEMS),
        ga4_row("c2", "2026-03-01T09:02:00", params={"page_location": SHOP}),
    ]
    tables, platform = needed("star.fact_orders", "star.fact_order_items"), open_with_tables(tmp_path)
    with platform.session() as session:
        load(platform, session, name, rows)
        build(session, DAYS, platform.settings, tables)
        before = session.rows("SELECT transaction_id, revenue FROM star.fact_orders")
        erasure = open_erasure(platform.lake, Person.of(client=[ada]))
        assert not erase(session, platform.settings, platform.lake, erasure, "grace", print)
        build(session, DAYS, platform.settings, tables)
        assert not [place for place in search(session, platform.settings, platform.lake, erasure) if place.found]
        assert session.rows("SELECT transaction_id, revenue FROM star.fact_orders") == before
        assert session.count("star.fact_order_items") == 2 and session.count("cleaned.ga4_events") == 2
