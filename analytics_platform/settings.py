"""Every setting of the platform, read once from the environment and validated.

What does not belong here: defaults of single functions, secrets in clear text (they are masked), and
anything that reads a file or opens a connection.
"""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from analytics_platform.errors import UserError

POSTGRES_SCHEMES = ("postgresql://", "postgres://")

_PASSWORDS = re.compile(r"(?<=://)[^/?#]*@|(?<=[?&]password=)[^&]*")
"""The user and the password of an address, wherever they may stand in it."""


def masked(url: str) -> str:
    """Write an address without its password, for people to read."""
    return _PASSWORDS.sub(lambda found: _mask(found[0]), url)


def _mask(secret: str) -> str:
    user, colon, _ = secret.removesuffix("@").partition(":")
    if not secret.endswith("@"):
        return "***"
    return f"{user}:***@" if colon else secret


class SettingsError(UserError, ValueError):
    """A setting is wrong; the message names it, its value and what to do, in one sentence."""


class Settings(BaseSettings):
    """The settings. Every field is the environment variable of the same name."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True)

    data_dir: Path = Field(Path("data"), description="Folder that everything below hangs from by default.")
    warehouse_url: str = Field(
        "", repr=False, description="duckdb:///PATH (default: DATA_DIR/warehouse.duckdb) or postgresql://…"
    )
    lake_url: str = Field("", description="Folder of the lake (default: DATA_DIR/lake).")
    landing_dir: Path = Field(Path(), description="Where files arrive (default: DATA_DIR/landing).")
    partition_start: dt.date = Field(
        dt.date(2010, 1, 1), description="First day (UTC) of the daily partitions; older events are quarantined."
    )
    max_error_rate: Annotated[float, Field(ge=0, le=1)] = Field(
        0.05, description="Share of rejected rows of a batch or a day above which runs stop."
    )
    freshness_hours: Annotated[float, Field(gt=0)] = Field(
        48.0, description="How old the last batch may be before the watchdog and the UI say that data is late."
    )
    attribution_lookback_days: Annotated[int, Field(ge=1, le=365)] = Field(
        30, description="How many days back a session may earn credit for an order."
    )
    warehouse_memory: str = Field(
        "1GB",
        description="Memory DuckDB may use before it spills to disk.",
    )
    statement_timeout: Annotated[float, Field(ge=0)] = Field(
        1800.0, description="Seconds a statement on PostgreSQL may take; 0 for any."
    )

    sqs_queue_url: str = Field("", description="Queue of product events; without it the source is absent.")
    sqs_dlq_url: str = Field("", description="Queue that gets a copy of every rejected message, with the reason.")
    aws_endpoint_url: str = Field("", description="Address of another SQS than Amazon's, e.g. http://127.0.0.1:9324.")
    aws_default_region: str = Field("", description="Region of the queues (default: that of the AWS SDK or the URL).")
    aws_max_attempts: Annotated[int, Field(ge=1)] = Field(3, description="How often a request to SQS is tried.")
    mongodb_uri: SecretStr = Field(SecretStr(""), description="MongoDB server of the logs; without it they are absent.")
    mongodb_database: str = Field("shop", description="Its database.")
    mongodb_collection: str = Field("web_logs", description="Its collection.")
    users_api_url: str = Field("", description="JSON API of users; without it the source is absent.")
    users_api_authorization: SecretStr | None = Field(None, description="Value of its Authorization header.")
    drain_max_messages: Annotated[int, Field(ge=1)] = Field(1_000_000, description="Messages after which a drain ends.")
    drain_max_seconds: Annotated[float, Field(gt=0)] = Field(600.0, description="Seconds after which a drain ends.")

    shop_database_url: SecretStr = Field(
        SecretStr(""), description="postgresql:// of the shop's own database; without it the source is absent."
    )
    redis_url: SecretStr = Field(SecretStr(""), description="redis:// of the shop's cache; optional.")
    alert_webhook_url: SecretStr = Field(
        SecretStr(""), description="Where alerts are posted, Slack-compatible; without it none are."
    )
    alert_email: str = Field("", description="Address that gets alerts by e-mail; without it none are mailed.")
    smtp_url: SecretStr = Field(
        SecretStr(""), description="Mail server: smtp://user:password@host:587, or smtps://… for TLS from the start."
    )
    dagster_url: str = Field(
        "http://127.0.0.1:3000", description="Dagster's webserver: for links in alerts and the dashboard's runs."
    )

    automation: bool = Field(False, description="Whether sensors and schedules run from the start.")
    sensor_seconds: Annotated[int, Field(ge=1)] = Field(5, description="Seconds between two looks of a sensor.")

    @field_validator("sqs_queue_url", "sqs_dlq_url", "aws_endpoint_url", "users_api_url", "dagster_url")
    @classmethod
    def _check_web_address(cls, url: str) -> str:
        if url and not url.startswith(("https://", "http://")):
            raise ValueError("not an address, write https://…")
        return url

    @field_validator("alert_webhook_url")
    @classmethod
    def _check_webhook(cls, url: SecretStr) -> SecretStr:
        cls._check_web_address(url.get_secret_value())
        return url

    @field_validator("smtp_url")
    @classmethod
    def _check_mail_server(cls, url: SecretStr) -> SecretStr:
        if url.get_secret_value() and not re.match(r"smtps?://[^/]", url.get_secret_value()):
            raise ValueError("not a mail server, write smtp://user:password@host:587 or smtps://…")
        return url

    @field_validator("alert_email")
    @classmethod
    def _check_email(cls, address: str) -> str:
        if address and not re.fullmatch(r"[^@\s,;]+@[^@\s,;]+", address):
            raise ValueError("not an e-mail address, write one like team@shop.example")
        return address

    @field_validator("warehouse_memory")
    @classmethod
    def _check_memory(cls, memory: str) -> str:
        if not re.fullmatch(r"\d+(\.\d+)?\s?(MB|GB|TB|MiB|GiB|TiB)", memory):
            raise ValueError("not an amount of memory, write one like 512MB or 4GB")
        return memory

    @field_validator("warehouse_url")
    @classmethod
    def _check_warehouse(cls, url: str) -> str:
        if url.startswith(POSTGRES_SCHEMES):
            return url
        if url and not url.startswith("duckdb:///"):
            scheme = url.partition(":")[0]
            known = "duckdb:///path/to/warehouse.duckdb or postgresql://user@host/database"
            raise ValueError(f"scheme '{scheme}' is not supported, use {known}")
        if url == "duckdb:///":
            raise ValueError("the path of the file is missing, use duckdb:///path/to/warehouse.duckdb")
        return url

    @field_validator("lake_url")
    @classmethod
    def _check_lake(cls, url: str) -> str:
        if "://" in url:
            raise ValueError("only a folder is supported, give its path")
        return url

    @model_validator(mode="before")
    @classmethod
    def _hang_defaults_from_data_dir(cls, values: Any) -> Any:
        data_dir = Path(values.get("data_dir") or "data")
        values.setdefault("warehouse_url", f"duckdb:///{data_dir / 'warehouse.duckdb'}")
        values.setdefault("lake_url", str(data_dir / "lake"))
        values.setdefault("landing_dir", data_dir / "landing")
        return values

    @property
    def warehouse_path(self) -> Path:
        """Give the DuckDB file that `warehouse_url` names."""
        return Path(self.warehouse_url.removeprefix("duckdb:///"))

    @property
    def model_values(self) -> dict[str, int]:
        """Give the settings that models and their windows may name."""
        return {"attribution_lookback_days": self.attribution_lookback_days}

    @property
    def quarantine_dir(self) -> Path:
        """Give the folder of the spreadsheets of rejected rows, one per input file."""
        return self.data_dir / "quarantine"

    @property
    def reports_dir(self) -> Path:
        """Give the folder of the written findings."""
        return self.data_dir / "reports"


def _is_secret(name: str) -> bool:
    field = Settings.model_fields.get(name.lower())
    return field is not None and "SecretStr" in str(field.annotation)


def load_settings(**overrides: Any) -> Settings:
    """Read the environment (and `overrides`) into `Settings`.

    Raises `SettingsError` with one sentence naming the first wrong variable, its value and the remedy.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]).upper()
        value = "***" if _is_secret(name) else first["input"]
        words = first["msg"].removeprefix("Value error, ").replace("Input should be", "it must be")
        raise SettingsError(f"{name}={masked(str(value))}: {words}.") from error
