"""Which batches and days have more rejected rows than allowed, without those that are settled; and what clears them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from analytics_platform.catalog import CONTRACTS
from analytics_platform.errors import count
from analytics_platform.sources.registry import SOURCES
from analytics_platform.transform import DayRange
from analytics_platform.warehouse.ledger import count_rejections
from analytics_platform.warehouse.session import Session

NAMED = 3
"""Reasons, and further batches or days, that a sentence about a breach names; the others are counted."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A batch or a day with more rejected records than allowed."""

    kind: str
    name: str
    source: str
    input: str
    rows_read: int
    rows_quarantined: int
    is_checked: bool
    """Whether it has enough rows to check (`least_checked_rows` of its source's contract)."""

    @property
    def error_rate(self) -> float:
        """Share of rejected records."""
        return self.rows_quarantined / self.rows_read

    @property
    def what(self) -> str:
        """Name the batch or the day."""
        return f"batch {self.name} ({self.input})" if self.kind == "batch" else f"day {self.name} of {self.source}"

    def __str__(self) -> str:
        return (
            f"{self.what}: {self.rows_quarantined:,} of {count(self.rows_read, 'row')} rejected ({self.error_rate:.2%})"
        )


def settled_batches(session: Session, allowed: float) -> dict[str, list[str]]:
    """Return the batches whose rejected rows are settled, as the parameter `settled`.

    A person accepted them, or they are superseded.
    """
    accepted = [batch for (batch,) in session.rows("SELECT batch_id FROM ops.acceptances")]
    return {"settled": [*accepted, *superseded_batches(session, allowed)]}


def superseded_batches(session: Session, allowed: float) -> list[str]:
    """Return the batches whose file came again later with at most the `allowed` share of rejected rows."""
    found = session.rows(
        """
        WITH clean AS (
            SELECT source, input, max(arrived_at) AS arrived_at FROM ops.pipeline_logs
            WHERE rows_read > 0 AND error_rate <= $allowed GROUP BY source, input
        )
        SELECT logs.batch_id, logs.source, logs.input FROM ops.pipeline_logs AS logs
        INNER JOIN clean ON logs.source = clean.source AND logs.input = clean.input
        WHERE logs.arrived_at < clean.arrived_at AND logs.rows_quarantined > 0
        """,
        {"allowed": allowed},
    )
    return [batch for batch, source, name in found if is_file(source, name)]


def is_file(source: str, name: str) -> bool:
    """Return whether an input is a file. All batches of a queue have one name, and none supersedes another."""
    return source in SOURCES and SOURCES[source].format.takes(name)


def error_rates(session: Session, allowed: float, days: DayRange | None = None) -> list[Breach]:
    """Return the batches and days with rejected rows that are not settled, within `days` if given."""
    first, last = (days.first, days.last) if days else (dt.date.min, dt.date.max)
    values = {"first": first, "last": last, **settled_batches(session, allowed)}
    batches = session.rows(
        """
        SELECT 'batch', batch_id, source, input, rows_read, rows_quarantined FROM ops.pipeline_logs AS logs
        WHERE rows_quarantined > 0 AND NOT list_contains($settled, batch_id)
            AND (max_event_date IS NULL AND $first = DATE '0001-01-01' OR EXISTS (
                SELECT 1 FROM ops.batch_days AS days
                WHERE days.batch_id = logs.batch_id AND event_date BETWEEN $first AND $last
            ))
        ORDER BY arrived_at, input
        """,
        values,
    )
    daily = session.rows(
        """
        SELECT 'day', CAST(event_date AS VARCHAR), source, source,
            CAST(sum(rows_accepted + rows_duplicate + rows_quarantined) AS BIGINT) AS rows_read,
            CAST(sum(rows_quarantined) AS BIGINT) AS rows_quarantined
        FROM ops.batch_days
        WHERE event_date BETWEEN $first AND $last AND NOT list_contains($settled, batch_id)
        GROUP BY event_date, source
        HAVING sum(rows_quarantined) > 0
        ORDER BY event_date, source
        """,
        values,
    )
    least = {contract.table.source: contract.table.least_checked_rows for contract in CONTRACTS.values()}
    return [Breach(*(*row, row[4] >= least.get(row[2], 1))) for row in [*batches, *daily]]


def find_breaches(session: Session, allowed: float, days: DayRange | None = None) -> list[Breach]:
    """Return the batches and days above the `allowed` error rate, within `days` if given."""
    found = error_rates(session, allowed, days)
    return [breach for breach in found if breach.error_rate > allowed and breach.is_checked]


def days_above(session: Session, allowed: float, days: DayRange | None = None) -> set[tuple[dt.date, str]]:
    """Return the days and sources among the breaches."""
    found = find_breaches(session, allowed, days)
    return {(dt.date.fromisoformat(breach.name), breach.source) for breach in found if breach.kind == "day"}


def describe_breaches(session: Session, allowed: float, breaches: Sequence[Breach]) -> str:
    """Write the first breach with the rules that its records broke most often, then name the others."""
    first, others = breaches[0], breaches[1 : 1 + NAMED]
    reasons = count_rejections(
        session,
        "source = $source AND $name IN (batch_id, CAST(coalesce(event_date, neighbour_date) AS VARCHAR)) "
        "AND NOT list_contains($settled, batch_id)",
        {"source": first.source, "name": first.name, **settled_batches(session, allowed)},
    )
    text = f"{first}: " + ", ".join(f"{rows:,} for {reason}" for reason, rows in [*reasons.items()][:NAMED])
    if others:
        unnamed = len(breaches) - 1 - len(others)
        text += f"; also {', '.join(breach.what for breach in others)}"
        text += f" and {unnamed:,} more" if unnamed else ""
    return text


def remedy(session: Session, allowed: float, breaches: Iterable[Breach]) -> str:
    """Say what clears the breaches: each of the commands does, whatever is behind them."""
    settled, found = settled_batches(session, allowed), dict[str, tuple[str, str]]()
    for breach in breaches:
        if breach.kind == "batch":
            found[breach.name] = (breach.source, breach.input)
            continue
        rows = session.rows(
            """
            SELECT days.batch_id, days.source, input
            FROM ops.batch_days AS days INNER JOIN ops.pipeline_logs AS logs ON days.batch_id = logs.batch_id
            WHERE event_date = CAST($day AS DATE) AND days.source = $source AND days.rows_quarantined > 0
                AND NOT list_contains($settled, days.batch_id)
            ORDER BY days.rows_quarantined DESC, days.batch_id
            """,
            {"day": breach.name, "source": breach.source, **settled},
        )
        found |= {batch: tuple(names) for batch, *names in rows}
    ids = " ".join(found)
    files = sorted({f"{source}/{name}" for source, name in found.values() if is_file(source, name)})
    # The lake knows a content that came before, and no newer delivery is made of it.
    drop = f"drop {', '.join(files)} corrected into LANDING_DIR again, under the same name"
    ways = [
        *([f"{drop} (take it out instead if that content came before)"] if files else []),
        f"correct the contract and run `analytics-platform replay {ids}`",
        f"take all of it out: `analytics-platform withdraw {ids} --reason '…'`",
        f"go on without the rejected rows, or after they came again: `analytics-platform accept {ids} --reason '…'`",
    ]
    return (
        f"Look at the rejected rows (ops.quarantine, DATA_DIR/quarantine), then {'; or '.join(ways)}. "
        "After that run `analytics-platform materialize`."
    )
