"""A build says what it lacks."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from analytics_platform.warehouse import WarehouseError
from analytics_platform.warehouse.build import build_ranges
from analytics_platform_tests.kit import open_with_tables


def test_a_build_that_lacks_memory_names_the_setting_to_raise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    platform = open_with_tables(tmp_path)
    with platform.session() as session:

        def without_memory(*_: object) -> None:
            session.rows("SET memory_limit = '1MB'")
            session.rows("SELECT list(md5(a.range::VARCHAR)) FROM range(1_000_000) AS a")

        monkeypatch.setattr(type(session), "publish", without_memory)
        with pytest.raises(
            WarehouseError, match=r"more memory than WAREHOUSE_MEMORY \(1GB\) allows: raise it\."
        ) as error:
            list(build_ranges(session, "star.dim_channel", [None], platform.settings))
    assert isinstance(error.value.__cause__, duckdb.OutOfMemoryException)
