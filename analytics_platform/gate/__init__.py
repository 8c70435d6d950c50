"""The one place where a row may be refused: a batch goes in, accepted and refused records come out.

No Dagster in here, and no warehouse: what becomes of the records is the caller's business.
"""

from analytics_platform.gate.csv import Reason
from analytics_platform.gate.csv_rows import read_csv
from analytics_platform.gate.layout import FileRefusedError, read_layout, reasons_of
from analytics_platform.gate.message_rows import encode_messages, read_messages
from analytics_platform.gate.messages import RULES as MESSAGE_REASONS
from analytics_platform.gate.records import Records
from analytics_platform.gate.verdict import Origin, Verdict, judge

CSV_REASONS: tuple[str, ...] = tuple(map(str, Reason))
"""Why a line of a CSV file cannot be taken apart."""

__all__ = [
    "CSV_REASONS",
    "MESSAGE_REASONS",
    "FileRefusedError",
    "Origin",
    "Records",
    "Verdict",
    "encode_messages",
    "judge",
    "read_csv",
    "read_layout",
    "read_messages",
    "reasons_of",
]
