"""The watchdog's questions whether what is stored fits together: tables with the ledger, days with their models."""

from __future__ import annotations

import datetime as dt

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.base import is_gated
from analytics_platform.contracts.ddl import json_columns
from analytics_platform.contracts.sql import literal, quote, quote_table
from analytics_platform.errors import count
from analytics_platform.settings import Settings
from analytics_platform.transform import DayRange, Query, all_models, plan
from analytics_platform.warehouse.observation import LEDGER, Observation, lacks, not_checked
from analytics_platform.warehouse.session import Session

GATED = tuple(name for name, contract in CONTRACTS.items() if is_gated(contract))


def is_conserved(session: Session, settings: Settings, now: dt.datetime) -> Observation:
    """Check that every row read is accepted, duplicate or quarantined, and the tables hold what the ledger says."""
    if lacks(session, *LEDGER):
        return not_checked("conservation", "nothing was ever loaded")
    torn, *noted = session.one(
        """
        SELECT
            count(*) FILTER (rows_read <> rows_accepted + rows_duplicate + rows_quarantined),
            coalesce(sum(rows_accepted), 0), coalesce(sum(rows_quarantined), 0)
        FROM ops.pipeline_logs
        """
    )
    stored = [sum(session.count(name) for name in GATED if not lacks(session, name)), session.count("ops.quarantine")]
    seen = f"{count(stored[0], 'row')} accepted and {stored[1]:,} quarantined are stored, "
    seen += "as the ledger says" if stored == noted else f"but the ledger says {noted[0]} and {noted[1]}"
    passed = stored == noted and torn == 0
    return Observation("conservation", passed, seen, "" if passed else _reload(_changed_batches(session)))


def _changed_batches(session: Session) -> list[str]:
    """List the batches of which not as many rows are stored as the ledger says."""
    tables = ["ops.quarantine", *(name for name in GATED if not lacks(session, name))]
    counts = (f"SELECT batch_id, {int(name == tables[0])} AS bad FROM {quote_table(name)}" for name in tables)
    rows = session.rows(
        f"""
        SELECT logs.batch_id FROM ops.pipeline_logs AS logs LEFT JOIN (
            SELECT batch_id, sum(1 - bad) AS good, sum(bad) AS bad FROM ({" UNION ALL ".join(counts)}) AS stored
            GROUP BY batch_id
        ) AS found ON logs.batch_id = found.batch_id
        WHERE coalesce(good, 0) <> rows_accepted OR coalesce(bad, 0) <> rows_quarantined
            OR rows_read <> rows_accepted + rows_duplicate + rows_quarantined
        ORDER BY 1
        """
    )
    return [batch for (batch,) in rows]


def _reload(batches: list[str]) -> str:
    if not batches:
        return "Rows of no batch were added by hand: delete them, or build the warehouse again from the lake."
    ids = " ".join(batches)
    return (
        f"Rows were changed by hand: load their batches again: `analytics-platform withdraw {ids} --reason 'changed by "
        f"hand'`, `analytics-platform replay {ids}`, `analytics-platform materialize`."
    )


def is_as_if_built_at_once(session: Session, settings: Settings, now: dt.datetime) -> Observation:
    """Check that a sampled day of every table with days is what its model gives for that day now."""
    models = [name for name in all_models() if CONTRACTS[name].table.write == "days"]
    days = "SELECT DISTINCT event_date FROM star.fact_events ORDER BY 1"
    built = [] if lacks(session, *models, "star.fact_events") else session.rows(days)
    if not built:
        return not_checked("incremental", "no day is built yet")
    (day,) = built[now.date().toordinal() % len(built)]
    stale = [f"{name} ({words})" for name in models if (words := _differences(session, settings, name, day))]
    if not stale:
        return Observation("incremental", True, f"{day} is as if built at once, in all {len(models)} tables")
    remedy = f"Build the day again: `analytics-platform materialize --days {day}`."
    return Observation("incremental", False, f"{day} is behind in {', '.join(stale)}", remedy)


def _differences(session: Session, settings: Settings, name: str, day: dt.date) -> str:
    """Say how many rows of a day are not those that the model gives now, with the key of one; empty if all are."""
    table = CONTRACTS[name].table
    query = plan(all_models()[name], DayRange(day, day), settings.model_values)
    # A document may be written in another way than it was computed, and mean the same: what is made of it is compared.
    documents = json_columns(CONTRACTS[name])
    columns = ", ".join(quote(column) for column in CONTRACTS[name].columns if column not in documents)
    of_day = f"{quote(table.partition or '')} = {literal(day)}"
    key = ", ".join(f"{literal(column)}, ' ', CAST({quote(column)} AS VARCHAR), ' '" for column in table.key)
    sql = f"""
        WITH stored AS (SELECT {columns} FROM {quote_table(name)} WHERE {of_day}),
            computed AS (SELECT {columns} FROM ({query.sql})),
            differing AS ((FROM stored EXCEPT ALL FROM computed) UNION ALL (FROM computed EXCEPT ALL FROM stored))
        SELECT count(DISTINCT concat({key})), min(trim(concat({key}))) FROM differing
    """
    ((rows, example),) = session.frame(Query(sql, query.parameters, {**query.inputs, name: of_day})).rows()
    return f"{count(rows, 'row')}, such as {example}" if rows else ""
