"""One collection of a server as the readers see it: raw batches in an order, and the newest keys."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import bson
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS
from bson.errors import BSONError
from bson.objectid import ObjectId
from pymongo.collection import Collection

from analytics_platform.connectors.mongo.batches import BatchSize, RawDocuments, gather
from analytics_platform.connectors.mongo.position import Position, Snapshot, decode_key, encode_key
from analytics_platform.connectors.mongo.queries import Filter, dated, made_before, object_id_at, unread

_EXACT: CodecOptions[dict[str, Any]] = CodecOptions(
    document_class=dict, tz_aware=False, datetime_conversion=DatetimeConversion.DATETIME_MS
)


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
        """Before this time, documents are taken to be there; later ones may still hide behind a late clock."""
        return self.now - self.lag

    def find(self, wanted: Filter, *order: str) -> Iterator[list[bytes]]:
        """The raw documents in ascending order of some fields, in batches."""
        cursor = self.documents.find_raw_batches(
            wanted,
            sort=[(field, 1) for field in order],
            batch_size=self.batch.documents,
            allow_disk_use=True if len(order) > 1 else None,  # `_id` alone is always in its index
        )
        with cursor:
            yield from gather(cast(Iterable[bytes], cursor), self.batch)

    def newest_object_id(self) -> str | None:
        """The highest ObjectId among the settled documents."""
        exact = self.documents.with_options(codec_options=_EXACT)
        highest = exact.find_one({}, {"_id": 1}, sort=[("_id", -1)])
        if highest is None or not _is_before(highest["_id"], object_id_at(self.settled)):
            highest = exact.find_one(made_before(self.settled), {"_id": 1}, sort=[("_id", -1)])
        return None if highest is None else str(highest["_id"])

    def newest_timestamp(self) -> int | None:
        """The latest date among the settled documents, in milliseconds since 1970."""
        field = self.timestamp_field
        exact = self.documents.with_options(codec_options=_EXACT)
        found = exact.find_one(dated(field, None, self.settled), {field: 1}, sort=[(field, -1)])
        return None if found is None else int(found[field])

    def read_snapshot(self, position: Position) -> Iterator[RawDocuments]:
        """The rest of the snapshot of a position; the last batch is followed by an empty one without snapshot."""
        snapshot = position.snapshot or Snapshot()
        after = None if snapshot.after is None else decode_key(snapshot.after)
        floor = None if snapshot.floor is None else ObjectId(snapshot.floor)
        for batch in self.find(unread(after, floor), "_id"):
            snapshot = Snapshot(_key_of(batch[-1]) or snapshot.after, snapshot.floor)
            yield RawDocuments(batch, replace(position, snapshot=snapshot))
        yield RawDocuments((), replace(position, snapshot=None))

    def last_timestamp(self, batch: Sequence[bytes]) -> int | None:
        """The date of the last document that has one, in milliseconds since 1970."""
        return next((at for at in map(self._timestamp_of, reversed(batch)) if at is not None), None)

    def _timestamp_of(self, raw: bytes) -> int | None:
        try:
            found = bson.decode(raw, _EXACT).get(self.timestamp_field)
        except BSONError:
            return None
        return int(found) if isinstance(found, DatetimeMS) else None


def _is_before(key: object, limit: ObjectId) -> bool:
    return isinstance(key, ObjectId) and key < limit


def _key_of(raw: bytes) -> str | None:
    """The `_id` of a raw document to go on after; None if it cannot be told exactly."""
    try:
        found = bson.decode(raw, _EXACT)
        return encode_key({"_id": found["_id"]}) if "_id" in found else None
    except (BSONError, RecursionError):
        return None
