"""Finds built tables that another version of the platform made with other columns, and makes room for today's.

All their rows can be built again from records behind the gate. Of these no column is ever dropped.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from analytics_platform.catalog import CONTRACTS
from analytics_platform.errors import count
from analytics_platform.warehouse.audit import RuleResult
from analytics_platform.warehouse.build import tables_to_build
from analytics_platform.warehouse.ledger import record_results
from analytics_platform.warehouse.migration import changes
from analytics_platform.warehouse.persons import write_all_links
from analytics_platform.warehouse.session import Session, WarehouseError
from analytics_platform.warehouse.touched import BUILT, UPGRADE
from analytics_platform.warehouse.versions import OTHER_VERSION


@dataclass(frozen=True, slots=True)
class Outdated:
    """Tables that are replaced by empty ones, and others that get columns; of both all days are to be built again.

    A warehouse `lacks_links` if its batches were loaded before persons were made of them.
    """

    replaced: tuple[str, ...]
    extended: tuple[str, ...]
    lacks_links: bool = False

    def __bool__(self) -> bool:
        """Return whether there is any."""
        return bool(self.replaced or self.extended or self.lacks_links)

    def __str__(self) -> str:
        """Say what becomes of them."""
        parts = [(self.replaced, "replaced"), (self.extended, "extended by columns")]
        becomes = [f"{_named(names)} {'is' if len(names) == 1 else 'are'} {how}" for names, how in parts if names]
        becomes += ["the ids of persons are read from all records"] if self.lacks_links else []
        return f"Another version of the platform built this warehouse: {', '.join(becomes)}. All days wait to be built."


def _named(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:3])} and {count(len(names) - 3, 'other')}" if len(names) > 4 else ", ".join(names)


def find_outdated(session: Session, among: Collection[str] | None = None) -> Outdated:
    """Find the built tables, of all or `among` these, whose columns are not those of their contract."""
    replaced, extended, existing = list[str](), list[str](), session.tables()
    names = [name for name in tables_to_build() if name in existing and (among is None or name in among)]
    for name, (stored, promised) in session.columns(*(CONTRACTS[name] for name in names)).items():
        try:
            added = changes(name, stored, promised).added
        except WarehouseError:  # a column too much, or of a type that would lose values
            replaced.append(name)
            continue
        if not added.keys().isdisjoint(CONTRACTS[name].table.key):
            replaced.append(name)
        elif added:
            extended.append(name)
    # PostgreSQL drops the references to a table with it.
    replaced += [
        name
        for name in names
        if name not in replaced and not {*CONTRACTS[name].table.foreign_keys.values()}.isdisjoint(replaced)
    ]
    lacks_links = "ops.pipeline_logs" in existing and "ops.person_links" not in existing
    return Outdated(tuple(replaced), tuple(name for name in extended if name not in replaced), lacks_links)


def check_current(session: Session, among: Collection[str] | None = None) -> None:
    """Raise `WarehouseError` if another version built one of the tables, of all or `among` these."""
    if find_outdated(session, among):
        raise WarehouseError(OTHER_VERSION)


def upgrade(session: Session, outdated: Outdated) -> None:
    """Replace tables by empty ones, add the columns of the others, and note what links persons.

    From then on no day counts as built.
    """
    # Together: what is left of an upgrade that was killed is found by the next one.
    with session.transaction():
        session.replace(*(CONTRACTS[name] for name in outdated.replaced))
        session.ensure(*(CONTRACTS[name] for name in outdated.extended))
        if outdated.lacks_links:
            write_all_links(session)
        began = RuleResult(UPGRADE, "All days wait to be built.", "error", 0, 0)
        record_results(session, BUILT, [began], None, UPGRADE)


def is_not_built(session: Session) -> bool:
    """Return whether no day was built since an upgrade, as after one that was killed."""
    if "ops.rule_results" not in session.tables():
        return False
    # As a parameter: a table that is named in SQL is read, and fails where it is damaged.
    sql = "SELECT rule FROM ops.rule_results WHERE table_name = $table ORDER BY checked_at DESC LIMIT 1"
    return session.rows(sql, {"table": BUILT}) == [(UPGRADE,)]
