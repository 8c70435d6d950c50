"""Reads a collection by keys, for servers without change streams.

The first reading is a snapshot in the order of `_id`; the newest settled keys are noted before it begins. Each later
reading asks for two kinds of documents:

- **by time**: whose timestamp is a date, from the newest one read minus `overlap`, up to the server's clock minus
  `lag`, in the order of `(timestamp, _id)`. What was written late is found if its timestamp lies in the overlap.
- **otherwise**: all that the first kind does not cover now or later, in the order of `_id`: no timestamp, one that is
  no date (ISO strings, numbers: they sort apart from dates), or a date more than a day ahead. If `_id` is an ObjectId,
  those made since the newest settled one minus `overlap`. If `_id` is anything else, nothing tells when the document
  was made: those without a usable date are read again as a whole every time. That is dear for a collection of only
  such documents, and never skips one. And documents whose date lies before the overlap, if their ObjectId is newer
  than the newest settled one.

So documents come again; who stores them drops those with the same `_id` and content. Limits: a change of a document
that was read is found only while the document lies in the overlap, a deletion never. A document is missed if it
arrives with a date before the overlap, and its `_id` is no ObjectId or one from before the last reading; or without a
date, and with an ObjectId from before the overlap: restored from elsewhere, or by a writer whose clock is that wrong.
After a restore, forget the position.
The server looks through the whole collection for the second kind, and for the first unless the timestamp is indexed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bson.datetime_ms import DatetimeMS

from analytics_platform.connectors.mongo.batches import RawDocuments
from analytics_platform.connectors.mongo.collection import OpenCollection
from analytics_platform.connectors.mongo.position import Position, Snapshot
from analytics_platform.connectors.mongo.queries import Horizon, in_range, otherwise, time_of


def read_keyset(collection: OpenCollection, position: Position | None) -> Iterator[RawDocuments]:
    """What is new since `position`, oldest first; the last batch has the position after all of it."""
    if position is None:
        position = Position(
            mode="keyset",
            object_id=collection.newest_object_id(),
            timestamp=collection.newest_timestamp(),
            snapshot=Snapshot(),
        )
    if position.snapshot is not None:
        yield from collection.read_snapshot(position)
    else:
        yield from _read_new(collection, position)


def _read_new(collection: OpenCollection, position: Position) -> Iterator[RawDocuments]:
    """The two kinds of new documents; first those that the position of the other kind decides about."""
    field, horizon = collection.timestamp_field, _horizon(collection, position)
    newest = collection.newest_object_id()
    for batch in collection.find(otherwise(field, horizon), "_id"):
        yield RawDocuments(batch, position)
    read = replace(position, object_id=max(filter(None, (position.object_id, newest)), default=None))
    for batch in collection.find(in_range(field, horizon.since, horizon.settled), field, "_id"):
        position = read = replace(read, timestamp=_latest(read.timestamp, collection.last_timestamp(batch)))
        yield RawDocuments(batch, position)
    if read != position:
        yield RawDocuments((), read)


def _horizon(collection: OpenCollection, position: Position) -> Horizon:
    since = made_since = None
    if position.timestamp is not None:
        overlap = round(collection.overlap.total_seconds() * 1000)
        since = DatetimeMS(max(position.timestamp - overlap, -(2**63)))
    if position.object_id is not None:
        made_since = time_of(position.object_id) - collection.overlap
    return Horizon(since, made_since, position.object_id, collection.settled, collection.now)


def _latest(*timestamps: int | None) -> int | None:
    return max((moment for moment in timestamps if moment is not None), default=None)
