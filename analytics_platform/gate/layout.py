"""How the columns of one file answer to the columns of a contract, and how that differs from usual (drift)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import polars as pl

from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.rules import check_rule
from analytics_platform.gate.convert import kind_of
from analytics_platform.gate.csv import HeaderError, read_header

EVENT_TIME = "event_at"
"""The column whose time must lie between PARTITION_START and arrival + 1 day."""


class FileRejectedError(ValueError):
    """A file cannot be read as a whole; the message names what is wrong and what to do."""


def reasons_of(contract: ContractType) -> tuple[str, ...]:
    """Every reason for which the gate rejects a record of this contract, in the order they are named.

    Reasons for which a record cannot be taken apart at all are those of its form (CSV, message …), not the
    contract's.
    """
    reasons: list[str] = []
    made_by_load = contract.table.key if contract.table.identity else ()
    for name, usual in usual_names(contract).items():
        column = contract.columns[name]
        dtype, is_json = column.dtype.type, column.metadata["json"]
        if not column.nullable and name not in made_by_load:
            reasons.append(f"{usual}: missing")
        if dtype != pl.String or is_json:
            reasons.append(f"{usual}: not {kind_of(dtype, is_json)}")
        reasons.extend(f"{name}: {check_rule(name, check).reason}" for check in column.checks)
        if name == EVENT_TIME:
            reasons.append(f"{name}: out of range")
    return tuple(dict.fromkeys(reasons))


@dataclass(frozen=True, slots=True)
class Layout:
    """`names` are the file's columns in order, `sources` contract column → the file's name for it (None: absent).

    `extras` are columns the contract does not know; `drift` says in words how the file differs from the usual.
    """

    names: tuple[str, ...]
    first_line: int
    sources: Mapping[str, str | None]
    extras: tuple[str, ...]
    drift: tuple[str, ...]


def usual_names(contract: ContractType) -> dict[str, str]:
    """Contract column → the usual name in raw input, for the columns that come from raw input."""
    columns = contract.columns
    return {name: column.metadata["source"][0] for name, column in columns.items() if column.metadata["source"]}


def _match(contract: ContractType, names: Sequence[str]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name, column in contract.columns.items():
        aliases = column.metadata["source"]
        if aliases:
            found[name] = next((alias for alias in aliases if alias in names), None)
    return found


def _missing(contract: ContractType, sources: Mapping[str, str | None]) -> list[str]:
    columns, usual = contract.columns, usual_names(contract)
    return [usual[name] for name, found in sources.items() if found is None and columns[name].metadata["required"]]


def _drift(contract: ContractType, names: Sequence[str], sources: Mapping[str, str | None]) -> list[str]:
    usual = usual_names(contract)
    notes = [f"{found} read as {usual[name]}" for name, found in sources.items() if found and found != usual[name]]
    columns = contract.columns
    notes += [
        f"no column {usual[name]}"
        for name, found in sources.items()
        if found is None and columns[name].metadata["usual"]
    ]
    extras = [name for name in names if name not in sources.values()]
    if extras:
        notes.append(f"unknown columns kept in extra: {', '.join(extras)}")
    known = [name for name in names if name in sources.values()]
    if known != sorted(known, key=list(sources.values()).index):
        notes.append("columns in another order")
    return notes


def resolve_layout(contract: ContractType, names: Sequence[str], first_line: int = 2) -> Layout:
    """The layout of a file with the header `names`. Raises `FileRejectedError` naming a missing required column."""
    sources = _match(contract, names)
    missing = _missing(contract, sources)
    if missing:
        columns = ", ".join(names) or "none"
        raise FileRejectedError(
            f"required column{'s' if len(missing) > 1 else ''} {', '.join(missing)} missing "
            f"(the header has: {columns[:200]}); correct the export and drop the file again"
        )
    extras = tuple(name for name in names if name not in sources.values())
    return Layout(tuple(names), first_line, sources, extras, tuple(_drift(contract, names, sources)))


def read_layout(contract: ContractType, stream: BinaryIO, delimiter: str = ",") -> Layout | None:
    """Read the header of a CSV stream; None for a file without content. Raises `FileRejectedError`."""
    try:
        header = read_header(stream, delimiter)
    except HeaderError as error:
        raise FileRejectedError(str(error)) from error
    return None if header is None else resolve_layout(contract, header.names, header.first_line)
