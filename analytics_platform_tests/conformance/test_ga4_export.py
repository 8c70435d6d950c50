"""An export of GA4 to BigQuery gives the sessions, orders, channels and countries that are known of it, in any form."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from analytics_platform.sources.arrivals.files import land_files
from analytics_platform.sources.registry import SOURCES
from analytics_platform.transform import DayRange
from analytics_platform.warehouse import Session
from analytics_platform.warehouse.load import load_new_batches
from analytics_platform.warehouse.watchdog import has_the_sources_sessions, unread_fields
from analytics_platform_tests.ga4_rows import as_parquet
from analytics_platform_tests.kit import Platform, build, needed, open_with_tables
from analytics_platform_tests.shop_messages import SENT_AT, load_messages

TABLES = needed(
    "star.fact_orders", "star.fact_order_items", "star.fact_refunds", "star.fact_sessions", "star.dim_customer"
)


@pytest.fixture(params=["events.jsonl", "events.json.gz", "events.parquet", "messages"])
def loaded(request: pytest.FixtureRequest, conformance_data: Path, tmp_path: Path) -> tuple[Platform, str]:
    """A platform with the export loaded, and the source that it came from."""
    platform, name = open_with_tables(tmp_path), request.param
    text = (conformance_data / "ga4_export" / "events.jsonl").read_text("utf-8")
    with platform.session() as session:
        if name == "messages":
            load_messages(platform, session, text.splitlines())
            return platform, "ecommerce_events"
        folder, plain = platform.settings.landing_dir / "ga4_events", text.encode()
        folder.mkdir()
        contents = {".jsonl": plain, ".gz": gzip.compress(plain), ".parquet": as_parquet(text.splitlines())}
        folder.joinpath(name).write_bytes(contents[Path(name).suffix])
        assert not land_files(SOURCES["ga4_events"], platform.settings, platform.lake).rejected
        list(load_new_batches(SOURCES["ga4_events"], session, platform.settings, platform.lake, "test"))
    return platform, "ga4_events"


def by_client(session: Session, sql: str) -> dict[object, object]:
    return dict(session.rows(sql))


def test_the_export_gives_what_is_known_of_it(loaded: tuple[Platform, str], conformance_data: Path) -> None:
    expected = json.loads((conformance_data / "ga4_export" / "expected.json").read_text("utf-8"))
    platform, source = loaded
    with platform.session() as session:
        build(session, DayRange.parse("2025-03-05...2025-03-08"), platform.settings, TABLES)
        first = "max_by(channel, -epoch_us(started_at))"
        found = {
            "events": session.count("cleaned.events"),
            "sessions": session.count("star.fact_sessions"),
            "sessions_by_client": by_client(session, "SELECT client_id, count(*) FROM star.fact_sessions GROUP BY 1"),
            "orders": session.count("star.fact_orders"),
            **dict(
                zip(
                    ("gross", "refunds", "net"),
                    map(str, session.one("SELECT sum(revenue), sum(refunded), sum(net_revenue) FROM star.fact_orders")),
                    strict=True,
                )
            ),
            "currency": session.one("SELECT DISTINCT currency FROM cleaned.events WHERE currency IS NOT NULL")[0],
            "order_items": session.count("star.fact_order_items"),
            "channel_of_first_session": by_client(
                session, f"SELECT client_id, {first} FROM star.fact_sessions GROUP BY 1"
            ),
            "country_of_client": by_client(
                session, "SELECT client_id, country FROM star.dim_customer WHERE is_current AND customer_key <> -1"
            ),
        }
        observed = has_the_sources_sessions(session, platform.settings, SENT_AT).seen
        told = session.rows("SELECT DISTINCT device_type, os, browser, city FROM cleaned.events ORDER BY ALL")
        unread = " ".join(unread_fields(session))
        sessions = session.rows("SELECT source_session_id, city FROM star.fact_sessions ORDER BY 1")
    assert found == {name: value for name, value in expected.items() if name != "notes"}
    assert observed == f"equal to sessions here: 5 of 5 sessions of {source} (100%), in the last 7 days of data"
    assert told == [
        ("desktop", "Windows", "Chrome", "Paris"),
        ("mobile", "iOS", "Safari", "Berlin"),
        ("mobile", "iOS", "Safari", None),
    ]
    assert sessions == [("101", "Berlin"), ("201", "Paris"), ("202", "Paris"), ("301", "Berlin"), ("401", None)]
    assert "device.mobile_brand_name" in unread
    assert not {"page_location", "ga_session_id", "geo.city", "value", "gclid"} & set(unread.replace(",", "").split())
    assert "event_date" not in unread
