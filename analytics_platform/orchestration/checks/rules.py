"""From a contract to its asset checks: one check per rule, with its own history, figures and sample rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import dagster as dg

from analytics_platform.contracts import CONTRACTS
from analytics_platform.contracts.base import ContractType, file_of
from analytics_platform.warehouse import RuleResult, rule_descriptions


def check_specs(key: dg.AssetKey, contract: ContractType) -> list[dg.AssetCheckSpec]:
    """One spec per rule of the contract; rules that stop the line are blocking."""
    return [
        dg.AssetCheckSpec(name=name, asset=key, description=description, blocking=severity == "error")
        for name, (description, severity) in rule_descriptions(contract).items()
    ]


def sample_table(sample: Iterable[dict[str, str]]) -> dg.MetadataValue:
    """Rows as a metadata table."""
    rows = list(sample)
    schema = dg.TableSchema([dg.TableColumn(name, "string") for name in rows[0]]) if rows else dg.TableSchema([])
    return dg.MetadataValue.table([dg.TableRecord(dict(row)) for row in rows], schema=schema)


def _remedy(key: dg.AssetKey, result: RuleResult) -> str:
    table = ".".join(key.path)
    if result.severity == "error":
        return (
            f"Nothing of {table} was published: the rows are in the sample. Follow the table's SQL and its inputs to "
            f"where they come from; correct the source, the model or the rule ({file_of(CONTRACTS[table])}), "
            "then build the days again."
        )
    return f"The rows are published. Look at them in {table}; correct their source, or the rule if it is too strict."


def _description(key: dg.AssetKey, result: RuleResult) -> str:
    return f"{result.failing:,} of {result.checked:,} rows break it. {_remedy(key, result)}"


def check_results(key: dg.AssetKey, results: Iterable[RuleResult]) -> Iterator[dg.AssetCheckResult]:
    """What the audit found, one result per rule."""
    for result in results:
        metadata: dict[str, dg.MetadataValue] = {
            "failing rows": dg.MetadataValue.int(result.failing),
            "checked rows": dg.MetadataValue.int(result.checked),
            "failing share": dg.MetadataValue.float(result.failing / result.checked if result.checked else 0.0),
        }
        if result.sample:
            metadata["sample"] = sample_table(result.sample)
        yield dg.AssetCheckResult(
            asset_key=key,
            check_name=result.rule,
            passed=result.passed,
            severity=dg.AssetCheckSeverity.ERROR if result.severity == "error" else dg.AssetCheckSeverity.WARN,
            description=None if result.passed else _description(key, result),
            metadata=metadata,
        )
