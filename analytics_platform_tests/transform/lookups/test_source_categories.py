"""The list of sources keeps its promises."""

from importlib.resources import files

import polars as pl
import pytest

from analytics_platform.transform.lookups import source_categories


def category_of(source: str) -> str | None:
    found = source_categories().filter(pl.col("source") == source)["category"].to_list()
    return found[0] if found else None


def test_columns_and_categories() -> None:
    listed = source_categories()
    assert listed.schema == {"source": pl.String, "category": pl.String}
    assert set(listed["category"]) == {"search", "social", "shopping", "video"}
    assert listed.null_count().row(0) == (0, 0)


def test_sources_are_unique_lower_case_and_trimmed() -> None:
    sources = source_categories()["source"]
    assert sources.is_unique().all()
    assert sources.equals(sources.str.to_lowercase().str.strip_chars())


def test_the_file_lists_no_source_twice() -> None:
    text = files("analytics_platform.transform.lookups").joinpath("source_categories.csv").read_text(encoding="utf-8")
    sources = [line.split(",")[0] for line in text.splitlines()]
    assert len(sources) == len(set(sources))


@pytest.mark.parametrize(
    ("source", "category"),
    [
        ("google", "search"),
        ("duckduckgo", "search"),
        ("facebook", "social"),
        ("l.instagram.com", "social"),
        ("t.co", "social"),
        ("plus.google.com", "social"),
        ("amazon", "shopping"),
        ("amazon.co.uk", "shopping"),
        ("google shopping", "shopping"),
        ("youtube.com", "video"),
        ("vimeo", "video"),
        ("shop.example", None),
        ("x.com", "social"),
        ("substack", None),
    ],
)
def test_well_known_sources(source: str, category: str | None) -> None:
    assert category_of(source) == category
