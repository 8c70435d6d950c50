"""Loads what is new in the lake: through the gate, into the table of its source."""

from __future__ import annotations

from collections.abc import Iterator

from analytics_platform.lake import Batch, FolderLake
from analytics_platform.progress import progress_bar
from analytics_platform.settings import Settings
from analytics_platform.sources.source import Source
from analytics_platform.warehouse.ledger import seen_batches
from analytics_platform.warehouse.load import load_batch
from analytics_platform.warehouse.session import Session
from analytics_platform.warehouse.types import BatchCard, Loaded


def load_new_batches(
    source: Source, session: Session, settings: Settings, lake: FolderLake, run_id: str
) -> Iterator[tuple[Batch, Loaded]]:
    """Put the batches that are not in the ledger through the gate and into the warehouse, one transaction each."""
    seen = seen_batches(session)
    for batch in lake.batches(source.name):
        if batch.batch_id not in seen:
            yield batch, _load(source, batch, session, settings, run_id)


def _load(source: Source, batch: Batch, session: Session, settings: Settings, run_id: str) -> Loaded:
    card = BatchCard(
        batch_id=batch.batch_id,
        source=batch.source,
        input=batch.name,
        content_sha256=batch.content_sha256,
        arrived_at=batch.arrived_at,
        run_id=run_id,
    )
    with progress_bar(batch.name) as report:
        return load_batch(session, source.contract, card, source.validate(batch, settings), report)
