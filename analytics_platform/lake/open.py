"""Opens the lake that the settings name, and checks the folder that all else hangs from."""

from __future__ import annotations

from pathlib import Path

from analytics_platform.lake.folder import FolderLake
from analytics_platform.lake.lake import Lake
from analytics_platform.settings import Settings, SettingsError


def open_lake(settings: Settings) -> Lake:
    """Open the lake at LAKE_URL."""
    if settings.is_lake_on_s3:
        from analytics_platform.lake.s3 import S3Lake

        endpoint = settings.aws_endpoint_url_s3 or settings.aws_endpoint_url
        return S3Lake(settings.lake_url, endpoint or None, settings.aws_default_region or None)
    return FolderLake(Path(settings.lake_url))


def check_writable(settings: Settings) -> None:
    """Raise `SettingsError` if DATA_DIR cannot be made or written."""
    probe = settings.data_dir / ".writable"
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink(missing_ok=True)  # another process tries at the same moment
    except OSError as error:
        raise SettingsError(
            f"DATA_DIR={settings.data_dir}: the folder cannot be written ({error.strerror}), "
            "choose another or change its rights."
        ) from error
