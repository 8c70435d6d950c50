"""How far a table has been read: small, as JSON, to be committed with the rows it counts in."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass

from analytics_platform.errors import UserError


class PositionError(UserError):
    """A stored position cannot be read; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Position:
    """Every row that could be seen and was changed before `changed_at` (aware, microseconds) has been read."""

    changed_at: dt.datetime

    def to_json(self) -> str:
        """This position as JSON text."""
        return json.dumps({"changed_at": self.changed_at.astimezone(dt.UTC).isoformat()})

    @classmethod
    def from_json(cls, text: str) -> Position:
        """The position that `to_json` wrote. Raises `PositionError` for any other text."""
        try:
            changed_at = dt.datetime.fromisoformat(json.loads(text)["changed_at"])
        except (ValueError, TypeError, KeyError):
            changed_at = None
        if changed_at is None or changed_at.tzinfo is None:
            raise PositionError(
                "The stored position in the shop's database cannot be read; delete it to read the table again from the "
                "start."
            )
        return cls(changed_at)
