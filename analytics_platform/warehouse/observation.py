"""An answer of the watchdog, and what its questions share."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from analytics_platform.warehouse.ledger import LEDGER_TABLES
from analytics_platform.warehouse.session import Session

LEDGER = tuple(contract.table.name for contract in LEDGER_TABLES)


@dataclass(frozen=True, slots=True)
class Observation:
    """One answer: what was seen, and what to do if it is not as it should be.

    `checked` is false where there was nothing, or too little, to check. Such an answer has `passed`.
    `is_damage` says that what it reads is damaged: of other answers nobody can tell whether they are right.
    """

    name: str
    passed: bool
    seen: str
    remedy: str = ""
    checked: bool = True
    is_damage: bool = False


def lacks(session: Session, *tables: str) -> bool:
    """Return whether one of the tables does not exist yet."""
    return not session.tables().issuperset(tables)


def not_checked(name: str, why: str) -> Observation:
    """Observe that there is nothing to check yet."""
    return Observation(name, True, f"{why}, so not checked", checked=False)


@dataclass(frozen=True, slots=True)
class TableState:
    """A table as it is, or was at a time: the version, when that was committed, and its rows."""

    table: str
    version: int
    at: dt.datetime
    rows: int
