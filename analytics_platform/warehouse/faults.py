"""Says why a batch cannot be loaded, replayed or searched, and tells that from what is not its fault."""

from __future__ import annotations

import duckdb

from analytics_platform.errors import QUERY_STOPPED, UserError
from analytics_platform.gate import FileRejectedError
from analytics_platform.lake import UnreadableError
from analytics_platform.lake.durable import LakeUnreachableError, LakeUnwritableError
from analytics_platform.warehouse.duckdb import DISK_ERROR
from analytics_platform.warehouse.session import ConflictError, DamageError


def explain_fault(error: Exception) -> str:
    """Say in one line why a batch cannot be loaded.

    Raises what is not its fault: `KeyboardInterrupt` for a signal, and the error of a full disk, of a lake that cannot
    be used, of a damaged table, or of another run that was first.
    """
    if isinstance(error, LakeUnreachableError | LakeUnwritableError | ConflictError | DamageError):
        raise error
    words = str(error).strip().partition("\n")[0].rstrip(".") or "no reason was given"
    if QUERY_STOPPED in words:
        raise KeyboardInterrupt from error
    if isinstance(error, duckdb.Error) and DISK_ERROR.search(words):
        raise error
    if "bad allocation" in words or isinstance(error, MemoryError):  # of DuckDB, below its own limit
        return f"it needs more memory than this machine, or container, gives ({words}): give it more, or withdraw it"
    if "pin block" in words or isinstance(error, duckdb.OutOfMemoryException):
        return f"it needs more memory than WAREHOUSE_MEMORY allows ({words}), raise it"
    return words if isinstance(error, UserError | FileRejectedError | UnreadableError) else f"it failed ({words})"
