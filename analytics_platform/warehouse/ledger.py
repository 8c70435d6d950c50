"""The ledger: what was loaded, rejected, set aside and accepted, and how rows did against each rule."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import groupby

import polars as pl

from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.ddl import polars_schema
from analytics_platform.contracts.ops import (
    SET_ASIDE,
    Acceptances,
    BatchDays,
    PersonLinks,
    PipelineLogs,
    Quarantine,
    RuleResults,
    SetAside,
)
from analytics_platform.errors import printable
from analytics_platform.lake import Batch, Lake
from analytics_platform.sources.registry import SOURCES
from analytics_platform.transform import DayRange
from analytics_platform.warehouse.audit import RuleResult
from analytics_platform.warehouse.session import NOTHING, BatchCard, Session, WarehouseError

LEDGER_TABLES: tuple[ContractType, ...] = (
    PipelineLogs,
    SetAside,
    Quarantine,
    BatchDays,
    PersonLinks,
    Acceptances,
)
"""The tables every load writes besides the source's own."""

# The rules a rejected record broke, without what a parser says of the place.
_RULES = "string_split(regexp_replace(error_reason, ' \\([^;]*\\)', '', 'g'), '; ')"
TEXT_ID = "coalesce(raw_md5, md5(raw))"
"""SQL that identifies the text of a rejected record, whole or cut."""


def known_batches(session: Session, among: Sequence[str] | None = None) -> set[str]:
    """Return the ids of the batches (`among` these) not to be loaded: those in the ledger, and those set aside."""
    session.ensure(*LEDGER_TABLES)
    condition = "" if among is None else "WHERE list_contains($batches, batch_id)"
    tables = ("ops.pipeline_logs", "ops.set_aside")
    sql = " UNION ALL ".join(f"SELECT batch_id FROM {table} {condition}" for table in tables)
    return {batch for (batch,) in session.rows(sql, None if among is None else {"batches": list(among)})}


@dataclass(frozen=True, slots=True)
class UnloadedBatch:
    """A batch that is not loaded: set aside since its load failed, or withdrawn by a person (`decided_by`)."""

    batch_id: str
    source: str
    input: str
    content_sha256: str
    reason: str
    run_id: str
    decided_by: str | None
    finished_at: dt.datetime

    @property
    def withdrawal(self) -> str:
        """Say who withdrew it, when and why; empty if nobody did."""
        at = f"{self.finished_at.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"
        return f"was withdrawn by {self.decided_by} on {at}: {self.reason}" if self.decided_by else ""

    def __str__(self) -> str:
        batch, load = f"Batch {self.batch_id} ({self.input}) of {self.source}", f"replay {self.batch_id}`"
        if self.withdrawal:
            return f"{batch} {self.withdrawal}; load it again: `analytics-platform {load}."
        return (
            f"{batch} is not loaded: {self.reason}; after that is put right, load it: `analytics-platform {load}, or "
            f"go on without it: `analytics-platform withdraw {self.batch_id} --reason '…'`."
        )


def unloaded_batches(session: Session, state: str = "failed") -> list[UnloadedBatch]:
    """Return the batches that were set aside, or another `state`, the latest first."""
    columns = ", ".join(field.name for field in fields(UnloadedBatch))
    sql = f"SELECT {columns} FROM ops.set_aside WHERE state = $state ORDER BY finished_at DESC, batch_id"
    return [UnloadedBatch(*row) for row in session.rows(sql, {"state": state})]


def damaged_batches(session: Session, lake: Lake, sources: Iterable[str] = tuple(SOURCES)) -> list[str]:
    """Say of each damaged batch of the lake what is wrong and what to do, but for those that were set aside."""
    aside = {batch for (batch,) in session.rows("SELECT batch_id FROM ops.set_aside")}
    stored = (batch for source in sources for batch in lake.batches(source) if batch.batch_id not in aside)
    damaged = ((batch, batch.damage) for batch in stored)
    return [
        f"Batch {batch.batch_id} ({batch.name}) of {batch.source} is damaged in the lake: {damage}."
        for batch, damage in damaged
        if damage
    ]


def set_aside(
    session: Session,
    card: BatchCard,
    state: str,
    reason: str,
    decided_by: str | None = None,
    at: dt.datetime | None = None,
) -> None:
    """Note that a batch is not loaded, and why, with what the ledger says of it; in the transaction of the caller.

    It was decided just now, or `at` a time before.
    """
    columns, batch = list(PipelineLogs.columns), {"batch_id": card.batch_id}
    found = session.rows(f"SELECT {', '.join(columns)} FROM ops.pipeline_logs WHERE batch_id = $batch_id", batch)
    now = dt.datetime.now(dt.UTC)
    empty = asdict(card) | asdict(NOTHING) | {"rows_read": 0, "error_rate": 0.0, "started_at": now}
    row = dict(zip(columns, found[0], strict=True)) if found else empty
    row |= {"state": state, "reason": reason, "decided_by": decided_by, "finished_at": at or now}
    session.execute("DELETE FROM ops.set_aside WHERE batch_id = $batch_id", batch)
    session.insert(SetAside.table.name, pl.DataFrame([row], polars_schema(SetAside)))


def without_withdrawn(session: Session, new: Sequence[Batch], run_id: str) -> list[Batch]:
    """Set those of the new batches aside that were withdrawn from a warehouse that was lost; return the others."""
    with session.transaction():
        for batch in new:
            if batch.withdrawal:
                set_aside(session, BatchCard.of(batch, run_id), "withdrawn", **asdict(batch.withdrawal))
    return [batch for batch in new if not batch.withdrawal]


def quarantined_batches(session: Session) -> dict[tuple[str, str], dict[int, dt.date | None]]:
    """Return (source, batch id) → positions of its quarantined rows, each with the day of the accepted row before."""
    session.ensure(*LEDGER_TABLES)
    found: dict[tuple[str, str], dict[int, dt.date | None]] = {}
    rows = session.rows("SELECT source, batch_id, position, neighbour_date FROM ops.quarantine")
    for source, batch, position, day in rows:
        found.setdefault((source, batch), {})[position] = day
    return found


def touched_days(session: Session, batch_ids: Sequence[str]) -> list[dt.date]:
    """Return the days of the events that these batches brought, in order."""
    days = session.rows(
        "SELECT DISTINCT event_date FROM ops.batch_days WHERE list_contains($batches, batch_id) ORDER BY 1",
        {"batches": list(batch_ids)},
    )
    return [day for (day,) in days]


@dataclass(frozen=True, slots=True)
class Loading:
    """A batch that was loaded or withdrawn, when that was committed, and the days whose events changed.

    `run_id` is that of the run that loaded it, empty if a person took it out.
    """

    finished_at: dt.datetime
    batch_id: str
    run_id: str
    days: tuple[dt.date, ...]

    @property
    def place(self) -> str:
        """Text that sorts as the ledger does."""
        return f"{self.finished_at.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S.%f} {self.batch_id}"


def loadings(session: Session, since: dt.datetime = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) -> list[Loading]:
    """Return the loaded and the withdrawn batches, and erasures, in the order of the ledger."""
    rows = session.rows(
        """
        SELECT finished_at, batch_id, run_id, event_date FROM (
            SELECT finished_at, batch_id, run_id FROM ops.pipeline_logs
            UNION ALL SELECT finished_at, batch_id, '' FROM ops.set_aside WHERE state IN ('withdrawn', 'erased')
        ) AS changes LEFT JOIN ops.batch_days USING (batch_id)
        WHERE finished_at >= $since
        ORDER BY finished_at, batch_id, event_date
        """,
        {"since": since},
    )
    return [
        Loading(at, batch, run_id, tuple(day for *_, day in days if day is not None))
        for (at, batch, run_id), days in groupby(rows, key=lambda row: row[:3])
    ]


def known_days(session: Session) -> tuple[dt.date, dt.date] | None:
    """Return the first and the last day (UTC) that events were ever loaded for; None before there are any."""
    first, last = session.one("SELECT min(event_date), max(event_date) FROM ops.batch_days")
    return (first, last) if first else None


def count_rejections(session: Session, condition: str, values: Mapping[str, object]) -> dict[str, int]:
    """Count the rules that quarantined records with the SQL `condition` broke, the most frequent first."""
    sql = f"""
        SELECT rule, count(*) FROM (SELECT unnest({_RULES}) AS rule FROM ops.quarantine WHERE {condition})
        GROUP BY rule ORDER BY 2 DESC, 1
    """
    return dict(session.rows(sql, values))


@dataclass(frozen=True, slots=True)
class Acceptance:
    """That a person accepted a batch above the threshold, and why."""

    batch_id: str
    reason: str
    accepted_by: str
    accepted_at: dt.datetime

    def __str__(self) -> str:
        at = f"{self.accepted_at.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"
        return f"batch {self.batch_id} was accepted by {self.accepted_by} on {at}: {self.reason}"


def acceptances(session: Session) -> list[Acceptance]:
    """Return all batches that a person took responsibility for, the latest first."""
    sql = "SELECT batch_id, reason, accepted_by, accepted_at FROM ops.acceptances ORDER BY accepted_at DESC"
    return [Acceptance(*row) for row in session.rows(sql)]


def find_batch(session: Session, name: str, lake: Lake | None = None) -> BatchCard:
    """Return the batch whose id starts with `name`: a loaded one, or given the `lake` also one that is not loaded.

    Raises `WarehouseError` if there is not exactly one.
    """
    session.ensure(*LEDGER_TABLES)
    name = printable(name)  # no database takes a byte that is not UTF-8
    cards, columns = list[BatchCard](), ", ".join(field.name for field in fields(BatchCard))
    for table in ("ops.pipeline_logs", "ops.set_aside"):
        sql = f"SELECT {columns} FROM {table} WHERE source <> '' AND starts_with(batch_id, $name)"
        cards += [BatchCard(*row) for row in session.rows(sql, {"name": name})] if lake or not cards else []
    stored = (batch for source in SOURCES for batch in lake.batches(source)) if lake else ()
    cards += [BatchCard.of(batch, "") for batch in stored if batch.batch_id.startswith(name)]
    found = {card.batch_id: card for card in reversed(cards)}  # what the ledger says of a batch comes first
    if len(found) != 1 or not name:
        what = f"{len(found)} batches have" if found else "No batch has"
        where = "the latest are in `analytics-platform status`, all in ops.pipeline_logs and ops.set_aside"
        raise WarehouseError(f"{what} an id that starts with '{name}': {where}.")
    for each in () if lake else (each for state in SET_ASIDE for each in unloaded_batches(session, state)):
        if each.batch_id == cards[0].batch_id:
            raise WarehouseError(str(each))
    return cards[0]


def accept_batch(session: Session, batch_id: str, reason: str, accepted_by: str) -> None:
    """Note that a person takes responsibility for a batch above the threshold. A later note replaces an earlier one."""
    session.ensure(*LEDGER_TABLES)
    values = {"batch_id": batch_id, "reason": reason, "by": accepted_by, "at": dt.datetime.now(dt.UTC)}
    with session.transaction():
        session.execute("DELETE FROM ops.acceptances WHERE batch_id = $batch_id", {"batch_id": batch_id})
        session.execute("INSERT INTO ops.acceptances VALUES ($batch_id, $reason, $by, $at)", values)


def record_results(
    session: Session, table: str, results: Iterable[RuleResult], days: DayRange | None, run_id: str
) -> None:
    """Add a row per rule, in another transaction: what was found counts also where nothing was published."""
    first, last = (days.first, days.last) if days else (None, None)
    now = dt.datetime.now(dt.UTC)
    rows = [
        (run_id, table, found.rule, found.severity, first, last, found.checked, found.failing, now) for found in results
    ]
    if rows:
        session.ensure(RuleResults)
        with session.transaction():
            session.insert(RuleResults.table.name, pl.DataFrame(rows, polars_schema(RuleResults), orient="row"))
