"""The channel macro against the cases that the dbt-ga4 package publishes for its own."""

from importlib.resources import files
from pathlib import Path

import duckdb
import polars as pl

from analytics_platform.transform.lookups import source_categories

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


def test_report_how_much_of_ga4s_list_ours_knows(conformance_data: Path) -> None:
    """Prints only: the lists are two opinions, and ours is not to be a copy."""
    theirs = pl.read_csv(conformance_data / "ga4_channels" / "ga4_source_categories.csv").select(
        "source", pl.col("source_category").str.strip_prefix("SOURCE_CATEGORY_").str.to_lowercase()
    )
    shares = (
        theirs.join(source_categories(), on="source", how="left")
        .group_by("source_category")
        .agg(known=pl.col("category").is_not_null().mean(), same=_share_of_same())
    )
    for category, known, same in shares.sort("source_category").iter_rows():
        print(f"{category}: {known:.0%} of GA4's sources known, {same:.0%} in the same category")


def _share_of_same() -> pl.Expr:
    return (pl.col("category") == pl.col("source_category")).fill_null(False).mean()
