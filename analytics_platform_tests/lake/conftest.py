from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from analytics_platform.lake import FolderLake, Lake
from analytics_platform_tests.lake.s3_kit import Bucket, serve_bucket


@pytest.fixture(scope="session")
def served() -> Iterator[Bucket]:
    with serve_bucket() as bucket:
        yield bucket


_NUMBERS = itertools.count()


@pytest.fixture
def bucket(served: Bucket) -> Bucket:
    """A bucket with versions, and a prefix in it that no other test has."""
    return Bucket(served.endpoint, f"lake/{next(_NUMBERS)}")


@pytest.fixture(params=["folder", "s3"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    """A lake in a folder and one in a bucket: what is promised must be kept by both."""
    if request.param == "folder":
        return FolderLake(tmp_path)
    bucket: Bucket = request.getfixturevalue("bucket")
    return bucket.lake()
