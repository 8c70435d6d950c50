"""What findings and dashboard read of batches and their records: accepted, duplicate, rejected."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import polars as pl

from analytics_platform.contracts.event_names import is_purchase
from analytics_platform.reports.queries import OF_SOURCES, chosen, frame
from analytics_platform.transform import DayRange
from analytics_platform.warehouse import Session
from analytics_platform.warehouse.error_rate import superseded_batches

_NAMES = 10
"""Names of unknown events that marts.data_quality_daily has of a day and source."""
_MORE_NAMES = f"perhaps more: the first {_NAMES} of a day are listed, cleaned.events has all (NOT is_known_event)"
# The day a rejected record counts on, as in ops.batch_days: without a known time, the day it was rejected.
_REJECTED_ON = "coalesce(event_date, neighbour_date, CAST(quarantined_at AS DATE))"


def loaded_at(session: Session) -> dt.datetime | None:
    """Return when the last batch was loaded."""
    found: dt.datetime | None = session.one("SELECT max(finished_at) FROM ops.pipeline_logs")[0]
    return found


def days_of_last_load(session: Session) -> tuple[dt.date, dt.date] | None:
    """Return the first and the last day of the events that the run which loaded last brought, if any."""
    first, last = session.one(
        """
        SELECT min(min_event_date), max(max_event_date) FROM ops.pipeline_logs
        WHERE run_id = (SELECT run_id FROM ops.pipeline_logs ORDER BY finished_at DESC, batch_id LIMIT 1)
        """,
    )
    return (first, last) if first and last else None


def data_sources(session: Session) -> list[str]:
    """Return the sources that data came from."""
    return [str(source) for (source,) in session.rows("SELECT DISTINCT source FROM ops.pipeline_logs ORDER BY source")]


def read_quality(session: Session, allowed: float, days: DayRange, sources: Sequence[str] = ()) -> pl.DataFrame:
    """Return what became of the records of each day and source, and which columns none of the accepted ones has.

    `rows_superseded` are the rejected ones whose file came again with at most the `allowed` share of them.
    """
    sql = f"""
        WITH settled AS (
            SELECT event_date AS date, source, sum(rows_quarantined)::BIGINT AS rows_superseded
            FROM ops.batch_days
            WHERE list_contains($superseded, batch_id)
            GROUP BY event_date, source
        )
        SELECT
            date, source, rows_accepted, rows_duplicate, rows_quarantined, empty_columns, unknown_events,
            coalesce(rows_superseded, 0)
        FROM marts.data_quality_daily
        LEFT JOIN settled USING (date, source)
        WHERE date BETWEEN $first AND $last AND {OF_SOURCES}
        ORDER BY date, source
        """
    columns = "date source rows_accepted rows_duplicate rows_quarantined empty_columns unknown_events rows_superseded"
    superseded = superseded_batches(session, allowed)
    return frame(session, columns, sql, days, **chosen(sources), superseded=superseded)


def read_unknown_events(session: Session, days: DayRange, sources: Sequence[str] = ()) -> list[str]:
    """Name the events of each source that the platform gives no meaning to: `'wiggle', 'wave' of kiosk`."""
    sql = f"""
        SELECT source, unknown_events FROM marts.data_quality_daily
        WHERE date BETWEEN $first AND $last AND unknown_events IS NOT NULL AND {OF_SOURCES}
        """
    found: dict[str, set[str]] = {}
    rows = session.rows(sql, {"first": days.first, "last": days.last, **chosen(sources)})
    for source, names in rows:
        found.setdefault(source, set()).update(names.split(", "))
    said = [f"{', '.join(map(repr, sorted(names)))} of {source}" for source, names in sorted(found.items())]
    is_cut = any(day.count(", ") + 1 >= _NAMES for (_, day) in rows)
    return [*said, _MORE_NAMES] if is_cut else said


def read_reasons(session: Session, days: DayRange, sources: Sequence[str] = ()) -> pl.DataFrame:
    """Return how many records each reason rejected, the most common first. A record with two reasons counts for both.

    What a reason says of the place (`body: not JSON (position 7: …)`) is left out.
    """
    sql = f"""
        SELECT error_reason, count(*)
        FROM ops.quarantine
        WHERE {_REJECTED_ON} BETWEEN $first AND $last AND {OF_SOURCES}
        GROUP BY error_reason
        """
    found = frame(session, "error_reason rows", sql, days, **chosen(sources))
    kinds = pl.col("error_reason").str.split("; ").list.eval(pl.element().str.split(" (").list.first()).list.unique()
    single = found.select(kinds.alias("reason"), "rows").explode("reason")
    return single.group_by("reason").agg(pl.col("rows").sum()).sort(["rows", "reason"], descending=[True, False])


def read_rejected_purchases(session: Session, allowed: float, days: DayRange) -> pl.DataFrame:
    """Return how many purchases are missing on each day since the gate rejected them, as far as their name is readable.

    One whose file came again with at most the `allowed` share of rejected records is not missing; one that a person
    accepted as rejected still is.
    """
    sql = f"""
        SELECT {_REJECTED_ON} AS date, event_name, count(*)
        FROM ops.quarantine
        WHERE
            {_REJECTED_ON} BETWEEN $first AND $last AND event_name IS NOT NULL
            AND NOT list_contains($superseded, batch_id)
        GROUP BY {_REJECTED_ON}, event_name
        """
    superseded = superseded_batches(session, allowed)
    found = frame(session, "date event_name purchases", sql, days, superseded=superseded)
    bought = found.filter(pl.Series([is_purchase(name) for name in found["event_name"]], dtype=pl.Boolean))
    return bought.group_by("date").agg(pl.col("purchases").sum()).sort("date")


def read_rejected(
    session: Session, days: DayRange, top: int, sources: Sequence[str] = (), reason: str = ""
) -> pl.DataFrame:
    """Return rejected records, the latest days first; those that a reason rejected, if one is given."""
    sql = f"""
        SELECT {_REJECTED_ON} AS day, source, input, position, error_reason, raw
        FROM ops.quarantine
        WHERE
            {_REJECTED_ON} BETWEEN $first AND $last
            AND {OF_SOURCES}
            AND (
                $reason = ''
                OR strpos('; ' || error_reason || ';', '; ' || $reason || ';') > 0
                OR strpos('; ' || error_reason, '; ' || $reason || ' (') > 0
            )
        ORDER BY day DESC, source, input, position
        LIMIT $top
        """
    columns = "date source input position error_reason raw"
    return frame(session, columns, sql, days, **chosen(sources), reason=reason, top=top)


def read_batches(session: Session, top: int, sources: Sequence[str] = ()) -> pl.DataFrame:
    """Return the latest batches."""
    sql = f"""
        SELECT batch_id, finished_at, source, input, rows_read, rows_accepted, rows_duplicate, rows_quarantined
        FROM ops.pipeline_logs
        WHERE {OF_SOURCES}
        ORDER BY finished_at DESC, input
        LIMIT $top
        """
    columns = "batch_id finished_at source input rows_read rows_accepted rows_duplicate rows_quarantined"
    return frame(session, columns, sql, top=top, **chosen(sources))
