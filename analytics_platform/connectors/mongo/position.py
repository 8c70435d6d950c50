"""How far a collection has been read: small, as JSON, to be committed with the documents it counts in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal, TypeAlias

from bson import json_util
from bson.codec_options import DatetimeConversion
from bson.errors import BSONError
from bson.json_util import JSONMode, JSONOptions
from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from analytics_platform.connectors.mongo.errors import MongoError

Mode: TypeAlias = Literal["change_stream", "keyset"]

_CANONICAL = JSONOptions(json_mode=JSONMode.CANONICAL, datetime_conversion=DatetimeConversion.DATETIME_MS)


def encode_key(value: Mapping[str, Any]) -> str:
    """Write a BSON document, such as a resume token, as canonical Extended JSON."""
    return json_util.dumps(dict(value), json_options=_CANONICAL)


def decode_key(text: str) -> dict[str, Any]:
    """Read what `encode_key` wrote. Raises `ValueError` for anything else."""
    try:
        found = json_util.loads(text, json_options=_CANONICAL)
    except (BSONError, TypeError, ArithmeticError, RecursionError) as error:
        raise ValueError("not Extended JSON") from error
    if not isinstance(found, dict):
        raise ValueError("not a document")
    return found


def _check_key(text: str) -> str:
    decode_key(text)
    return text


Key: TypeAlias = Annotated[str, AfterValidator(_check_key)]
ObjectIdText: TypeAlias = Annotated[str, Field(pattern="^[0-9a-f]{24}$")]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A reading of the collection in the order of `_id` that is under way.

    `after` is the last `_id` read, as Extended JSON of `{"_id": …}`. `floor` leaves out documents whose `_id` is
    an ObjectId below it.
    """

    after: Key | None = None
    floor: ObjectIdText | None = None


@dataclass(frozen=True, slots=True)
class MongoPosition:
    """How far a collection has been read.

    `token` resumes the change stream. `object_id` is the newest ObjectId, and `timestamp` the newest date in
    milliseconds since 1970, up to which everything that the server showed has been read. With a `snapshot`,
    all this holds once the snapshot is complete.
    """

    mode: Mode
    token: Key | None = None
    object_id: ObjectIdText | None = None
    timestamp: Annotated[int, Field(strict=True, ge=-(2**63), lt=2**63)] | None = None
    snapshot: Snapshot | None = None

    def to_json(self) -> str:
        """Write this position as JSON text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> MongoPosition:
        """Read the position that `to_json` wrote. Raises `MongoError` for any other text."""
        try:
            position = _ADAPTER.validate_json(text, extra="forbid")
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"])) or "the whole"
            raise MongoError(
                f"The stored position in MongoDB cannot be read ({place}: {first['msg']}); "
                "delete it to read the collection again from the start."
            ) from error
        if position.mode == "change_stream" and position.token is None:
            raise MongoError(
                "The stored position in MongoDB has no token for its change stream; "
                "delete it to read the collection again from the start."
            )
        return position


_ADAPTER = TypeAdapter(MongoPosition)
