"""The channel macro against the cases that the dbt-ga4 package publishes for its own."""

from importlib.resources import files
from pathlib import Path

import duckdb
import polars as pl

from analytics_platform.transform.lookups import parse_urls, source_categories

MACRO = files("analytics_platform.models").joinpath("macros/channel.sql")

GROUPED = """
    SELECT source, medium, campaign, expected_channel,
           channel(source, medium, campaign, listed.category) AS channel
    FROM cases LEFT JOIN categories AS listed USING (source_key)
"""


def test_all_valid_cases_fall_into_their_channel(conformance_data: Path) -> None:
    cases = pl.read_csv(conformance_data / "ga4_channels" / "channel_cases.csv", infer_schema=False)
    cases = cases.filter(pl.col("valid") == "true").with_columns(
        pl.col("source").str.to_lowercase().alias("source_key")
    )
    with duckdb.connect() as connection:
        connection.execute(MACRO.read_text(encoding="utf-8"))
        connection.register("cases", cases.to_arrow())
        connection.register("categories", source_categories().rename({"source": "source_key"}).to_arrow())
        grouped = connection.execute(GROUPED).fetchall()

    assert len(grouped) == 29
    assert [row for row in grouped if row[3] != row[4]] == []


def test_all_sources_of_googles_list_have_its_category_as_source_and_as_referrer(conformance_data: Path) -> None:
    listed = pl.read_csv(conformance_data / "ga4_channels" / "ga4_source_categories.csv").select(
        pl.col("source").str.to_lowercase(),
        pl.col("source_category").str.strip_prefix("SOURCE_CATEGORY_").str.to_lowercase(),
    )
    hosts = listed.filter(pl.col("source").str.contains(".", literal=True))
    referrers = parse_urls(hosts.select("https://" + pl.col("source") + "/page").to_series())

    assert listed.height == 819
    assert (
        listed.join(source_categories(), on="source").filter(pl.col("category") == pl.col("source_category")).height
        == 819
    )
    assert referrers["site_category"].equals(hosts["source_category"])
    print(f"{listed.height} sources, {hosts.height} of them as referrers: all as Google lists them")
