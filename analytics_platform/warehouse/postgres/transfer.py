"""Rows into PostgreSQL by COPY, and the documents among them.

CSV is the one format that both databases write and read with every value unchanged: a null is an empty field, an empty
text a quoted one.

`jsonb` keeps what a document means, not how it is written. A few documents it cannot keep: U+0000 and lone surrogates
have no place in its text, of a repeated key it keeps the last, `1e2` becomes `100`. Such a document, and one that is
just a string, is kept as a JSON string that holds it whole. So every document can be stored, whoever reads the column
gets the document or its text, and models see what they see on DuckDB. (The order of keys is not kept: a nested object
that a model reads as text may have its keys in another order.)
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import NoReturn

import polars as pl
import psycopg

from analytics_platform.contracts.sql import quote
from analytics_platform.gate.ahead import in_background
from analytics_platform.warehouse.postgres.tables import JSON

_NUL, _REPLACEMENT = b"\x00", "\ufffd".encode()
"""PostgreSQL's text has no U+0000; it gets U+FFFD, the character that stands for one that cannot be shown."""

_DEEP = 500
"""Brackets above which a document may be nested too deeply for PostgreSQL's stack: its own limit is above 5,000."""

_LONG = 1_000
"""Characters of a number above which it is not looked at closely; PostgreSQL's own limit is above 16,000."""


def copy_frames(
    connection: psycopg.Connection, frames: Iterable[pl.DataFrame], table: str, columns: Mapping[str, str]
) -> None:
    """Append frames with these columns (name → DuckDB type) to a table, whose name is quoted."""
    names = ", ".join(map(quote, columns))
    pieces = (_as_csv(frame, columns) for frame in frames)
    with (
        connection.cursor().copy(f"COPY {table} ({names}) FROM STDIN (FORMAT csv)") as copy,
        closing(in_background(pieces)) as ahead,  # the next frame is written out while the server takes in this one
    ):
        for piece in ahead:
            copy.write(piece)


def _as_csv(frame: pl.DataFrame, columns: Mapping[str, str]) -> bytes:
    for name in (name for name, kind in columns.items() if kind == JSON):
        # Most documents are stored as they are; each distinct one is looked at once.
        distinct = frame[name].drop_nulls().unique().to_list()
        wrapped = {text: stored for text in distinct if (stored := as_jsonb(text)) is not text}
        frame = frame.with_columns(frame[name].replace(wrapped)) if wrapped else frame
    buffer = io.BytesIO()
    frame.write_csv(buffer, include_header=False, quote_style="non_numeric")
    data = buffer.getvalue()
    return data.replace(_NUL, _REPLACEMENT) if _NUL in data else data


class _UnfaithfulError(ValueError):
    """jsonb would change the document."""


def as_jsonb(document: str) -> str:
    """Return the document as it is stored: itself, or a JSON string that holds it."""
    return document if is_kept(document) else json.dumps(document, ensure_ascii=False)


def is_kept(document: str) -> bool:
    """Return whether jsonb keeps all that the document says; False for a string, which would be taken for wrapped."""
    if "\\u0000" in document or document.count("[") + document.count("{") > _DEEP:
        return False
    try:
        decoded = _DECODER.decode(document)
        if "\\u" in document:
            json.dumps(decoded, ensure_ascii=False).encode()  # raises for a surrogate without its other half
    except (ValueError, RecursionError):
        return False
    return not isinstance(decoded, str)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _UnfaithfulError
    return found


def _number(text: str) -> float:
    """Return a number that is written with all its digits; jsonb does not know minus zero."""
    number = float(text)
    if len(text) > _LONG or "e" in text or "E" in text or (number == 0 and text[0] == "-"):
        raise _UnfaithfulError
    return number


def _reject(text: str) -> NoReturn:
    raise _UnfaithfulError


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_number, parse_constant=_reject)
