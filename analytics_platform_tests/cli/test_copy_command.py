"""A warehouse is copied whole, or one sentence says why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from analytics_platform_tests.cli.conftest import Call
from analytics_platform_tests.kit import Platform, open_platform


def test_a_warehouse_is_copied_with_every_row(call: Call, platform: Platform, tmp_path: Path) -> None:
    source, target = f"duckdb:///{platform.settings.warehouse_path}", f"duckdb:///{tmp_path / 'copy.duckdb'}"
    for _ in range(2):  # again, nothing changes
        ended = call(tmp_path, "copy", "--from", source, "--to", target)
        assert ended.returncode == 0, ended.stderr
        assert f"rows in {tmp_path / 'copy.duckdb'}, every value compared." in ended.stdout
    with open_platform(tmp_path, warehouse_url=target).session(read_only=True) as session:
        assert session.rows("SELECT count(*) FROM cleaned.clickstream") == [(942,)]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("duckdb:////nowhere/a.duckdb", "duckdb:////nowhere/b.duckdb"), "There is no warehouse at /nowhere/a.duckdb"),
        (("duckdb:///a.duckdb", "duckdb:///a.duckdb"), "--from and --to are the same warehouse."),
        (("duckdb:////tmp/../a.duckdb", "duckdb:////a.duckdb"), "--from and --to are the same warehouse."),
        (("mysql://bot:hunter22@x", "duckdb:///a.duckdb"), "COPY_FROM=***: not a warehouse, use duckdb:///"),
        (("duckdb:///b.duckdb?motherduck_token=hunter22", "duckdb:///a.duckdb"), "COPY_FROM=***: not a warehouse"),
        (("duckdb:///a.duckdb", "mysql://bot:hunter22@x"), "COPY_TO=***: not a warehouse, use duckdb:///"),
    ],
)
def test_a_copy_that_cannot_be_made_ends_in_one_sentence(
    call: Call, tmp_path: Path, given: tuple[str, str], sentence: str
) -> None:
    options = call(tmp_path, "copy", "--from", given[0], "--to", given[1])
    for ended in (options, call(tmp_path, "copy", COPY_FROM=given[0], COPY_TO=given[1])):
        assert ended.returncode == 2
        assert ended.stderr.startswith(f"analytics-platform: {sentence}")
        assert "Traceback" not in ended.stderr
        assert "hunter22" not in ended.stderr


def test_a_copy_without_an_address_says_where_to_give_it(call: Call, tmp_path: Path) -> None:
    ended = call(tmp_path, "copy", "--from", "duckdb:///a.duckdb")
    assert ended.returncode == 2 and "--to or COPY_TO" in ended.stderr
