"""Documents: from the MongoDB collection into the lake.

How far the collection is read is noted after its documents are on the disk. Killed in between, the same documents are
read again, and are duplicates behind the gate. The note says of which collection it is: another one is read from the
start, for what is known of one says nothing of another.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from analytics_platform.connectors.mongo import BatchSize, MongoSource, Position, PositionError
from analytics_platform.connectors.mongo.errors import address_of
from analytics_platform.gate.documents import to_parquet
from analytics_platform.ingest.sources import WEB_LOGS
from analytics_platform.lake import FolderLake
from analytics_platform.settings import Settings, SettingsError


@dataclass(frozen=True, slots=True)
class Read:
    """What a step of reading the collection brought: so many documents, and what is to be said of it."""

    documents: int
    note: str


def collection_of(settings: Settings, batch: BatchSize | None = None) -> MongoSource:
    """The collection of interaction logs that the settings name. Raises `SettingsError` if they name none."""
    uri = settings.mongodb_uri.get_secret_value()
    if not uri:
        raise SettingsError("MONGODB_URI is not set: give the address of the MongoDB server.")
    return MongoSource(uri, settings.mongodb_database, settings.mongodb_collection, batch=batch or BatchSize())


def read_collection(settings: Settings, lake: FolderLake, batch: BatchSize | None = None) -> Iterator[Read]:
    """Move what is new in the collection into the lake, batch by batch (of the size `batch`).

    Raises `MongoError`, `PositionError` if what was noted cannot be read, and `SettingsError` without a server.
    """
    source = collection_of(settings, batch)
    noted = lake.noted(WEB_LOGS)
    position = _position_in(noted, source) if noted else None
    if noted and position is None:
        yield Read(0, f"{_place_of(source)} is not what was read before: it is read from the start.")
    for found in source.read(position):
        if found.documents:
            name = f"{source.database}.{source.collection}"
            lake.put_bytes(WEB_LOGS, name, ".parquet", to_parquet(found.documents))
        if found.position is not None:
            lake.note(WEB_LOGS, json.dumps({"place": _place_of(source), "position": found.position.to_json()}))
        yield Read(len(found.documents), found.note)


def _place_of(source: MongoSource) -> str:
    """Server and collection, without credentials; the order in which hosts are given means nothing."""
    scheme, _, hosts = address_of(source.uri).partition("://")
    return f"{scheme}://{','.join(sorted(hosts.split(',')))}/{source.database}.{source.collection}"


def _position_in(noted: str, source: MongoSource) -> Position | None:
    """How far this collection was read; None if the note is of another one. Raises `PositionError`."""
    try:
        note = json.loads(noted)
        place, position = str(note["place"]), str(note["position"])
    except (ValueError, TypeError, KeyError) as error:
        raise PositionError(
            "The note on how far MongoDB was read cannot be read; delete it (_source.note in the lake's folder "
            f"{WEB_LOGS}) to read the collection again from the start."
        ) from error
    return Position.from_json(position) if place == _place_of(source) else None
