"""The one place where a row may be rejected: a batch goes in, accepted and rejected records come out.

There is no Dagster in here and no warehouse: the caller decides what becomes of the records.
"""

from analytics_platform.gate.csv import REASONS
from analytics_platform.gate.csv_rows import read_csv
from analytics_platform.gate.layout import FileRejectedError, read_layout, reasons_of
from analytics_platform.gate.records import Records
from analytics_platform.gate.verdict import Origin, Verdict, validate

CSV_REASONS: tuple[str, ...] = tuple(REASONS.values())
"""Why a line of a CSV file cannot be parsed."""

__all__ = [
    "CSV_REASONS",
    "FileRejectedError",
    "Origin",
    "Records",
    "Verdict",
    "read_csv",
    "read_layout",
    "reasons_of",
    "validate",
]
