"""Checks on what the gate refused: one per rule, judged over the stored quarantine. Refused rows are a warning by
themselves, since they are kept with their reason; too many of them stop the line (error_rate)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import dagster as dg

from analytics_platform.contracts.base import ContractType, file_of
from analytics_platform.ingest import Source
from analytics_platform.orchestration.checks.rules import sample_table
from analytics_platform.warehouse import Session

SAMPLE_ROWS = 5


def check_name(reason: str) -> str:
    """The name of the check for a reason: `client_id__missing` for `client_id: missing`."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", reason.replace(": ", "__"))


def gate_check_specs(key: dg.AssetKey, source: Source) -> list[dg.AssetCheckSpec]:
    """One spec per reason for which the gate refuses a row, and one for changes of the layout."""
    specs = [
        dg.AssetCheckSpec(check_name(reason), asset=key, description=f"No row is refused for «{reason}».")
        for reason in source.reasons
    ]
    drift = dg.AssetCheckSpec("layout__as_usual", asset=key, description="The latest batches have the usual columns.")
    return [*specs, drift]


def gate_check_results(session: Session, key: dg.AssetKey, source: Source) -> Iterator[dg.AssetCheckResult]:
    """Figures and sample rows per reason, over all stored batches of the source."""
    name = source.name
    read = int(
        str(_one(session, "SELECT coalesce(sum(rows_read), 0) FROM ops.pipeline_logs WHERE source = $source", name))
    )
    counts = {str(reason): int(str(rows)) for reason, rows in session.rows(_COUNTS, {"source": name})}
    for reason in source.reasons:
        failing = counts.get(reason, 0)
        metadata: dict[str, dg.MetadataValue] = {
            "refused rows": dg.MetadataValue.int(failing),
            "read rows": dg.MetadataValue.int(read),
            "refused share": dg.MetadataValue.float(failing / read if read else 0.0),
        }
        if failing:
            metadata["sample"] = sample_table(_sample(session, name, reason))
            metadata["look further"] = dg.MetadataValue.text(_all_of(name, reason))
        yield dg.AssetCheckResult(
            asset_key=key,
            check_name=check_name(reason),
            passed=failing == 0,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"{failing:,} of {read:,} rows refused. {_remedy(reason, source.contract)}."
            if failing
            else None,
            metadata=metadata,
        )
    yield _layout_result(session, key, name)


_RULES = "string_split(regexp_replace(error_reason, ' \\([^;]*\\)', '', 'g'), '; ')"
"""SQL: the rules a refused row broke, without what a parser says of the place."""

_COUNTS = f"""
SELECT rule, count(*) FROM (SELECT unnest({_RULES}) AS rule FROM ops.quarantine WHERE source = $source) GROUP BY rule
"""


def _remedy(reason: str, contract: ContractType) -> str:
    return (
        f"Correct what writes «{reason}» and send the records again; or, if they are right and the contract is not, "
        f"correct {file_of(contract)} and run `analytics-platform replay`"
    )


def _all_of(source: str, reason: str) -> str:
    """SQL that shows all the rows refused for a reason, for people to paste."""
    words = reason.replace("'", "''")
    return (
        "SELECT input, position, raw, error_reason FROM ops.quarantine\n"
        f"WHERE source = '{source}' AND contains(error_reason, '{words}')\nORDER BY quarantined_at DESC;"
    )


def _one(session: Session, sql: str, source: str) -> object:
    return session.rows(sql, {"source": source})[0][0]


def _sample(session: Session, source: str, reason: str) -> list[dict[str, str]]:
    rows = session.rows(
        f"""
        SELECT input, CAST(position AS VARCHAR), left(raw, 200), error_reason FROM ops.quarantine
        WHERE source = $source AND list_contains({_RULES}, $reason)
        ORDER BY quarantined_at DESC, position LIMIT $rows
        """,
        {"source": source, "reason": reason, "rows": SAMPLE_ROWS},
    )
    names = ("input", "line", "raw", "error_reason")
    return [dict(zip(names, map(str, row), strict=True)) for row in rows]


def _layout_result(session: Session, key: dg.AssetKey, source: str) -> dg.AssetCheckResult:
    rows = session.rows(
        """
        SELECT input, drift FROM ops.pipeline_logs WHERE source = $source AND drift IS NOT NULL
        ORDER BY finished_at DESC LIMIT 20
        """,
        {"source": source},
    )
    metadata: dict[str, dg.MetadataValue] = {"batches with another layout": dg.MetadataValue.int(len(rows))}
    if rows:
        metadata["latest"] = sample_table({"input": str(name), "drift": str(drift)} for name, drift in rows)
    return dg.AssetCheckResult(
        asset_key=key,
        check_name="layout__as_usual",
        passed=not rows,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=metadata,
    )
