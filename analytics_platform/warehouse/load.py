"""Loads one batch: accepted rows, rejected rows, ledger and audit log in one transaction, duplicates left out.

A batch is in the ledger exactly once. Killed anywhere, nothing of it is there, and a re-run loads it whole.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass

import polars as pl

from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.ddl import INSTANT, column_types, polars_schema
from analytics_platform.contracts.ops import Acceptances, BatchDays, PipelineLogs, Quarantine
from analytics_platform.contracts.sql import literal, quote, quote_table
from analytics_platform.gate import Verdict
from analytics_platform.gate.ahead import in_background
from analytics_platform.warehouse.duckdb import ROW_GROUP
from analytics_platform.warehouse.session import BatchSession, Session, one
from analytics_platform.warehouse.types import BatchCard, Loaded, Span

ROWS_PER_INSERT = 1 * ROW_GROUP
"""Accepted rows are written so many at a time, in whole row groups: for two threads, and little memory."""

LEDGER_TABLES: tuple[ContractType, ...] = (PipelineLogs, Quarantine, BatchDays, Acceptances)
"""The tables every load writes besides the source's own."""


def load_batch(
    session: Session,
    contract: ContractType,
    card: BatchCard,
    verdicts: Iterable[Verdict],
    progress: Callable[[int], None] = lambda rows: None,
) -> Loaded:
    """Store the verdicts over a batch in one transaction. `progress` is told the records read so far.

    A batch that another run has loaded meanwhile is left as it is. Raises `AssertionError` if a record did not end in
    exactly one place; nothing is stored then.
    """
    session.ensure(contract, *LEDGER_TABLES)
    try:
        return _load(session, contract, card, verdicts, progress)
    except _KnownBatchError as known:
        return known.loaded


class _KnownBatchError(Exception):
    """The batch is in the ledger: these are its records."""

    def __init__(self, loaded: Loaded) -> None:
        super().__init__()
        self.loaded = loaded


def _load(
    session: Session,
    contract: ContractType,
    card: BatchCard,
    verdicts: Iterable[Verdict],
    progress: Callable[[int], None],
) -> Loaded:
    started_at = dt.datetime.now(dt.UTC)
    with session.batch(contract, card) as staging:
        _stop_if_known(staging, card.batch_id)
        stored = store_verdicts(staging, contract, card, verdicts, progress)
        staging.recall(contract, card, stored.span)
        drop_duplicates(staging, contract, card, stored.span)
        write_days(staging, contract, card, stored.span)
        loaded = count_rows(staging, card.batch_id)
        assert loaded.rows_read == stored.read, f"{card.input}: {stored.read} records read, {loaded} in the ledger"
        _write_log(staging, card, loaded, stored, started_at)
    return loaded


def _stop_if_known(staging: BatchSession, batch_id: str) -> None:
    found = staging.rows(
        "SELECT rows_accepted, rows_duplicate, rows_quarantined FROM ops.pipeline_logs WHERE batch_id = $batch_id",
        {"batch_id": batch_id},
    )
    if found:
        raise _KnownBatchError(Loaded(*found[0]))


@dataclass(frozen=True, slots=True)
class Stored:
    """What was stored of a batch: records read, days of the accepted ones, and how they differ from the usual."""

    read: int
    span: Span
    drift: str | None


def store_verdicts(
    session: BatchSession,
    contract: ContractType,
    card: BatchCard,
    verdicts: Iterable[Verdict],
    progress: Callable[[int], None],
) -> Stored:
    """Insert the verdicts' rows, duplicates included."""
    table, defaults = contract.table.name, _identity(contract)
    waiting = pl.DataFrame(schema=polars_schema(contract))
    read, span = 0, None
    drift: dict[str, None] = {}
    with closing(in_background(verdicts)) as ahead:
        for verdict in ahead:
            waiting = pl.concat([waiting, verdict.accepted])
            whole = waiting.height - waiting.height % ROWS_PER_INSERT
            if whole:
                session.insert(table, waiting.head(whole), defaults)
                waiting = waiting.slice(whole)
            if verdict.rejected.height:
                session.insert(Quarantine.table.name, _as_quarantine(card, verdict.rejected))
            read += verdict.accepted.height + verdict.rejected.height
            span = _widen(span, verdict.accepted["event_date"])
            drift |= dict.fromkeys(verdict.drift)
            progress(read)
    session.insert(table, waiting, defaults)
    return Stored(read, span, "; ".join(drift) or None)


def _identity(contract: ContractType) -> dict[str, str]:
    """The key, and the SQL of what rows without get: the MD5 of what identifies them (times in µs)."""
    types = column_types(contract)
    parts = [f"epoch_us({quote(name)})" if types[name] == INSTANT else quote(name) for name in contract.table.identity]
    # Concat writes nothing for a null.
    return {contract.table.key[0]: f"md5(concat({', chr(31), '.join(parts)}))"} if parts else {}


def _widen(span: Span, dates: pl.Series) -> Span:
    first, last = dates.min(), dates.max()
    if not isinstance(first, dt.date) or not isinstance(last, dt.date):
        return span
    return (first, last) if span is None else (min(span[0], first), max(span[1], last))


def _as_quarantine(card: BatchCard, rejected: pl.DataFrame) -> pl.DataFrame:
    return rejected.with_columns(
        pl.lit(card.batch_id).alias("batch_id"),
        pl.lit(card.source).alias("source"),
        pl.lit(card.input).alias("input"),
        pl.lit(dt.datetime.now(dt.UTC)).alias("quarantined_at"),
    )


def drop_duplicates(session: BatchSession, contract: ContractType, card: BatchCard, span: Span) -> None:
    """Delete this batch's records that are there already, and note them in the temporary table `duplicates`.

    The one that was there first stays, within the batch the first. A rejected record is a duplicate only where the
    source delivers records again: in a file, two broken lines alike are two.
    """
    session.execute("CREATE OR REPLACE TEMP TABLE duplicates (position BIGINT, event_date DATE)")
    if span is not None:
        _drop_accepted_duplicates(session, contract, card.batch_id, span)
    if contract.table.redelivers:
        _drop_rejected_duplicates(session, card)


def _drop_rejected_duplicates(session: BatchSession, card: BatchCard) -> None:
    """A rejected record is known by its original text."""
    names = {"batch_id": card.batch_id, "source": card.source}
    session.execute(
        """
        INSERT INTO duplicates
        WITH ranked AS (
            SELECT batch_id, position, neighbour_date, row_number() OVER (
                PARTITION BY raw ORDER BY batch_id = $batch_id, position
            ) AS place
            FROM ops.quarantine
            WHERE source = $source AND raw IN (SELECT raw FROM ops.quarantine WHERE batch_id = $batch_id)
        )
        SELECT position, neighbour_date FROM ranked WHERE place > 1 AND batch_id = $batch_id
        """,
        names,
    )
    session.execute(
        "DELETE FROM ops.quarantine WHERE batch_id = $batch_id AND position IN (SELECT position FROM duplicates)",
        {"batch_id": card.batch_id},
    )


def _drop_accepted_duplicates(
    session: BatchSession, contract: ContractType, batch_id: str, span: tuple[dt.date, dt.date]
) -> None:
    """The same event always has the same time, so its duplicate is on the same day.

    Candidates are found by hash of the id, which is fast, and then compared exactly.
    """
    key, table = quote(contract.table.key[0]), quote_table(contract.table.name)
    # Days as literals, so that DuckDB skips what is stored for others.
    days = ", ".join(map(literal, _days_of(session, table, batch_id, span)))
    rows = f"(SELECT * FROM {table} WHERE event_date IN ({days}))"
    session.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE repeated AS
        SELECT hash({key}) AS code FROM {rows} GROUP BY 1 HAVING count(*) > 1
        """
    )
    if session.rows("SELECT count(*) FROM repeated") == [(0,)]:
        return
    session.execute(
        f"""
        INSERT INTO duplicates
        WITH ranked AS (
            SELECT batch_id, position, event_date, row_number() OVER (
                PARTITION BY {key} ORDER BY batch_id = $batch_id, position
            ) AS place
            FROM {rows} WHERE hash({key}) IN (SELECT code FROM repeated)
        )
        SELECT position, event_date FROM ranked WHERE place > 1 AND batch_id = $batch_id
        """,
        {"batch_id": batch_id},
    )
    session.execute(
        f"""
        DELETE FROM {table}
        WHERE event_date BETWEEN $first AND $last AND batch_id = $batch_id
            AND position IN (SELECT position FROM duplicates)
        """,
        {"first": span[0], "last": span[1], "batch_id": batch_id},
    )


def _days_of(session: BatchSession, table: str, batch_id: str, span: tuple[dt.date, dt.date]) -> list[dt.date]:
    """The days of a batch's events. They may be few and far apart: one late event, and the span is long."""
    days = session.rows(
        f"""
        SELECT DISTINCT event_date FROM {table}
        WHERE event_date BETWEEN $first AND $last AND batch_id = $batch_id
        """,
        {"first": span[0], "last": span[1], "batch_id": batch_id},
    )
    return sorted(day for (day,) in days)


def write_days(session: BatchSession, contract: ContractType, card: BatchCard, span: Span) -> None:
    """Count the batch's records by day; rejected ones without a day go to that of the accepted record before them.

    A batch none of whose records has a day is on no day.
    """
    first, last = span or (dt.date.max, dt.date.min)
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
        {"first": first, "last": last, "batch_id": card.batch_id, "source": card.source},
    )


def count_rows(session: BatchSession, batch_id: str) -> Loaded:
    """The batch's records by where they ended, counted in the tables themselves (and `duplicates`)."""
    counts = one(
        session,
        """
        SELECT
            (SELECT coalesce(sum(rows_accepted), 0)::BIGINT FROM ops.batch_days WHERE batch_id = $batch_id),
            (SELECT count(*) FROM duplicates),
            (SELECT count(*) FROM ops.quarantine WHERE batch_id = $batch_id)
        """,
        {"batch_id": batch_id},
    )
    return Loaded(*counts)


def _write_log(session: BatchSession, card: BatchCard, loaded: Loaded, stored: Stored, started_at: dt.datetime) -> None:
    first, last = stored.span or (None, None)
    row = {
        "batch_id": card.batch_id,
        "source": card.source,
        "input": card.input,
        "content_sha256": card.content_sha256,
        "rows_read": loaded.rows_read,
        "rows_accepted": loaded.rows_accepted,
        "rows_duplicate": loaded.rows_duplicate,
        "rows_quarantined": loaded.rows_quarantined,
        "error_rate": loaded.error_rate,
        "min_event_date": first,
        "max_event_date": last,
        "drift": stored.drift,
        "arrived_at": card.arrived_at,
        "started_at": started_at,
        "finished_at": dt.datetime.now(dt.UTC),
        "run_id": card.run_id,
    }
    names = ", ".join(row)
    values = ", ".join(f"${name}" for name in row)
    session.execute(f"INSERT INTO ops.pipeline_logs ({names}) VALUES ({values})", row)
