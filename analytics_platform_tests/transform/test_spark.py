"""Models on a server of Spark Connect give the rows that they give on DuckDB."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
import sqlglot
from sqlglot import exp

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.ddl import column_types
from analytics_platform.contracts.sql import literal, quote, quote_table
from analytics_platform.demo.simulator import simulate
from analytics_platform.sources.arrivals.api import put_answer
from analytics_platform.sources.arrivals.files import land_files
from analytics_platform.sources.registry import SOURCES
from analytics_platform.transform import DayRange, Query, all_models, plan
from analytics_platform.transform.spark import runs_on_spark, spark_sql
from analytics_platform.warehouse import DuckDBSession
from analytics_platform.warehouse.audit import audit
from analytics_platform.warehouse.delta.spark import ask
from analytics_platform.warehouse.load import load_new_batches
from analytics_platform_tests.kit import build, memory_warehouse, open_platform
from analytics_platform_tests.models.test_versions import FIRST, HORIZON, START, make_steps
from analytics_platform_tests.shop_messages import load_messages
from analytics_platform_tests.shop_rows import line, load_shop
from analytics_platform_tests.spark import SERVERS, share_tables, spark_session

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession

ON_SPARK = [name for name, model in all_models().items() if runs_on_spark(model.sql)]
VALUES: dict[str, int | str] = {}


@pytest.fixture(scope="module", params=SERVERS)
def servers(request: pytest.FixtureRequest) -> Iterator[tuple[DuckDBSession, SparkSession]]:
    """Both engines without a table."""
    with memory_warehouse() as session, spark_session(request.param) as spark:
        yield session, spark


@pytest.fixture(scope="module", params=SERVERS)
def built(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[DuckDBSession, SparkSession]]:
    """A shop with every source, built on DuckDB, and its tables on Spark."""
    folder = tmp_path_factory.mktemp("spark")
    platform = open_platform(folder, partition_start=FIRST, shop_currency="EUR")
    VALUES.update(platform.settings.model_values)
    simulate(4, 40, 11, folder / "simulated", FIRST)
    with platform.session() as session, spark_session(request.param) as spark:
        assert isinstance(session, DuckDBSession)
        for name in ("clickstream", "exchange_rates", "web_logs"):
            shutil.copytree(folder / "simulated" / name, platform.settings.landing_dir / name, dirs_exist_ok=True)
            land_files(SOURCES[name], platform.settings, platform.lake)
            list(load_new_batches(SOURCES[name], session, platform.settings, platform.lake, "test"))
        for path in sorted((folder / "simulated" / "messages").iterdir()):
            load_messages(
                platform, session, [json.loads(line)["body"] for line in path.read_text("utf-8").splitlines()]
            )
        put_answer(platform.lake, "users", [(folder / "simulated" / "users.json").read_bytes()])
        list(load_new_batches(SOURCES["users"], session, platform.settings, platform.lake, "test"))
        for source, rows in make_steps(226):
            if source != "clickstream":
                load_shop(platform, session, source, rows)  # type: ignore[arg-type]
        load_shop(platform, session, "order_items", [line(1, place, "p1", START) for place in (1, 2)])
        build(session, HORIZON, platform.settings)
        share_tables(session, spark, folder / "parquet")
        yield session, spark


def in_order(rows: pl.DataFrame) -> list[tuple[object, ...]]:
    return sorted(rows.iter_rows(), key=repr)


@pytest.mark.parametrize("name", ON_SPARK)
def test_a_model_gives_on_spark_what_it_gives_on_duckdb(name: str, built: tuple[DuckDBSession, SparkSession]) -> None:
    session, spark = built
    types = column_types(CONTRACTS[name])
    for days in (HORIZON, DayRange(FIRST + dt.timedelta(days=2), FIRST + dt.timedelta(days=2))):
        query = plan(all_models()[name], days, VALUES)
        expected = session.frame(query).select(*types)
        found = pl.DataFrame(spark.sql(spark_sql(query, types)).toArrow())
        assert in_order(found) == in_order(expected)
        assert days != HORIZON or expected.height > 0


BROKEN = {"BIGINT": "-5", "DOUBLE": "7.5", "VARCHAR": "'x'", "BOOLEAN": "true"}
"""Values that break most rules, by type; of other types there is none."""


@pytest.mark.parametrize("name", ON_SPARK)
def test_rules_count_on_spark_what_they_count_on_duckdb(name: str, built: tuple[DuckDBSession, SparkSession]) -> None:
    session, spark = built
    columns = column_types(CONTRACTS[name])
    rows = f"SELECT {', '.join(map(quote, columns))} FROM {quote_table(name)}"
    broken = (f"CAST({BROKEN.get(kind, 'NULL')} AS {kind})" for kind in columns.values())
    nulls = (f"CAST(NULL AS {kind})" for kind in columns.values())
    doubled = f"({rows} UNION ALL {rows} UNION ALL SELECT {', '.join(broken)} UNION ALL SELECT {', '.join(nulls)})"
    for part in (quote_table(name), doubled):
        here = list(audit(session.ask, CONTRACTS[name], part))
        there = list(audit(partial(ask, spark), CONTRACTS[name], part))
        assert [replace(each, sample=()) for each in there] == [replace(each, sample=()) for each in here]
        assert [len(each.sample) for each in there] == [len(each.sample) for each in here]
    assert any(each.failing for each in there)


@pytest.mark.parametrize("name", ON_SPARK)
def test_no_model_unnests_within_an_expression_which_apache_spark_refuses(name: str, tmp_path: Path) -> None:
    query = plan(all_models()[name], HORIZON, open_platform(tmp_path).settings.model_values)
    tree = sqlglot.parse_one(spark_sql(query, column_types(CONTRACTS[name])), dialect="spark")
    for node in tree.find_all(exp.Explode, exp.Posexplode, exp.Inline):
        assert isinstance(node.parent, exp.Alias | exp.Select | exp.Lateral), node.parent.sql("spark")


def test_only_models_that_read_text_as_people_wrote_it_stay_with_duckdb() -> None:
    assert set(all_models()) - set(ON_SPARK) == {
        "cleaned.event_items",
        "cleaned.events",
        "cleaned.orders",
        "sessionized.product_days",
        "star.dim_product",
        "star.dim_promotion",
        "star.fact_promotions",
    }


HOSTILE = (
    *("", " ", "5_0", "٣", "５", "1e3", '{"a":1} x', "a\u00a0b", "İ", "ß", "Straße", "a/b%2F", "a\\b", "it's", 'q"q'),
    *("$1", "\\1", "a\nb", "naïve", "Google", "(DIRECT)", "eSHOP", "😀"),
    *("erased:0123456789abcdef", "erased:0123456789ABCDEF"),
)
"""Texts that engines read differently: digits of other scripts, blanks, escapes, letters whose case has no equal."""

CALLS = (
    "surrogate_key(text)",
    "client_key(text)",
    "page_key(text, text)",
    "promotion_key(text, text, NULL, text)",
    "order_key(text, text)",
    "channel(text, text, text, 'search')",
    "channel(text, NULL, text, NULL)",
    "isodow(day)",
    "isoyear(day)",
    "date_key(day)",
    "monthname(day)",
    "dayname(day)",
    "micros(CAST(day AS TIMESTAMPTZ))",
    "share_of(amount, 2, 3)",
    "part_of(amount, amount, CAST(7 AS DECIMAL(18, 4)), CAST(5 AS DECIMAL(18, 4)))",
    "part_of(amount, amount, amount - amount, CASE WHEN amount > 0 THEN amount END)",
    "money(amount)",
)


@pytest.mark.parametrize("call", CALLS)
def test_a_function_gives_on_spark_what_it_gives_on_duckdb_for_hostile_values(
    call: str, servers: tuple[DuckDBSession, SparkSession]
) -> None:
    session, spark = servers
    rows = [
        (
            str(number),
            text,
            f"DATE '2024-12-{number + 6:02}'",
            f"CAST('{number * 7 - 50}.{number:04}' AS DECIMAL(18, 4))",
        )
        for number, text in enumerate([*map(literal, HOSTILE), "NULL"])
    ]
    values = ", ".join(f"({', '.join(row)})" for row in rows)
    sql = f"SELECT number, {call} AS found FROM (VALUES {values}) AS given (number, text, day, amount)"
    query = Query(sql, {})
    expected = session.frame(query)
    kind = session.rows(f"DESCRIBE {sql}")[1][1]
    found = pl.DataFrame(spark.sql(spark_sql(query, {"number": "BIGINT", "found": str(kind)})).toArrow())
    assert in_order(found) == in_order(expected)
