"""The channel macro: rules the published cases leave open, order, nulls, and other dialects."""

from collections.abc import Iterator
from importlib.resources import files

import duckdb
import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp

SQL = files("analytics_platform.models").joinpath("macros/channel.sql").read_text(encoding="utf-8")

CHANNELS = {
    *("Direct", "Cross-network", "Paid Shopping", "Paid Search", "Paid Social", "Paid Video", "Display"),
    *("Paid Other", "Organic Shopping", "Organic Social", "Organic Video", "Organic Search", "Referral"),
    *("Email", "Affiliates", "Audio", "SMS", "Mobile Push Notifications", "Unassigned"),
}


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(SQL)
        yield connection


def channel(connection: duckdb.DuckDBPyConnection, *visit: str | None) -> str:
    row = connection.execute("SELECT channel(?::VARCHAR, ?::VARCHAR, ?::VARCHAR, ?::VARCHAR)", visit).fetchone()
    assert row is not None
    assert isinstance(row[0], str)
    return row[0]


@pytest.mark.parametrize(
    ("source", "medium", "campaign", "category", "expected"),
    [
        (None, None, None, None, "Direct"),
        ("", "", "", None, "Direct"),
        (None, None, "spring", None, "Unassigned"),
        (None, "cpc", None, None, "Paid Other"),
        ("(direct)", "cpc", None, None, "Paid Other"),
        ("GOOGLE", "CPC", None, "search", "Paid Search"),
        ("google", "cpc", "Cross-Network 7", "search", "Cross-network"),
        ("google", "cpc", "eshop-spring", "search", "Paid Shopping"),
        ("google", "cpc", "workshop", "search", "Paid Search"),
        ("google", "cpc", "Shopping", "search", "Paid Shopping"),
        ("google", "organic", "shop now", "search", "Organic Shopping"),
        ("amazon", "cpc", None, "shopping", "Paid Shopping"),
        ("bing", "cpm", None, "search", "Paid Search"),
        ("dfa", "cpm", None, None, "Display"),
        ("dfa", "banner", None, None, "Display"),
        ("facebook", "paid_social", None, "social", "Paid Social"),
        ("facebook", "prepaid", None, "social", "Organic Social"),
        ("some", "social network", None, None, "Organic Social"),
        ("some", "sm", None, None, "Organic Social"),
        ("google", "referral", None, "search", "Organic Search"),
        ("other.example", "link", None, None, "Referral"),
        ("e_mail", "newsletter", None, None, "Email"),
        ("exmail", "newsletter", None, None, "Unassigned"),
        ("partner", "Affiliate", None, None, "Affiliates"),
        ("partner", "webpush", None, None, "Mobile Push Notifications"),
        ("partner", "push-it", None, None, "Unassigned"),
    ],
)
def test_rules(
    connection: duckdb.DuckDBPyConnection,
    source: str | None,
    medium: str | None,
    campaign: str | None,
    category: str | None,
    expected: str,
) -> None:
    assert channel(connection, source, medium, campaign, category) == expected


WORD = st.none() | st.text() | st.sampled_from(["cpc", "paid", "shop", "video", "email", "(direct)", "%", "_"])


@given(WORD, WORD, WORD, st.sampled_from([None, "search", "social", "shopping", "video"]))
def test_every_visit_has_one_channel(
    connection: duckdb.DuckDBPyConnection,
    source: str | None,
    medium: str | None,
    campaign: str | None,
    category: str | None,
) -> None:
    found = channel(connection, source, medium, campaign, category)
    assert found in CHANNELS
    empty_for_null = (source or "", medium or "", campaign or "", category)
    assert channel(connection, *empty_for_null) == found


def test_body_transpiles_to_spark() -> None:
    (macro,) = sqlglot.parse(SQL, dialect="duckdb")
    assert isinstance(macro, exp.Create)
    assert isinstance(macro.expression, exp.Case)
    spark = macro.expression.sql(dialect="spark", unsupported_level=sqlglot.ErrorLevel.RAISE)
    assert "RLIKE" in spark
    assert "REGEXP_MATCHES" not in spark
    assert isinstance(sqlglot.parse_one(spark, dialect="spark"), exp.Case)
