"""From JSON lines, one object each, to the records that the gate validates."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import chain
from typing import BinaryIO

from analytics_platform.contracts.base import ContractType
from analytics_platform.gate.exact_json import JsonError, JsonFault, canonical_json, plain_text, read_json
from analytics_platform.gate.records import MalformedError, Positions, Records, no_records, numbered, parse_records
from analytics_platform.gate.types import readable

ROW_REASONS = (*(f"row: {fault}" for fault in JsonFault), "row: not an object")
"""Why a line cannot be parsed. PostgreSQL, which writes the rows of the shop's tables, writes none of these."""


def read_object(text: str, what: str) -> dict[str, object]:
    """Read a JSON object. Raises `MalformedError` with the reason `what: …`."""
    try:
        found = read_json(text)
    except JsonError as error:
        raise MalformedError(f"{what}: {error.fault}") from error
    if not isinstance(found, dict):
        raise MalformedError(f"{what}: not an object")
    return found


def read_json_lines(stream: BinaryIO, contract: ContractType, only: Positions = None) -> Iterator[Records]:
    """Parse the lines of a stream, by their place from 1; with `only`, those at these places. Blank lines are no rows.

    Of the names that a column has, the first with a value is read.
    """
    sources = {
        name: column.metadata["source"] for name, column in contract.columns.items() if column.metadata["source"]
    }
    known, unknown = frozenset(chain.from_iterable(sources.values())), dict[str, None]()

    def parse(line: str) -> list[str | None]:
        row = read_object(line, "row")
        extra = {name: value for name, value in row.items() if name not in known}
        unknown.update(dict.fromkeys(extra))
        found = (next((row[name] for name in names if row.get(name) is not None), None) for names in sources.values())
        return [*map(_to_text, found), canonical_json(extra) if extra else None]

    lines = ((place, readable(line.rstrip(b"\r\n"))) for place, line in numbered(stream, only) if not line.isspace())
    yield from parse_records(lines, (*sources, "extra"), parse, str)
    yield no_records(*([f"unknown columns kept in extra: {', '.join(unknown)}"] if unknown and only is None else ()))


def _to_text(value: object) -> str | None:
    """Write a value as the text that the gate converts; objects and lists stay JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return plain_text(value)
    return canonical_json(value)
