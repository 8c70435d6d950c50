"""How far a collection has been read: small, to be committed as JSON with the documents it counts in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from bson import json_util
from bson.codec_options import DatetimeConversion
from bson.json_util import JSONMode, JSONOptions

Mode: TypeAlias = Literal["change_stream", "keyset"]

_CANONICAL = JSONOptions(json_mode=JSONMode.CANONICAL, datetime_conversion=DatetimeConversion.DATETIME_MS)


def encode_key(value: Mapping[str, Any]) -> str:
    """Write a BSON document, such as a resume token, as canonical Extended JSON."""
    return json_util.dumps(dict(value), json_options=_CANONICAL)


def decode_key(text: str) -> dict[str, Any]:
    """Read what `encode_key` wrote."""
    return dict(json_util.loads(text, json_options=_CANONICAL))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A reading of the collection in the order of `_id` that is under way.

    `after` is the last `_id` read, as Extended JSON of `{"_id": …}`. `floor` leaves out documents whose `_id` is
    an ObjectId below it.
    """

    after: str | None = None
    floor: str | None = None


@dataclass(frozen=True, slots=True)
class MongoPosition:
    """How far a collection has been read.

    `token` resumes the change stream; without one, the reading is by keys. `object_id` is the newest ObjectId, and
    `timestamp` the newest date in milliseconds since 1970, up to which everything that the server showed has been read.
    With a `snapshot`, all this holds once the snapshot is complete.
    """

    token: str | None = None
    object_id: str | None = None
    timestamp: int | None = None
    snapshot: Snapshot | None = None

    @property
    def mode(self) -> Mode:
        """How the collection was read."""
        return "keyset" if self.token is None else "change_stream"
