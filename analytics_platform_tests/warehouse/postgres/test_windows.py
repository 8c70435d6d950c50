"""What is fetched of a table: the columns and days that a query can need, never fewer."""

from __future__ import annotations

import datetime as dt

import pytest

from analytics_platform.catalog import CONTRACTS
from analytics_platform.settings import load_settings
from analytics_platform.transform import DayRange, Keys, Query, all_models, plan
from analytics_platform.warehouse.postgres.queries import columns_of, condition_of, question, translate
from analytics_platform.warehouse.postgres.tables import is_partitioned, schema

DAY = dt.date(2024, 3, 1)
EVENTS = "cleaned.events"
KEYS = Keys({"b"}, {"ada"}, {"ada"})


def columns(sql: str) -> tuple[str, ...]:
    return columns_of(question(sql, {}), EVENTS)


def condition(sql: str) -> str:
    return condition_of(question(sql, {}), EVENTS) or ""


@pytest.mark.parametrize("name", sorted(all_models()))
def test_no_model_fetches_a_table_that_grows_with_the_events_whole(name: str) -> None:
    if name in ("cleaned.customer_history", "marts.stock_daily") or CONTRACTS[name].table.write == "whole":
        return  # versions of users, customers and products grow with their changes
    query = plan(all_models()[name], DayRange(DAY, DAY), load_settings().model_values)
    for table, rows in query.inputs.items():
        if is_partitioned(CONTRACTS[table].table):
            assert rows is not None, table


def test_only_columns_that_are_named_are_fetched() -> None:
    assert columns("SELECT client_id FROM cleaned.events WHERE is_bot") == ("client_id", "is_bot")
    assert columns("SELECT count(*) FROM cleaned.events") == ("event_id",)
    assert columns("SELECT e.client_id FROM (SELECT * FROM cleaned.events) AS e") == ("client_id",)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM cleaned.events",
        "SELECT e.* FROM cleaned.events AS e JOIN star.dim_date AS d ON true",
        "SELECT * EXCLUDE (event_id) FROM cleaned.events",
        "FROM cleaned.events",
        "SELECT * FROM (SELECT * FROM cleaned.events WHERE event_date = DATE '2024-03-01') AS e",
        "SELECT COLUMNS('event.*') FROM cleaned.events",
    ],
)
def test_a_star_fetches_every_column(sql: str) -> None:
    assert columns(sql) == tuple(schema()[EVENTS])


@pytest.mark.parametrize(
    "where",
    [
        "\"event_date\" BETWEEN CAST('2024-03-01' AS DATE) AND CAST('2024-03-02' AS DATE)",
        "event_name = 'purchase'",
        "event_name IN ('purchase', 'refund')",
        "NOT is_bot",
        "revenue > 5 OR revenue IS NULL",
    ],
)
def test_conditions_both_databases_check_alike_are_left_to_postgresql(where: str) -> None:
    expected = "" if "revenue >" in where else where  # decimals are compared here
    assert condition(f"SELECT event_id FROM cleaned.events WHERE {where}") == expected


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT event_id FROM cleaned.events WHERE event_name > 'p'",
        "SELECT event_id FROM cleaned.events WHERE lower(event_name) = 'p'",
        "SELECT event_id FROM cleaned.events WHERE items_json = '[]'",
        "SELECT e.event_id FROM cleaned.events AS e LEFT JOIN star.dim_date AS d ON true WHERE e.is_bot",
        "SELECT e.event_id FROM star.dim_date AS d LEFT JOIN cleaned.events AS e ON e.is_bot",
        "SELECT event_id FROM cleaned.events WHERE event_id NOT IN (SELECT event_id FROM star.fact_events)",
        "SELECT event_id FROM cleaned.events QUALIFY row_number() OVER () = 1",
    ],
)
def test_other_conditions_are_checked_where_models_run(sql: str) -> None:
    assert condition(sql) == ""


def test_of_two_mentions_of_a_table_the_rows_of_both_are_fetched() -> None:
    one, other = "SELECT event_id FROM cleaned.events WHERE is_bot", "SELECT event_id FROM cleaned.events"
    assert condition(f"{one} UNION ALL {one}") == "is_bot"
    assert condition(f"{one} UNION ALL {other}") == ""
    assert condition(f"{one} UNION ALL {other} WHERE event_name = 'x'") == "is_bot OR event_name = 'x'"


def test_conditions_in_brackets_and_in_subqueries_keep_their_meaning() -> None:
    sql = "SELECT e.event_id FROM cleaned.events AS e WHERE (e.is_bot OR e.event_name = 'x') AND e.event_name IN ('y')"
    assert condition(sql) == "event_name IN ('y') AND (is_bot OR event_name = 'x')"
    assert condition(f"SELECT * FROM ({sql}) JOIN star.dim_date ON true WHERE is_weekend") == condition(sql)


def test_the_where_of_a_model_comes_on_top_of_the_days_it_reads() -> None:
    query = plan(all_models()["sessionized.purchases"], DayRange(DAY, DAY), load_settings().model_values)
    days = "\"event_date\" BETWEEN DATE '2024-01-30' AND DATE '2024-04-01'"
    assert condition_of(query, EVENTS) == f"({days}) AND (NOT is_refund AND event_name = 'purchase')"


def test_rows_in_which_the_window_of_another_table_looks_for_keys_come_beside_those_a_model_names() -> None:
    query = plan(all_models()["sessionized.refund_lines"], DayRange(DAY, DAY), load_settings().model_values)
    days = "\"event_date\" BETWEEN DATE '2024-03-01' AND DATE '2024-03-01'"
    assert condition_of(query, EVENTS) == f'({days}) AND ((is_refund) OR ({days} AND "transaction_id" IS NOT NULL))'


def test_rows_by_whose_events_a_table_is_narrowed_come_with_the_columns_that_tell_them() -> None:
    query = plan(all_models()["cleaned.event_items"], DayRange(DAY, DAY), load_settings().model_values, KEYS)
    days = "\"event_date\" BETWEEN DATE '2024-03-01' AND DATE '2024-03-01'"
    assert condition_of(query, EVENTS) == f"{days} AND \"batch_id\" IN ('b')"
    assert {"event_id", "batch_id"} <= set(columns_of(query, EVENTS))


def test_values_of_parameters_are_part_of_what_is_asked() -> None:
    query = Query("SELECT event_id FROM cleaned.events WHERE event_name = $name", {"name": "it's"}, {EVENTS: None})
    assert condition_of(query, EVENTS) == "event_name = 'it''s'"


def test_values_are_bound_and_keep_their_type() -> None:
    asked = "SELECT $day, event_id FROM cleaned.events WHERE event_name = $name AND event_date < $day LIMIT $rows"
    sql, values = translate(asked, {"name": "it's", "day": DAY, "rows": 3})
    assert values == [DAY, 3, "it's"]
    assert sql == (
        "SELECT CAST($1 AS DATE), event_id FROM cleaned.events "
        "WHERE event_name = CAST($3 AS TEXT) AND event_date < CAST($1 AS DATE) LIMIT CAST($2 AS BIGINT)"
    )


def test_what_cannot_be_said_in_postgresql_is_an_error() -> None:
    with pytest.raises(KeyError):
        translate("SELECT $nobody", {})
