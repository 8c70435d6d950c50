"""The check `quarantine` of a gate: the share of records that the gate rejected in the batches of this run.

Rejected records are kept with their reason, so the check warns and stops nothing; too many of them stop the run
(error_rate). It also warns of own ids that several events have. It is about this run only: a check that counted all
batches ever loaded would stay on orange for ever.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import dagster as dg

from analytics_platform.contracts.base import file_of
from analytics_platform.contracts.ddl import own_id
from analytics_platform.contracts.sql import literal
from analytics_platform.errors import count
from analytics_platform.orchestration.checks.contract import text_table
from analytics_platform.sources.source import Source
from analytics_platform.warehouse import Loaded, RuleResult, Session
from analytics_platform.warehouse.ledger import count_rejections, touched_days
from analytics_platform.warehouse.session import with_neighbours

QUARANTINE = "quarantine"
SAMPLE_ROWS = 5
LATEST_LAYOUTS = 20

_TOTALS = """
SELECT coalesce(sum(rows_read), 0), coalesce(sum(rows_quarantined), 0) FROM ops.pipeline_logs WHERE source = $source
"""
_SHOWN = ("input", "line", "raw", "error_reason")
_SAMPLE = """
SELECT input, CAST(position AS VARCHAR), left(raw, 200), error_reason FROM ops.quarantine
WHERE source = $source ORDER BY quarantined_at DESC, position LIMIT $rows
"""
_LAYOUTS = """
SELECT input, CAST(drift AS VARCHAR) FROM ops.pipeline_logs WHERE source = $source AND drift IS NOT NULL
ORDER BY finished_at DESC LIMIT $rows
"""


def quarantine_spec(key: dg.AssetKey, source: Source) -> dg.AssetCheckSpec:
    """Specify the check on a gate."""
    share = source.contract.table.quarantine_warning
    return dg.AssetCheckSpec(
        QUARANTINE,
        asset=key,
        description=(
            f"At most {share:.0%} of the records that this run read were rejected, and no own id is that of several "
            "events. Rejected ones are kept, events with such ids too."
        ),
    )


def count_reasons(session: Session, source: Source, batches: Collection[str], read: int) -> Sequence[RuleResult]:
    """Count how the `read` records of these batches did against every reason for which the gate rejects a record."""
    condition, values = "source = $source AND list_contains($batches, batch_id)", {"batches": list(batches)}
    counts = count_rejections(session, condition, {"source": source.name, **values})
    return [
        RuleResult(reason, f"No record is rejected for «{reason}».", "warn", read, counts.get(reason, 0))
        for reason in dict.fromkeys((*source.reasons, *counts))
    ]


def quarantine_result(
    session: Session, key: dg.AssetKey, source: Source, reasons: Sequence[RuleResult], new: Mapping[str, Loaded]
) -> dg.AssetCheckResult:
    """Report the check, given how often each reason occurred in this run, and its batches by their id.

    All-time figures are metadata.
    """
    rejected, reused = (sum(getattr(each, name) for each in new.values()) for name in ("rows_quarantined", "id_reused"))
    read = reasons[0].checked if reasons else 0
    share, allowed = rejected / read if read else 0.0, source.contract.table.quarantine_warning
    all_read, all_rejected = session.one(_TOTALS, {"source": source.name})
    metadata: dict[str, dg.MetadataValue] = {
        "read in this run": dg.MetadataValue.int(read),
        "rejected in this run": dg.MetadataValue.int(rejected),
        "share": dg.MetadataValue.float(share),
        "warns above": dg.MetadataValue.float(allowed),
        "read, all batches": dg.MetadataValue.int(int(all_read)),
        "rejected, all batches": dg.MetadataValue.int(int(all_rejected)),
    }
    broken = sorted((reason for reason in reasons if reason.failing), key=lambda reason: -reason.failing)
    if broken:
        metadata["reasons"] = text_table({"reason": each.rule, "records": f"{each.failing:,}"} for each in broken)
        sample = session.rows(_SAMPLE, {"source": source.name, "rows": SAMPLE_ROWS})
        metadata["sample"] = text_table(dict(zip(_SHOWN, map(str, row), strict=True)) for row in sample)
        metadata["look further"] = dg.MetadataValue.md(
            "```sql\nSELECT input, position, raw, error_reason FROM ops.quarantine\n"
            f"WHERE source = '{source.name}'\nORDER BY quarantined_at DESC;\n```"
        )
        metadata["what to do"] = dg.MetadataValue.text(
            "Correct what writes these records and send them again; or, if they are right and the contract is not, "
            f"correct {file_of(source.contract)} and run `analytics-platform replay`. Then `analytics-platform "
            "materialize`."
        )
    if layouts := session.rows(_LAYOUTS, {"source": source.name, "rows": LATEST_LAYOUTS}):
        metadata["batches with another layout"] = text_table({"input": name, "drift": drift} for name, drift in layouts)
    found = f"{rejected:,} of {count(read, 'record')} rejected in this run ({share:.2%})." if read else None
    if reused:
        found = f"{found} {reused:,} accepted records have the own id of another event, see «ids used again»."
        metadata |= _describe_reuse(session, source, [batch for batch, each in new.items() if each.id_reused])
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=QUARANTINE,
        passed=share <= allowed and not reused,
        severity=dg.AssetCheckSeverity.WARN,
        description=found,
        metadata=metadata,
    )


def _describe_reuse(session: Session, source: Source, batches: Collection[str]) -> dict[str, dg.MetadataValue]:
    """Show some own ids that several events have, on the days of these batches."""
    own, table = own_id(source.contract), source.contract.table.name
    days = ", ".join(map(literal, with_neighbours(touched_days(session, list(batches)))))
    sql = (
        f"SELECT {own} AS id, count(*) AS events, min(event_at) AS first, max(event_at) AS last\nFROM {table}\n"
        f"WHERE {own} IS NOT NULL AND event_date IN ({days})\nGROUP BY 1 HAVING count(*) > 1 ORDER BY 2 DESC, 1"
    )
    rows, names = session.rows(f"{sql} LIMIT {SAMPLE_ROWS}"), ("id", "events", "first", "last")
    return {
        "ids used again": text_table(dict(zip(names, map(str, row), strict=True)) for row in rows),
        "all ids used again": dg.MetadataValue.md(f"```sql\n{sql};\n```"),
        "what an id used again means": dg.MetadataValue.text(
            "Events with the same own id but another client, name or time are different events: all are kept and "
            "counted. If they are one event, correct what sends them, take the batches out "
            f"(`analytics-platform withdraw {' '.join(batches)} --reason '…'`), send the events again, then run "
            "`analytics-platform materialize`."
        ),
    }
