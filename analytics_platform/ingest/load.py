"""Batches: from the lake through the gate into the cleaned table, and quarantined rows once more."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from analytics_platform.gate import Origin, Verdict, judge
from analytics_platform.ingest.progress import progress_bar
from analytics_platform.ingest.sources import SOURCES, contract_of
from analytics_platform.ingest.versions import days_of_versions
from analytics_platform.lake import Batch, FolderLake
from analytics_platform.settings import Settings
from analytics_platform.transform import affected_days, build_order
from analytics_platform.warehouse import BatchCard, Loaded, Session, load_batch, replay_batch
from analytics_platform.warehouse.ledger import latest_day, quarantined_batches, seen_batches, touched_days


def judge_batch(batch: Batch, settings: Settings, only: Collection[int] | None = None) -> Iterator[Verdict]:
    """The gate's verdict over a batch; with `only`, over the records at these positions."""
    source = SOURCES[batch.source]
    earliest = dt.datetime.combine(settings.partition_start, dt.time(), dt.UTC)
    with batch.open() as stream:
        records = source.read(batch, stream, only)
        yield from judge(records, source.contract, Origin(batch.batch_id, batch.arrived_at, earliest))


def load_new_batches(
    source: str, session: Session, settings: Settings, lake: FolderLake, run_id: str
) -> Iterator[tuple[Batch, Loaded]]:
    """Put the batches that are not in the ledger through the gate and into the warehouse, one transaction each."""
    seen = seen_batches(session)
    for batch in lake.batches(source):
        if batch.batch_id not in seen:
            yield batch, _load(batch, session, settings, run_id)


def _load(batch: Batch, session: Session, settings: Settings, run_id: str) -> Loaded:
    card = BatchCard(
        batch_id=batch.batch_id,
        source=batch.source,
        input=batch.name,
        content_sha256=batch.content_sha256,
        arrived_at=batch.arrived_at,
        run_id=run_id,
    )
    with progress_bar(batch.name) as report:
        return load_batch(session, contract_of(batch.source), card, judge_batch(batch, settings), report)


def affected_by(touched: Collection[dt.date], latest: dt.date | None, settings: Settings) -> set[dt.date]:
    """The days to build again after the events of some days changed, over all tables.

    Up to the `latest` day with events: windows reach further, but there is nothing to build yet.
    """
    if latest is None or not touched:
        return set()
    affected = {day for table in build_order() for day in affected_days(table, touched, settings.model_values)}
    return {day for day in affected if settings.partition_start <= day <= latest}


def days_after(session: Session, batch_ids: Sequence[str], settings: Settings) -> set[dt.date]:
    """The days to build again after these batches were loaded: of their events, and of versions they brought."""
    touched = {*touched_days(session, batch_ids), *days_of_versions(session, batch_ids)}
    return affected_by(touched, latest_day(session), settings)


def days_to_build(session: Session, batch_ids: Sequence[str], settings: Settings) -> str:
    """The range of days, `FIRST...LAST`, whose tables the rows of these batches change; empty if there are none."""
    days = days_after(session, batch_ids, settings)
    return f"{min(days)}...{max(days)}" if days else ""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay came to: `moved` quarantined rows of the batch passed; `loaded` counts where all of it is now."""

    batch: Batch
    moved: int
    loaded: Loaded


def replay(session: Session, settings: Settings, lake: FolderLake, only: str | None = None) -> Iterator[Replayed]:
    """Judge quarantined rows anew, after a contract changed, and move those that pass now into their table.

    All batches with quarantined rows, or the one whose id is `only`. Yields what each batch came to.
    """
    waiting = quarantined_batches(session)
    for source in {name for name, _ in waiting}:
        for batch in lake.batches(source):
            positions = waiting.get((source, batch.batch_id))
            if positions and only in (None, batch.batch_id):
                with progress_bar(batch.name) as report:
                    verdicts = (_beside(verdict, positions) for verdict in judge_batch(batch, settings, positions))
                    loaded = replay_batch(session, contract_of(source), batch.batch_id, verdicts, report)
                yield Replayed(batch, len(positions) - loaded.rows_quarantined, loaded)


def _beside(verdict: Verdict, neighbours: Mapping[int, dt.date | None]) -> Verdict:
    """A verdict over quarantined rows alone, with the neighbours they had in the whole batch."""
    dates = [neighbours[position] for position in verdict.refused["position"]]
    refused = verdict.refused.with_columns(pl.Series("neighbour_date", dates, dtype=pl.Date))
    return replace(verdict, refused=refused)
