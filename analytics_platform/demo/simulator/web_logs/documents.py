"""Log documents in canonical Extended JSON (MongoDB Extended JSON v2)."""

import json
from collections.abc import Sequence
from enum import Enum
from random import Random
from typing import NamedTuple

from analytics_platform.demo.simulator.drift import TimeFormat, write_time
from analytics_platform.demo.simulator.event import SECOND, instant_of
from analytics_platform.demo.simulator.web_logs.event import LogEvent

Document = dict[str, object]

encode = json.JSONEncoder(ensure_ascii=False).encode


class Stamp(Enum):
    """How the time is stored: as a BSON date, or as text with a zone or without one (then UTC)."""

    DATE = 0
    ISO = 1
    OFFSET = 2
    NAIVE = 3


class Form(NamedTuple):
    """What a stored document has beside the event; drawn once, as documents do not change."""

    object_id: str
    stamp: Stamp
    details: Document
    """Of the metadata."""
    extra: Document
    """Of the document itself."""


_EXTRA_SHARE = 0.1
_STAMPS, _STAMP_WEIGHTS = tuple(Stamp), (70, 15, 5, 10)


def draw_form(rng: Random, event: LogEvent) -> Form:
    """The document's id, the way its time is stored, and its further fields."""
    object_id = f"{event.at // SECOND:08x}{rng.getrandbits(64):016x}"
    extra: Document = {"host": f"web-{rng.randrange(4)}"} if rng.random() < _EXTRA_SHARE else {}
    return Form(object_id, rng.choices(_STAMPS, _STAMP_WEIGHTS)[0], _draw_details(rng), extra)


def describe_document(event: LogEvent, form: Form) -> Document:
    """A document; an event without an item has no such field."""
    document: Document = {
        "_id": {"$oid": form.object_id},
        "user_id": whole(event.user_id),
        "action": event.action,
        "item_name": event.item_name,
        "timestamp": _store_time(event.at, form.stamp),
        "metadata": {"device": event.device, "session_id": whole(event.session_id), **form.details},
        **form.extra,
    }
    return {name: value for name, value in document.items() if value is not None}


def whole(value: int) -> Document:
    """A 32-bit integer, or a 64-bit one if it does not fit."""
    return {"$numberInt" if -(2**31) <= value < 2**31 else "$numberLong": str(value)}


def fraction(value: float) -> Document:
    """A double."""
    return {"$numberDouble": repr(value)}


def date(at: int) -> Document:
    """A date, from milliseconds since 1970."""
    return {"$date": {"$numberLong": str(at)}}


def _store_time(at: int, stamp: Stamp) -> object:
    if stamp is Stamp.DATE:
        return date(at)
    if stamp is Stamp.NAIVE:
        return instant_of(at).replace(tzinfo=None).isoformat(timespec="milliseconds")
    return write_time(at, TimeFormat.ISO if stamp is Stamp.ISO else TimeFormat.SPACED)


def _draw_details(rng: Random) -> Document:
    """Fields of the metadata that only some documents have, some nested, some of more than one type."""
    versions: Sequence[object] = (whole(131), "131.0.6778.73", fraction(18.1))
    details: Document = {}
    if rng.random() < 0.3:
        details["browser"] = {"name": rng.choice(("Chrome", "Firefox", "Safari")), "version": rng.choice(versions)}
    if rng.random() < 0.1:
        bucket = [whole(rng.randrange(4)), fraction(rng.randrange(1, 8) / 8)]
        details["experiment"] = {"id": "EXP_01", "bucket": bucket, "is_control": rng.random() < 0.5}
    if rng.random() < 0.01:
        details["session_id"] = f"s-{rng.getrandbits(32):08x}"
    if rng.random() < 0.05:
        details["trace"] = whole(rng.getrandbits(60) | 2**59)
    if rng.random() < 0.05:
        details["referrer"] = None
    return details
