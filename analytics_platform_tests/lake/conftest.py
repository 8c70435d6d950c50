from __future__ import annotations

from pathlib import Path

import pytest

from analytics_platform.lake import FolderLake, Lake
from analytics_platform_tests.lake.s3_kit import Bucket, bucket, served

__all__ = ["bucket", "served"]


@pytest.fixture(params=["folder", "s3"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    """A lake in a folder and one in a bucket: what is promised must be kept by both."""
    if request.param == "folder":
        return FolderLake(tmp_path)
    found: Bucket = request.getfixturevalue("bucket")
    return found.lake()
