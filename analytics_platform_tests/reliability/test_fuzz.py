"""A few damaged records of every source; `python -m analytics_platform_tests.reliability.fuzz` takes a million."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from analytics_platform.sources.registry import SOURCES
from analytics_platform_tests.kit import open_with_tables
from analytics_platform_tests.reliability.fuzz import fuzz


@pytest.mark.parametrize("source", SOURCES)
def test_every_damaged_record_is_in_one_place_and_stops_no_other(source: str, tmp_path: Path) -> None:
    read, accepted, _, rejected = fuzz(open_with_tables(tmp_path), source, 300, Random(source))

    assert read > 200 and accepted > 30 and rejected > 30
