"""What assets work with, chosen by the settings: the lake, the warehouse, the settings themselves."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from analytics_platform.lake import open_lake
from analytics_platform.orchestration.retries import failure
from analytics_platform.settings import POSTGRES_SCHEMES, Settings, SettingsError
from analytics_platform.warehouse import Session, Warehouse, WarehouseError, open_warehouse


class WarehouseResource:
    """The warehouse that the settings name. `session` opens it for the length of one asset's work.

    No resource with a configuration: the UI would show that, and the address may hold a password.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @contextmanager
    def session(self, read_only: bool = False) -> Iterator[Session]:
        """A session with the models' functions defined; a refusal ends the step in its one sentence."""
        try:
            with self.warehouse().session(read_only) as session:
                yield session
        except WarehouseError as error:
            raise failure(error) from None

    def warehouse(self) -> Warehouse:
        """The warehouse, for code that does not know Dagster."""
        return open_warehouse(self._settings)


def warehouse_kind(settings: Settings) -> str:
    """What the UI shows of the place of a table."""
    return "postgres" if settings.warehouse_url.startswith(POSTGRES_SCHEMES) else "duckdb"


def build_resources(settings: Settings) -> Mapping[str, object]:
    """The resources of the code location. Raises `SettingsError` if DATA_DIR cannot be written."""
    check_writable(settings)
    return {
        "settings": settings,
        "lake": open_lake(settings),
        "warehouse": WarehouseResource(settings),
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
