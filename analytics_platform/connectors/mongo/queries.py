"""What the reader asks the server. Every comparison is meant as MongoDB does it: a date is only compared with dates.

`$jsonSchema` asks for the type of a field itself, where `$type` would also match an array with such an element.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from bson.datetime_ms import DatetimeMS
from bson.objectid import ObjectId

Filter: TypeAlias = Mapping[str, Any]

AHEAD = dt.timedelta(days=1)
"""A time this far in the future is a mistake of the writer, not one of clocks; it is not waited for."""

EPOCH = dt.datetime(1970, 1, 1)
IS_OBJECT_ID: Filter = {"$jsonSchema": {"properties": {"_id": {"bsonType": "objectId"}}}}


def is_dated(field: str) -> Filter:
    """Documents whose `field` is a date."""
    return {"$jsonSchema": {"required": [field], "properties": {field: {"bsonType": "date"}}}}


def object_id_at(moment: dt.datetime) -> ObjectId:
    """The smallest ObjectId made in the second of a naive UTC time."""
    return ObjectId.from_datetime(max(moment, EPOCH))


def made_before(moment: dt.datetime) -> Filter:
    """Documents whose `_id` is an ObjectId made before the second of a naive UTC time."""
    return _object_id({"$lt": object_id_at(moment)})


def _object_id(bounds: Filter) -> Filter:
    return {"$and": [IS_OBJECT_ID, {"_id": bounds}]}


def time_of(object_id: str) -> dt.datetime:
    """When an ObjectId was made, as naive UTC."""
    return ObjectId(object_id).generation_time.replace(tzinfo=None)


def unread(after: Filter | None, floor: ObjectId | None) -> Filter:
    """Documents of a snapshot that are not read yet, whatever the type of their `_id`.

    A comparison holds only among values of one type, so the negation keeps all `_id`s of other types. Those that
    sort before are read again when a snapshot is taken up in the middle.
    """
    done: list[Filter] = []
    if after is not None:
        done.append({"_id": {"$lte": after["_id"]}})
    if floor is not None:
        done.append(_object_id({"$lt": floor}))
    return {"$nor": done} if done else {}


def in_range(field: str, since: DatetimeMS | None, until: dt.datetime) -> Filter:
    """Documents whose `field` is a date from `since` on and before `until`: served by an index on it.

    Found too are arrays with such dates, and on servers that compare values of all types some others. They come twice,
    for `dated` and so `otherwise` take nothing for a date but a date.
    """
    return {field: {"$lt": until} if since is None else {"$gte": since, "$lt": until}}


def dated(field: str, since: DatetimeMS | None, until: dt.datetime) -> Filter:
    """Documents whose `field` is a date from `since` on and before `until`, and nothing else."""
    return {"$and": [is_dated(field), in_range(field, since, until)]}


@dataclass(frozen=True, slots=True)
class Horizon:
    """Between which times a reading by keys looks, on the server's clock `now`. None is no bound.

    Dates count from `since`, ObjectIds made from `made_since` on, both to before `settled`. Up to the ObjectId
    `newest` everything was read.
    """

    since: DatetimeMS | None
    made_since: dt.datetime | None
    newest: str | None
    settled: dt.datetime
    now: dt.datetime


def otherwise(field: str, horizon: Horizon) -> Filter:
    """The new documents that `in_range` does not find, now or later.

    Left out is what it covers; what has an ObjectId made before the horizon, or so lately that it is left for the
    next time; and what has a date before the horizon, unless its ObjectId is newer than the newest read.
    """
    ahead = horizon.now + AHEAD
    covered = [
        dated(field, horizon.since, ahead),
        _object_id({"$gte": object_id_at(horizon.settled), "$lt": object_id_at(ahead)}),
    ]
    if horizon.made_since is not None:
        covered.append(made_before(horizon.made_since))
    if horizon.since is not None:
        is_newer = IS_OBJECT_ID if horizon.newest is None else _object_id({"$gt": ObjectId(horizon.newest)})
        covered.append({"$and": [is_dated(field), {field: {"$lt": horizon.since}}, {"$nor": [is_newer]}]})
    return {"$nor": covered}
