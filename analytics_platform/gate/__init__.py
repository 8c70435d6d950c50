"""The one place where a row may be refused: a batch goes in, accepted and refused records come out.

No Dagster in here, and no warehouse: what becomes of the records is the caller's business.
"""

from analytics_platform.gate.layout import FileRefusedError, Layout, read_layout, reasons_of
from analytics_platform.gate.verdict import Origin, Verdict, judge

__all__ = ["FileRefusedError", "Layout", "Origin", "Verdict", "judge", "read_layout", "reasons_of"]
