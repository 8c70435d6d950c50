"""A collection on a server, read as raw BSON from where the last reading ended."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pymongo import MongoClient, ReadPreference
from pymongo.database import Database
from pymongo.errors import OperationFailure, PyMongoError

from analytics_platform.connectors.batches import BatchSize
from analytics_platform.connectors.mongo.change_stream import read_changes
from analytics_platform.connectors.mongo.collection import OpenCollection, RawDocuments
from analytics_platform.connectors.mongo.errors import UNAUTHORIZED, MongoError, clear_errors
from analytics_platform.connectors.mongo.keyset import read_keyset
from analytics_platform.connectors.mongo.position import Mode, MongoPosition


@dataclass(frozen=True, slots=True)
class MongoSource:
    """A collection to read, and how.

    `mode` is how to find what is new; None is by the change stream where the server has one (replica sets and sharded
    clusters) and by keys where not. `timestamp_field` is a field of the document itself. `overlap` is how far back is
    read again for what was written late. `lag` is how old a document must be before reading by keys goes past it:
    longer than clocks differ and writes take. `timeout` bounds the wait for a connection, `answer_timeout` that for an
    answer: without an index the server looks through all documents.

    Everything is read from the primary: a secondary may lack what was written before the change stream's token.
    """

    uri: str = field(repr=False)
    database: str
    collection: str
    timestamp_field: str = "timestamp"
    mode: Mode | None = None
    overlap: dt.timedelta = dt.timedelta(minutes=10)
    lag: dt.timedelta = dt.timedelta(seconds=30)
    batch: BatchSize = field(default_factory=BatchSize)
    timeout: dt.timedelta = dt.timedelta(seconds=30)
    answer_timeout: dt.timedelta = dt.timedelta(minutes=10)

    def read(self, position: MongoPosition | None) -> Iterator[RawDocuments]:
        """Read what is new since `position`, or everything for None, in batches with the position to commit with each.

        The last batch has the position after all that was there when the reading began. Raises `MongoError`.
        """
        with clear_errors(self.uri, f"{self.database}.{self.collection}"), self._connect() as client:
            hello = client.admin.command("hello")
            has_changes = "setName" in hello or hello.get("msg") == "isdbgrid"
            mode = self.mode or ("change_stream" if has_changes else "keyset")
            if mode == "keyset" and not _exists(client[self.database], self.collection):
                note = f"MongoDB has no collection {self.database}.{self.collection}: nothing to read."
                yield RawDocuments((), None, note)
                return
            if position is not None and position.mode != mode:
                note = f"The last reading was by {position.mode}, this one is by {mode}: everything is read again."
                yield RawDocuments((), None, note)
                position = None
            documents = client[self.database].get_collection(self.collection, read_preference=ReadPreference.PRIMARY)
            now = hello["localTime"]
            opened = OpenCollection(documents, self.timestamp_field, self.overlap, self.lag, self.batch, now)
            yield from (read_keyset if mode == "keyset" else read_changes)(opened, position)

    def _connect(self) -> MongoClient[dict[str, Any]]:
        wait, answer = (round(limit.total_seconds() * 1000) for limit in (self.timeout, self.answer_timeout))
        try:
            return MongoClient(
                self.uri, serverSelectionTimeoutMS=wait, connectTimeoutMS=wait, socketTimeoutMS=answer, tz_aware=False
            )
        except (PyMongoError, ValueError):  # their text may quote the connection string
            raise MongoError(
                "The address of MongoDB is not valid or its name is unknown: check MONGODB_URI, and percent-encode "
                "special characters in its password."
            ) from None


def _exists(database: Database[dict[str, Any]], name: str) -> bool:
    """Return whether a collection exists; True where the user may not ask."""
    try:
        return name in database.list_collection_names(filter={"name": name})
    except OperationFailure as error:
        if error.code != UNAUTHORIZED:
            raise
        return True
