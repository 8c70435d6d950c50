"""The versions of the shop's schema: applied by Alembic, each in one transaction, recorded in `shop.schema_version`."""

from __future__ import annotations

from pathlib import Path

import psycopg
import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy.exc import DBAPIError

from analytics_platform.settings import masked
from analytics_platform.shop.database import reason_of
from analytics_platform.shop.errors import ShopUnavailableError

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = sqlalchemy.text("SELECT pg_advisory_xact_lock(hashtext('shop.schema_version'))")


def migrate(url: str, version: str = "head") -> str:
    """Bring the database at a postgresql:// address to a version of the schema (the newest); returns its name.

    Nothing changes if it is there already. Processes that do it at once wait for each other. Raises
    `ShopUnavailableError`.
    """
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(url, connect_timeout=10), poolclass=sqlalchemy.NullPool
    )
    try:
        with engine.begin() as connection:
            connection.execute(_LOCK)
            connection.execute(sqlalchemy.text("CREATE SCHEMA IF NOT EXISTS shop"))
            command.upgrade(alembic_config(connection), version)
            context = MigrationContext.configure(
                connection, opts={"version_table": "schema_version", "version_table_schema": "shop"}
            )
            return context.get_current_revision() or "none"
    except DBAPIError as error:
        assert isinstance(error.orig, psycopg.Error)
        where = f"The shop's database {masked(url)}"
        raise ShopUnavailableError(f"{where} cannot be set up: {reason_of(error.orig)}.") from None


def alembic_config(connection: sqlalchemy.Connection) -> Config:
    """Return the configuration for Alembic's commands on a connection."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config
