"""Documents: from the MongoDB collection into the lake.

How far the collection is read is noted after its documents are on the disk. Killed in between, the same documents are
read again, and are duplicates behind the gate. The note says of which collection it is: another one is read from the
start, for what is known of one says nothing of another.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from analytics_platform.connectors.mongo import BatchSize, MongoError, MongoPosition, MongoSource
from analytics_platform.connectors.mongo.errors import address_of
from analytics_platform.connectors.mongo.extended_json import document_id_of
from analytics_platform.lake import FolderLake
from analytics_platform.settings import Settings, SettingsError
from analytics_platform.sources.source import Arrival, Connect, Say, Source

DOCUMENT_SCHEMA = pa.schema([pa.field("document_id", pa.string()), pa.field("document", pa.binary(), nullable=False)])
"""A raw document: its `_id` as canonical Extended JSON (null if it has none), and its BSON as it came."""

DOCUMENTS_AT_A_TIME = 50_000


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
        self, source: Source, settings: Settings, lake: FolderLake, say: Say, connect: Connect | None = None
    ) -> Mapping[str, int | str]:
        """Read what is new in the collection."""
        documents = 0
        for step in read_collection(source.name, settings, lake):
            documents += step.documents
            say(step.note or f"{documents:,} documents read")
        return {"documents read": documents}


@dataclass(frozen=True, slots=True)
class Read:
    """What a step of reading the collection brought: the number of documents, and a sentence for the log."""

    documents: int
    note: str


def collection_of(settings: Settings, batch: BatchSize | None = None) -> MongoSource:
    """The collection of interaction logs that the settings name. Raises `SettingsError` if they name none."""
    uri = settings.mongodb_uri.get_secret_value()
    if not uri:
        raise SettingsError("MONGODB_URI is not set: give the address of the MongoDB server.")
    return MongoSource(uri, settings.mongodb_database, settings.mongodb_collection, batch=batch or BatchSize())


def read_collection(name: str, settings: Settings, lake: FolderLake, batch: BatchSize | None = None) -> Iterator[Read]:
    """Move what is new in the collection into the lake as the source `name`, in batches of the size `batch`.

    Raises `MongoError`, also if what was noted cannot be read, and `SettingsError` without a server.
    """
    source = collection_of(settings, batch)
    noted = lake.noted(name)
    position = _position_in(noted, source, name) if noted else None
    if noted and position is None:
        yield Read(0, f"{_place_of(source)} is not what was read before: it is read from the start.")
    for found in source.read(position):
        if found.documents:
            place = f"{source.database}.{source.collection}"
            lake.put_bytes(name, place, ".parquet", to_parquet(found.documents))
        if found.position is not None:
            lake.note(name, json.dumps({"place": _place_of(source), "position": found.position.to_json()}))
        yield Read(len(found.documents), found.note)


def _place_of(source: MongoSource) -> str:
    """Server and collection, without credentials; the order in which hosts are given means nothing."""
    scheme, _, hosts = address_of(source.uri).partition("://")
    return f"{scheme}://{','.join(sorted(hosts.split(',')))}/{source.database}.{source.collection}"


def _position_in(noted: str, source: MongoSource, name: str) -> MongoPosition | None:
    """How far this collection was read; None if the note is of another one. Raises `MongoError`."""
    try:
        note = json.loads(noted)
        place, position = str(note["place"]), str(note["position"])
    except (ValueError, TypeError, KeyError) as error:
        raise MongoError(
            "The note on how far MongoDB was read cannot be read; delete it (_source.note in the lake's folder "
            f"{name}) to read the collection again from the start."
        ) from error
    return MongoPosition.from_json(position) if place == _place_of(source) else None


def to_parquet(documents: Sequence[bytes]) -> bytes:
    """Write raw BSON documents as the bytes of one Parquet file. The same documents give the same bytes."""
    table = pa.table([[document_id_of(raw) for raw in documents], list(documents)], schema=DOCUMENT_SCHEMA)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def read_parquet(stream: BinaryIO) -> Iterator[list[bytes]]:
    """Read the raw documents of a file that `to_parquet` wrote, in their order, some at a time."""
    with pq.ParquetFile(stream) as file:
        for part in file.iter_batches(DOCUMENTS_AT_A_TIME, columns=["document"]):
            yield part["document"].to_pylist()
