"""What a correct platform must find in the simulated files."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Counts over all accepted distinct events, bots included; days are ISO dates (UTC), empty ones absent.

    `rows_read = rows_accepted + rows_duplicate + rows_quarantined`. Money is text with four decimals. An
    order is identified by client and transaction id; its day and revenue are those of its earliest event. A
    session belongs to the day it starts; a bounce is a session of one event. The keys of
    `quarantined_by_reason` are whole reasons, several broken rules joined by `; ` in the order of the
    columns.
    """

    files: int
    rows_read: int
    rows_accepted: int
    rows_duplicate: int
    rows_quarantined: int
    quarantined_by_reason: Mapping[str, int]
    events_by_day: Mapping[str, int]
    clients: int
    sessions: int
    sessions_by_day: Mapping[str, int]
    bounces: int
    orders: int
    orders_by_day: Mapping[str, int]
    revenue: str
    revenue_by_day: Mapping[str, str]
    bot_events: int
    bot_sessions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth(Totals):
    """The totals of all files, and of the files without the late ones (`before_late`)."""

    before_late: Totals

    def to_json(self) -> str:
        """The truth as JSON text, stable from run to run."""
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The truth that `to_json` wrote."""
        values: dict[str, Any] = json.loads(text)
        before_late = Totals(**values.pop("before_late"))
        return cls(before_late=before_late, **values)
