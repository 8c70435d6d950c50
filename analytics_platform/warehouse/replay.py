"""Validates quarantined rows again after a contract changed, and moves those that pass into their table."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace

import polars as pl

from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.ddl import polars_schema
from analytics_platform.contracts.ops import SET_ASIDE, BatchDays
from analytics_platform.errors import count
from analytics_platform.gate import Verdict
from analytics_platform.lake import Lake
from analytics_platform.progress import progress_bar
from analytics_platform.settings import Settings
from analytics_platform.sources.registry import SOURCES
from analytics_platform.warehouse.duckdb import DuckDBSession
from analytics_platform.warehouse.faults import explain_fault
from analytics_platform.warehouse.ledger import (
    LEDGER_TABLES,
    UnloadedBatch,
    find_batch,
    quarantined_batches,
    touched_days,
    unloaded_batches,
)
from analytics_platform.warehouse.load import (
    count_rows,
    drop_duplicates,
    load_new_batches,
    store_verdicts,
    write_days,
)
from analytics_platform.warehouse.persons import write_links
from analytics_platform.warehouse.session import NOTHING, BatchCard, Loaded, Session
from analytics_platform.warehouse.touched import batches_not_built, days_after


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay came to: `moved` rows of the batch passed, `loaded` counts where all of it is now.

    Or the `problem` for which the batch is as it was. `withdrawal` says who had withdrawn it, when and why.
    """

    batch_id: str
    input: str
    moved: int = 0
    loaded: Loaded = NOTHING
    problem: str = ""
    withdrawal: str = ""

    def __str__(self) -> str:
        moved = f"{count(self.moved, 'row')} moved, {self.loaded.rows_quarantined:,} still quarantined"
        moved += f"; it {self.withdrawal}" if self.withdrawal else ""
        return self.problem or f"Batch {self.batch_id} ({self.input}): {moved}."


def replay(session: Session, settings: Settings, lake: Lake, only: Collection[str] | None = None) -> Iterator[Replayed]:
    """Validate quarantined rows again, after a contract changed, and move those that pass now into their table.

    All batches with quarantined rows, or those whose ids are in `only`; of these, the ones that are not loaded are
    loaded. Yields what each batch came to. One that fails holds up no other.
    """
    session.ensure(*LEDGER_TABLES)
    waiting = quarantined_batches(session)  # before batches are loaded: their rows were validated just now
    stored = {batch.batch_id: batch for source in SOURCES for batch in lake.batches(source)}
    for state in SET_ASIDE:
        for each in unloaded_batches(session, state):
            if only is not None and each.batch_id in only:
                yield _load_again(session, settings, lake, each, stored)
    for (source, batch_id), neighbours in waiting.items():
        if only is not None and batch_id not in only:
            continue
        card = find_batch(session, batch_id)
        try:
            if batch_id not in stored:
                raise lake.missing(source, card.content_sha256)
            with progress_bar(card.input) as report:
                verdicts = SOURCES[source].validate(stored[batch_id], settings, neighbours)
                beside = _beside(verdicts, neighbours)
                loaded = replay_batch(session, SOURCES[source].contract, batch_id, beside, report)
            yield Replayed(batch_id, card.input, len(neighbours) - loaded.rows_quarantined, loaded)
        except session.FAULTS as error:
            why = f"Batch {batch_id} ({card.input}) of {source} was not replayed: {explain_fault(error)}."
            why += f" After that is put right, run `analytics-platform replay {batch_id}`."
            yield Replayed(batch_id, card.input, problem=why)


def _load_again(
    session: Session, settings: Settings, lake: Lake, each: UnloadedBatch, stored: Collection[str]
) -> Replayed:
    """Load a batch that was set aside or withdrawn."""
    if each.batch_id not in stored:
        missing = replace(each, reason=str(lake.missing(each.source, each.content_sha256)), decided_by=None)
        return Replayed(each.batch_id, each.input, problem=str(missing))
    waits = each.withdrawal and each.batch_id in batches_not_built(session, settings)
    days = days_after(session, [each.batch_id], settings) if waits else set()
    lake.withdraw(each.source, each.content_sha256, None)
    with session.transaction():
        for table in ("ops.set_aside", "ops.batch_days"):
            session.execute(f"DELETE FROM {table} WHERE batch_id = $batch_id", {"batch_id": each.batch_id})
    for batch, loaded in load_new_batches(SOURCES[each.source], session, settings, lake, "replay", {each.batch_id}):
        # Read by newer code it may lack a user whom it named: all that waited for the withdrawal is still to be built.
        new = sorted(days.difference(touched_days(session, [each.batch_id])))
        rows = [(each.batch_id, each.source, day, 0, 0, 0) for day in new]
        session.insert(BatchDays.table.name, pl.DataFrame(rows, polars_schema(BatchDays), orient="row"))
        return Replayed(batch.batch_id, batch.name, loaded.rows_accepted, loaded, withdrawal=each.withdrawal)
    failed = (str(failed) for failed in unloaded_batches(session) if failed.batch_id == each.batch_id)
    return Replayed(each.batch_id, each.input, problem=" ".join(failed))


def _beside(verdicts: Iterable[Verdict], neighbours: Mapping[int, dt.date | None]) -> Iterator[Verdict]:
    """Put rows that were validated alone beside the neighbours that they had in the whole batch."""
    for verdict in verdicts:
        dates = [neighbours[position] for position in verdict.rejected["position"]]
        rejected = verdict.rejected.with_columns(neighbour_date=pl.Series(dates, dtype=pl.Date))
        yield replace(verdict, rejected=rejected)


def replay_batch(
    session: Session,
    contract: ContractType,
    batch_id: str,
    verdicts: Iterable[Verdict],
    progress: Callable[[int], None] = lambda rows: None,
) -> Loaded:
    """Replace the batch's quarantined rows by `verdicts` over them: what passes now moves into the table.

    Raises `AssertionError` if the batch does not have as many records afterwards as before; nothing is stored then.
    """
    *known, before, duplicates = session.one(
        """
        SELECT batch_id, source, input, content_sha256, arrived_at, run_id, rows_read, rows_duplicate
        FROM ops.pipeline_logs WHERE batch_id = $batch_id
        """,
        {"batch_id": batch_id},
    )
    card = BatchCard(*known)
    with session.batch(contract, [card]) as staging:
        _forget(staging, "ops.quarantine", batch_id)
        stored = store_verdicts(staging, contract, {card: verdicts}, progress)[batch_id]
        sql = "SELECT min(event_date), max(event_date) FROM ops.batch_days WHERE batch_id = $batch_id"
        days = [day for day in (*staging.one(sql, {"batch_id": batch_id}), *(stored.span or ())) if day is not None]
        span = (min(days), max(days)) if days else None  # of the rows stored before, and of those that pass now
        drop_duplicates(staging, contract, [card], span)
        _remember_duplicates(staging, batch_id, duplicates)
        _forget(staging, "ops.batch_days", batch_id)
        write_days(staging, contract, [card], span)
        write_links(staging, contract, [card], span)
        after = count_rows(staging, [card])[batch_id]
        assert after.rows_read == before, f"{card.input}: {before} records before the replay, {after} after"
        _update_log(staging, batch_id, after)
    return after


def _forget(session: DuckDBSession, table: str, batch_id: str) -> None:
    session.execute(f"DELETE FROM {table} WHERE batch_id = $batch_id", {"batch_id": batch_id})


def _remember_duplicates(session: DuckDBSession, batch_id: str, duplicates: int) -> None:
    """Add the duplicates of the first load to those found now, so that all counts hold both."""
    session.execute(
        """
        INSERT INTO duplicates
        WITH dated AS (
            SELECT event_date, unnest(range(rows_duplicate)) FROM ops.batch_days WHERE batch_id = $batch_id
        )
        SELECT $batch_id, NULL, event_date FROM dated
        UNION ALL
        SELECT $batch_id, NULL, NULL FROM range($duplicates - (SELECT count(*) FROM dated))
        """,
        {"batch_id": batch_id, "duplicates": duplicates},
    )


def _update_log(session: DuckDBSession, batch_id: str, loaded: Loaded) -> None:
    session.execute(
        """
        UPDATE ops.pipeline_logs SET
            rows_accepted = $rows_accepted, rows_duplicate = $rows_duplicate, rows_quarantined = $rows_quarantined,
            id_reused = $id_reused, error_rate = $error_rate,
            finished_at = CASE WHEN rows_quarantined = $rows_quarantined THEN finished_at ELSE $now END,
            min_event_date = (SELECT min(event_date) FROM ops.batch_days WHERE batch_id = $batch_id),
            max_event_date = (SELECT max(event_date) FROM ops.batch_days WHERE batch_id = $batch_id)
        WHERE batch_id = $batch_id
        """,
        # What moved is to be built: runs and sensors find it as they find what was loaded.
        {**asdict(loaded), "error_rate": loaded.error_rate, "batch_id": batch_id, "now": dt.datetime.now(dt.UTC)},
    )
