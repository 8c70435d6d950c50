"""Clickstream, queue, log and shop data as tables people trust."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt

    import pandas as pd

__all__ = ["read"]


def read(
    table: str, days: str | dt.date | tuple[str | dt.date, ...] | None = None, as_of: str | int | None = None
) -> pd.DataFrame:
    """Read a table for a notebook: `read("marts.daily_trends", days="2026-03-01...2026-03-14")`.

    Of a table with days, `days` selects one day, or a range: text `A...B`, or a tuple of its first and its last day.
    Of Delta tables, `as_of` selects an earlier version, or what there was at a time: `as_of="2026-03-01"`.
    Amounts are `Decimal`, times UTC. Raises `UserError` in one sentence for an unknown table, for `days` that are none
    or of a table without days, and while another process writes a DuckDB warehouse.
    """
    # Imported here: the package is also imported by what only wants its settings.
    from analytics_platform.catalog import CONTRACTS
    from analytics_platform.contracts.sql import quote_table
    from analytics_platform.errors import UserError, did_you_mean
    from analytics_platform.settings import load_settings
    from analytics_platform.transform import DayRange
    from analytics_platform.warehouse.open import open_delta, open_warehouse, parse_as_of

    if table not in CONTRACTS:
        hint = did_you_mean(table, CONTRACTS) or "the tables are listed in docs/data_dictionary.md."
        raise UserError(f"There is no table {table!r}: {hint}")
    partition, where = CONTRACTS[table].table.partition, ""
    if days:
        if partition is None:
            raise UserError(f"{table} has no days: read it without days.")
        wanted = DayRange.parse("...".join(map(str, days)) if isinstance(days, tuple | list) else str(days))
        where = f" WHERE {wanted.holds(partition)}"
    settings = load_settings()
    warehouse = open_warehouse(settings) if as_of is None else open_delta(settings, parse_as_of(str(as_of)))
    with warehouse.session(read_only=True) as session:
        if table not in session.tables():
            if as_of is not None:
                raise UserError(f"{table} has no state of {as_of}: `analytics-platform tables` lists the latest ones.")
            raise UserError(f"{table} is not built yet: run analytics-platform materialize.")
        return session.frame(f"SELECT * FROM {quote_table(table)}{where}").to_pandas()
