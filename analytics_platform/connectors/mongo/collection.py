"""One collection of a server as the readers see it: raw BSON in batches, and the newest keys; nothing is decoded.

Every comparison in a query is meant as MongoDB does it: a date is only compared with dates. `$jsonSchema` asks for the
type of a field itself, where `$type` would also match an array with such an element.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from struct import Struct
from typing import Any, TypeAlias, cast

import bson
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS
from bson.errors import BSONError
from bson.objectid import ObjectId
from pymongo.collection import Collection

from analytics_platform.connectors.batches import BatchSize, Gathering
from analytics_platform.connectors.mongo.errors import MongoError
from analytics_platform.connectors.mongo.extended_json import SMALLEST_DOCUMENT
from analytics_platform.connectors.mongo.position import MongoPosition, Snapshot, decode_key, encode_key

Filter: TypeAlias = Mapping[str, Any]

IS_OBJECT_ID: Filter = {"$jsonSchema": {"properties": {"_id": {"bsonType": "objectId"}}}}

_LENGTH = Struct("<i")
_EXACT: CodecOptions[dict[str, Any]] = CodecOptions(
    document_class=dict, tz_aware=False, datetime_conversion=DatetimeConversion.DATETIME_MS
)


@dataclass(frozen=True, slots=True)
class RawDocuments:
    """Some documents as raw BSON, and how far the collection is read with them.

    Commit `position` in the transaction that stores the documents, and none of them is missed; some come again
    after a crash and within the overlap. `documents` may be empty: then only the position moved. A position of None
    means that there is nothing to commit. `note` is for the log: one sentence, if there is something to say.
    """

    documents: Sequence[bytes]
    position: MongoPosition | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class OpenCollection:
    """A collection on a connected server, and how to read it. `now` is the server's clock when the reading began."""

    documents: Collection[dict[str, Any]]
    timestamp_field: str
    overlap: dt.timedelta
    lag: dt.timedelta
    batch: BatchSize
    now: dt.datetime

    @property
    def settled(self) -> dt.datetime:
        """The time before which documents are taken to be visible; later ones may come from a clock that is late."""
        return self.now - self.lag

    def find(self, wanted: Filter, *order: str) -> Iterator[list[bytes]]:
        """Yield the raw documents in ascending order of some fields, in batches."""
        cursor = self.documents.find_raw_batches(
            wanted,
            sort=[(field, 1) for field in order],
            batch_size=self.batch.records,
            allow_disk_use=True if len(order) > 1 else None,  # `_id` alone is always in its index
        )
        with cursor:
            yield from gather(cast(Iterable[bytes], cursor), self.batch)

    def newest_object_id(self) -> str | None:
        """Return the highest ObjectId among the settled documents."""
        exact = self.documents.with_options(codec_options=_EXACT)
        highest = exact.find_one({}, {"_id": 1}, sort=[("_id", -1)])
        if highest is not None and "_id" not in highest:
            raise MongoError(
                f"The documents of {self.documents.full_name} have no _id, as those of a view may: let the view keep "
                "_id, or name a collection in MONGODB_COLLECTION."
            )
        limit = object_id_at(self.settled)
        # The highest `_id` comes from the index; only if it is of another type or too new the query is needed.
        if highest is None or not (isinstance(highest["_id"], ObjectId) and highest["_id"] < limit):
            highest = exact.find_one(object_ids({"$lt": limit}), {"_id": 1}, sort=[("_id", -1)])
        return None if highest is None else str(highest["_id"])

    def newest_timestamp(self) -> int | None:
        """Return the latest date among the settled documents, in milliseconds since 1970."""
        field = self.timestamp_field
        exact = self.documents.with_options(codec_options=_EXACT)
        found = exact.find_one(dated(field, None, self.settled), {field: 1}, sort=[(field, -1)])
        return None if found is None else int(found[field])

    def read_snapshot(self, position: MongoPosition) -> Iterator[RawDocuments]:
        """Read the rest of the snapshot of a position; the last batch is followed by an empty one without snapshot.

        A comparison holds only among values of one type, so the negation keeps all `_id`s of other types. Those that
        sort before are read again when a snapshot is taken up in the middle.
        """
        snapshot = position.snapshot or Snapshot()
        done: list[Filter] = []
        if snapshot.after is not None:
            done.append({"_id": {"$lte": decode_key(snapshot.after)["_id"]}})
        if snapshot.floor is not None:
            done.append(object_ids({"$lt": ObjectId(snapshot.floor)}))
        for batch in self.find({"$nor": done} if done else {}, "_id"):
            snapshot = Snapshot(_key_of(batch[-1]) or snapshot.after, snapshot.floor)
            yield RawDocuments(batch, replace(position, snapshot=snapshot))
        yield RawDocuments((), replace(position, snapshot=None))

    def last_timestamp(self, batch: Sequence[bytes]) -> int | None:
        """Return the date of the last document that has one, in milliseconds since 1970."""
        for raw in reversed(batch):
            try:
                found = bson.decode(raw, _EXACT).get(self.timestamp_field)
            except BSONError:
                continue
            if isinstance(found, DatetimeMS):
                return int(found)
        return None


def _key_of(raw: bytes) -> str | None:
    """Return the `_id` of a raw document to go on after; None if it cannot be read exactly."""
    try:
        found = bson.decode(raw, _EXACT)
        return encode_key({"_id": found["_id"]}) if "_id" in found else None
    except (BSONError, RecursionError):
        return None


def object_id_at(moment: dt.datetime) -> ObjectId:
    """Return the smallest ObjectId made in the second of a naive UTC time."""
    return ObjectId.from_datetime(max(moment, dt.datetime(1970, 1, 1)))


def time_of(object_id: str) -> dt.datetime:
    """Return when an ObjectId was made, as naive UTC."""
    return ObjectId(object_id).generation_time.replace(tzinfo=None)


def object_ids(bounds: Filter) -> Filter:
    """Select documents whose `_id` is an ObjectId within the bounds."""
    return {"$and": [IS_OBJECT_ID, {"_id": bounds}]}


def is_dated(field: str) -> Filter:
    """Select documents whose `field` is a date."""
    return {"$jsonSchema": {"required": [field], "properties": {field: {"bsonType": "date"}}}}


def in_range(field: str, since: DatetimeMS | None, until: dt.datetime) -> Filter:
    """Select documents whose `field` is a date from `since` on and before `until`: served by an index on it.

    Selected too are arrays with such dates, and on servers that compare values of all types some others.
    """
    return {field: {"$lt": until} if since is None else {"$gte": since, "$lt": until}}


def dated(field: str, since: DatetimeMS | None, until: dt.datetime) -> Filter:
    """Select documents whose `field` is a date from `since` on and before `until`, and nothing else."""
    return {"$and": [is_dated(field), in_range(field, since, until)]}


def gather(blocks: Iterable[bytes], limit: BatchSize) -> Iterator[list[bytes]]:
    """Cut replies of the server into documents, and yield these in batches, none of them empty."""
    gathering: Gathering[bytes] = Gathering(limit)
    for block in blocks:
        start, end = 0, len(block)
        while start < end:
            stop = start + _LENGTH.unpack_from(block, start)[0] if end - start >= SMALLEST_DOCUMENT else 0
            if not start + SMALLEST_DOCUMENT <= stop <= end:
                raise MongoError("MongoDB sent a reply that is no sequence of documents: run again.")
            if gathering.add(block[start:stop]):
                yield gathering.take()
            start = stop
    if rest := gathering.take():
        yield rest
