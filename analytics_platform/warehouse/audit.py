"""Checks stored rows against their contract in SQL, where the rows lie: one pass for all rules over single rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.rules import Severity
from analytics_platform.contracts.sql import quote, quote_table

SAMPLE_ROWS = 5
UNIQUE = "primary_key__unique"
COLUMNS = "columns__as_promised"


@dataclass(frozen=True, slots=True)
class RuleResult:
    """How rows did against one rule. `sample` holds up to `SAMPLE_ROWS` failing rows as column → text,
    `condition` is the SQL that selects failing rows of the table, where one row is enough to tell."""

    rule: str
    description: str
    severity: Severity
    checked: int
    failing: int
    sample: tuple[dict[str, str], ...] = ()
    condition: str = ""

    @property
    def passed(self) -> bool:
        """True if no row broke the rule."""
        return self.failing == 0

    @property
    def blocks_publication(self) -> bool:
        """True if rows broke a rule that must not be broken."""
        return self.failing > 0 and self.severity == "error"


def rule_descriptions(contract: ContractType) -> dict[str, tuple[str, Severity]]:
    """Every check a table is audited with: name → (description, severity), in the order they run."""
    table = contract.table
    found: dict[str, tuple[str, Severity]] = {
        COLUMNS: ("The table has exactly the columns and types of its contract.", "error")
    }
    found |= {rule.name: (rule.description, rule.severity) for rule in contract.rules}
    key = ", ".join(table.key)
    found[UNIQUE] = (f"No two rows have the same {key}.", "error")
    for column, dimension in table.foreign_keys.items():
        found[f"{column}__known"] = (f"Every {column} exists in {dimension}.", "error")
    return found


def audit(connection: duckdb.DuckDBPyConnection, contract: ContractType, part: str) -> tuple[RuleResult, ...]:
    """Validate the rows of `part`, a quoted table or a parenthesized query with the contract's columns."""
    return tuple(_judge(connection, contract, part))


def _judge(connection: duckdb.DuckDBPyConnection, contract: ContractType, part: str) -> Iterator[RuleResult]:
    described = rule_descriptions(contract)
    rules = contract.rules
    counts = ", ".join(["count(*)", *(f"count(*) FILTER (WHERE NOT ({rule.sql}))" for rule in rules)])
    checked, *failing = _row(connection, f"SELECT {counts} FROM {part}")
    yield RuleResult(COLUMNS, *described[COLUMNS], checked=checked, failing=0)
    for rule, count in zip(rules, failing, strict=True):
        sample = _sample(connection, f"SELECT * FROM {part} WHERE NOT ({rule.sql})") if count else ()
        yield RuleResult(rule.name, *described[rule.name], checked, count, sample, f"NOT ({rule.sql})")
    yield _judge_key(connection, contract, part, checked)
    for column, dimension in contract.table.foreign_keys.items():
        yield _judge_reference(connection, part, column, dimension, checked, described[f"{column}__known"])


def _judge_key(connection: duckdb.DuckDBPyConnection, contract: ContractType, part: str, checked: int) -> RuleResult:
    """Uniqueness of the key: counted by hash, which is fast, and looked at exactly only if that finds duplicates."""
    description = rule_descriptions(contract)[UNIQUE]
    key = ", ".join(quote(name) for name in contract.table.key)
    distinct = _row(connection, f"SELECT count(DISTINCT hash({key})) FROM {part}")[0]
    if distinct == checked:
        return RuleResult(UNIQUE, *description, checked=checked, failing=0)
    duplicates = f"SELECT {key}, count(*) AS rows FROM {part} GROUP BY {key} HAVING count(*) > 1"
    failing = _row(connection, f"SELECT coalesce(sum(rows - 1), 0)::BIGINT FROM ({duplicates})")[0]
    return RuleResult(UNIQUE, *description, checked, failing, _sample(connection, duplicates))


def _judge_reference(
    connection: duckdb.DuckDBPyConnection,
    part: str,
    column: str,
    dimension: str,
    checked: int,
    described: tuple[str, Severity],
) -> RuleResult:
    name, key = quote(column), quote(CONTRACTS[dimension].table.key[0])
    members = quote_table(dimension)
    lost = f"SELECT * FROM {part} AS facts ANTI JOIN {members} AS dimension ON facts.{name} = dimension.{key}"
    failing = _row(connection, f"SELECT count(*) FROM ({lost})")[0]
    sample = _sample(connection, lost) if failing else ()
    return RuleResult(f"{column}__known", *described, checked, failing, sample)


def _row(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[int, ...]:
    row = connection.execute(sql).fetchone()
    assert row is not None
    return tuple(row)


def _sample(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[dict[str, str], ...]:
    result = connection.execute(f"{sql} LIMIT {SAMPLE_ROWS}")
    names = [column[0] for column in result.description]
    return tuple(
        {name: "" if value is None else str(value)[:200] for name, value in zip(names, row, strict=True)}
        for row in result.fetchall()
    )
