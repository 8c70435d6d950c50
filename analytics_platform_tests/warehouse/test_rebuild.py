"""A warehouse that is lost, in part or as a whole: what is in the lake makes the same tables again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from analytics_platform_tests.kit import (
    Contents,
    Platform,
    build,
    click,
    contents,
    load_landed,
    load_rows,
    loaded_days,
    open_platform,
    open_with_tables,
)

FIRST = [
    click("ada", "2026-03-01T10:00:00Z"),
    click("ada", "2026-03-01T10:05:00Z", "add_to_cart", data={"items": [{"item_id": "lamp", "price": 5}]}),
    click("", "2026-03-01T11:00:00Z"),
]
SECOND = [click("bob", "2026-03-02T09:00:00Z"), FIRST[0], click("bob", "never")]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """Two files loaded and every table built; `killed.duckdb` is the file of a process that died after the second."""
    platform = open_with_tables(tmp_path_factory.mktemp("data"))
    with platform.session() as session:
        load_rows(platform, session, FIRST, "first.csv")
        build(session, loaded_days(session), platform.settings)
    with platform.session() as session:
        load_rows(platform, session, SECOND, "second.csv")
        build(session, loaded_days(session), platform.settings)
        shutil.copy(platform.settings.warehouse_path, platform.settings.data_dir / "killed.duckdb")  # its .wal is lost
    return platform


@pytest.fixture(scope="module")
def before(platform: Platform) -> Contents:
    """Every table, as it was."""
    with platform.session(read_only=True) as session:
        return contents(session)


@pytest.mark.parametrize("left", [None, "killed.duckdb"])
def test_a_warehouse_built_again_from_the_lake_has_the_same_tables(
    platform: Platform, before: Contents, left: str | None, tmp_path: Path
) -> None:
    shutil.copytree(platform.settings.data_dir, tmp_path / "data", ignore=shutil.ignore_patterns("warehouse.duckdb*"))
    again = open_platform(tmp_path / "data")
    if left:
        (tmp_path / "data" / left).rename(again.settings.warehouse_path)
    with again.session() as session:
        loaded = load_landed(again, session)
        assert sum(each.rows_read for each in loaded) == (3 if left else 6)
        build(session, loaded_days(session), again.settings)
        assert contents(session) == before
