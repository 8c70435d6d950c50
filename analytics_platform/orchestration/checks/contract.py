"""The check `contract` of a table: one check for all rules, with a row per rule in its metadata.

Why not a check per rule: every check writes three events a run, 900 of them made a run over 50 rows take two minutes.
The history of a single rule is in `ops.rule_results`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import dagster as dg
import sqlglot

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.base import file_of
from analytics_platform.errors import count
from analytics_platform.warehouse import RuleResult

CONTRACT = "contract"


def contract_spec(key: dg.AssetKey) -> dg.AssetCheckSpec:
    """Specify the check on a table. It blocks: what is built from the table waits for it."""
    return dg.AssetCheckSpec(
        CONTRACT, asset=key, description="The rows keep every rule of the contract.", blocking=True
    )


def text_table(rows: Iterable[dict[str, str]]) -> dg.MetadataValue:
    """Make a metadata table of rows of text; the first row names the columns."""
    listed = list(rows)
    schema = dg.TableSchema([dg.TableColumn(name, "string") for name in (listed[0] if listed else ())])
    return dg.MetadataValue.table([dg.TableRecord(dict(row)) for row in listed], schema=schema)


def contract_result(key: dg.AssetKey, results: Sequence[RuleResult], query: str, days: str = "") -> dg.AssetCheckResult:
    """Report the audit of the rows that `query` gives for `days`: failing rules first, with sample rows and SQL.

    Fails with severity ERROR if a rule stopped the publication, with WARN if rows were published that broke one.
    """
    table = ".".join(key.path)
    failing = [result for result in results if not result.passed]
    stopped = any(result.blocks_publication for result in failing)
    metadata: dict[str, dg.MetadataValue] = {
        "rules": text_table(_row(result) for result in sorted(results, key=lambda result: result.passed)),
        "checked rows": dg.MetadataValue.int(max((result.checked for result in results), default=0)),
        "failing rules": dg.MetadataValue.int(len(failing)),
    }
    samples = [
        {
            "rule": result.rule,
            "value": row.get(result.rule.partition("__")[0], ""),
            "row": json.dumps(row, ensure_ascii=False),
        }
        for result in failing
        for row in result.sample
    ]
    if samples:
        metadata["sample"] = text_table(samples)
    if failing:
        metadata["what to do"] = dg.MetadataValue.text(_remedy(table, stopped, days))
    # Rows that were not published are not in the table: the query that made them finds them again.
    place = f"({query})" if stopped and query else table
    queries = [f"SELECT * FROM {place} WHERE {result.condition}" for result in failing if result.condition]
    further = [sqlglot.transpile(query, "duckdb", "duckdb", pretty=True, comments=False)[0] for query in queries]
    if further:
        metadata["look further"] = dg.MetadataValue.md("\n".join(f"```sql\n{sql};\n```" for sql in further))
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=CONTRACT,
        passed=not failing,
        severity=dg.AssetCheckSeverity.WARN if failing and not stopped else dg.AssetCheckSeverity.ERROR,
        description=summary(failing) if failing else None,
        metadata=metadata,
    )


def _row(result: RuleResult) -> dict[str, str]:
    share = result.failing / result.checked if result.checked else 0.0
    return {
        "rule": result.rule,
        "checked": f"{result.checked:,}",
        "failing": f"{result.failing:,}",
        "share": f"{share:.2%}",
        "severity": result.severity,
        "description": result.description,
    }


def summary(failing: Sequence[RuleResult]) -> str:
    """Write the rules that failed on one line, with how many rows break each."""
    return "; ".join(f"{result.rule}: {result.failing:,} of {count(result.checked, 'row')}" for result in failing)


def _remedy(table: str, stopped: bool, days: str) -> str:
    command = f"`analytics-platform materialize{days and ' --days '}{days}`"
    if stopped:
        return (
            f"Nothing of {table} was published: the rows are in the sample. Follow the table's SQL and its inputs to "
            f"where they come from; correct the source, the model or the rule ({file_of(CONTRACTS[table])}), "
            f"then run {command}."
        )
    return (
        f"The rows are published. Look at them in {table}; correct their source, or the rule if it is too strict "
        f"({file_of(CONTRACTS[table])}), then run {command}."
    )
