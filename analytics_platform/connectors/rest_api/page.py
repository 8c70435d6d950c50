"""One page of an answer as it came, and what is remembered of it to ask for changes only."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its untouched bytes (after any transfer compression) and how it came. `url` is without secrets."""

    number: int
    url: str
    status: int
    etag: str | None
    last_modified: str | None
    fetched_at: dt.datetime
    body: bytes

    @property
    def stamp(self) -> Stamp:
        """What is remembered of the page."""
        return Stamp(hashlib.sha256(self.body).hexdigest(), self.etag, self.last_modified)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a page had in it and what the API calls that state."""

    content_sha256: str
    etag: str | None = None
    last_modified: str | None = None

    @property
    def conditions(self) -> dict[str, str]:
        """The headers of a request for the page if it changed (RFC 9110, 13.1); none if the API named no state."""
        if self.etag:
            return {"If-None-Match": self.etag}
        return {"If-Modified-Since": self.last_modified} if self.last_modified else {}


@dataclass(frozen=True, slots=True)
class Validators:
    """What is known of the last answer. Keep it once that answer is in the lake, not before: else it is never fetched.

    `fingerprint` is the declaration's, so nothing is taken for known after the declaration changed.
    """

    fingerprint: str
    stamps: tuple[Stamp, ...]

    def to_json(self) -> str:
        """As text to keep."""
        return json.dumps({"fingerprint": self.fingerprint, "stamps": [asdict(stamp) for stamp in self.stamps]})

    @classmethod
    def from_json(cls, text: str) -> Validators:
        """From kept text. Raises `ValueError` if it is damaged."""
        try:
            kept = json.loads(text)
            return cls(kept["fingerprint"], tuple(Stamp(**stamp) for stamp in kept["stamps"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError("what is known of the last answer is damaged; forget it and fetch all") from error
