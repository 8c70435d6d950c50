"""Checks stored rows against their contract in SQL, where the rows are: one pass for all rules over single rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.rules import Severity
from analytics_platform.contracts.sql import quote, quote_table

SAMPLE_ROWS = 5
UNIQUE = "primary_key__unique"
COLUMNS = "columns__as_promised"


Ask: TypeAlias = Callable[[str], tuple[Sequence[str], Sequence[tuple[Any, ...]]]]
"""Runs a query, and returns the names of its columns and its rows."""


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

    def __add__(self, other: RuleResult) -> RuleResult:
        """Sum up how other rows did against the same rule."""
        checked, failing = self.checked + other.checked, self.failing + other.failing
        return replace(self, checked=checked, failing=failing, sample=(self.sample + other.sample)[:SAMPLE_ROWS])


def rule_descriptions(contract: ContractType) -> dict[str, tuple[str, Severity]]:
    """Return every check a table is audited with: name → (description, severity), in the order they run."""
    table = contract.table
    return {
        COLUMNS: ("The table has exactly the columns and types of its contract.", "error"),
        **{rule.name: (rule.description, rule.severity) for rule in contract.rules},
        UNIQUE: (f"No two rows have the same {', '.join(table.key)}.", "error"),
        **{
            f"{column}__known": (f"Every {column} exists in {dimension}.", "error")
            for column, dimension in table.foreign_keys.items()
        },
    }


def audit(ask: Ask, contract: ContractType, part: str) -> Iterator[RuleResult]:
    """Validate the rows of `part`, a quoted table or a parenthesized query with the contract's columns.

    Yields a result per rule, in the order of `rule_descriptions`. The columns were compared before.
    """
    described, rules = rule_descriptions(contract), contract.rules
    key = ", ".join(map(quote, contract.table.key))
    counts = [f"count(*) FILTER (WHERE NOT ({rule.sql}))" for rule in rules]
    # Keys are counted by hash, which is fast; the keys themselves are compared only if that finds duplicates.
    counted = ", ".join(["count(*)", f"count(DISTINCT hash({key}))", *counts])
    checked, distinct, *failing = _row(ask, f"SELECT {counted} FROM {part}")

    def result(rule: str, failing: int, broken: str, condition: str = "") -> RuleResult:
        sample = _sample(ask, broken) if failing else ()
        return RuleResult(rule, *described[rule], checked, failing, sample, condition)

    yield result(COLUMNS, 0, "")
    for rule, count in zip(rules, failing, strict=True):
        yield result(rule.name, count, f"SELECT * FROM {part} WHERE NOT ({rule.sql})", f"NOT ({rule.sql})")
    repeated = f"SELECT {key}, count(*) AS rows FROM {part} GROUP BY {key} HAVING count(*) > 1"
    total = f"SELECT coalesce(sum(rows - 1), 0)::BIGINT FROM ({repeated})"
    yield result(UNIQUE, 0 if distinct == checked else _row(ask, total)[0], repeated)
    for column, dimension in contract.table.foreign_keys.items():
        same = f"facts.{quote(column)} = dimension.{quote(CONTRACTS[dimension].table.key[0])}"
        lost = f"SELECT * FROM {part} AS facts ANTI JOIN {quote_table(dimension)} AS dimension ON {same}"
        yield result(f"{column}__known", _row(ask, f"SELECT count(*) FROM ({lost})")[0], lost)


def _row(ask: Ask, sql: str) -> tuple[int, ...]:
    _, (row,) = ask(sql)
    return row


def _sample(ask: Ask, sql: str) -> tuple[dict[str, str], ...]:
    names, rows = ask(f"{sql} LIMIT {SAMPLE_ROWS}")
    return tuple(
        {name: "" if value is None else str(value)[:200] for name, value in zip(names, row, strict=True)}
        for row in rows
    )
