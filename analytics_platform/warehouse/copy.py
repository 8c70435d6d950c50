"""Moves a warehouse to another: every table, day by day, each day read back and compared value by value."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import polars as pl

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.ddl import column_types, json_columns
from analytics_platform.contracts.sql import literal, quote, quote_table
from analytics_platform.errors import count
from analytics_platform.transform import build_order
from analytics_platform.warehouse.session import Session, WarehouseError


def copy_warehouse(
    source: Session, target: Session, report: Callable[[int], None] = lambda rows: None
) -> dict[str, int]:
    """Copy every table of `source` that has a contract; returns table → rows, and reports all rows so far after each.

    A table that `target` has already is not copied again, so that a copy which was broken off can be run again. Raises
    `WarehouseError` for a table that has other rows there, and for one that does not read back as it was written.
    """
    existing = source.tables()
    wanted = [CONTRACTS[name] for name in build_order() if name in existing]
    source.ensure(*wanted)
    target.ensure(*wanted)
    copied = {}
    for contract in wanted:
        name = contract.table.name
        if target.count(name) == 0:
            with target.transaction():
                for part in _parts(source, contract):
                    target.insert(name, source.frame(part))
        copied[name] = _verify(source, target, contract)
        report(sum(copied.values()))
    return copied


def _parts(session: Session, contract: ContractType) -> Iterator[str]:
    """Yield queries that give the table in parts: a day each, or all of it if it has no days."""
    table = contract.table
    columns = ", ".join(map(quote, column_types(contract)))
    everything = f"SELECT {columns} FROM {quote_table(table.name)}"
    if table.partition is None:
        yield everything
        return
    day = quote(table.partition)
    days = session.rows(f"SELECT DISTINCT {day} FROM {quote_table(table.name)} ORDER BY 1")
    for (value,) in days:
        yield f"{everything} WHERE {day} {'IS NULL' if value is None else f'= {literal(value)}'}"


def _verify(source: Session, target: Session, contract: ContractType) -> int:
    """Return the number of rows of the table, which is the same on both sides, as is every value."""
    name = contract.table.name
    rows, copied = source.count(name), target.count(name)
    if copied != rows:
        raise WarehouseError(
            f"{name} has {count(copied, 'row')} in the target and {rows:,} in the source: "
            "drop it in the target and copy again."
        )
    for part in _parts(source, contract):
        if not _are_equal(source.frame(part), target.frame(part), contract):
            where = part.partition(" WHERE ")[2] or "some rows"
            raise WarehouseError(f"{name} differs in the target ({where}): drop it there and copy again.")
    return rows


def _are_equal(one: pl.DataFrame, other: pl.DataFrame, contract: ContractType) -> bool:
    documents = sorted(json_columns(contract))
    # PostgreSQL stores U+FFFD for the one character that its text cannot hold.
    stored = pl.col(pl.String).str.replace_all("\x00", "\ufffd", literal=True)
    first, second = (frame.with_columns(stored).sort(contract.table.key) for frame in (one, other))
    if not first.drop(documents).equals(second.drop(documents)):
        return False
    pairs = (pair for name in documents for pair in zip(first[name], second[name], strict=True))
    # PostgreSQL may write a document in another way: what it says is compared.
    return all(a == b or (a is not None and b is not None and json.loads(a) == json.loads(b)) for a, b in pairs)
