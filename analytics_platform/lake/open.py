"""Opens the lake that the settings name."""

from __future__ import annotations

from pathlib import Path

from analytics_platform.lake.folder import FolderLake
from analytics_platform.lake.lake import Lake
from analytics_platform.settings import Settings


def open_lake(settings: Settings) -> Lake:
    """Open the lake at LAKE_URL."""
    return FolderLake(Path(settings.lake_url))
