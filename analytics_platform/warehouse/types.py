"""The error a warehouse raises, and the values its sessions take and return."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TypeAlias

from analytics_platform.errors import UserError
from analytics_platform.warehouse.audit import RuleResult

Span: TypeAlias = tuple[dt.date, dt.date] | None
"""First and last day of the events of a batch, if it has any."""


class WarehouseError(UserError):
    """The warehouse cannot do what it was asked; the message is one sentence that says why and what to do."""


@dataclass(frozen=True, slots=True)
class Publication:
    """What came of publishing a table: `rows` in the published part, and how they did against each rule."""

    rows: int
    results: tuple[RuleResult, ...]

    @property
    def breaches(self) -> tuple[RuleResult, ...]:
        """The rules that stopped the publication; empty if the rows were published."""
        return tuple(result for result in self.results if result.blocks_publication)


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """How one `step` of a query was carried out, with rows and times, as the database that did it puts it."""

    step: str
    text: str


@dataclass(frozen=True, slots=True)
class BatchCard:
    """What the ledger says of a batch before its rows are read."""

    batch_id: str
    source: str
    input: str
    content_sha256: str
    arrived_at: dt.datetime
    run_id: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """How many records of a batch ended where."""

    rows_accepted: int
    rows_duplicate: int
    rows_quarantined: int

    @property
    def rows_read(self) -> int:
        """All records of the batch."""
        return self.rows_accepted + self.rows_duplicate + self.rows_quarantined

    @property
    def error_rate(self) -> float:
        """Share of rejected records; 0 for an empty batch."""
        return self.rows_quarantined / self.rows_read if self.rows_read else 0.0
