"""What assets work with, chosen by the settings: the lake, the warehouse, the settings themselves."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from dagster_duckdb import DuckDBResource

from analytics_platform.engine import macros
from analytics_platform.lake import FolderLake
from analytics_platform.settings import Settings, SettingsError
from analytics_platform.warehouse import DuckDBSession, DuckDBWarehouse, WarehouseError


class WarehouseResource(DuckDBResource):
    """The warehouse in a DuckDB file. `session` opens it for the length of one asset's work."""

    memory: str = "1GB"

    @contextmanager
    def session(self, read_only: bool = False) -> Iterator[DuckDBSession]:
        """A session with the models' functions defined; a refusal ends the step in its one sentence."""
        try:
            with self.warehouse().session(read_only) as session:
                yield session
        except WarehouseError as error:
            raise dg.Failure(str(error)) from None

    def warehouse(self) -> DuckDBWarehouse:
        """The warehouse, for code that does not know Dagster."""
        return DuckDBWarehouse(Path(self.database), self.memory, macros())


def warehouse_of(settings: Settings) -> DuckDBWarehouse:
    """The warehouse that the settings name."""
    return DuckDBWarehouse(settings.warehouse_path, settings.warehouse_memory, macros())


def lake_of(settings: Settings) -> FolderLake:
    """The lake that the settings name."""
    return FolderLake(Path(settings.lake_url))


def build_resources(settings: Settings) -> Mapping[str, object]:
    """The resources of the code location. Raises `SettingsError` if DATA_DIR cannot be written."""
    check_writable(settings)
    return {
        "settings": settings,
        "lake": lake_of(settings),
        "warehouse": WarehouseResource(database=str(settings.warehouse_path), memory=settings.warehouse_memory),
    }


def check_writable(settings: Settings) -> None:
    """Raise `SettingsError` if DATA_DIR cannot be made or written."""
    probe = settings.data_dir / ".writable"
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise SettingsError(
            f"DATA_DIR={settings.data_dir}: the folder cannot be written ({error.strerror}), "
            "choose another or change its rights."
        ) from error
