"""From JSON lines, one object each, to the records that the gate validates."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import chain
from typing import BinaryIO

from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.event_names import plain_name, usually_named
from analytics_platform.contracts.missing import CLIENT, IDS, known, known_id, own_client
from analytics_platform.gate.exact_json import JsonError, JsonFault, canonical_json, plain_text, read_json, unnest
from analytics_platform.gate.layout import FileRejectedError
from analytics_platform.gate.records import MalformedError, Positions, Records, no_records, numbered, parse_records
from analytics_platform.gate.types import readable

_TOO_LARGE = "record: too large"
JSON_REASONS = (*(f"record: {fault}" for fault in JsonFault), "record: not an object", _TOO_LARGE)
"""Why a line cannot be parsed. PostgreSQL, which writes the rows of the shop's tables, writes none of these."""

MAX_LINE_BYTES = 16 << 20
SHOWN_BYTES = 1 << 20
"""Bytes that the quarantine keeps of a line that is too large; the lake has it whole."""

_NOT_LINES = (
    # An array in the first line, and objects in those below, is one bad line.
    (rb"\s*\[(?![^\n]*\]\s*\n\s*\{)", "it is one JSON array: write a line per object with `jq -c '.[]'`"),
    (rb'\s*\{\s*\n\s*["}]', "its objects go over several lines: write a line per object with `jq -c .`"),
    (rb"\s*\{[^\n]*\}\r[ \t]*\{", "its lines end with CR only: end them with LF by `tr '\\r' '\\n'`"),
    (
        # `null` is JSON, though it was said to be none.
        rb'\s*+(?:(?:null|true|false|-?\d[\d.eE+-]*+|"(?:[^"\\\n]|\\.)*+")\s*+)++\Z',
        "it holds JSON and no object: export it as a JSON object per line",
    ),
    (rb"(?m)(?=\s*\S)(?![\s\S]*?^\s*[{\[])", "it holds no JSON: export it as a JSON object per line"),
)
"""How files begin that hold JSON, but not an object per line in UTF-8; what to do."""


_ENCODINGS = (
    (rb"\xff\xfe\0\0|\0\0\xfe\xff", "UTF-32"),
    (rb"\xff\xfe|\xfe\xff", "UTF-16"),
    # Without the mark: `{` or `[` and blanks before it.
    (rb"(?:[ \t\r\n]\0)*[{\[]\0", "UTF-16LE"),
    (rb"(?:\0[ \t\r\n])*\0[{\[]", "UTF-16BE"),
)
"""How JSON begins in other encodings than UTF-8."""


def check_encoding(start: bytes) -> None:
    """Raise `FileRejectedError` for a file that begins as JSON in another encoding than UTF-8."""
    if found := next((name for form, name in _ENCODINGS if re.match(form, start)), None):
        words = f"it is encoded as {found}: write UTF-8 with `iconv -f {found} -t UTF-8`"
        raise FileRejectedError(f"{words}, and drop it again")


def check_json_lines(stream: BinaryIO) -> None:
    """Raise `FileRejectedError` for a file that begins as JSON in another form than a line per object."""
    start = stream.read(1 << 16).removeprefix(codecs.BOM_UTF8)
    check_encoding(start)
    for form, words in _NOT_LINES:
        if re.match(form, start):
            raise FileRejectedError(f"{words}, and drop it again")


def read_object(text: str) -> dict[str, object]:
    """Read a JSON object. Raises `MalformedError` with the reason."""
    try:
        found = read_json(text)
    except JsonError as error:
        raise MalformedError(f"record: {error.fault}") from error
    if not isinstance(found, dict):
        raise MalformedError("record: not an object")
    return found


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the lines; of one that is too large the first bytes, one more than the limit."""
    mark = codecs.BOM_UTF8
    while line := stream.readline(MAX_LINE_BYTES + 1):
        rest = line
        while len(rest) > MAX_LINE_BYTES and not rest.endswith(b"\n"):
            rest = stream.readline(MAX_LINE_BYTES + 1)
        yield line.removeprefix(mark)
        mark = b""


def read_json_lines(stream: BinaryIO, contract: ContractType, only: Positions = None) -> Iterator[Records]:
    """Parse the lines of a stream. Of the names that a column has, the first with a value is read."""
    sources = {
        name: column.metadata["source"] for name, column in contract.columns.items() if column.metadata["source"]
    }
    known = frozenset(chain.from_iterable(sources.values()))
    usual = {plain_name(name): name for name in known}

    def decode(row: dict[str, object]) -> list[str | None]:
        row = row if row.keys() <= known else usually_named(row, usual)
        extra = {name: value for name, value in row.items() if name not in known}
        found = (_first_known(row, names, column in IDS) for column, names in sources.items())
        texts = (
            own_client(text) if column == CLIENT and text else text for column, text in zip(sources, found, strict=True)
        )
        return [*texts, canonical_json(unnest(extra)) if extra else None]

    return read_objects(stream, (*sources, "extra"), decode, only)


def read_objects(
    stream: BinaryIO,
    columns: Sequence[str],
    decode: Callable[[dict[str, object]], Sequence[str | None]],
    only: Positions = None,
) -> Iterator[Records]:
    """Parse the lines of a stream, by their place from 1; with `only`, those at these places. Blank lines are no rows.

    `decode` gives the values of `columns` of an object, or raises `MalformedError`.
    """

    def parse(line: bytes) -> Sequence[str | None]:
        if len(line) > MAX_LINE_BYTES:
            raise MalformedError(_TOO_LARGE)
        return decode(read_object(readable(line)))

    def text_of(line: bytes) -> str:
        return readable(line[:SHOWN_BYTES] if len(line) > MAX_LINE_BYTES else line)

    lines = ((place, line.rstrip(b"\r\n")) for place, line in numbered(_lines(stream), only) if line.strip())
    yield from parse_records(lines, columns, parse, text_of)
    yield no_records()


def _first_known(row: Mapping[str, object], names: Iterable[str], is_id: bool) -> str | None:
    texts = (text for name in names if (text := to_text(row.get(name))) is not None)
    return next(filter(known_id if is_id else known, texts), None)


def to_text(value: object) -> str | None:
    """Write a value as the text that the gate converts; objects and lists stay JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return plain_text(value)
    return canonical_json(value)
