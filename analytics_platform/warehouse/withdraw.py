"""Takes a batch back out: its rows, its quarantine and its place in the ledger. `ops.set_aside` keeps what it was.

Afterwards the tables are as if the batch had never arrived. A row that another batch has as a duplicate of a withdrawn
one has to come back: the batches with duplicates on its days are loaded again.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass, fields

import polars as pl

from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.ddl import polars_schema
from analytics_platform.contracts.ops import BatchDays
from analytics_platform.contracts.sql import quote_table
from analytics_platform.lake import Lake, Withdrawal
from analytics_platform.settings import Settings
from analytics_platform.sources.registry import SOURCES
from analytics_platform.warehouse.ledger import LEDGER_TABLES, set_aside, touched_days, unloaded_batches
from analytics_platform.warehouse.load import load_new_batches
from analytics_platform.warehouse.session import BatchCard, Session, WarehouseError
from analytics_platform.warehouse.touched import days_of_versions, days_to_build


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What a withdrawal came to: the batches that were loaded again, what is to be said of those that failed then.

    `days` is the range of days to build, empty if no event was taken out.
    """

    again: tuple[BatchCard, ...]
    failed: tuple[str, ...]
    days: str


def withdraw_batch(
    session: Session, settings: Settings, lake: Lake, card: BatchCard, reason: str, decided_by: str
) -> Withdrawn:
    """Take a batch back out, be it loaded, set aside or only in the lake, and let no run load it again.

    Killed after the transaction, the next run loads what is to be loaded again. Raises `WarehouseError` if the batch is
    withdrawn already, or if a batch that must be loaded again is not in the lake.
    """
    source = SOURCES[card.source]
    contract, batch = source.contract, [card.batch_id]
    session.ensure(contract, *LEDGER_TABLES)
    for withdrawn in unloaded_batches(session, "withdrawn"):
        if withdrawn.batch_id == card.batch_id:
            raise WarehouseError(str(withdrawn))
    versions = days_of_versions(session, batch)
    withdrawal = Withdrawal(reason, decided_by, dt.datetime.now(dt.UTC))
    with session.transaction(contract.table.name):
        again = with_duplicates(session, contract, card)
        for each in again:
            if lake.batch_with(each.source, each.content_sha256) is None:
                raise WarehouseError(
                    f"Batch {card.batch_id} cannot be withdrawn: batch {each.batch_id} ({each.input}) may have "
                    f"duplicates of it, and cannot be loaded again: {lake.missing(each.source, each.content_sha256)}."
                )
        set_aside(session, card, "withdrawn", **asdict(withdrawal))
        days = {*touched_days(session, batch), *versions}
        # Loaded again, it needs another decision: that it was accepted was for what it brought then.
        session.execute("DELETE FROM ops.acceptances WHERE batch_id = $batch_id", {"batch_id": card.batch_id})
        take_out(session, contract, [card.batch_id, *(each.batch_id for each in again)])
        # Days without rows stay in the ledger: they are what is to be built again, also after a kill.
        rows = [(card.batch_id, card.source, day, 0, 0, 0) for day in days]
        session.insert(BatchDays.table.name, pl.DataFrame(rows, polars_schema(BatchDays), orient="row"))
        lake.withdraw(card.source, card.content_sha256, withdrawal)  # a warehouse that is built again asks the lake
    ids = {each.batch_id for each in again}
    for _ in load_new_batches(source, session, settings, lake, "withdraw", ids):
        pass
    failed = {each.batch_id: str(each) for each in unloaded_batches(session) if each.batch_id in ids}
    loaded = tuple(each for each in again if each.batch_id not in failed)
    return Withdrawn(loaded, tuple(failed.values()), days_to_build(session, [card.batch_id, *ids], settings))


def with_duplicates(session: Session, contract: ContractType, card: BatchCard) -> list[BatchCard]:
    """Return the other batches whose duplicates may be of rows of this one.

    The same event is on the same day. A rejected record that was delivered again may have no day.
    """
    columns = ", ".join(field.name for field in fields(BatchCard))
    rows = session.rows(
        f"""
        SELECT {columns} FROM ops.pipeline_logs AS logs
        WHERE source = $source AND batch_id <> $batch_id AND rows_duplicate > 0 AND (
            EXISTS (
                SELECT 1 FROM ops.batch_days AS mine INNER JOIN ops.batch_days AS theirs USING (event_date)
                WHERE mine.batch_id = $batch_id AND theirs.batch_id = logs.batch_id
            )
            OR $redelivers AND EXISTS (SELECT 1 FROM ops.quarantine WHERE batch_id = $batch_id)
        ) AND EXISTS (SELECT 1 FROM ops.pipeline_logs WHERE batch_id = $batch_id)
        ORDER BY arrived_at, input
        """,
        {"source": card.source, "batch_id": card.batch_id, "redelivers": contract.table.redelivers},
    )
    return [BatchCard(*row) for row in rows]


def take_out(session: Session, contract: ContractType, batch_ids: list[str]) -> None:
    """Delete all that these batches brought."""
    batches = {"batches": batch_ids}
    first, last = session.one(
        "SELECT min(event_date), max(event_date) FROM ops.batch_days WHERE list_contains($batches, batch_id)", batches
    )
    if first is not None:
        session.execute(
            f"DELETE FROM {quote_table(contract.table.name)} "
            "WHERE event_date BETWEEN $first AND $last AND list_contains($batches, batch_id)",
            {"first": first, "last": last, **batches},
        )
    for table in ("ops.quarantine", "ops.batch_days", "ops.person_links", "ops.pipeline_logs"):
        session.execute(f"DELETE FROM {table} WHERE list_contains($batches, batch_id)", batches)
