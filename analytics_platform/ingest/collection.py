"""Documents: from the MongoDB collection into the lake.

How far the collection is read is noted after its documents are on the disk. Killed in between, the same documents are
read again, and are duplicates behind the gate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from analytics_platform.gate.documents import to_parquet
from analytics_platform.ingest.sources import WEB_LOGS
from analytics_platform.lake import FolderLake
from analytics_platform.settings import Settings
from analytics_platform.sources.mongo import MongoSource, Position


@dataclass(frozen=True, slots=True)
class Read:
    """What a step of reading the collection brought: so many documents, and what is to be said of it."""

    documents: int
    note: str


def collection_of(settings: Settings) -> MongoSource:
    """The collection of interaction logs that the settings name."""
    return MongoSource(settings.mongodb_uri.get_secret_value(), settings.mongodb_database, settings.mongodb_collection)


def read_collection(settings: Settings, lake: FolderLake) -> Iterator[Read]:
    """Move what is new in the collection into the lake, batch by batch.

    Raises `MongoError`, and `PositionError` if what was noted cannot be read.
    """
    noted = lake.noted(WEB_LOGS)
    for batch in collection_of(settings).read(Position.from_json(noted) if noted else None):
        if batch.documents:
            name = f"{settings.mongodb_database}.{settings.mongodb_collection}"
            lake.put_bytes(WEB_LOGS, name, ".parquet", to_parquet(batch.documents))
        if batch.position is not None:
            lake.note(WEB_LOGS, batch.position.to_json())
        yield Read(len(batch.documents), batch.note)
