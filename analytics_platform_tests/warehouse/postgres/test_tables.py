"""Tables in PostgreSQL: types, keys, comments, partitions and indexes of the contracts, and how they change."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.base import Contract, Text, Whole, column
from analytics_platform.contracts.ddl import column_docs, column_types, json_columns, polars_schema, table_doc
from analytics_platform.transform import DayRange
from analytics_platform.warehouse import WarehouseError
from analytics_platform.warehouse.postgres import tables
from analytics_platform_tests.kit import Platform

DAY = dt.date(2024, 3, 31)
TYPES = {
    "VARCHAR": "text",
    "BIGINT": "bigint",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "DOUBLE": "double precision",
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
    "DECIMAL(18,4)": "numeric(18,4)",
    "DECIMAL(20,10)": "numeric(20,10)",
}

COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, col_description(a.attrelid, a.attnum)
FROM pg_attribute AS a WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
CONSTRAINTS = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype = %s"


@pytest.fixture
def platform(platform: Platform) -> Platform:
    with platform.session() as session:
        session.ensure(*CONTRACTS.values())
    return platform


def test_every_table_has_the_types_nulls_and_comments_of_its_contract(
    platform: Platform, server: psycopg.Connection
) -> None:
    for name, contract in CONTRACTS.items():
        documents, docs = json_columns(contract), column_docs(contract)
        promised = [
            (column, "jsonb" if column in documents else TYPES[kind], docs[column])
            for column, kind in column_types(contract).items()
        ]
        found = server.execute(COLUMNS, (name,)).fetchall()
        assert [(row[0], row[1], row[3]) for row in found] == promised, name
        keys = set(contract.table.key)
        for column_name, _, is_required, _ in found:
            nullable = contract.columns[column_name].nullable
            assert is_required == (not nullable or column_name in keys), f"{name}.{column_name}"
        comment = server.execute("SELECT obj_description(%s::regclass, 'pg_class')", (name,)).fetchone()
        assert comment == (table_doc(contract),), name


UNIQUE = """
SELECT indexdef FROM pg_indexes WHERE schemaname || '.' || tablename = %s AND indexdef LIKE 'CREATE UNIQUE %%'
"""


def test_every_table_has_one_unique_key_and_facts_refer_to_dimensions(
    platform: Platform, server: psycopg.Connection
) -> None:
    for name, contract in CONTRACTS.items():
        table = contract.table
        ((key,),) = server.execute(UNIQUE, (name,)).fetchall()
        columns = re.sub(r'md5\((\w+)\)|"', r"\1", key.partition(" btree ")[2])
        assert columns.startswith(f"({', '.join(table.key)}"), name
        references = {row[0] for row in server.execute(CONSTRAINTS, (name, "f"))}
        assert references == {  # PostgreSQL 18, as the tests start it
            f"FOREIGN KEY ({column}) REFERENCES {dimension}({CONTRACTS[dimension].table.key[0]}) NOT ENFORCED"
            for column, dimension in table.foreign_keys.items()
        }, name


LOST = """
INSERT INTO star.fact_order_items (
    order_id, event_id, item_index, order_date, ordered_at, date_key, session_id, client_id, person_key, customer_key,
    product_key, variant_key, credited_list_key, channel_key, device_key
) VALUES ('o', 'e', 0, current_date, now(), 1, 's', 'c', 1, 1, 1, 1, 1, 1, 1)
"""


def test_a_server_that_cannot_declare_a_foreign_key_enforces_it_until_the_documented_statements_run(
    platform: Platform, server: psycopg.Connection
) -> None:
    name = "star.fact_order_items"
    server.execute(f"DROP TABLE {name} CASCADE")
    for statement in tables.create(CONTRACTS[name], version=170000):
        server.execute(statement)
    tables.ensure_partitions(server, CONTRACTS[name].table, [dt.datetime.now(dt.UTC).date().replace(day=1)])
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        server.execute(LOST)
    page = Path(__file__).parents[3].joinpath("docs", "postgresql.md").read_text("utf-8")
    (statements,) = re.findall(r"```sql\n([^`]*ALTER CONSTRAINT[^`]*)```", page)
    server.execute(statements)
    server.execute(LOST)


def _partitions(server: psycopg.Connection, table: str) -> set[str]:
    found = server.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", (table,))
    return {name for (name,) in found}


def test_tables_that_grow_with_the_events_have_a_partition_per_month_made_ahead_and_on_demand(
    platform: Platform, server: psycopg.Connection
) -> None:
    today = dt.datetime.now(dt.UTC).date().replace(day=1)
    ahead = {f"star.fact_events_{month:%Y_%m}" for month in (today, (today + dt.timedelta(days=31)))}
    assert _partitions(server, "star.fact_events") == ahead
    assert _partitions(server, "marts.daily_trends") == set()
    agents = CONTRACTS["cleaned.user_agents"]
    rows = [(day, "x", "desktop", None, None, False) for day in (DAY, DAY + dt.timedelta(days=1))]
    with platform.session() as session:
        session.publish(
            agents, pl.DataFrame(rows, schema=polars_schema(agents), orient="row"), DayRange(DAY, dt.date(2024, 4, 30))
        )
    made = {"cleaned.user_agents_2024_03", "cleaned.user_agents_2024_04"}
    assert _partitions(server, "cleaned.user_agents") >= made
    assert len(_partitions(server, "cleaned.user_agents")) == 4


QUESTIONS = {
    "a product over a month": (
        "SELECT count(*), avg(price) FROM star.fact_event_items "
        "WHERE event_date BETWEEN '2024-03-01' AND '2024-03-31' AND product_key = 7"
    ),
    "an hour": (
        "SELECT event_name, count(*) FROM star.fact_event_items WHERE event_date = '2024-03-15' "
        "AND event_at BETWEEN '2024-03-15 10:00+00' AND '2024-03-15 10:59+00' GROUP BY 1"
    ),
    "a customer's way": (
        "SELECT event_at, event_name FROM star.fact_event_items "
        "WHERE event_date BETWEEN '2024-03-10' AND '2024-03-20' AND customer_key = 7 ORDER BY event_at"
    ),
}


def _items(count: int) -> pl.DataFrame:
    """Items of three months, of a thousand customers, products and times."""
    first = dt.datetime(2024, 2, 1, tzinfo=dt.UTC)
    step = dt.timedelta(days=90) / count
    rows: list[dict[str, Any]] = []
    for number in range(count):
        at = first + number * step
        keys = {"customer_key": number % 1000, "product_key": number % 1000, "list_key": -1, "date_key": -1}
        keys |= {"person_key": number % 1000, "channel_key": -1, "credited_list_key": -1, "variant_key": -1}
        keys |= {"device_key": -1}
        text = {"event_id": str(number), "client_id": "c", "session_id": "s", "event_name": "view_item"}
        rows.append({**text, **keys, "event_at": at, "event_date": at.date(), "item_index": 0, "is_bot": False})
    schema = polars_schema(CONTRACTS["star.fact_event_items"])
    return pl.from_dicts(rows, schema={name: schema[name] for name in schema if name in rows[0]})


@pytest.fixture
def filled(platform: Platform, server: psycopg.Connection) -> psycopg.Connection:
    for month in (2, 3, 4):
        server.execute(
            f"CREATE TABLE star.fact_event_items_2024_0{month} PARTITION OF star.fact_event_items "
            f"FOR VALUES FROM ('2024-0{month}-01') TO ('2024-0{month + 1}-01')"
        )
    server.execute("SET session_replication_role = replica")  # no dimensions are needed here
    with platform.session() as session:
        session.connection.execute("SET session_replication_role = replica")  # type: ignore[attr-defined]
        session.insert("star.fact_event_items", _items(60_000))
        session.connection.execute("RESET session_replication_role")  # type: ignore[attr-defined]
    server.execute("ANALYZE star.fact_event_items")
    return server


def test_questions_of_analysts_look_into_one_partition_and_use_its_indexes(filled: psycopg.Connection) -> None:
    for name, question in QUESTIONS.items():
        ((plan,),) = filled.execute(f"EXPLAIN (FORMAT JSON) {question}").fetchall()
        text = json.dumps(plan)
        assert "fact_event_items_2024_03" in text, name
        assert "fact_event_items_2024_02" not in text and "fact_event_items_2024_04" not in text, name
        assert "Index" in text and "Seq Scan" not in text, f"{name}: {text}"


class Old(
    Contract,
    table="marts.notes",
    key=("note_id",),
    write="upsert",
):
    """Notes."""

    note_id: Whole = column("Number.")
    note: Text = column("Words.", nullable=True)


class New(Old):
    """Notes, with a colour."""

    colour: Text = column("Colour.", nullable=True)


def test_a_column_that_is_new_in_the_contract_is_added_and_the_rows_stay(
    platform: Platform, server: psycopg.Connection
) -> None:
    with platform.session() as session:
        session.publish(Old, pl.DataFrame({"note_id": [1], "note": ["a"]}), None)
        session.ensure(New)
        assert session.rows("SELECT * FROM marts.notes") == [(1, "a", None)]
    ((*_, comment),) = server.execute(COLUMNS, ("marts.notes",)).fetchall()[2:]
    assert comment == "Colour."


def test_a_wider_type_is_taken_over_with_its_rows(platform: Platform, server: psycopg.Connection) -> None:
    server.execute("ALTER TABLE marts.top_sellers ALTER orders TYPE integer, ALTER revenue TYPE numeric(10,2)")
    server.execute(
        "ALTER TABLE star.dim_channel ALTER channel TYPE bigint USING 7"
    )  # ids that were numbers become text
    server.execute("INSERT INTO star.dim_channel VALUES (-1, 7, false)")
    server.execute("INSERT INTO marts.top_sellers VALUES ('p', 2147483647, 1, 12345678.91, 0, 0, 0, 0)")
    with platform.session() as session:
        session.ensure(CONTRACTS["marts.top_sellers"], CONTRACTS["star.dim_channel"])
        assert session.rows("SELECT * FROM star.dim_channel") == [(-1, "7", False)]
        assert str(session.rows("SELECT * FROM marts.top_sellers")[0][3]) == "12345678.9100"
    kinds = [kind for _, kind, *_ in server.execute(COLUMNS, ("marts.top_sellers",))]
    assert kinds == ["text", "bigint", "bigint", *["numeric(18,4)"] * 3, "bigint", "bigint"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("ADD colour text", r"marts\.top_sellers\.colour is stored but its contract has no such column"),
        ("ALTER revenue TYPE numeric(30,8)", r"marts\.top_sellers\.revenue is stored as DECIMAL\(30,8\)"),
        ("ALTER orders TYPE text", r"marts\.top_sellers\.orders is stored as VARCHAR but its contract says BIGINT"),
    ],
)
def test_what_would_lose_values_is_rejected_and_changes_nothing(
    platform: Platform, server: psycopg.Connection, change: str, sentence: str
) -> None:
    server.execute(f"ALTER TABLE marts.top_sellers {change}")
    before = server.execute(COLUMNS, ("marts.top_sellers",)).fetchall()
    with platform.session() as session, pytest.raises(WarehouseError, match=sentence):
        session.ensure(CONTRACTS["marts.top_sellers"])
    assert server.execute(COLUMNS, ("marts.top_sellers",)).fetchall() == before
