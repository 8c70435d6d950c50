"""Every setting of the platform, read once from the environment and validated.

What does not belong here: defaults of single functions, secrets in clear text (they are masked), and
anything that reads data or opens a connection.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit
from zoneinfo import available_timezones

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from analytics_platform.errors import UserError

_SECRETS = (
    re.compile(r"(?<!duckdb://)(?<=://)(?P<secret>.*)@", re.DOTALL),
    re.compile(r"[?&;#][^=&]*(?:pass|pwd|token|key|secret|sig|auth|cred)[^=&]*=(?P<secret>[^&]*)", re.IGNORECASE),
    re.compile(r"(?:^|\s)\w*password\s*=\s*(?P<secret>'(?:[^'\\]|\\.)*'?|(?:[^\s'\\]|\\.)*)", re.DOTALL),
)
"""What is secret in an address: user and password of a URL, its parameters of such names, a keyword and its value."""


def masked(address: str) -> str:
    """Write an address for people to read: a URL, or keywords and values as libpq takes them (`host=… password='…'`).

    All between `://` and the last `@` is hidden: libpq takes `#`, `?` and `@` in a password, where parsers of URLs cut.
    """
    shown, end = "", 0
    for start, stop in sorted(found.span("secret") for part in _SECRETS for found in part.finditer(address)):
        if start >= end:
            shown += f"{address[end:start]}***"
        end = max(end, stop)
    return shown + address[end:]


_WAREHOUSE = (
    r"postgres(ql)?://|duckdb:///(?!:|\w+:/|md:|.*\?\w+=).*[^/.]\Z"
    r"|lake:///[^/?#\s%\[\]^|\\@][^\s%\[\]^|\\@]*\Z|lake\+s3://[a-z0-9][a-z0-9.-]+[a-z0-9](/[\w.=-]+)*/?\Z",
    "not a warehouse, use duckdb:///path/to/warehouse.duckdb, a file without options, postgresql://user@host/database, "
    "lake:///absolute/folder (without blanks and % [ ] ^ | \\ @) or lake+s3://bucket/prefix",
)
_SPARK = (
    r"sc://(\[[0-9a-fA-F:]+\]|[^\s/:;?#\[\]]+)(:\d{1,5})?(/(;\S*)?)?\Z",
    "not an address, write sc://host:15002 or sc://host:443/;use_ssl=true;token=…",
)
_WEB = (r"https?://", "not an address, write https://…")
_OPEN = (r"https?://[^\s?#@]+\Z", "not an address, write https://… without user, password and query")
_ADDRESSES: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(("warehouse_url", "copy_from", "copy_to"), _WAREHOUSE),
    "spark_remote": _SPARK,
    **dict.fromkeys(("sqs_queue_url", "sqs_dlq_url", "landing_queue_url"), _OPEN),
    **dict.fromkeys(("aws_endpoint_url", "aws_endpoint_url_s3"), _OPEN),
    "users_api_url": _WEB,
    "exchange_rates_url": _WEB,
    "alert_webhook_url": _WEB,
    "dagster_url": _OPEN,
    "smtp_url": (
        r"smtps?://(.*@)?(\[[^\s\]]+\]|[^\s/:@?#]+)(:\d+)?/?\Z",
        "not a mail server, write smtp://user:password@host:587 or smtps://…",
    ),
    **dict.fromkeys(("shop_database_url", "redis_url"), ("", "")),
}
"""Setting → how its address begins, and the remedy if it does not."""


_BUCKET = r"s3://[a-z0-9][a-z0-9.-]+[a-z0-9](/[\w.=-]+)*/?"


class SettingsError(UserError, ValueError):
    """A setting is wrong; the message names it, its value and what to do, in one sentence."""


class Settings(BaseSettings):
    """The settings. Every field is the environment variable of the same name."""

    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, env_ignore_empty=True, hide_input_in_errors=True, allow_inf_nan=False
    )

    data_dir: Path = Field(Path("data"), description="Folder that everything below hangs from by default.")
    warehouse_url: SecretStr = Field(
        SecretStr(""),
        description="duckdb:///PATH (default: DATA_DIR/warehouse.duckdb), postgresql://…, or for Delta tables "
        "lake:///absolute/folder or lake+s3://bucket/prefix.",
    )
    lake_url: str = Field("", description="Folder of the lake (default: DATA_DIR/lake), or s3://bucket/prefix.")
    landing_url: str = Field(
        "", description="Where files arrive instead, s3://bucket/prefix; copies of them lie in DATA_DIR/landing_copy."
    )
    landing_dir: Path = Field(Path(), description="Where files arrive (default: DATA_DIR/landing).")
    partition_start: dt.date = Field(
        dt.date(2010, 1, 1), description="First day (UTC) of the daily partitions; older events are quarantined."
    )
    max_error_rate: Annotated[float, Field(ge=0, le=1)] = Field(
        0.05, description="Share of rejected rows of a batch or a day above which runs stop."
    )
    freshness_hours: Annotated[float, Field(gt=0, le=100_000)] = Field(
        48.0, description="How old the last batch may be before the watchdog and the UI say that data is late."
    )
    attribution_lookback_days: Annotated[int, Field(ge=1, le=365)] = Field(
        30, description="How many days back a session may earn credit for an order."
    )
    own_domains: str = Field(
        "", description="Domains of the shop beside that of the page, with commas: as referrers they are no source."
    )
    ignored_referrers: str = Field(
        "",
        description="Domains that visitors only pass through, with commas, beside known payment providers; bank.* for "
        "bank below any public suffix.",
    )
    shop_timezone: str = Field(
        "UTC", description="Time zone of the shop (IANA, e.g. Europe/Berlin), for its day and hour beside those in UTC."
    )
    shared_device_users: Annotated[int, Field(ge=1)] = Field(
        3,
        description="With how many users a client or an e-mail address is one person's; with more it joins nobody. "
        "Build all days again after a change.",
    )
    warehouse_memory: str = Field("1GB", description="Memory DuckDB may use before it spills to disk.")
    spark_remote: SecretStr = Field(
        SecretStr(""),
        description="Server of Spark Connect, sc://host:15002, that computes the models of a warehouse of Delta tables "
        "(default: DuckDB on this machine).",
    )
    copy_from: SecretStr = Field(SecretStr(""), description="Warehouse that `copy` reads, without `--from`.")
    copy_to: SecretStr = Field(SecretStr(""), description="Warehouse that `copy` fills, without `--to`.")
    statement_timeout: Annotated[float, Field(ge=0, le=2_000_000)] = Field(
        1800.0, description="Seconds a statement on PostgreSQL may take; 0 for any."
    )

    sqs_queue_url: str = Field("", description="Queue of product events; without it the source is absent.")
    sqs_dlq_url: str = Field("", description="Queue that gets a copy of every rejected message, with the reason.")
    landing_queue_url: str = Field(
        "", description="Queue that gets S3's notifications of LANDING_URL; without it each look lists the bucket."
    )
    aws_endpoint_url: str = Field("", description="Address of another SQS than Amazon's, e.g. http://127.0.0.1:9324.")
    aws_endpoint_url_s3: str = Field(
        "", description="Address of another S3 than Amazon's, e.g. that of MinIO (default: AWS_ENDPOINT_URL)."
    )
    aws_default_region: str = Field(
        "", description="Region of queues and bucket (default: that of the AWS SDK or a queue's URL)."
    )
    aws_max_attempts: Annotated[int, Field(ge=1)] = Field(3, description="How often a request to SQS or S3 is tried.")
    mongodb_uri: SecretStr = Field(SecretStr(""), description="MongoDB server of the logs; without it they are absent.")
    mongodb_database: str = Field("shop", description="Its database.")
    mongodb_collection: str = Field("web_logs", description="Its collection.")
    users_api_url: SecretStr = Field(SecretStr(""), description="JSON API of users; without it the source is absent.")
    users_api_authorization: SecretStr | None = Field(None, description="Value of its Authorization header.")
    exchange_rates_url: SecretStr = Field(
        SecretStr(""), description="JSON API of exchange rates, e.g. https://api.frankfurter.dev/v1/latest; optional."
    )
    shop_currency: str = Field("", description="Currency of the shop (ISO 4217), into which all amounts are converted.")
    expects_orders: bool = Field(
        True, description="Whether the shop takes orders: `monitor` fails if there is traffic and no order ever."
    )
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

    follow_messages: Annotated[int, Field(ge=1)] = Field(
        10_000,
        description="Messages after which `follow` closes a batch; it closes one 0.5 s after its first in any case.",
    )

    follow_summary_seconds: Annotated[float, Field(ge=0)] = Field(
        60.0, description="How often `follow` builds marts that sum up days, at most; all others with every batch."
    )

    automation: bool = Field(False, description="Whether sensors and schedules run from the start.")
    sensor_seconds: Annotated[int, Field(ge=1)] = Field(5, description="Seconds between two looks of a sensor.")

    @field_validator("data_dir", "lake_url", "landing_dir")
    @classmethod
    def _check_folder(cls, folder: Path | str) -> Path | str:
        there = next(each for each in (Path(folder), *Path(folder).parents) if os.path.lexists(each))
        if not there.is_dir():
            raise ValueError(f"{there} is no folder, choose another path or move it away")
        if not os.access(there, os.X_OK, effective_ids=True):
            raise ValueError(f"{there} cannot be read, choose another path or change its rights")
        return folder

    @field_validator("partition_start")
    @classmethod
    def _check_start(cls, day: dt.date) -> dt.date:
        today = dt.datetime.now(dt.UTC).date()
        if not dt.date(1970, 1, 1) <= day <= today:
            raise ValueError(f"not a day from 1970-01-01 to today, {today} (UTC)")
        return day

    @field_validator("own_domains", "ignored_referrers")
    @classmethod
    def _check_domains(cls, domains: str) -> str:
        for domain in filter(None, map(str.strip, domains.split(","))):
            if not re.fullmatch(r"\w[\w-]*(\.\w[\w-]*)*(\.\*)?", domain):
                what = domain if "://" not in domains else "an address"  # its parts would show a password
                raise ValueError(f"{what} is no domain, write domains with commas: shop.example, pay.example")
        return domains

    @field_validator(*_ADDRESSES)
    @classmethod
    def _check_address(cls, given: str | SecretStr, info: ValidationInfo) -> str | SecretStr:
        url = given.get_secret_value() if isinstance(given, SecretStr) else given
        form, remedy = _ADDRESSES[str(info.field_name)]
        if url and not re.match(form, url):
            raise ValueError(remedy)
        # Parsers cut an address within its password, libpq at `/`, others also at `?` and `#`, and show what is before.
        ends = "/" if url.startswith("postgres") else "/?#"
        if re.match(rf"(?!duckdb:)[\w+.-]+://(\S*\s|[^{ends}]*[{ends}].*@)", url):
            raise ValueError("percent-encode blanks and / ? # @ in a user or password, and an @ behind the host (%40)")
        return given

    @field_validator("spark_remote")
    @classmethod
    def _check_spark(cls, url: SecretStr, info: ValidationInfo) -> SecretStr:
        warehouse = info.data.get("warehouse_url")
        if url.get_secret_value() and warehouse and not warehouse.get_secret_value().startswith("lake"):
            raise ValueError(
                "Spark reads Delta tables only, set WAREHOUSE_URL to lake:///folder or lake+s3://bucket/prefix"
            )
        return url

    @field_validator("alert_email")
    @classmethod
    def _check_email(cls, address: str) -> str:
        if address and not re.fullmatch(r"[^@\s,;:]+@[^@\s,;:]+", address):
            raise ValueError("not an e-mail address, write one like team@shop.example")
        return address

    @field_validator("shop_currency")
    @classmethod
    def _check_currency(cls, currency: str) -> str:
        if currency and not re.fullmatch("[A-Z]{3}", currency):
            raise ValueError("not a currency, write its code of ISO 4217 like EUR")
        return currency

    @field_validator("shop_timezone")
    @classmethod
    def _check_timezone(cls, name: str) -> str:
        if name != "UTC" and name not in available_timezones() - {"localtime"}:
            raise ValueError("not a time zone, write its name in the IANA database like Europe/Berlin")
        return name

    @field_validator("warehouse_memory")
    @classmethod
    def _check_memory(cls, memory: str) -> str:
        if not re.fullmatch(r"(?=.*[1-9])\d+(\.\d+)?\s?(MB|GB|TB|MiB|GiB|TiB)", memory):
            raise ValueError("not an amount of memory, write one like 512MB or 4GB")
        return memory

    @field_validator("lake_url")
    @classmethod
    def _check_lake(cls, url: str) -> str:
        if "://" in url and not re.fullmatch(_BUCKET, url, re.ASCII):
            raise ValueError("not a lake, give the path of a folder or s3://bucket/prefix")
        return url

    @field_validator("landing_url")
    @classmethod
    def _check_landing_url(cls, url: str, info: ValidationInfo) -> str:
        if url and not re.fullmatch(_BUCKET, url, re.ASCII):
            raise ValueError("not a place in a bucket, write s3://bucket/prefix")
        here, lake = (f"{each.rstrip('/')}/" for each in (url, info.data.get("lake_url", "")))
        if url and (here.startswith(lake) or lake.startswith(here)):
            raise ValueError("batches of LAKE_URL would arrive as files, choose another prefix")
        return url

    @field_validator("landing_queue_url")
    @classmethod
    def _check_landing_queue(cls, url: str, info: ValidationInfo) -> str:
        if url and not info.data.get("landing_url"):
            raise ValueError("it says what arrives in a bucket, set LANDING_URL too")
        # By account and name: a queue has several hosts.
        others = (info.data.get(name, "") for name in ("sqs_queue_url", "sqs_dlq_url"))
        if url and urlsplit(url).path.strip("/") in {urlsplit(other).path.strip("/") for other in others if other}:
            raise ValueError("product events would be deleted there, choose another queue for notifications")
        return url

    @field_validator("landing_dir")
    @classmethod
    def _check_copies(cls, folder: Path, info: ValidationInfo) -> Path:
        # What is not in the bucket is deleted there.
        if info.data.get("landing_url") and folder != info.data.get("data_dir", Path()) / "landing_copy":
            raise ValueError("files arrive at LANDING_URL, set only one of them")
        return folder

    @model_validator(mode="before")
    @classmethod
    def _hang_defaults_from_data_dir(cls, values: Any) -> Any:
        data_dir = Path(values.get("data_dir") or "data")
        values.setdefault("warehouse_url", f"duckdb:///{data_dir / 'warehouse.duckdb'}")
        values.setdefault("lake_url", str(data_dir / "lake"))
        values.setdefault("landing_dir", data_dir / ("landing_copy" if values.get("landing_url") else "landing"))
        return values

    @property
    def warehouse_path(self) -> Path:
        """Give the DuckDB file that `warehouse_url` names."""
        return Path(self.warehouse_url.get_secret_value().removeprefix("duckdb:///"))

    @property
    def landing_place(self) -> str:
        """Give where files arrive, for people: the bucket, or the folder."""
        return self.landing_url.rstrip("/") or str(self.landing_dir)

    @property
    def is_lake_on_s3(self) -> bool:
        """Tell whether `lake_url` names a bucket."""
        return self.lake_url.startswith("s3://")

    @property
    def is_on_postgres(self) -> bool:
        """Tell whether `warehouse_url` names a PostgreSQL database."""
        return self.warehouse_url.get_secret_value().startswith("postgres")

    @property
    def is_on_delta(self) -> bool:
        """Tell whether `warehouse_url` names a place of Delta tables."""
        return self.warehouse_url.get_secret_value().startswith("lake")

    @property
    def takes_several_runs(self) -> bool:
        """Tell whether several processes may write the warehouse at once."""
        return self.is_on_postgres or self.is_on_delta

    @property
    def secrets(self) -> frozenset[str]:
        """List every secret: whole values, and what `masked` hides of them, as it is written and percent-decoded."""
        values = [value.get_secret_value() for _, value in self if isinstance(value, SecretStr)]
        hidden = [found["secret"] for value in values for part in _SECRETS for found in part.finditer(value)]
        parts = [part.partition(":")[2] for part in hidden]
        # The default address of the warehouse is a path, which messages may show.
        given = {*values, *hidden, *parts} - {f"duckdb:///{self.warehouse_path}"}
        return frozenset({*given, *map(unquote, given)})

    @property
    def model_values(self) -> dict[str, int | str]:
        """Give the settings that models and their windows may name."""
        return {
            "attribution_lookback_days": self.attribution_lookback_days,
            "shop_timezone": self.shop_timezone,
        }

    @property
    def referrer_roles(self) -> dict[str, str]:
        """Give the domains that are no traffic source as referrers: `own` or `ignored`, own ones first."""
        given = {"own": self.own_domains, "ignored": self.ignored_referrers}
        listed = ((name.strip().lower(), role) for role, names in given.items() for name in names.split(","))
        return {name: role for name, role in reversed([*listed]) if name}

    @property
    def quarantine_dir(self) -> Path:
        """Give the folder of the spreadsheets of rejected rows, one per input file."""
        return self.data_dir / "quarantine"

    @property
    def reports_dir(self) -> Path:
        """Give the folder of the written findings."""
        return self.data_dir / "reports"


def load_settings(**overrides: Any) -> Settings:
    """Read the environment (and `overrides`) into `Settings`.

    Raises `SettingsError` with one sentence naming the first wrong variable, its value if that is no address, and the
    remedy.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        field = Settings.model_fields.get(name)
        shown = field is not None and not name.endswith("_url") and "SecretStr" not in str(field.annotation)
        value = masked(str(first["input"])) if shown else "***"
        words = first["msg"].removeprefix("Value error, ").replace("Input should be", "it must be")
    # Not within `except`: a traceback would show the error of pydantic too, which quotes what it was given.
    raise SettingsError(f"{name.upper()}={value}: {words}.")
