"""Reads a collection by keys, for servers without change streams.

The first reading is a snapshot in the order of `_id`; the newest settled keys are noted before it begins. Each later
reading asks for two kinds of documents:

- **by time**: whose timestamp is a date, from the newest one read minus `overlap`, up to the server's clock minus
  `lag`, in the order of `(timestamp, _id)`. What was written late is found if its timestamp lies in the overlap.
- **otherwise**: all that the first kind does not cover now or later, in the order of `_id`: no timestamp, one that is
  no date (ISO strings, numbers: they sort apart from dates), or a date more than a day ahead. If `_id` is an ObjectId,
  those made since the newest settled one minus `overlap`. If `_id` is anything else, nothing tells when the document
  was made: those without a usable date are read again as a whole every time. That is slow for a collection of only
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

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace

from bson.datetime_ms import DatetimeMS
from bson.objectid import ObjectId

from analytics_platform.connectors.mongo.collection import (
    IS_OBJECT_ID,
    Filter,
    OpenCollection,
    RawDocuments,
    dated,
    in_range,
    is_dated,
    object_id_at,
    object_ids,
    time_of,
)
from analytics_platform.connectors.mongo.position import MongoPosition, Snapshot

AHEAD = dt.timedelta(days=1)
"""A time this far in the future is a mistake of the writer, not one of clocks; it is not waited for."""


def read_keyset(collection: OpenCollection, position: MongoPosition | None) -> Iterator[RawDocuments]:
    """Read what is new since `position`, oldest first; the last batch has the position after all of it."""
    if position is None:
        position = MongoPosition(None, collection.newest_object_id(), collection.newest_timestamp(), Snapshot())
    if position.snapshot is not None:
        yield from collection.read_snapshot(position)
    else:
        yield from _read_new(collection, position)


def _read_new(collection: OpenCollection, position: MongoPosition) -> Iterator[RawDocuments]:
    """Read the two kinds of new documents; first those that the position of the other kind decides about."""
    field, since = collection.timestamp_field, None
    if position.timestamp is not None:
        overlap = round(collection.overlap.total_seconds() * 1000)
        since = DatetimeMS(max(position.timestamp - overlap, -(2**63)))
    newest = collection.newest_object_id()
    for batch in collection.find(_otherwise(collection, position.object_id, since), "_id"):
        yield RawDocuments(batch, position)
    read = replace(position, object_id=max(filter(None, (position.object_id, newest)), default=None))
    for batch in collection.find(in_range(field, since, collection.settled), field, "_id"):
        known = [at for at in (read.timestamp, collection.last_timestamp(batch)) if at is not None]
        position = read = replace(read, timestamp=max(known, default=None))
        yield RawDocuments(batch, position)
    if read != position:
        yield RawDocuments((), read)


def _otherwise(collection: OpenCollection, newest: str | None, since: DatetimeMS | None) -> Filter:
    """Select the new documents that `in_range` does not find, now or later.

    Left out is what it covers; what has an ObjectId made before the overlap, or so lately that it is left for the
    next time; and what has a date before `since`, unless its ObjectId is newer than the `newest` one read.
    """
    field, ahead = collection.timestamp_field, collection.now + AHEAD
    covered = [
        dated(field, since, ahead),
        object_ids({"$gte": object_id_at(collection.settled), "$lt": object_id_at(ahead)}),
    ]
    if newest is not None:
        covered.append(object_ids({"$lt": object_id_at(time_of(newest) - collection.overlap)}))
    if since is not None:
        is_newer = IS_OBJECT_ID if newest is None else object_ids({"$gt": ObjectId(newest)})
        covered.append({"$and": [is_dated(field), {field: {"$lt": since}}, {"$nor": [is_newer]}]})
    return {"$nor": covered}
