"""Reads a collection by its change stream, and by a snapshot before the stream begins or after it broke off.

The token is taken before the first snapshot begins, so what is written meanwhile is in the stream. Each reading goes
on until the stream has nothing more, or past the server's clock at the start. Inserted, replaced and updated
documents are handed on whole (an update as the document is when it is looked up); deletions are not.

Where the stream cannot go on from the token, a new token is taken first, and then read again:

- if the server's history no longer reaches back (its oplog is too short for the pause between two readings), the
  documents whose `_id` is an ObjectId made since the last completed reading minus `overlap`, and all documents with
  another kind of `_id`. Updates of older documents in the gap are missed; the note says so.
- if the collection was dropped or renamed, the whole collection that now has the name.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace
from typing import Any

from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from bson.timestamp import Timestamp
from pymongo.change_stream import CollectionChangeStream
from pymongo.errors import OperationFailure

from analytics_platform.connectors.batches import Gathering
from analytics_platform.connectors.mongo.collection import OpenCollection, RawDocuments, object_id_at, time_of
from analytics_platform.connectors.mongo.errors import MongoError
from analytics_platform.connectors.mongo.position import MongoPosition, Snapshot, decode_key, encode_key

HISTORY_LOST = frozenset({136, 222, 260, 280, 286, 10334, 40576, 50811})
"""Codes that say the stream cannot go on from a token: the history is gone, the token is not of this history, or an
event is larger than the server may send."""

_WRITES = frozenset({"insert", "replace", "update"})
_AWAIT_MS = 1000
_RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)

LOST_NOTE = (
    "MongoDB no longer has the history since the last reading of {name}: its documents made since then are read again, "
    "updates of older ones in between are missed; read more often or enlarge the oplog."
)
DROPPED_NOTE = "The collection {name} was dropped or renamed: what has its name now is read from the start."


def read_changes(collection: OpenCollection, position: MongoPosition | None) -> Iterator[RawDocuments]:
    """Read what is new since `position`; the last batch has the position after all of it.

    Raises `MongoError` if the stream breaks off again right after a new token was taken.
    """
    if position is None:
        position = _start(collection, Snapshot())
    note = yield from _read_on(collection, position)
    if not note:
        return
    snapshot, name = Snapshot(), collection.documents.full_name
    if note == LOST_NOTE and position.object_id is not None:
        snapshot = Snapshot(floor=str(object_id_at(time_of(position.object_id) - collection.overlap)))
    restarted = _start(collection, snapshot)
    yield RawDocuments((), restarted, note.format(name=name))
    if (yield from _read_on(collection, restarted)):
        raise MongoError(
            f"The change stream of {name} broke off twice in a row: the server keeps too little history for a snapshot "
            "of the collection, enlarge its oplog."
        )


def _start(collection: OpenCollection, snapshot: Snapshot) -> MongoPosition:
    """Return a position now, from which the stream can go on after a snapshot is read."""
    with _watch(collection, None) as stream:
        token = stream.resume_token
        if token is None:
            stream.try_next()
            token = stream.resume_token
    if token is None:
        raise MongoError("MongoDB gave no token for its change stream: use version 4.2 or later.")
    return MongoPosition(encode_key(token), collection.newest_object_id(), snapshot=snapshot)


def _read_on(collection: OpenCollection, position: MongoPosition) -> Generator[RawDocuments, None, str]:
    """Read the rest of the snapshot, if one is under way, and then the changed documents, in batches.

    Return a note if the stream cannot go on after the last batch, else an empty text.
    """
    if position.snapshot is not None:
        yield from collection.read_snapshot(position)
        position = replace(position, snapshot=None)
    newest, note = collection.newest_object_id(), ""
    gathering: Gathering[bytes] = Gathering(collection.batch)
    token: Mapping[str, Any] = decode_key(position.token or "")
    try:
        with _watch(collection, token) as stream:
            while (change := stream.try_next()) is not None and change["operationType"] != "invalidate":
                token = change["_id"]
                # None: the document was deleted since, or the change is of another kind.
                document = change.get("fullDocument") if change["operationType"] in _WRITES else None
                if document is not None and gathering.add(document.raw):
                    position = replace(position, token=encode_key(token))
                    yield RawDocuments(gathering.take(), position)
                made = change.get("clusterTime")
                if isinstance(made, Timestamp) and made.as_datetime().replace(tzinfo=None) > collection.now:
                    break  # the change was made after the reading began
            if change is None:
                token = stream.resume_token or token
            elif change["operationType"] == "invalidate":
                note = DROPPED_NOTE
    except OperationFailure as error:
        if error.code not in HISTORY_LOST:
            raise
        note = LOST_NOTE
    known = [position.object_id] if note else [position.object_id, newest]
    reached = replace(position, token=encode_key(token), object_id=max(filter(None, known), default=None))
    if reached != position:
        yield RawDocuments(gathering.take(), reached)
    return note


def _watch(collection: OpenCollection, token: Mapping[str, Any] | None) -> CollectionChangeStream[RawBSONDocument]:
    return collection.documents.with_options(codec_options=_RAW).watch(
        full_document="updateLookup",
        resume_after=token,
        max_await_time_ms=_AWAIT_MS,
        batch_size=collection.batch.records,
    )
