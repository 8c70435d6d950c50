"""The connections that assets work with, as Dagster resources: the Resources page shows each with its configuration.

No secret is part of a configuration. Dagster masks a secret field on that page, but not in the schema of the launchpad,
which GraphQL shows to everyone. Secrets reach a run through the environment instead.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import dagster as dg
from botocore.session import Session as AwsSession
from dagster_aws.utils import ResourceWithBoto3Configuration
from dagster_duckdb import DuckDBResource
from pydantic import Field, SecretStr, create_model

from analytics_platform.connectors.sqs import Queue
from analytics_platform.lake import FolderLake, Lake, check_writable
from analytics_platform.lake.durable import LakeUnreachableError, LakeUnwritableError
from analytics_platform.lake.s3 import S3Lake
from analytics_platform.orchestration.retries import failure
from analytics_platform.settings import Settings, load_settings, masked
from analytics_platform.warehouse import Session, Warehouse, WarehouseError, open_warehouse
from analytics_platform.warehouse.duckdb import DuckDBWarehouse


class SettingsResource(dg.ConfigurableResource[Settings]):
    """The settings. Those shown can be changed for one run; addresses and secrets come from the environment only."""

    loaded: ClassVar[Settings]

    def create_resource(self, context: dg.InitResourceContext) -> Settings:
        """Validate the settings of the run. Raises `SettingsError`, also if DATA_DIR cannot be written."""
        settings = load_settings(**{**dict(self.loaded), **self.model_dump()})
        check_writable(settings)
        return settings


def settings_resource(settings: Settings) -> SettingsResource:
    """Make the resource of the settings: a field for each that is no secret and no address, which may hold one."""
    kinds = {
        name: field.annotation if field.annotation in (bool, int, float) else str
        for name, field in Settings.model_fields.items()
        if "SecretStr" not in str(field.annotation) and not name.endswith("_url")
    }
    values = {name: kind(getattr(settings, name)) for name, kind in kinds.items()}
    shown: dict[str, Any] = {
        name: (kind, Field(values[name], description=Settings.model_fields[name].description))
        for name, kind in kinds.items()
    }
    # The secrets are kept by a class: Dagster makes a resource anew from its fields before every run.
    made = create_model("RunSettingsResource", __base__=SettingsResource, __doc__=SettingsResource.__doc__, **shown)
    made.loaded = settings
    return made(**values)


class LakeResource(dg.ConfigurableResource[Lake]):
    """The lake of raw batches, below `folder`."""

    folder: str

    def create_resource(self, context: dg.InitResourceContext) -> Lake:
        """Give the lake; nothing is read or written yet."""
        return FolderLake(Path(self.folder))


class WarehouseResource(ABC):
    """The warehouse. A session is opened for the length of one asset's work."""

    @abstractmethod
    def warehouse(self) -> Warehouse:
        """Give the warehouse, for code that does not know Dagster."""

    @contextmanager
    def session(self, read_only: bool = False) -> Iterator[Session]:
        """Open a session with the models' functions; an error of it or of the lake ends the step in its sentence."""
        try:
            with self.warehouse().session(read_only) as session:
                yield session
        except (WarehouseError, LakeUnreachableError, LakeUnwritableError) as error:
            raise failure(error) from None


class DuckDBWarehouseResource(DuckDBResource, WarehouseResource):
    """The warehouse in the DuckDB file `database`. Sessions use `memory_limit` of `connection_config`."""

    def warehouse(self) -> Warehouse:
        """Give the warehouse in the file."""
        return DuckDBWarehouse(Path(self.database), self.connection_config["memory_limit"])


class PostgresWarehouseResource(dg.ConfigurableResource[Any], WarehouseResource):
    """The warehouse in the PostgreSQL database at `url`: that of WAREHOUSE_URL, masked, or another."""

    url: str
    settings: dg.ResourceDependency[Settings]

    def warehouse(self) -> Warehouse:
        """Give the warehouse; another `url` than that of the settings is used as it is, without a password."""
        if self.url == masked(self.settings.warehouse_url.get_secret_value()):
            return open_warehouse(self.settings)
        return open_warehouse(self.settings.model_copy(update={"warehouse_url": SecretStr(self.url)}))


class DeltaWarehouseResource(dg.ConfigurableResource[Any], WarehouseResource):
    """The warehouse in Delta tables at `url`: lake:///absolute/folder or lake+s3://bucket/prefix."""

    url: str
    settings: dg.ResourceDependency[Settings]

    def warehouse(self) -> Warehouse:
        """Give the warehouse at the address; how a bucket is reached the settings say."""
        return open_warehouse(self.settings.model_copy(update={"warehouse_url": SecretStr(self.url)}))


class _AwsResource(ResourceWithBoto3Configuration):
    """A connection to AWS. What is not configured here comes from the default chain of the AWS SDK."""

    def _session(self) -> AwsSession:
        session = AwsSession(profile=self.profile_name)
        for name, value in {"max_attempts": self.max_attempts, "ca_bundle": self.verify}.items():
            if value is not True:
                session.set_config_variable(name, value)
        if self.aws_access_key_id:
            session.set_credentials(self.aws_access_key_id, self.aws_secret_access_key, self.aws_session_token)
        return session


class SQSResource(_AwsResource):
    """The connection to SQS. What is not configured here comes from the default chain of the AWS SDK."""

    def connect(self, url: str) -> Queue:
        """Give the client of the queue at `url`."""
        return Queue(url, self.endpoint_url, self.region_name, self._session())


class S3LakeResource(_AwsResource):
    """The lake of raw batches at `url`, s3://bucket/prefix; the other fields say how S3 is reached."""

    url: str

    def create_resource(self, context: dg.InitResourceContext) -> Lake:
        """Give the lake; nothing is connected, read or written yet."""
        return S3Lake(self.url, self.endpoint_url, self.region_name, self._session())


def warehouse_kind(settings: Settings) -> str:
    """Name the warehouse as the UI's badges do."""
    return "postgres" if settings.is_on_postgres else "deltalake" if settings.is_on_delta else "duckdb"


def build_resources(settings: Settings) -> Mapping[str, object]:
    """Make the resources of the code location; nothing is connected, read or written."""
    own = settings_resource(settings)
    return {
        "settings": own,
        "lake": S3LakeResource(url=settings.lake_url, **_aws(settings, settings.aws_endpoint_url_s3))
        if settings.is_lake_on_s3
        else LakeResource(folder=settings.lake_url),
        "warehouse": _warehouse(settings, own),
        "sqs": SQSResource(**_aws(settings)),
    }


def _warehouse(settings: Settings, own: SettingsResource) -> WarehouseResource:
    url = settings.warehouse_url.get_secret_value()
    if settings.is_on_postgres:
        return PostgresWarehouseResource(url=masked(url), settings=own)
    if settings.is_on_delta:
        return DeltaWarehouseResource(url=url, settings=own)
    memory = {"memory_limit": settings.warehouse_memory}
    return DuckDBWarehouseResource(database=str(settings.warehouse_path), connection_config=memory)


def _aws(settings: Settings, endpoint: str = "") -> dict[str, Any]:
    return {
        "region_name": settings.aws_default_region or None,
        "endpoint_url": endpoint or settings.aws_endpoint_url or None,
        "max_attempts": settings.aws_max_attempts,
    }
