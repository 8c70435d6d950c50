"""Of the events of all sources a build plans the sources and columns that it needs, and gets the same rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from analytics_platform.contracts.base import SourceEvents
from analytics_platform.transform.source_events import (
    EventQuery,
    empty_tables,
    events_within,
    put_events,
    source_events,
)
from analytics_platform.transform.sql import parse
from analytics_platform_tests.kit import built_platform, click

LOGS = """
CREATE TABLE logs AS
SELECT * FROM (VALUES (1, 'a', 'x', 5), (1, 'b', 'y', 6), (2, 'a', 'x', 5), (2, NULL, 'z', 7)) AS t (day, name, page, n)
"""
WRITTEN = {
    "an expression": "SELECT day AS event_date, '' AS batch_id, upper(name) AS event_name, n + 1 AS position FROM logs",
    "a column of the same query": """
        SELECT day AS event_date, '' AS batch_id, n * 2 AS twice, twice + 1 AS position, name AS event_name FROM logs
    """,
    "a condition": """
        SELECT day AS event_date, '' AS batch_id, name AS event_name, page || '/' AS address FROM logs
        WHERE address <> 'z/'
    """,
    "a window": """
        SELECT
            day AS event_date, '' AS batch_id, name AS event_name,
            row_number() OVER (PARTITION BY day ORDER BY n) AS place
        FROM logs QUALIFY place = 1
    """,
    "distinct rows": "SELECT DISTINCT day AS event_date, '' AS batch_id, name AS event_name, n AS position FROM logs",
    "groups": """
        SELECT day AS event_date, '' AS batch_id, page AS address, count(*) AS position, min(name) AS event_name
        FROM logs GROUP BY ALL
    """,
    "groups by place": """
        SELECT day AS event_date, '' AS batch_id, page, count(*) AS event_name FROM logs GROUP BY 1, 2, 3
    """,
    "two queries": """
        SELECT day AS event_date, '' AS batch_id, name AS event_name, page FROM logs
        UNION SELECT day, '', name, '' FROM logs
    """,
    "every column": "SELECT *, name AS event_name, '' AS batch_id FROM (SELECT *, day AS event_date FROM logs)",
    "one group": "SELECT 1 AS event_date, '' AS batch_id, 'a' AS event_name, count(*) AS position FROM logs",
    "the first rows": """
        SELECT day AS event_date, '' AS batch_id, name AS event_name, n FROM logs ORDER BY n DESC, 3 LIMIT 2
    """,
    "a CTE": """
        WITH read AS (SELECT *, upper(name) AS event_name, n * 2 AS twice, twice + 1 AS position FROM logs),
        kept AS (SELECT *, page || '/' AS address FROM read WHERE twice > 10)
        SELECT day AS event_date, '' AS batch_id, event_name, position, address FROM kept
    """,
    "distinct rows of a CTE": """
        WITH read AS (SELECT day AS event_date, name AS event_name, n AS position FROM logs),
        kept AS (SELECT DISTINCT * FROM read)
        SELECT event_date, '' AS batch_id, event_name, position FROM kept
    """,
    "a union of CTEs": """
        WITH a AS (SELECT page AS address, day AS event_date, name AS event_name FROM logs),
        b AS (SELECT name AS address, day AS event_date, page AS event_name FROM logs),
        together AS (SELECT * FROM a UNION ALL SELECT * FROM b)
        SELECT event_date, '' AS batch_id, event_name, address FROM together
    """,
    "columns named by their place": """
        WITH read (address, event_date, event_name) AS (SELECT page, day, name FROM logs)
        SELECT event_date, '' AS batch_id, event_name, address FROM read
    """,
    "a join by the columns of the same name": """
        WITH a AS (SELECT day AS event_date, name AS event_name, n FROM logs),
        b AS (SELECT day AS event_date, n, page AS address FROM logs)
        SELECT a.event_date, '' AS batch_id, a.event_name, address FROM a NATURAL JOIN b
    """,
    "a join by columns": """
        WITH a AS (SELECT day AS event_date, name AS event_name, n, n + 1 AS m FROM logs),
        b AS (SELECT n, page AS address FROM logs)
        SELECT event_date, '' AS batch_id, event_name, m AS position, address FROM a INNER JOIN b USING (n)
    """,
    "names in another case": """
        WITH read AS (SELECT day AS Event_Date, name AS Event_Name, n AS Position FROM logs)
        SELECT event_date, '' AS batch_id, EVENT_NAME AS event_name, position FROM read
    """,
    "a row as a value": """
        WITH read AS (SELECT day, name, page FROM logs), hashes AS (SELECT read AS one, day FROM read)
        SELECT day AS event_date, '' AS batch_id, CAST(one AS VARCHAR) AS event_name, day AS position FROM hashes
    """,
    "no column of a CTE": """
        WITH read AS (SELECT day AS event_date, n FROM logs)
        SELECT 1 AS event_date, '' AS batch_id, 'a' AS event_name, 2 AS position FROM read
    """,
    "items of a list in a CTE": """
        WITH read AS (SELECT day, name, unnest([page, 'more']) AS address FROM logs)
        SELECT day AS event_date, '' AS batch_id, name AS event_name, address FROM read
    """,
    "items of a list": """
        SELECT day AS event_date, '' AS batch_id, name AS event_name, unnest([page, 'more']) AS address FROM logs
    """,
}


@pytest.mark.parametrize("sql", WRITTEN.values(), ids=WRITTEN.keys())
def test_a_query_of_fewer_columns_has_the_same_rows(sql: str) -> None:
    query = EventQuery(sql, frozenset(), ())
    with duckdb.connect() as engine:
        engine.execute(LOGS)
        whole, part = (
            engine.execute(f"SELECT event_date, event_name FROM ({each}) ORDER BY ALL").fetchall()
            for each in (sql, query.of("event_name"))
        )
    assert part == whole


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with empty_tables() as engine:
        yield engine


@pytest.mark.parametrize("source", source_events())
def test_each_column_of_a_source_can_be_asked_for_alone(source: str, engine: duckdb.DuckDBPyConnection) -> None:
    query = source_events()[source]
    for column in query.columns:
        given = {name for name, *_ in engine.execute(f"DESCRIBE {query.of(column)}").fetchall()}
        assert {column, "event_date", "batch_id"} <= given
    assert len(query.of("client_id")) < len(query.sql)
    assert "batch_id" in SourceEvents.columns and "event_date" in SourceEvents.columns


def test_only_sources_with_rows_in_the_days_are_planned(tmp_path: Path) -> None:
    with built_platform(tmp_path, [click("c", "2026-03-01T10:00:00Z")], {"cleaned.events"}) as session:
        day = dt.date(2026, 3, 1)
        assert list(events_within(session, f"event_date = DATE '{day}'")) == ["clickstream"]
        assert not events_within(session, f"event_date > DATE '{day}'")
        assert session.one("SELECT count(*) FROM cleaned.events") == (1,)


@pytest.mark.parametrize(
    "where",
    [
        "event_name IN ('purchase', 'refund')",
        "events.event_name IN ('view_item', 'add_to_cart') AND event_date IS NOT NULL",
        "event_name IN ('order cancelled')",
        "NOT event_name IN ('purchase')",
        "event_name IN (lower('PURCHASE'), 'refund')",
        "event_name IN ('purchase') OR event_name = 'view_item'",
    ],
)
def test_a_model_that_reads_some_events_gets_all_of_these(tmp_path: Path, where: str) -> None:
    names = ["page_viewed", "buy", "Order Placed", "view", "add", "order cancelled", "Refunded", "purchase"]
    data = [{}, {"transaction_id": "T1"}, {"items": [{"item_id": "a"}]}]
    rows = [
        click(f"{name} {place}", "2026-03-01T10:00:00Z", name, data=each)
        for name in names
        for place, each in enumerate(data)
    ]
    every = "SELECT * FROM sources.events"
    with built_platform(tmp_path, rows, {"cleaned.clickstream"}) as session:
        some, whole = (
            session.rows(put_events(parse(Path("asked.sql"), sql), ["clickstream"]).sql("duckdb"))
            for sql in (
                f"SELECT event_id, event_name FROM sources.events AS events WHERE {where} ORDER BY 1",
                f"SELECT event_id, event_name FROM ({every}) AS events WHERE {where} ORDER BY 1",
            )
        )
    assert some == whole
    assert some
