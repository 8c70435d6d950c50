"""Loads batches: accepted rows, rejected rows, ledger and audit log in one transaction, duplicates left out.

A batch is in the ledger exactly once. Killed anywhere, nothing of it is there, and a re-run loads it whole.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import groupby, islice

import polars as pl

from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.ddl import identity_sql, own_id, polars_schema
from analytics_platform.contracts.ops import PipelineLogs, Quarantine
from analytics_platform.contracts.sql import literal, quote, quote_table
from analytics_platform.gate import Verdict
from analytics_platform.gate.ahead import in_background
from analytics_platform.lake import Batch, Lake, batch_id_of
from analytics_platform.progress import progress_bar
from analytics_platform.settings import Settings
from analytics_platform.sources.source import Source
from analytics_platform.warehouse.duckdb import ROW_GROUP, DuckDBSession
from analytics_platform.warehouse.faults import explain_fault
from analytics_platform.warehouse.ledger import LEDGER_TABLES, TEXT_ID, known_batches, set_aside, without_withdrawn
from analytics_platform.warehouse.persons import write_links
from analytics_platform.warehouse.session import NOTHING, BatchCard, Loaded, Session, Span, of_batches, with_neighbours

ROWS_PER_INSERT = ROW_GROUP
"""Number of accepted rows that are written at a time, in whole row groups: for two threads, and little memory."""

BYTES_PER_INSERT = 128 << 20
"""Size of fewer rows that are written all the same: rows of 5 MB would fill the memory before they are that many."""

# DuckDB keeps the text of a row group in memory: 700 rejected records of 1 MB could never be committed.
LONGEST_TEXT, TEXT_OF_A_BATCH, SHORT_TEXT = 100_000, 32_000_000, 200
"""Characters of a rejected record, and of all those of a batch, that quarantine keeps; of the rest it keeps a few."""

SMALL_BYTES, TOGETHER = 1 << 18, 50
"""Size of a small batch, and how many small ones are loaded in one transaction: its cost is that of many rows."""


class _KnownBatchError(Exception):
    """The batch is in the ledger already; the argument is where its records ended, as `Loaded`."""


def load_new_batches(
    source: Source,
    session: Session,
    settings: Settings,
    lake: Lake,
    run_id: str,
    only: Collection[str] | None = None,
    among: Sequence[Batch] | None = None,
) -> Iterator[tuple[Batch, Loaded]]:
    """Put the batches that were not loaded yet through the gate and into the warehouse, small neighbours together.

    All of them, or those in `only`. A batch that fails is set aside with the reason, and the others are loaded. Given
    `among`, no others are looked at: a lake has many, and a ledger too.
    """
    session.ensure(source.contract)
    batches = lake.batches(source.name) if among is None else among
    known = known_batches(session, None if among is None else [each.batch_id for each in among])
    # An erasure that was killed leaves a batch and the one that replaces it: one is loaded or to be loaded, never both.
    known |= {each.batch_id for each in batches if known & {batch_id_of(source.name, x) for x in each.replaces}}
    known |= {batch_id_of(source.name, content) for each in batches for content in each.replaces}
    new = [each for each in batches if each.batch_id not in known and (only is None or each.batch_id in only)]
    for is_small, run in groupby(without_withdrawn(session, new, run_id), lambda batch: batch.size <= SMALL_BYTES):
        while group := [*islice(run, TOGETHER if is_small else 1)]:
            yield from _load_together(source, session, settings, run_id, group)


def _load_together(
    source: Source, session: Session, settings: Settings, run_id: str, group: Sequence[Batch]
) -> Iterator[tuple[Batch, Loaded]]:
    """Load batches in one transaction; if that fails, each by itself, and set those aside that fail then."""
    cards = {BatchCard.of(batch, run_id): source.validate(batch, settings) for batch in group}
    faults: tuple[type[Exception], ...] = (_KnownBatchError, *session.FAULTS)
    try:
        with progress_bar(group[0].name if len(group) == 1 else f"{len(group)} small batches") as report:
            loaded = load_batches(session, source.contract, cards, report)
    except faults as error:
        why = explain_fault(error)
        if len(group) > 1:
            for batch in group:
                yield from _load_together(source, session, settings, run_id, [batch])
        elif isinstance(error, _KnownBatchError):
            yield group[0], error.args[0]
        else:
            with session.transaction():
                set_aside(session, BatchCard.of(group[0], run_id), "failed", why)
    else:
        yield from ((batch, loaded[batch.batch_id]) for batch in group)


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
    session.ensure(contract, *LEDGER_TABLES)
    try:
        return load_batches(session, contract, {card: verdicts}, progress)[card.batch_id]
    except _KnownBatchError as error:
        loaded: Loaded = error.args[0]
        return loaded


def load_batches(
    session: Session,
    contract: ContractType,
    cards: Mapping[BatchCard, Iterable[Verdict]],
    progress: Callable[[int], None],
) -> dict[str, Loaded]:
    """Store the verdicts over batches in one transaction, as if one was loaded after the other; by batch id.

    Raises `_KnownBatchError` if one of them was loaded meanwhile, and what `load_batch` does; nothing is stored then.
    """
    started_at, span = dt.datetime.now(dt.UTC), None
    with session.batch(contract, list(cards)) as staging:
        sql = f"SELECT {', '.join(asdict(NOTHING))} FROM ops.pipeline_logs WHERE {of_batches(cards)}"
        for known in staging.rows(sql):
            raise _KnownBatchError(Loaded(*known))
        stored = store_verdicts(staging, contract, cards, progress)
        if days := [day for each in stored.values() for day in each.span or ()]:
            span = min(days), max(days)
        drop_duplicates(staging, contract, list(cards), span)
        write_days(staging, contract, list(cards), span)
        write_links(staging, contract, list(cards), span)
        loaded = count_rows(staging, cards)
        for card in cards:
            read, ends = stored[card.batch_id].read, loaded[card.batch_id]
            assert ends.rows_read == read, f"{card.input}: {read} records read, {ends} in the ledger"
        _write_log(staging, cards, loaded, stored, started_at)
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
    cards: Mapping[BatchCard, Iterable[Verdict]],
    progress: Callable[[int], None],
) -> dict[str, StoredVerdicts]:
    """Insert the verdicts' rows, duplicates included. Returns what was stored by batch id."""
    table, defaults = contract.table.name, identity_sql(contract)
    waiting = [pl.DataFrame(schema=polars_schema(contract))]
    read, kept, height, size = dict.fromkeys(cards, 0), dict.fromkeys(cards, 0), 0, 0
    days, drift = {card: set[dt.date]() for card in cards}, {card: dict[str, None]() for card in cards}
    with closing(in_background((card, verdict) for card in cards for verdict in cards[card])) as ahead:
        for card, verdict in ahead:
            waiting.append(verdict.accepted)
            height, size = height + verdict.accepted.height, size + int(verdict.accepted.estimated_size())
            if height >= ROWS_PER_INSERT or size >= BYTES_PER_INSERT:
                together, whole = pl.concat(waiting), height // ROWS_PER_INSERT * ROWS_PER_INSERT or height
                session.insert(table, together.head(whole), defaults)
                rest = together.slice(whole)
                waiting, height, size = [rest], rest.height, int(rest.estimated_size())
            if verdict.rejected.height:
                known = {name: pl.lit(getattr(card, name)) for name in ("batch_id", "source", "input")}
                rejected = cut_texts(verdict.rejected, kept[card])
                kept[card] += int(rejected["raw"].str.len_chars().sum())
                rejected = rejected.with_columns(quarantined_at=dt.datetime.now(dt.UTC), **known)
                session.insert(Quarantine.table.name, rejected)
            read[card] += verdict.accepted.height + verdict.rejected.height
            days[card].update(verdict.accepted["event_date"].unique())
            drift[card] |= dict.fromkeys(verdict.drift)
            progress(sum(read.values()))
    session.insert(table, pl.concat(waiting), defaults)
    return {
        card.batch_id: StoredVerdicts(
            read[card], (min(days[card]), max(days[card])) if days[card] else None, "; ".join(drift[card]) or None
        )
        for card in cards
    }


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


def drop_duplicates(session: DuckDBSession, contract: ContractType, cards: Sequence[BatchCard], span: Span) -> None:
    """Delete these batches' records that are stored already, and note them in the temporary table `duplicates`.

    The record that was stored first stays, of those of these batches the first. A rejected record is a duplicate only
    where the source delivers records again: in a file, two equal broken lines are two records. Accepted records whose
    own id another event within a day had before are noted in the temporary table `reused`.
    """
    session.recall(contract, cards, span)
    for name in ("duplicates", "reused"):
        session.execute(f"CREATE OR REPLACE TEMP TABLE {name} (batch_id VARCHAR, position BIGINT, event_date DATE)")
    if span is not None:
        _drop_accepted(session, contract, cards, span)
    if contract.table.redelivers:
        # A rejected record is known by its original text.
        rows = f"""
            (SELECT * FROM ops.quarantine WHERE source = {literal(contract.table.source)} AND {TEXT_ID} IN (
                SELECT {TEXT_ID} FROM ops.quarantine WHERE {of_batches(cards)}
            ))
        """
        _note_later("duplicates", session, rows, TEXT_ID, cards, "neighbour_date")
        session.execute(f"DELETE FROM ops.quarantine WHERE {_is_duplicate(cards)}")


def _is_duplicate(cards: Sequence[BatchCard]) -> str:
    return f"{of_batches(cards)} AND (batch_id, position) IN (SELECT batch_id, position FROM duplicates)"


def _note_later(
    noted: str, session: DuckDBSession, rows: str, same: str, cards: Sequence[BatchCard], day: str = "event_date"
) -> None:
    """Note in the table `noted` the rows of the batches that have a row with the `same` before them in `rows`.

    Each has its `day`.
    """
    session.execute(
        f"""
        INSERT INTO {noted}
        WITH ranked AS (
            SELECT batch_id, position, {day} AS event_date, row_number() OVER (
                PARTITION BY {same} ORDER BY coalesce(list_position($batches, batch_id), 0), position
            ) AS place
            FROM {rows}
        )
        SELECT batch_id, position, event_date FROM ranked WHERE place > 1 AND {of_batches(cards)}
        """,
        {"batches": [card.batch_id for card in cards]},
    )


def _drop_accepted(
    session: DuckDBSession, contract: ContractType, cards: Sequence[BatchCard], span: tuple[dt.date, dt.date]
) -> None:
    """Delete accepted rows that are stored already, and note own ids of others that are used again.

    The same event has the same time, so both are on the same day.
    """
    key, table, own = contract.table.key[0], quote_table(contract.table.name), own_id(contract)
    on_days, values = "event_date BETWEEN $first AND $last", _limits(span)
    sql = f"SELECT DISTINCT event_date FROM {table} WHERE {on_days} AND {of_batches(cards)} ORDER BY 1"
    days = [day for (day,) in session.rows(sql, values)]
    _note_repeated("duplicates", session, table, days, key, cards)
    if session.count("duplicates"):
        session.execute(f"DELETE FROM {table} WHERE {on_days} AND {_is_duplicate(cards)}", values)
    if own is not None:
        _note_repeated("reused", session, table, with_neighbours(days), own, cards, of_batches(cards))


def _note_repeated(
    noted: str,
    session: DuckDBSession,
    table: str,
    days: Iterable[dt.date],
    name: str,
    cards: Sequence[BatchCard],
    mine: str = "",
) -> None:
    """Note in the table `noted` the rows of the batches that have a row with the same value before them on some days.

    Candidates are found by hash of the value in the column `name`, which is fast, and then compared exactly. Values of
    rows that are `mine` are enough: fewer are grouped where the batches are small beside their days.
    """
    column = quote(name)
    # Days as literals, so that DuckDB skips what is stored for others. They may be few and far apart: one late event,
    # and the span is long.
    rows = f"{table} WHERE event_date IN ({', '.join(map(literal, days)) or 'NULL'}) AND {column} IS NOT NULL"
    codes = f"SELECT hash({column}) AS code FROM {rows}"
    some = f"AND hash({column}) IN ({codes} AND {mine})" if mine else ""
    session.execute(f"CREATE OR REPLACE TEMP TABLE repeated AS {codes} {some} GROUP BY 1 HAVING count(*) > 1")
    if session.count("repeated"):
        _note_later(noted, session, f"{rows} AND hash({column}) IN (SELECT code FROM repeated)", column, cards)


def _limits(span: Span) -> dict[str, dt.date]:
    """Return the parameters `first` and `last` of a condition on days; without a span no day fulfils it."""
    first, last = span or (dt.date.max, dt.date.min)
    return {"first": first, "last": last}


def write_days(session: DuckDBSession, contract: ContractType, cards: Sequence[BatchCard], span: Span) -> None:
    """Count the batches' records by day. Rejected ones without a day go to the day of the accepted record before them.

    A batch none of whose records has a day is on no day.
    """
    session.execute(
        f"""
        INSERT INTO ops.batch_days BY NAME
        WITH accepted AS (
            SELECT batch_id, event_date, count(*) AS records FROM {quote_table(contract.table.name)}
            WHERE event_date BETWEEN $first AND $last AND {of_batches(cards)} GROUP BY ALL
        ),
        dated AS (
            SELECT batch_id, event_date, count(*) AS records FROM duplicates WHERE event_date IS NOT NULL GROUP BY ALL
        ),
        known AS (
            SELECT batch_id, event_date, sum(records) AS records FROM (FROM accepted UNION ALL FROM dated) GROUP BY ALL
        ),
        main_day AS (
            SELECT batch_id, event_date FROM known
            QUALIFY row_number() OVER (PARTITION BY batch_id ORDER BY records DESC, event_date) = 1
        ),
        duplicate AS (
            SELECT batch_id, coalesce(each.event_date, main_day.event_date) AS event_date, count(*) AS records
            FROM duplicates AS each LEFT JOIN main_day USING (batch_id) GROUP BY ALL
        ),
        rejected AS (
            SELECT
                each.batch_id,
                coalesce(own.event_date, neighbour.event_date, main_day.event_date) AS event_date,
                count(*) AS records
            FROM (SELECT batch_id, event_date, neighbour_date FROM ops.quarantine WHERE {of_batches(cards)}) AS each
            LEFT JOIN known AS own ON each.batch_id = own.batch_id AND each.event_date = own.event_date
            LEFT JOIN known AS neighbour
                ON each.batch_id = neighbour.batch_id AND each.neighbour_date = neighbour.event_date
            LEFT JOIN main_day ON each.batch_id = main_day.batch_id
            GROUP BY ALL
        )
        SELECT
            known.batch_id, $source AS source, known.event_date,
            coalesce(accepted.records, 0) AS rows_accepted,
            coalesce(duplicate.records, 0) AS rows_duplicate,
            coalesce(rejected.records, 0) AS rows_quarantined
        FROM known LEFT JOIN accepted USING (batch_id, event_date) LEFT JOIN duplicate USING (batch_id, event_date)
        LEFT JOIN rejected USING (batch_id, event_date)
        """,
        {"source": contract.table.source, **_limits(span)},
    )


def count_rows(session: DuckDBSession, cards: Iterable[BatchCard]) -> dict[str, Loaded]:
    """Count the batches' records by where they ended, in the tables themselves, `duplicates`, `reused`; by batch id."""
    found = session.rows(
        """
        SELECT
            batch_id,
            (SELECT coalesce(sum(rows_accepted), 0)::BIGINT FROM ops.batch_days AS d WHERE d.batch_id = each.batch_id),
            (SELECT count(*) FROM duplicates AS d WHERE d.batch_id = each.batch_id),
            (SELECT count(*) FROM ops.quarantine AS q WHERE q.batch_id = each.batch_id),
            (SELECT count(*) FROM reused AS r WHERE r.batch_id = each.batch_id)
        FROM (SELECT unnest($batches) AS batch_id) AS each
        """,
        {"batches": [card.batch_id for card in cards]},
    )
    return {batch: Loaded(*counts) for batch, *counts in found}


def _write_log(
    session: DuckDBSession,
    cards: Iterable[BatchCard],
    loaded: Mapping[str, Loaded],
    stored: Mapping[str, StoredVerdicts],
    started_at: dt.datetime,
) -> None:
    rows = []
    for card in cards:
        ends, (first, last) = loaded[card.batch_id], stored[card.batch_id].span or (None, None)
        own = {"rows_read": ends.rows_read, "error_rate": ends.error_rate, "drift": stored[card.batch_id].drift}
        times = {"started_at": started_at, "finished_at": dt.datetime.now(dt.UTC)}
        rows.append(asdict(card) | asdict(ends) | own | times | {"min_event_date": first, "max_event_date": last})
    session.insert(PipelineLogs.table.name, pl.DataFrame(rows, polars_schema(PipelineLogs)))
