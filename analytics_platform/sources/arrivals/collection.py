"""Documents: from the MongoDB collection into the lake."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from analytics_platform.connectors.batches import BatchSize
from analytics_platform.connectors.mongo.address import address_of
from analytics_platform.connectors.mongo.extended_json import document_id_of
from analytics_platform.connectors.mongo.position import MongoPosition
from analytics_platform.errors import count
from analytics_platform.lake import Lake
from analytics_platform.settings import Settings, SettingsError
from analytics_platform.sources.arrivals.parquet import encode_table
from analytics_platform.sources.arrivals.position import note_position, noted_position
from analytics_platform.sources.source import Arrival, Connect, Say, Source

if TYPE_CHECKING:  # the client is imported where it is called: each command reads the sources, few read a collection
    from analytics_platform.connectors.mongo.source import MongoSource

DOCUMENT_SCHEMA = pa.schema([pa.field("document_id", pa.string()), pa.field("document", pa.binary(), nullable=False)])
"""A raw document: its `_id` as canonical Extended JSON (null if it has none), and its BSON as it came."""


class MongoCollection(Arrival):
    """Documents of a MongoDB collection."""

    system = "mongodb_collection"
    about = "Collection of web logs (MONGODB_URI, MONGODB_DATABASE, MONGODB_COLLECTION)."
    description = (
        "Documents of the collection MONGODB_COLLECTION as raw BSON in Parquet batches, only what is new since the "
        "last run; and dumps (.bson, Extended JSON) from LANDING_DIR, byte for byte."
    )
    kinds = ("mongodb", "parquet")
    setting = "MONGODB_URI"

    def address(self, settings: Settings) -> str:
        """Give server and collection, without credentials; empty if MONGODB_URI is not set."""
        uri = super().address(settings)
        return uri and f"{address_of(uri)}/{settings.mongodb_database}.{settings.mongodb_collection}"

    def fetch(
        self, source: Source, settings: Settings, lake: Lake, say: Say, connect: Connect | None = None
    ) -> Mapping[str, int | str]:
        """Read what is new in the collection."""
        documents = 0
        for step in read_collection(source.name, settings, lake):
            documents += step.documents
            say(step.note or f"{count(documents, 'document')} read")
        return {"documents read": documents}


@dataclass(frozen=True, slots=True)
class Read:
    """What a step of reading the collection brought: the number of documents, and a sentence for the log."""

    documents: int
    note: str


def collection_of(settings: Settings, batch: BatchSize | None = None) -> MongoSource:
    """Give the collection of interaction logs that the settings name. Raises `SettingsError` if they name none."""
    from analytics_platform.connectors.mongo.source import MongoSource

    uri = settings.mongodb_uri.get_secret_value()
    if not uri:
        raise SettingsError("MONGODB_URI is not set: give the address of the MongoDB server.")
    return MongoSource(uri, settings.mongodb_database, settings.mongodb_collection, batch=batch or BatchSize())


def read_collection(name: str, settings: Settings, lake: Lake, batch: BatchSize | None = None) -> Iterator[Read]:
    """Move what is new in the collection into the lake as the source `name`, in batches of the size `batch`.

    Raises `MongoError`, `PositionNoteError`, and `SettingsError` without a server.
    """
    source = collection_of(settings, batch)
    collection = f"{source.database}.{source.collection}"
    scheme, _, hosts = address_of(source.uri).partition("://")
    # Without credentials. The order in which hosts are given means nothing.
    place = f"{scheme}://{','.join(sorted(hosts.split(',')))}/{collection}"
    position = noted_position(lake, name, place, MongoPosition)
    if position is None and lake.noted(name):
        yield Read(0, f"{place} is not what was read before: it is read from the start.")
    for found in source.read(position):
        if found.documents:
            lake.put_bytes(name, collection, ".parquet", to_parquet(found.documents))
        if found.position is not None:
            note_position(lake, name, place, found.position)
        yield Read(len(found.documents), found.note)


def to_parquet(documents: Sequence[bytes]) -> bytes:
    """Write raw BSON documents as the bytes of one Parquet file. The same documents give the same bytes."""
    return encode_table(pa.table([[document_id_of(raw) for raw in documents], list(documents)], schema=DOCUMENT_SCHEMA))
