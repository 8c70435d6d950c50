"""The way of a batch from the landing folder to the cleaned table: land, gate, load, replay. No Dagster in here.

Assets and the command line both call these steps; each is safe to repeat.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from analytics_platform.contracts import CONTRACTS
from analytics_platform.contracts.base import ContractType
from analytics_platform.engine import affected_days, build_order
from analytics_platform.gate import FileRefusedError, Layout, Origin, Verdict, judge, read_layout
from analytics_platform.lake import SUFFIXES, Batch, FolderLake, UnreadableError, check_decodable, open_decoded
from analytics_platform.settings import Settings
from analytics_platform.sources.files import find_files
from analytics_platform.warehouse import BatchCard, DuckDBSession, Loaded, load_batch, replay_batch
from analytics_platform.warehouse.books import quarantined_batches, seen_batches, touched_days

CLICKSTREAM = "clickstream"


@dataclass(frozen=True, slots=True)
class Landing:
    """What came of a look into the landing folder. `refused` maps a file to the reason it cannot be read."""

    batches: tuple[Batch, ...]
    changing: tuple[str, ...]
    refused: dict[str, str]


def contract_of(source: str) -> ContractType:
    """The contract that the rows of a source are held against."""
    return CONTRACTS[f"cleaned.{source}"]


def land_files(source: str, settings: Settings, lake: FolderLake) -> Landing:
    """Copy every readable file of the source's landing folder into the lake; the same content is stored once.

    A file without a required column, or damaged, stays where it is and is reported at every look until it is
    corrected or taken away. A file that changes while it is read is left for the next look.
    """
    register = lake.register(source)
    batches, changing, refused = [], [], {}
    for name, path in find_files(settings.landing_dir / source, SUFFIXES):
        known = register.content_of(path)
        batch = lake.batch_with(source, known) if known else None
        if batch is None:
            reason = _unreadable(contract_of(source), path)
            if reason is not None:
                refused[name] = reason
                continue
            batch = lake.put_file(source, name, path)
        if batch is None:
            changing.append(name)
        else:
            register.remember(path, batch.content_sha256)
            batches.append(batch)
    register.save()
    return Landing(tuple(batches), tuple(changing), refused)


def _unreadable(contract: ContractType, path: Path) -> str | None:
    try:
        check_decodable(path)
        with open_decoded(path) as stream:
            read_layout(contract, stream)
    except (FileRefusedError, UnreadableError) as error:
        return str(error)
    return None


def find_unreadable(source: str, settings: Settings, lake: FolderLake) -> dict[str, str]:
    """The files of a source's landing folder that are refused as a whole: name → reason."""
    register = lake.register(source)
    files = find_files(settings.landing_dir / source, SUFFIXES)
    new = [(name, path) for name, path in files if register.content_of(path) is None]
    reasons = {name: _unreadable(contract_of(source), path) for name, path in new}
    return {name: reason for name, reason in reasons.items() if reason is not None}


def _judge(batch: Batch, settings: Settings, only: Collection[int] | None = None) -> Iterator[Verdict]:
    contract = contract_of(batch.source)
    earliest = dt.datetime.combine(settings.partition_start, dt.time(), dt.UTC)
    with batch.open() as stream:
        layout = read_layout(contract, stream)
        if layout is not None:
            yield from judge(stream, layout, contract, Origin(batch.batch_id, batch.arrived_at, earliest), only)


def _layout(batch: Batch) -> Layout | None:
    with batch.open() as stream:
        return read_layout(contract_of(batch.source), stream)


def load_new_batches(
    source: str, session: DuckDBSession, settings: Settings, lake: FolderLake, run_id: str
) -> Iterator[tuple[Batch, Loaded]]:
    """Put the batches that are not in the ledger through the gate and into the warehouse, one transaction each."""
    seen = seen_batches(session)
    for batch in lake.batches(source):
        if batch.batch_id not in seen:
            yield batch, _load(batch, session, settings, run_id)


def _load(batch: Batch, session: DuckDBSession, settings: Settings, run_id: str) -> Loaded:
    layout = _layout(batch)
    drift = "; ".join(layout.drift) if layout else "empty file"
    card = BatchCard(
        batch_id=batch.batch_id,
        source=batch.source,
        input=batch.name,
        content_sha256=batch.content_sha256,
        arrived_at=batch.arrived_at,
        drift=drift or None,
        run_id=run_id,
    )
    with progress_bar(batch.name) as report:
        return load_batch(session, contract_of(batch.source), card, _judge(batch, settings), report)


def days_to_build(session: DuckDBSession, batch_ids: Sequence[str], settings: Settings) -> str:
    """The range of days, `FIRST...LAST`, whose tables the rows of these batches change; empty if there are none.

    Up to the last day with events: windows reach further, but there is nothing to build yet.
    """
    touched = touched_days(session, batch_ids)
    if not touched:
        return ""
    (latest,) = session.rows("SELECT max(event_date) FROM ops.batch_days")[0]
    affected = {day for table in build_order() for day in affected_days(table, touched, settings.model_values)}
    days = [
        day for day in affected if settings.partition_start <= day and isinstance(latest, dt.date) and day <= latest
    ]
    return f"{min(days)}...{max(days)}"


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay came to: `moved` quarantined rows of the batch passed; `loaded` counts where all of it is now."""

    batch: Batch
    moved: int
    loaded: Loaded


def replay(session: DuckDBSession, settings: Settings, lake: FolderLake, only: str | None = None) -> Iterator[Replayed]:
    """Judge quarantined rows anew, after a contract changed, and move those that pass now into their table.

    All batches with quarantined rows, or the one whose id is `only`. Yields what each batch came to.
    """
    waiting = quarantined_batches(session)
    for source in {name for name, _ in waiting}:
        for batch in lake.batches(source):
            positions = waiting.get((source, batch.batch_id))
            if positions and only in (None, batch.batch_id):
                with progress_bar(batch.name) as report:
                    verdicts = _judge(batch, settings, positions)
                    loaded = replay_batch(session, contract_of(source), batch.batch_id, verdicts, report)
                yield Replayed(batch, len(positions) - loaded.rows_quarantined, loaded)


@contextmanager
def progress_bar(name: str) -> Iterator[Callable[[int], None]]:
    """A bar on the terminal with the rows read so far and their rate; nothing where there is no terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} rows"),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(name, total=None, rate="")

        def report(rows: int) -> None:
            elapsed = bar.tasks[0].elapsed or 0.0
            rate = f"{rows / elapsed:,.0f} rows/s" if elapsed else ""
            bar.update(task, completed=rows, rate=rate)

        yield report
