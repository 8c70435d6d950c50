"""The history of rules: how every run's rows did against every rule of their contract (`ops.rule_results`)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import polars as pl

from analytics_platform.contracts.ddl import polars_schema
from analytics_platform.contracts.ops import RuleResults
from analytics_platform.transform import DayRange
from analytics_platform.warehouse.audit import RuleResult
from analytics_platform.warehouse.session import Session


def record_results(
    session: Session, table: str, results: Iterable[RuleResult], days: DayRange | None, run_id: str
) -> None:
    """Add a row per rule, in a transaction of its own: what was found counts also where nothing was published."""
    now = dt.datetime.now(dt.UTC)
    rows = [
        {
            "run_id": run_id,
            "table_name": table,
            "rule": result.rule,
            "severity": result.severity,
            "first_day": days and days.first,
            "last_day": days and days.last,
            "checked": result.checked,
            "failing": result.failing,
            "checked_at": now,
        }
        for result in results
    ]
    if not rows:
        return
    session.ensure(RuleResults)
    with session.transaction():
        session.insert(RuleResults.table.name, pl.DataFrame(rows, schema=polars_schema(RuleResults)))
