"""Broken documents, each with the one reason the platform must give."""

from random import Random
from typing import NamedTuple

from analytics_platform.demo.simulator import refusals
from analytics_platform.demo.simulator.web_logs.documents import Document, date, fraction, whole

_ABSENT = object()
_MISSING = (_ABSENT, None)
_MISSING_TEXTS = (*_MISSING, "", "  ")
_NO_WHOLES = (fraction(1.5), fraction(7.25), "seven", {"id": whole(7)})
_NO_TIMES = ("yesterday", "2026-02-30T10:00:00Z", "2026-11-01T25:61:00", {"at": date(0)}, True)
_FAR_TIMES = (date(3_706_000_000_000), "2087-06-01T12:00:00Z", "1999-12-31T23:59:59", date(946_684_799_999))


class Breakage(NamedTuple):
    """One kind of broken document: a value of each list stands in the field named."""

    reason: str
    choices: tuple[tuple[str, tuple[object, ...]], ...]

    def break_document(self, rng: Random, document: Document) -> Document:
        """The document with broken values."""
        values = {name: rng.choice(values) for name, values in self.choices}
        return {name: value for name, value in {**document, **values}.items() if value is not _ABSENT}


BREAKAGES = (
    Breakage(refusals.USER_MISSING, (("user_id", _MISSING),)),
    Breakage(refusals.TIMESTAMP_NO_TIME, (("timestamp", _NO_TIMES),)),
    Breakage(refusals.USER_NOT_WHOLE, (("user_id", _NO_WHOLES),)),
    Breakage(refusals.OUT_OF_RANGE, (("timestamp", _FAR_TIMES),)),
    Breakage(refusals.ACTION_MISSING, (("action", _MISSING_TEXTS),)),
    Breakage(
        refusals.join(refusals.USER_MISSING, refusals.ACTION_MISSING),
        (("user_id", _MISSING), ("action", _MISSING_TEXTS)),
    ),
)
"""Every kind of broken document, dealt in turn."""
