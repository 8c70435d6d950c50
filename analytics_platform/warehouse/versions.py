"""Says in one sentence that another version of the platform built the warehouse.

Columns are compared after a statement failed: a warehouse of this version loses no time by it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from analytics_platform.catalog import CONTRACTS
from analytics_platform.warehouse.ledger import LEDGER_TABLES
from analytics_platform.warehouse.session import Session, WarehouseError

OTHER_VERSION = (
    "Another version of the platform built this warehouse: run `analytics-platform materialize` first, it upgrades it."
)


def check_ledger(session: Session) -> None:
    """Raise `WarehouseError` if a version made only some tables of the ledger: it would look as if nothing was loaded.

    Every load makes all of them.
    """
    ledger, existing = {contract.table.name for contract in LEDGER_TABLES}, session.tables()
    if not ledger.isdisjoint(existing) and not ledger <= existing:
        raise WarehouseError(OTHER_VERSION)


@contextmanager
def explaining_version(session: Session, *unknown_names: type[Exception]) -> Iterator[None]:
    """Raise `WarehouseError` for `unknown_names`, errors of a missing column or table, if a version lacks some."""
    try:
        yield
    except unknown_names as error:
        check_ledger(session)
        existing = session.tables()
        columns = session.columns(*(contract for name, contract in CONTRACTS.items() if name in existing))
        if all(promised.keys() <= stored.keys() for stored, promised in columns.values()):
            raise
        raise WarehouseError(OTHER_VERSION) from error
