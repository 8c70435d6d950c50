"""The sources: which contract their records are held against, and how a batch of each is taken apart.

A new source is one entry here, a contract, and an asset that fetches it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import BinaryIO, TypeAlias

from pydantic import SecretStr

from analytics_platform.connectors.mongo.dumps import DUMP_REASONS, MalformedRecord, read_dump
from analytics_platform.connectors.rest_api import decode_pages, records
from analytics_platform.connectors.shop_db import TABLES
from analytics_platform.contracts import CONTRACTS
from analytics_platform.contracts.base import ContractType
from analytics_platform.gate import CSV_REASONS, MESSAGE_REASONS, Records, read_csv, read_messages, reasons_of
from analytics_platform.gate.document_rows import Unreadable, read_documents
from analytics_platform.gate.documents import read_parquet
from analytics_platform.gate.people import REASONS as USER_REASONS
from analytics_platform.gate.people_rows import read_users
from analytics_platform.gate.shop_rows import ROW_REASONS, read_rows
from analytics_platform.lake import CSV_SUFFIXES, DUMP_SUFFIXES, Batch
from analytics_platform.settings import Settings

CLICKSTREAM = "clickstream"
ECOMMERCE_EVENTS = "ecommerce_events"
WEB_LOGS = "web_logs"
USERS = "users"
SHOP = tuple(TABLES)
"""Tables of the shop's database, each a source of the same name."""

DOCUMENT_REASONS = (
    "document: not BSON",
    "document: nested too deep",
    "user_id: not a whole number",
    "action: not text",
    "item_name: not text",
    "timestamp: not a time",
    "event_at: out of range",
    "device: not text",
    "session_id: not a whole number or text",
    *(f"{name}: NUL character" for name in ("document_id", "action", "item_name", "event_at", "device", "session_id")),
    *(f"{name}: NUL character" for name in ("metadata", "extra")),
    *DUMP_REASONS,
)
"""Why a document cannot be taken apart."""

Reader: TypeAlias = Callable[[Batch, BinaryIO, Collection[int] | None], Iterator[Records]]
"""Takes the content of a batch apart; given positions, only the records at these."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a source's records arrive: the `system` they come from, and the `setting` that holds its address.

    Files have no setting: they are dropped into LANDING_DIR. `kinds` are the badges the UI shows.
    """

    system: str
    description: str
    kinds: tuple[str, ...]
    setting: str = ""


FILES = Arrival("landing_folder", "Files from LANDING_DIR, byte for byte, each content once.", ("csv", "file"))
QUEUE = Arrival(
    "sqs_queue",
    "Messages drained from the queue SQS_QUEUE_URL, as Parquet batches. A message is deleted from the queue only once "
    "it is here; delivered twice, it is here twice, and counted once behind the gate.",
    ("sqs", "parquet"),
    "SQS_QUEUE_URL",
)
COLLECTION = Arrival(
    "mongodb_collection",
    "Documents of the collection MONGODB_COLLECTION as raw BSON in Parquet batches, only what is new since the last "
    "run; and dumps (.bson, Extended JSON) from LANDING_DIR, byte for byte.",
    ("mongodb", "parquet"),
    "MONGODB_URI",
)
API = Arrival(
    "users_api",
    "The untouched answer of USERS_API_URL, all its pages or nothing; each different answer once.",
    ("json", "api"),
    "USERS_API_URL",
)
DATABASE = Arrival(
    "shop_database",
    "Rows of a table in SHOP_DATABASE_URL, as JSON lines that PostgreSQL wrote: what changed since the last run, and "
    "the ten minutes before that once more for what was committed late.",
    ("postgres", "json"),
    "SHOP_DATABASE_URL",
)


@dataclass(frozen=True, slots=True)
class Source:
    """A source of raw input: raw asset, gate, freshness, status and the system before it follow from this.

    `malformed` are the reasons for which a record of it cannot be taken apart at all, `suffixes` the ends of the names
    of files in its landing folder.
    """

    name: str
    arrival: Arrival
    read: Reader
    malformed: tuple[str, ...]
    suffixes: tuple[str, ...] = ()

    def address(self, settings: Settings) -> str:
        """Where its records come from; empty if its setting is not set."""
        if not self.arrival.setting:
            return str(settings.landing_dir / self.name)
        value = getattr(settings, self.arrival.setting.lower())
        return str(value.get_secret_value() if isinstance(value, SecretStr) else value)

    @property
    def contract(self) -> ContractType:
        """The contract that its records are held against."""
        return next(contract for contract in CONTRACTS.values() if contract.table.source == self.name)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Every reason for which the gate refuses one of its records."""
        return tuple(dict.fromkeys((*reasons_of(self.contract), *self.malformed)))


def _read_csv_batch(batch: Batch, stream: BinaryIO, only: Collection[int] | None) -> Iterator[Records]:
    return read_csv(stream, contract_of(CLICKSTREAM), only)


def _read_message_batch(batch: Batch, stream: BinaryIO, only: Collection[int] | None) -> Iterator[Records]:
    return read_messages(stream, contract_of(ECOMMERCE_EVENTS), only)


def _read_document_batch(batch: Batch, stream: BinaryIO, only: Collection[int] | None) -> Iterator[Records]:
    """Documents read from a server come as Parquet, those of a dump as the dump."""
    if batch.path.suffix == ".parquet":
        return read_documents((document for some in read_parquet(stream) for document in some), only)
    return read_documents(_unpack(read_dump(stream, batch.name)), only)


def _unpack(found: Iterable[bytes | MalformedRecord]) -> Iterator[bytes | Unreadable]:
    return (
        Unreadable(record.raw, record.reason) if isinstance(record, MalformedRecord) else record for record in found
    )


def _read_user_batch(batch: Batch, stream: BinaryIO, only: Collection[int] | None) -> Iterator[Records]:
    return read_users(((record.position, record.raw) for record in records(decode_pages(stream.read()))), only)


def _read_row_batch(batch: Batch, stream: BinaryIO, only: Collection[int] | None) -> Iterator[Records]:
    return read_rows(stream, contract_of(batch.source), only)


_ALL = (
    Source(CLICKSTREAM, FILES, _read_csv_batch, CSV_REASONS, CSV_SUFFIXES),
    Source(ECOMMERCE_EVENTS, QUEUE, _read_message_batch, MESSAGE_REASONS),
    Source(WEB_LOGS, COLLECTION, _read_document_batch, DOCUMENT_REASONS, DUMP_SUFFIXES),
    Source(USERS, API, _read_user_batch, USER_REASONS),
    *(Source(table, DATABASE, _read_row_batch, ROW_REASONS) for table in SHOP),
)

SOURCES: Mapping[str, Source] = MappingProxyType({source.name: source for source in _ALL})
"""Every source by its name."""


def contract_of(source: str) -> ContractType:
    """The contract that the rows of a source are held against."""
    return SOURCES[source].contract
