"""The plan reads of each input what the contract says, and keeps of the result the days that are built."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.table import Days, Everything, TouchedKeys
from analytics_platform.transform import DayRange, Query, all_models, plan, reads_of
from analytics_platform.warehouse import DuckDBSession
from analytics_platform_tests.kit import memory_warehouse

SETTINGS: dict[str, int | str] = {"attribution_lookback_days": 30, "shop_timezone": "UTC"}
MARCH_10 = dt.date(2024, 3, 10)
ONE_DAY = DayRange(MARCH_10, MARCH_10)


@pytest.fixture
def session() -> Iterator[DuckDBSession]:
    with memory_warehouse() as session:
        yield session


def run(session: DuckDBSession, query: Query) -> list[tuple[object, ...]]:
    return session.rows(query.sql, query.parameters)


def fill(session: DuckDBSession, table: str, **columns: str) -> None:
    names, values = ", ".join(columns), ", ".join(columns.values())
    session.connection.execute(f"INSERT INTO {table} ({names}) SELECT {values} FROM range(-40, 40) AS t(i)")


def test_an_input_without_a_window_is_read_for_the_days_that_are_built(session: DuckDBSession) -> None:
    fill(session, "sessionized.sessions", session_id="'s' || i", session_date="DATE '2024-03-10' + i::INTEGER")
    days = DayRange(dt.date(2024, 3, 9), dt.date(2024, 3, 11))
    built = run(session, plan(all_models()["star.fact_sessions"], days, SETTINGS))
    assert sorted(str(row[0]) for row in built) == ["s-1", "s0", "s1"]


@pytest.mark.parametrize("lookback", [1, 30])
def test_a_window_named_after_a_setting_has_its_length(lookback: int) -> None:
    query = plan(all_models()["marts.attribution"], ONE_DAY, {"attribution_lookback_days": lookback})
    first = MARCH_10 - dt.timedelta(days=lookback)
    assert f"BETWEEN DATE '{first}' AND DATE '2024-03-10'" in query.sql
    assert query.parameters == {"attribution_lookback_days": lookback}


def test_touched_keys_are_read_over_all_days(session: DuckDBSession) -> None:
    fill(
        session,
        "sessionized.client_days",
        client_id="CASE WHEN i % 2 = 0 THEN 'even' ELSE 'odd' END",
        event_date="DATE '2024-03-10' + i::INTEGER",
        events="1",
        is_bot="FALSE",
    )
    query = plan(all_models()["star.dim_customer"], ONE_DAY, SETTINGS)
    built = session.frame(query.sql, query.parameters).select("client_id", "events").rows()
    assert set(built) == {("even", 40), ("(not set)", 0)}


def test_days_outside_the_range_are_read_but_not_kept(session: DuckDBSession) -> None:
    fill(
        session,
        "cleaned.events",
        event_id="'e' || i",
        client_id="'ada'",
        event_at="TIMESTAMPTZ '2024-03-10 00:00:00+00' + INTERVAL (i) DAY",
        event_date="DATE '2024-03-10' + i::INTEGER",
    )
    built = run(session, plan(all_models()["sessionized.session_events"], ONE_DAY, SETTINGS))
    assert [row[0] for row in built] == ["e0"]


def test_a_table_that_is_named_twice_has_its_window_both_times() -> None:
    sql = plan(all_models()["sessionized.sessions"], ONE_DAY, SETTINGS).sql
    assert sql.count('"cleaned"."events" WHERE "event_date" BETWEEN') == sql.count('"cleaned"."events"') == 2


def test_without_days_the_model_is_run_as_it_is_written() -> None:
    model = all_models()["star.dim_channel"]
    assert plan(model, None, SETTINGS) == Query(model.sql, {}, dict.fromkeys(model.inputs), model=model.sql)


def test_a_query_says_which_rows_of_its_inputs_it_reads() -> None:
    days = "BETWEEN DATE '2024-03-10' AND DATE '2024-03-10'"
    persons = f'"person_id" IN (SELECT "person_id" FROM "sessionized"."person_days" WHERE "event_date" {days})'
    assert plan(all_models()["star.fact_sessions"], ONE_DAY, SETTINGS).inputs == {
        "cleaned.customer_history": None,
        "sessionized.person_days": persons,
        "sessionized.sessions": f'"session_date" {days}',
    }
    keys = f'SELECT "client_id" FROM "sessionized"."client_days" WHERE "event_date" {days}'
    for column in ("read_date", "linked_date"):
        keys = f'{keys} UNION ALL SELECT "client_id" FROM "cleaned"."customer_history" WHERE "{column}" {days}'
    assert plan(all_models()["star.dim_customer"], ONE_DAY, SETTINGS).inputs == {
        "cleaned.customer_history": None,
        "cleaned.users": None,
        "sessionized.client_days": f'"client_id" IN ({keys})',
    }


def test_of_an_input_that_is_joined_to_another_only_the_rows_that_are_joined_are_asked_for() -> None:
    days = "\"event_date\" BETWEEN DATE '2024-03-10' AND DATE '2024-03-10'"
    ordered = f'{days} AND "event_id" IN (SELECT "event_id" FROM "sessionized"."purchases" WHERE {days})'
    visits = f'"session_id" IN (SELECT "session_id" FROM "sessionized"."session_events" WHERE {ordered})'
    query = plan(all_models()["sessionized.buyers"], ONE_DAY, SETTINGS)
    assert query.inputs["sessionized.session_events"] == ordered
    assert query.inputs["sessionized.sessions"] == (
        f"\"session_date\" BETWEEN DATE '2024-03-09' AND DATE '2024-03-10' AND {visits}"
    )
    assert ordered not in query.sql  # where all rows are at hand, to look for those that are joined is to join twice


def test_a_parameter_that_nothing_gives_a_value_to_is_an_error() -> None:
    with pytest.raises(KeyError, match="attribution_lookback_days"):
        plan(all_models()["marts.attribution"], None, {})


def test_a_range_that_ends_before_it_starts_is_rejected() -> None:
    with pytest.raises(ValueError, match="ends"):
        DayRange(MARCH_10, MARCH_10 - dt.timedelta(days=1))


def is_by_keys(name: str) -> bool:
    """Return whether a table is built whole, but after a few events."""
    return CONTRACTS[name].table.write == "whole" and CONTRACTS[name].table.narrow != ""


def test_no_model_reads_the_whole_of_a_table_that_grows_with_the_events() -> None:
    """Versions of users, customers and products grow with their changes, and have the day they were fetched.

    Persons become one and apart again, and names of products that of several, so what has a row for each is built
    whole, from a row a day; after a few events only for the people whose they are, and the names in them.
    """
    whole = [
        (name, source)
        for name, model in all_models().items()
        for source in model.inputs
        if (isinstance(reads_of(CONTRACTS[name].table, CONTRACTS[source].table), Everything) or is_by_keys(name))
        and CONTRACTS[source].table.partition is not None
    ]
    assert whole == [
        ("cleaned.customer_history", "cleaned.customer_versions"),
        ("cleaned.exchange_rates", "cleaned.exchange_rate_versions"),
        ("cleaned.product_names", "cleaned.item_names"),
        ("cleaned.product_names", "cleaned.product_versions"),
        ("cleaned.users", "cleaned.customer_versions"),
        ("cleaned.users", "cleaned.user_versions"),
        ("marts.stock_daily", "cleaned.product_versions"),
        ("sessionized.customer_months", "sessionized.customer_days"),
        ("star.dim_person", "sessionized.person_days"),
    ]


def test_only_tables_without_days_are_made_from_touched_keys_but_refunds_their_orders_and_numbers() -> None:
    by_key = {
        ("sessionized.refund_lines", "sessionized.purchases"),
        ("sessionized.refund_lines", "sessionized.order_lines"),
        ("sessionized.refunds", "sessionized.refund_lines"),
        ("sessionized.refunds", "sessionized.purchases"),
        ("sessionized.refunds", "sessionized.order_lines"),
        ("sessionized.customer_days", "sessionized.buyers"),
        ("star.fact_refunds", "sessionized.buyers"),
        ("star.fact_orders", "sessionized.refunds"),
        ("star.fact_orders", "sessionized.customer_days"),
        ("star.fact_sessions", "sessionized.person_days"),
    }
    for name, model in all_models().items():
        for source in model.inputs:
            reads = reads_of(CONTRACTS[name].table, CONTRACTS[source].table)
            assert isinstance(reads, Days | Everything | TouchedKeys)
            if isinstance(reads, TouchedKeys):
                assert CONTRACTS[name].table.write == "upsert" or is_by_keys(name) or (name, source) in by_key
