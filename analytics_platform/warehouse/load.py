"""Loads one batch: accepted rows, rejected rows, ledger and audit log in one transaction, duplicates left out.

A batch is in the ledger exactly once. Killed anywhere, nothing of it is there, and a re-run loads it whole.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass

import duckdb
import polars as pl

from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.ddl import identity_sql, polars_schema
from analytics_platform.contracts.ops import Quarantine
from analytics_platform.contracts.sql import literal, quote, quote_table
from analytics_platform.errors import UserError
from analytics_platform.gate import FileRejectedError, Verdict
from analytics_platform.gate.ahead import in_background
from analytics_platform.lake import Batch, FolderLake
from analytics_platform.progress import progress_bar
from analytics_platform.settings import Settings
from analytics_platform.sources.source import Source
from analytics_platform.warehouse.duckdb import ROW_GROUP, DuckDBSession
from analytics_platform.warehouse.ledger import TEXT_ID, known_batches, set_aside
from analytics_platform.warehouse.session import BatchCard, Loaded, Session, Span

ROWS_PER_INSERT = 1 * ROW_GROUP
"""Number of accepted rows that are written at a time, in whole row groups: for two threads, and little memory."""

# DuckDB keeps the text of a row group in memory: 700 rejected records of 1 MB could never be committed.
LONGEST_TEXT, TEXT_OF_A_BATCH, SHORT_TEXT = 100_000, 32_000_000, 200
"""Characters of a rejected record, and of all those of a batch, that quarantine keeps; of the rest it keeps a few."""


class _KnownBatchError(Exception):
    """The batch is in the ledger already; the argument is where its records ended, as `Loaded`."""


def load_new_batches(
    source: Source,
    session: Session,
    settings: Settings,
    lake: FolderLake,
    run_id: str,
    only: Collection[str] | None = None,
) -> Iterator[tuple[Batch, Loaded]]:
    """Put the batches that were not loaded yet through the gate and into the warehouse, one transaction each.

    All of them, or those in `only`. A batch that fails is set aside with the reason, and the others are loaded.
    """
    session.ensure(source.contract)
    known = known_batches(session)
    for batch in lake.batches(source.name):
        if batch.batch_id in known or (only is not None and batch.batch_id not in only):
            continue
        card = BatchCard.of(batch, run_id)
        try:
            with progress_bar(batch.name) as report:
                loaded = load_batch(session, source.contract, card, source.validate(batch, settings), report)
        except session.FAULTS as error:
            with session.transaction():
                set_aside(session, card, "failed", explain_fault(error))
        else:
            yield batch, loaded


def explain_fault(error: Exception) -> str:
    """Say in one line why a batch cannot be loaded."""
    words = str(error).strip().partition("\n")[0].rstrip(".")
    if "pin block" in words or isinstance(error, duckdb.OutOfMemoryException):
        return f"it needs more memory than WAREHOUSE_MEMORY allows ({words}), raise it"
    return words if isinstance(error, UserError | FileRejectedError) else f"{type(error).__name__}: {words}"


def load_batch(
    session: Session,
    contract: ContractType,
    card: BatchCard,
    verdicts: Iterable[Verdict],
    progress: Callable[[int], None] = lambda rows: None,
) -> Loaded:
    """Store the verdicts over a batch in one transaction. `progress` is called with the records read so far.

    A batch that another run has loaded meanwhile is left as it is. Raises `AssertionError` if a record did not end in
    exactly one place; nothing is stored then.
    """
    started_at = dt.datetime.now(dt.UTC)
    try:
        with session.batch(contract, card) as staging:
            sql = "SELECT rows_accepted, rows_duplicate, rows_quarantined FROM ops.pipeline_logs WHERE batch_id = $id"
            for known in staging.rows(sql, {"id": card.batch_id}):
                raise _KnownBatchError(Loaded(*known))  # nothing is stored then
            stored = store_verdicts(staging, contract, card, verdicts, progress)
            drop_duplicates(staging, contract, card, stored.span)
            write_days(staging, contract, card, stored.span)
            loaded = count_rows(staging, card.batch_id)
            assert loaded.rows_read == stored.read, f"{card.input}: {stored.read} records read, {loaded} in the ledger"
            _write_log(staging, card, loaded, stored, started_at)
    except _KnownBatchError as error:
        (loaded,) = error.args
    return loaded


@dataclass(frozen=True, slots=True)
class StoredVerdicts:
    """What was stored of a batch: records read, days of the accepted ones, and how they differ from the usual."""

    read: int
    span: Span
    drift: str | None


def store_verdicts(
    session: DuckDBSession,
    contract: ContractType,
    card: BatchCard,
    verdicts: Iterable[Verdict],
    progress: Callable[[int], None],
) -> StoredVerdicts:
    """Insert the verdicts' rows, duplicates included."""
    table, defaults = contract.table.name, identity_sql(contract)
    waiting = pl.DataFrame(schema=polars_schema(contract))
    read, kept, days = 0, 0, set[dt.date]()
    drift: dict[str, None] = {}
    with closing(in_background(verdicts)) as ahead:
        for verdict in ahead:
            waiting = pl.concat([waiting, verdict.accepted]) if waiting.height else verdict.accepted
            whole = waiting.height - waiting.height % ROWS_PER_INSERT
            if whole:
                session.insert(table, waiting.head(whole), defaults)
                waiting = waiting.slice(whole)
            if verdict.rejected.height:
                known = {name: pl.lit(getattr(card, name)) for name in ("batch_id", "source", "input")}
                rejected = cut_texts(verdict.rejected, kept)
                kept += int(rejected["raw"].str.len_chars().sum())
                rejected = rejected.with_columns(quarantined_at=dt.datetime.now(dt.UTC), **known)
                session.insert(Quarantine.table.name, rejected)
            read += verdict.accepted.height + verdict.rejected.height
            days.update(verdict.accepted["event_date"].unique())
            drift |= dict.fromkeys(verdict.drift)
            progress(read)
    session.insert(table, waiting, defaults)
    return StoredVerdicts(read, (min(days), max(days)) if days else None, "; ".join(drift) or None)


def cut_texts(rejected: pl.DataFrame, kept: int) -> pl.DataFrame:
    """Cut the texts that are too long for quarantine, and note their length and MD5.

    `kept` counts the characters that quarantine has of the batch so far.
    """
    length = pl.col("raw").str.len_chars().cast(pl.Int64)
    fits = kept + length.clip(upper_bound=LONGEST_TEXT).cum_sum() <= TEXT_OF_A_BATCH
    limit = pl.when(fits).then(LONGEST_TEXT).otherwise(SHORT_TEXT)
    whole = pl.when(length > limit).then("raw")
    return rejected.with_columns(
        raw=pl.col("raw").str.slice(0, limit),
        raw_length=whole.str.len_chars().cast(pl.Int64),
        raw_md5=whole.map_elements(lambda text: hashlib.md5(text.encode()).hexdigest(), pl.String),
    )


def drop_duplicates(session: DuckDBSession, contract: ContractType, card: BatchCard, span: Span) -> None:
    """Delete this batch's records that are stored already, and note them in the temporary table `duplicates`.

    The record that was stored first stays, within the batch the first. A rejected record is a duplicate only where the
    source delivers records again: in a file, two equal broken lines are two records.
    """
    session.recall(contract, card, span)
    session.execute("CREATE OR REPLACE TEMP TABLE duplicates (position BIGINT, event_date DATE)")
    if span is not None:
        _drop_accepted(session, contract, card.batch_id, span)
    if contract.table.redelivers:
        # A rejected record is known by its original text.
        rows = f"""
            (SELECT * FROM ops.quarantine WHERE source = {literal(card.source)} AND {TEXT_ID} IN (
                SELECT {TEXT_ID} FROM ops.quarantine WHERE batch_id = {literal(card.batch_id)}
            ))
        """
        _note_duplicates(session, rows, TEXT_ID, "neighbour_date", card.batch_id)
        session.execute(
            "DELETE FROM ops.quarantine WHERE batch_id = $batch_id AND position IN (SELECT position FROM duplicates)",
            {"batch_id": card.batch_id},
        )


def _note_duplicates(session: DuckDBSession, rows: str, same: str, day: str, batch_id: str) -> None:
    """Note the rows of the batch that have a row with the `same` before them in `rows`, each with its `day`."""
    session.execute(
        f"""
        INSERT INTO duplicates
        WITH ranked AS (
            SELECT batch_id, position, {day} AS event_date, row_number() OVER (
                PARTITION BY {same} ORDER BY batch_id = $batch_id, position
            ) AS place
            FROM {rows}
        )
        SELECT position, event_date FROM ranked WHERE place > 1 AND batch_id = $batch_id
        """,
        {"batch_id": batch_id},
    )


def _drop_accepted(
    session: DuckDBSession, contract: ContractType, batch_id: str, span: tuple[dt.date, dt.date]
) -> None:
    """Delete accepted rows that are stored already. The same event has the same time, so both are on the same day.

    Candidates are found by hash of the id, which is fast, and then compared exactly.
    """
    key, table = quote(contract.table.key[0]), quote_table(contract.table.name)
    mine = "event_date BETWEEN $first AND $last AND batch_id = $batch_id"
    values = {"batch_id": batch_id, **_limits(span)}
    # Days as literals, so that DuckDB skips what is stored for others. They may be few and far apart: one late event,
    # and the span is long.
    found = session.rows(f"SELECT DISTINCT event_date FROM {table} WHERE {mine} ORDER BY 1", values)
    rows = f"(SELECT * FROM {table} WHERE event_date IN ({', '.join(literal(day) for (day,) in found)}))"
    repeated = f"SELECT hash({key}) AS code FROM {rows} GROUP BY 1 HAVING count(*) > 1"
    session.execute(f"CREATE OR REPLACE TEMP TABLE repeated AS {repeated}")
    if session.count("repeated"):
        candidates = f"{rows} WHERE hash({key}) IN (SELECT code FROM repeated)"
        _note_duplicates(session, candidates, key, "event_date", batch_id)
        session.execute(f"DELETE FROM {table} WHERE {mine} AND position IN (SELECT position FROM duplicates)", values)


def _limits(span: Span) -> dict[str, dt.date]:
    """Return the parameters `first` and `last` of a condition on days; without a span no day fulfils it."""
    first, last = span or (dt.date.max, dt.date.min)
    return {"first": first, "last": last}


def write_days(session: DuckDBSession, contract: ContractType, card: BatchCard, span: Span) -> None:
    """Count the batch's records by day. Rejected ones without a day go to the day of the accepted record before them.

    A batch none of whose records has a day is on no day.
    """
    session.execute(
        f"""
        INSERT INTO ops.batch_days BY NAME
        WITH accepted AS (
            SELECT event_date, count(*) AS records FROM {quote_table(contract.table.name)}
            WHERE event_date BETWEEN $first AND $last AND batch_id = $batch_id GROUP BY 1
        ),
        dated AS (SELECT event_date, count(*) AS records FROM duplicates WHERE event_date IS NOT NULL GROUP BY 1),
        main_day AS (
            SELECT event_date FROM (FROM accepted UNION ALL FROM dated)
            GROUP BY 1 ORDER BY sum(records) DESC, event_date LIMIT 1
        ),
        duplicate AS (
            SELECT coalesce(event_date, (FROM main_day)) AS event_date, count(*) AS records FROM duplicates GROUP BY 1
        ),
        known AS (SELECT event_date FROM accepted UNION SELECT event_date FROM dated),
        rejected AS (
            SELECT
                CASE
                    WHEN event_date IN (FROM known) THEN event_date
                    WHEN neighbour_date IN (FROM known) THEN neighbour_date
                    ELSE (FROM main_day)
                END AS event_date,
                count(*) AS records
            FROM ops.quarantine WHERE batch_id = $batch_id GROUP BY 1
        )
        SELECT
            $batch_id AS batch_id, $source AS source, known.event_date,
            coalesce(accepted.records, 0) AS rows_accepted,
            coalesce(duplicate.records, 0) AS rows_duplicate,
            coalesce(rejected.records, 0) AS rows_quarantined
        FROM known LEFT JOIN accepted USING (event_date) LEFT JOIN duplicate USING (event_date)
        LEFT JOIN rejected USING (event_date)
        """,
        {"batch_id": card.batch_id, "source": card.source, **_limits(span)},
    )


def count_rows(session: DuckDBSession, batch_id: str) -> Loaded:
    """Count the batch's records by where they ended, in the tables themselves (and `duplicates`)."""
    counts = session.one(
        """
        SELECT
            (SELECT coalesce(sum(rows_accepted), 0)::BIGINT FROM ops.batch_days WHERE batch_id = $batch_id),
            (SELECT count(*) FROM duplicates),
            (SELECT count(*) FROM ops.quarantine WHERE batch_id = $batch_id)
        """,
        {"batch_id": batch_id},
    )
    return Loaded(*counts)


def _write_log(
    session: DuckDBSession, card: BatchCard, loaded: Loaded, stored: StoredVerdicts, started_at: dt.datetime
) -> None:
    first, last = stored.span or (None, None)
    row = (
        asdict(card)
        | asdict(loaded)
        | {
            "rows_read": loaded.rows_read,
            "error_rate": loaded.error_rate,
            "min_event_date": first,
            "max_event_date": last,
            "drift": stored.drift,
            "started_at": started_at,
            "finished_at": dt.datetime.now(dt.UTC),
        }
    )
    values = ", ".join(f"${name}" for name in row)
    session.execute(f"INSERT INTO ops.pipeline_logs ({', '.join(row)}) VALUES ({values})", row)
