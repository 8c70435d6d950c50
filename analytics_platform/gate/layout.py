"""How the columns of a file map to the columns of a contract, and how that differs from usual (drift)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import polars as pl

from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.event_names import AMOUNTS_OF, plain_name
from analytics_platform.contracts.rules import check_rule
from analytics_platform.gate.csv import HeaderError, read_header
from analytics_platform.gate.types import kind_of

EVENT_TIME = "event_at"
"""The column whose time must lie between PARTITION_START and arrival + 1 day."""

EVENT_NAMES = ("event_name", "action")
"""How sources call the column with the name of an event."""

MAX_COLUMNS = 5_000
"""More are no export: every column costs time and memory for each block of records."""


class FileRejectedError(ValueError):
    """A file cannot be read as a whole; the message names what is wrong and what to do."""


def reasons_of(contract: ContractType) -> tuple[str, ...]:
    """List every reason for which the gate rejects a record of this contract, in the order they are named.

    Reasons for which a record cannot be parsed at all are those of its form (CSV, message …), not the contract's.
    """
    reasons: list[str] = []
    for name, usual in usual_names(contract).items():
        column = contract.columns[name]
        dtype, is_json = column.dtype.type, column.metadata["json"]
        if not column.nullable:
            reasons.append(f"{usual}: missing")
        if dtype != pl.String or is_json:
            reasons.append(f"{usual}: not {kind_of(dtype, is_json)}")
        places = (*column.metadata["amounts"], *(AMOUNTS_OF["refund"] if column.metadata["orders"] is not None else ()))
        reasons.extend(f"{usual}: {place} is no amount" for place in places)
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
    """Map each contract column that comes from raw input to its usual name there."""
    columns = contract.columns
    return {name: column.metadata["source"][0] for name, column in columns.items() if column.metadata["source"]}


def _drift(contract: ContractType, names: Sequence[str], sources: Mapping[str, str | None]) -> Iterator[str]:
    usual = usual_names(contract)
    yield from (f"{found} read as {usual[name]}" for name, found in sources.items() if found not in (None, usual[name]))
    absent = [name for name, found in sources.items() if found is None]
    yield from (f"no column {usual[name]}" for name in absent if contract.columns[name].metadata["usual"])
    known = [name for name in names if name in sources.values()]
    if known != sorted(known, key=list(sources.values()).index):
        yield "columns in another order"


def resolve_layout(contract: ContractType, names: Sequence[str], first_line: int = 2) -> Layout:
    """Find the columns of a file with the header `names`, in other case and with other separators if need be.

    Raises `FileRejectedError` naming a missing required one, and for more columns than any export has.
    """
    if len(names) > MAX_COLUMNS:
        raise FileRejectedError(
            f"it has {len(names):,} columns, and at most {MAX_COLUMNS:,} are read; "
            "export it with those that are needed, and drop the file again"
        )
    columns, usual = contract.columns, usual_names(contract)
    written = {name: columns[name].metadata["source"] for name in usual}
    sources = {name: next((alias for alias in aliases if alias in names), None) for name, aliases in written.items()}
    left = {plain_name(name): name for name in reversed(names) if name not in sources.values()}
    sources |= {
        name: next((left[plain] for alias in aliases if (plain := plain_name(alias)) in left), None)
        for name, aliases in written.items()
        if sources[name] is None
    }
    missing = [usual[name] for name in usual if sources[name] is None and columns[name].metadata["required"]]
    if missing:
        header = ", ".join(names) or "none"
        raise FileRejectedError(
            f"required column{'s' if len(missing) > 1 else ''} {', '.join(missing)} missing "
            f"(the header has: {header[:200]}); correct the export and drop the file again"
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
