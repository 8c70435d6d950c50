"""The days whose stock is another after batches were loaded, of a table that has every day, also one without events."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from itertools import pairwise

from analytics_platform.contracts.sql import literal
from analytics_platform.transform import DayRange, Query
from analytics_platform.warehouse.session import Session

_VERSIONS = "cleaned.product_versions"
_DAY = dt.timedelta(days=1)


def ranges_of_stock(session: Session, batch_ids: Sequence[str], last: dt.date) -> list[DayRange]:
    """Return the days up to the last one whose stock these batches change, or that they make days to build.

    The first are those since the shop changed one of their products. The others have no events, and lie beside a day
    that is first known from these batches: before them they lay outside the days that are built.
    """
    if not batch_ids or _VERSIONS not in session.tables():
        return []
    since = _first_change(session, f"batch_id IN ({', '.join(map(literal, batch_ids))})")
    found = [DayRange(since, last)] if since and since <= last else []
    gaps = _gaps_beside(session, batch_ids)
    known_since = _first_change(session, None) if gaps else None
    return found + [
        DayRange(max(gap.first, known_since), gap.last) for gap in gaps if known_since and known_since <= gap.last
    ]


def _first_change(session: Session, condition: str | None) -> dt.date | None:
    sql = f"SELECT CAST(min(updated_at) AS DATE) FROM {_VERSIONS} WHERE {condition or 'TRUE'}"
    day: dt.date | None = session.frame(Query(sql, {}, {_VERSIONS: condition})).item()
    return day


def _gaps_beside(session: Session, batch_ids: Collection[str]) -> list[DayRange]:
    """Return the days without events before or after a day that one of these batches has first.

    Of several batches with a day, one has it first: else a long gap would be built for each.
    """
    known = session.rows("SELECT event_date, min(batch_id) FROM ops.batch_days GROUP BY event_date ORDER BY event_date")
    return [
        DayRange(day + _DAY, next_day - _DAY)
        for (day, batch), (next_day, next_batch) in pairwise(known)
        if next_day - day > _DAY and not {batch, next_batch}.isdisjoint(batch_ids)
    ]
