"""How far a place was read: noted in the lake once what was read is on the disk.

Killed in between, the same records are read again, and are duplicates behind the gate. The note says of which server
and table it is: another one is read from the start, for what is known of one says nothing of another.
"""

from __future__ import annotations

import json
from typing import TypeVar

from pydantic import TypeAdapter
from pydantic_core import to_json

from analytics_platform.errors import UserError
from analytics_platform.lake import Lake

PositionT = TypeVar("PositionT")


class PositionNoteError(UserError):
    """The note on how far a source was read is damaged."""


def note_position(lake: Lake, source: str, place: str, position: object) -> None:
    """Note how far this place was read. `position` is a dataclass."""
    lake.note(source, json.dumps({"place": place, "position": to_json(position).decode()}))


def noted_position(lake: Lake, source: str, place: str, kind: type[PositionT]) -> PositionT | None:
    """Return how far this place was read; None if it was not, or the note is of another. Raises `PositionNoteError`."""
    text = lake.noted(source)
    if text is None:
        return None
    try:
        note = json.loads(text)
        return TypeAdapter(kind).validate_json(note["position"]) if note["place"] == place else None
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise PositionNoteError(
            f"The note on how far {place} was read cannot be read; delete it (_source.note in the lake's folder "
            f"{source}) to read it again from the start."
        ) from error
