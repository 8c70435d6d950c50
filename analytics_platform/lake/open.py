"""Opens the lake that the settings name."""

from __future__ import annotations

from pathlib import Path

from analytics_platform.lake.folder import FolderLake
from analytics_platform.lake.lake import Lake
from analytics_platform.settings import Settings


def open_lake(settings: Settings) -> Lake:
    """Open the lake at LAKE_URL."""
    if settings.is_lake_on_s3:
        from analytics_platform.lake.s3 import S3Lake

        endpoint = settings.aws_endpoint_url_s3 or settings.aws_endpoint_url
        return S3Lake(settings.lake_url, endpoint or None, settings.aws_default_region or None)
    return FolderLake(Path(settings.lake_url))
