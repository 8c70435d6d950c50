"""Write, audit, publish: readers never see rows that break a contract, and nothing is half replaced."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import polars as pl
import pytest

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.ddl import polars_schema
from analytics_platform.transform import DayRange, Query
from analytics_platform.warehouse import Session, WarehouseError

FUNNEL = CONTRACTS["marts.funnel_daily"]
LISTS = CONTRACTS["star.dim_list"]
FIRST, SECOND = dt.date(2024, 3, 1), dt.date(2024, 3, 2)


def steps(day: dt.date, *counts: int) -> pl.DataFrame:
    """A funnel of one day, a count per step."""
    names = ["view", "cart", "checkout", "purchase"]
    rows = [(day, index, names[index - 1], count, *[None] * 5) for index, count in enumerate(counts, 1)]
    return pl.DataFrame(rows, schema=polars_schema(FUNNEL), orient="row")


def lists(**names: str) -> pl.DataFrame:
    """List dimension: key, from the id, and name."""
    rows = [(ord(key), key, name, None, None) for key, name in names.items()]
    return pl.DataFrame(rows, schema=polars_schema(LISTS), orient="row")


def on(day: dt.date) -> DayRange:
    return DayRange(day, day)


def funnel(session: Session) -> list[tuple[object, ...]]:
    return session.rows("SELECT date, sessions FROM marts.funnel_daily ORDER BY ALL")


def test_a_day_is_replaced_and_the_others_stay(session: Session) -> None:
    session.publish(FUNNEL, steps(FIRST, 5), on(FIRST))
    session.publish(FUNNEL, steps(SECOND, 7), on(SECOND))
    publication = session.publish(FUNNEL, steps(FIRST, 6, 2), on(FIRST))
    assert publication.rows == 2
    assert publication.breaches == ()
    assert funnel(session) == [(FIRST, 2), (FIRST, 6), (SECOND, 7)]


def test_a_day_without_rows_is_emptied(session: Session) -> None:
    session.publish(FUNNEL, steps(FIRST, 5), on(FIRST))
    assert session.publish(FUNNEL, steps(FIRST), on(FIRST)).rows == 0
    assert funnel(session) == []


def test_a_broken_rule_leaves_the_old_rows_and_shows_the_new_ones_that_broke_it(session: Session) -> None:
    session.publish(FUNNEL, steps(FIRST, 5), on(FIRST))
    publication = session.publish(FUNNEL, steps(FIRST, 6, -2), on(FIRST))
    (breach,) = publication.breaches
    assert (breach.rule, breach.checked, breach.failing) == ("sessions__greater_than_or_equal_to", 2, 1)
    assert [(row["step"], row["sessions"]) for row in breach.sample] == [("cart", "-2")]
    assert funnel(session) == [(FIRST, 5)]


def test_two_rows_with_one_key_break_the_key(session: Session) -> None:
    publication = session.publish(FUNNEL, pl.concat([steps(FIRST, 5), steps(FIRST, 6)]), on(FIRST))
    (breach,) = publication.breaches
    assert (breach.rule, breach.failing) == ("primary_key__unique", 1)
    assert breach.sample == ({"date": "2024-03-01", "step_index": "1", "rows": "2"},)
    assert funnel(session) == []


def test_a_key_that_no_dimension_has_breaks_the_reference(session: Session) -> None:
    items = CONTRACTS["star.fact_order_items"]
    session.ensure(*(CONTRACTS[name] for name in {*items.table.foreign_keys.values()}))
    values = dict.fromkeys(polars_schema(items)) | {"order_id": "o", "event_id": "e", "item_index": 0}
    values |= {"order_date": FIRST, "date_key": 20240301, "customer_key": 7, "product_key": -1}
    values |= {"client_id": "c", "person_key": 7, "credited_list_key": 7, "variant_key": 7, "session_id": "s"}
    values |= {"channel_key": 7, "device_key": 7}
    values |= {"ordered_at": dt.datetime.combine(FIRST, dt.time(), dt.UTC)}
    publication = session.publish(items, pl.DataFrame([values], schema=polars_schema(items)), on(FIRST))
    assert {breach.rule for breach in publication.breaches} == {
        "date_key__known",
        "person_key__known",
        "customer_key__known",
        "product_key__known",
        "credited_list_key__known",
        "variant_key__known",
        "channel_key__known",
        "device_key__known",
    }


def test_a_warning_is_reported_but_does_not_stop_the_build(session: Session) -> None:
    events = CONTRACTS["cleaned.events"]
    midnight = dt.datetime.combine(FIRST, dt.time(), dt.UTC)
    values = dict.fromkeys(polars_schema(events)) | dict.fromkeys(["event_id", "source", "client_id", "batch_id"], "x")
    values |= {
        "event_name": "wiggle",
        "raw_event_name": "wiggle",
        "is_known_event": False,
        "is_bot": False,
        "is_refund": False,
    }
    values |= {"event_at": midnight, "received_at": midnight, "event_date": FIRST, "device_type": "desktop"}
    publication = session.publish(events, pl.DataFrame([values], schema=polars_schema(events)), on(FIRST))
    assert publication.breaches == ()
    assert [(result.rule, result.failing) for result in publication.results if not result.passed] == [
        ("event_name_known", 1)
    ]
    assert session.rows("SELECT count(*) FROM cleaned.events") == [(1,)]


def test_an_error_in_the_middle_leaves_the_old_rows(session: Session) -> None:
    session.publish(FUNNEL, steps(FIRST, 5), on(FIRST))
    columns = "DATE '2024-03-01' AS date, 1 AS step_index, 'view' AS step, NULL::DOUBLE AS rate_from_previous"
    counts = "NULL::BIGINT AS inferred, NULL::BIGINT AS after_previous, NULL::BIGINT AS after_view"
    broken = Query(f"SELECT {columns}, {counts}, NULL::DOUBLE AS rate_from_start, error('no')::BIGINT AS sessions", {})
    with pytest.raises(Exception, match="no"):
        session.publish(FUNNEL, broken, on(FIRST))
    assert funnel(session) == [(FIRST, 5)]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda frame: frame.drop("step"), "column step is absent, its contract says VARCHAR"),
        (lambda frame: frame.with_columns(more=1), "column more is INTEGER, its contract says no"),
        (
            lambda frame: frame.with_columns(sessions=pl.col("sessions").cast(pl.Float64)),
            "column sessions is DOUBLE, its contract says BIGINT",
        ),
    ],
)
def test_other_columns_or_types_than_promised_are_rejected_by_name(
    session: Session, change: Callable[[pl.DataFrame], pl.DataFrame], complaint: str
) -> None:
    with pytest.raises(WarehouseError, match=rf"^marts\.funnel_daily: {complaint}"):
        session.publish(FUNNEL, change(steps(FIRST, 5)), on(FIRST))


def test_the_order_of_columns_does_not_matter(session: Session) -> None:
    frame = steps(FIRST, 5)
    session.publish(FUNNEL, frame.select(reversed(frame.columns)), on(FIRST))
    assert funnel(session) == [(FIRST, 5)]


def _places(session: Session) -> dict[object, object]:
    """List → where its row lies; a row that is written again lies elsewhere."""
    place = "ctid" if hasattr(session, "pool") else "rowid"
    return dict(session.rows(f"SELECT list_id, CAST({place} AS VARCHAR) FROM star.dim_list"))


@pytest.mark.parametrize("platform", ["duckdb", "postgres"], indirect=True)  # by means of a database
def test_an_upsert_leaves_rows_that_did_not_change_untouched(session: Session) -> None:
    session.publish(LISTS, lists(a="Summer", b="Winter"), None)
    before = _places(session)
    session.publish(LISTS, lists(a="Summer", b="Winter"), None)
    assert _places(session) == before
    session.publish(LISTS, lists(b="Spring", c="New"), None)
    after = _places(session)
    assert after["a"] == before["a"]
    assert after["b"] != before["b"]
    assert session.rows("SELECT list_id, list_name FROM star.dim_list ORDER BY 1") == [
        ("a", "Summer"),
        ("b", "Spring"),
        ("c", "New"),
    ]


def test_an_upsert_that_breaks_a_rule_changes_nothing(session: Session) -> None:
    session.publish(LISTS, lists(a="Summer"), None)
    duplicates = pl.concat([lists(a="Autumn"), lists(a="Winter")])
    assert [breach.rule for breach in session.publish(LISTS, duplicates, None).breaches] == ["primary_key__unique"]
    assert session.rows("SELECT list_name FROM star.dim_list") == [("Summer",)]


def test_a_table_without_days_is_replaced_as_a_whole(session: Session) -> None:
    categories = CONTRACTS["cleaned.source_categories"]
    for source in ("google", "bing"):
        session.publish(categories, pl.DataFrame({"source": [source], "category": ["search"]}), None)
    assert session.rows("SELECT source FROM cleaned.source_categories") == [("bing",)]


def test_what_is_published_in_one_transaction_is_seen_together_or_not_at_all(session: Session) -> None:
    session.ensure(FUNNEL, LISTS)
    session.publish(FUNNEL, steps(FIRST, 5), on(FIRST))
    with pytest.raises(ZeroDivisionError), session.transaction():
        session.publish(LISTS, lists(a="A"), None)
        session.publish(LISTS, lists(b="B"), None)
        assert session.publish(FUNNEL, steps(FIRST, -2), on(FIRST)).breaches
        raise ZeroDivisionError
    assert funnel(session) == [(FIRST, 5)]
    assert session.rows("SELECT count(*) FROM star.dim_list") == [(0,)]
    with session.transaction():
        session.publish(LISTS, lists(a="A"), None)
        session.publish(LISTS, lists(b="B"), None)
        session.publish(FUNNEL, steps(FIRST, 6), on(FIRST))
    assert funnel(session) == [(FIRST, 6)]
    assert session.rows("SELECT count(*) FROM star.dim_list") == [(2,)]


def test_what_is_published_in_a_transaction_tells_whether_rows_are_others_than_before(session: Session) -> None:
    session.publish(FUNNEL, steps(FIRST, 5, 3), on(FIRST))
    session.publish(LISTS, lists(a="A"), None)
    with session.transaction():
        for counts, is_other in (((5, 3), False), ((5,), True), ((5, 2), True), ((5, 2), False), ((), True)):
            assert session.publish(FUNNEL, steps(FIRST, *counts), on(FIRST)).changed == is_other
        for names, is_other in (({"a": "A"}, False), ({"a": "B"}, True), ({"b": "B"}, True)):
            assert session.publish(LISTS, lists(**names), None).changed == is_other
    assert funnel(session) == []
    assert session.rows("SELECT list_name FROM star.dim_list") == [("B",), ("B",)]


def test_a_transaction_reads_what_it_has_published_and_changed_itself(session: Session) -> None:
    name, day = "marts.funnel_daily", on(FIRST)
    read = Query(f"SELECT sessions FROM {name}", {}, {name: day.holds("date")})
    with session.transaction(publishing=[(name, day)]):
        for count in (5, 6):
            session.publish(FUNNEL, steps(FIRST, count), day)
            assert session.frame(read).rows() == session.frame(read).rows() == [(count,)]
        session.execute(f"UPDATE {name} SET sessions = 7")
        assert session.frame(read).rows() == [(7,)]
        session.insert(name, steps(FIRST, 1, 8)[1:])
        assert sorted(session.frame(read).rows()) == [(7,), (8,)]
    with session.transaction(publishing=[(name, day)]):
        assert sorted(session.frame(read).rows()) == [(7,), (8,)]
