"""A collection of logs that a test fills and reads."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import bson
from bson.objectid import ObjectId
from pydantic import TypeAdapter
from pydantic_core import to_json
from pymongo.collection import Collection
from pymongo.database import Database

from analytics_platform.connectors.batches import BatchSize
from analytics_platform.connectors.mongo.collection import RawDocuments
from analytics_platform.connectors.mongo.position import MongoPosition
from analytics_platform.connectors.mongo.source import MongoSource

START = dt.datetime(2024, 3, 1, 12)
"""Before this time nothing happened in the tests."""

MINUTE = dt.timedelta(minutes=1)
NAME = "web_logs"

_counter = itertools.count(1)


def object_id(moment: dt.datetime) -> ObjectId:
    """A new ObjectId made at a time."""
    return ObjectId(ObjectId.from_datetime(moment).binary[:4] + next(_counter).to_bytes(8, "big"))


def log(moment: dt.datetime, **fields: Any) -> dict[str, Any]:
    """A log that happened and was made at a time."""
    return {"_id": object_id(moment), "user_id": 1, "action": "view_item", "timestamp": moment, **fields}


def ids(documents: Iterable[bytes]) -> list[Any]:
    """The `_id`s of raw documents."""
    return [bson.decode(raw)["_id"] for raw in documents]


@dataclass
class Reading:
    """What one reading gave: batches, and the position to go on from."""

    batches: list[RawDocuments]
    position: MongoPosition | None

    @property
    def documents(self) -> list[bytes]:
        return [raw for batch in self.batches for raw in batch.documents]

    @property
    def ids(self) -> list[Any]:
        return ids(self.documents)

    @property
    def notes(self) -> list[str]:
        return [batch.note for batch in self.batches if batch.note]


@dataclass
class Shop:
    """The collection `NAME` of a database."""

    uri: str
    database: Database[dict[str, Any]]
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def logs(self) -> Collection[dict[str, Any]]:
        return self.database[NAME]

    def source(self, **settings: Any) -> MongoSource:
        """The collection as a source: by keys, without lag, unless said otherwise."""
        usual = {"mode": "keyset", "lag": dt.timedelta(0), "overlap": 10 * MINUTE, "timeout": dt.timedelta(seconds=5)}
        return MongoSource(self.uri, self.database.name, NAME, **{**usual, **self.settings, **settings})

    def read(self, position: MongoPosition | None = None, **settings: Any) -> Reading:
        """Read to the end; every position is written and read again on the way, as a caller does."""
        batches = []
        for batch in self.source(**settings).read(position):
            batches.append(batch)
            if batch.position is not None:
                position = TypeAdapter(MongoPosition).validate_json(to_json(batch.position))
                assert position == batch.position
        return Reading(batches, position)

    def insert(self, *documents: dict[str, Any]) -> list[Any]:
        """Insert documents; their ids."""
        self.logs.insert_many(documents)
        return [document["_id"] for document in documents]


def stopped_readings(shop: Shop, position: MongoPosition | None, **settings: Any) -> Iterable[Sequence[bytes]]:
    """What is stored if a reading is killed after any number of commits, and then run again to the end."""
    whole = list(shop.source(**settings).read(position))
    for commits in range(len(whole) + 1):
        stored: list[bytes] = []
        committed = position
        reading = shop.source(**settings).read(position)
        for batch in itertools.islice(reading, commits):
            stored.extend(batch.documents)
            committed = batch.position or committed
        next(reading, None)  # read, and lost before its commit
        reading.close()  # type: ignore[attr-defined]
        yield stored + shop.read(committed, **settings).documents


SMALL = BatchSize(records=7)
