"""Clickstream, queue, log and shop data as tables people trust."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read"]


def read(table: str, days: str | None = None) -> pd.DataFrame:
    """Read a table for a notebook: `read("marts.daily_trends", days="2026-03-01...2026-03-14")`.

    Of a table with days, `days` selects a day or a range A...B. Amounts are `Decimal`, times UTC. Raises `UserError`
    in one sentence for an unknown table, for days that are none or that the table does not have, and while another
    process writes a DuckDB warehouse.
    """
    # Imported here: the package is also imported by what only wants its settings.
    from analytics_platform.catalog import CONTRACTS
    from analytics_platform.contracts.sql import literal, quote, quote_table
    from analytics_platform.errors import UserError
    from analytics_platform.settings import load_settings
    from analytics_platform.transform import DayRange
    from analytics_platform.warehouse import open_warehouse

    if table not in CONTRACTS:
        raise UserError(f"There is no table {table!r}: the tables are listed in docs/data_dictionary.md.")
    partition, where = CONTRACTS[table].table.partition, ""
    if days:
        if partition is None:
            raise UserError(f"{table} has no days: read it without days.")
        try:
            wanted = DayRange.parse(days)
        except ValueError as error:
            raise UserError(str(error)) from error
        where = f" WHERE {quote(partition)} BETWEEN {literal(wanted.first)} AND {literal(wanted.last)}"
    with open_warehouse(load_settings()).session(read_only=True) as session:
        if table not in session.tables():
            raise UserError(f"{table} is not built yet: run analytics-platform materialize.")
        return session.frame(f"SELECT * FROM {quote_table(table)}{where}").to_pandas()
