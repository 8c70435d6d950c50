"""What mongoexport writes: Extended JSON, turned into the BSON it stands for.

A document per line is the usual form: a line that is no document is one malformed record. In an array
(`--jsonArray`), or with documents over several lines (`--pretty`), nothing but its JSON tells where a document ends:
the first that is no JSON makes the rest of the file one malformed record.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import bson
from bson import json_util
from bson.codec_options import DatetimeConversion
from bson.errors import BSONError
from bson.json_util import JSONMode, JSONOptions

from analytics_platform.connectors.mongo.dumps.parts import (
    CHUNK_BYTES,
    CUT_SHORT,
    DAMAGED_GZIP,
    NOT_EXTENDED_JSON,
    SHOWN_BYTES,
    TOO_LARGE,
    Dump,
    MalformedRecord,
)

LARGEST_TEXT = 64 << 20
"""Bytes of the longest text of one document: canonical Extended JSON is at most some four times its BSON."""

_OPTIONS = JSONOptions(
    json_mode=JSONMode.CANONICAL, tz_aware=False, datetime_conversion=DatetimeConversion.DATETIME_AUTO
)
_MARK = b"\xef\xbb\xbf"
_OPENED = re.compile(rb"^\{\r?\n[ \t]", re.MULTILINE)
"""How a document over several lines begins."""

_BLANKS = re.compile(r"[ \t\r\n]*")
_IN_ARRAY = re.compile(r"[ \t\r\n,]*")
_SCANNER = json.JSONDecoder(strict=False)


def to_bson(text: bytes) -> bytes | None:
    """Return the BSON that the Extended JSON of one document stands for; None if it is not that."""
    try:
        found = json.loads(text.decode("utf-8"), object_pairs_hook=_read_object)
        return bson.encode(found) if isinstance(found, dict) else None
    except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError, BSONError):
        return None


def _read_object(pairs: list[tuple[str, Any]]) -> Any:
    """Return a document, or the value that an object of Extended JSON stands for; stricter than the driver.

    A key given twice would lose a value, and an `$oid` of null would become a new id.
    """
    found = dict(pairs)
    if len(found) < len(pairs) or not isinstance(found.get("$oid", ""), str):
        raise ValueError("not Extended JSON")
    return json_util.object_hook(found, _OPTIONS)


def read_json(dump: Dump) -> Iterator[bytes | MalformedRecord]:
    """Yield the documents, and what is none, in their order."""
    head = dump.head()
    start = len(_MARK) if head.startswith(_MARK) else 0
    dump.read(start)
    return _read_lines(dump, start) if _is_by_lines(head[start:]) else _read_one_by_one(dump, start)


def _is_by_lines(head: bytes) -> bool:
    """Return whether the file has a document per line, by its first mebibyte."""
    if head.lstrip().startswith(b"[") or _OPENED.search(head):
        return False
    lines = head.split(b"\n")
    return len(lines) == 1 or any(line.startswith(b"{") and to_bson(line) is not None for line in lines)


def _read_lines(dump: Dump, offset: int) -> Iterator[bytes | MalformedRecord]:
    while line := dump.readline(LARGEST_TEXT + 1):
        size, end = len(line), line
        if size > LARGEST_TEXT:  # the rest of the line is skipped, and never in memory
            while not end.endswith(b"\n") and (end := dump.readline(CHUNK_BYTES)):
                size += len(end)
            yield MalformedRecord(offset, line[:SHOWN_BYTES], size, TOO_LARGE)
        else:
            reason = NOT_EXTENDED_JSON if line.endswith(b"\n") else CUT_SHORT
            yield from _document(offset, line.removesuffix(b"\n"), reason)
        offset += size
    if dump.damaged:
        yield MalformedRecord(offset, b"", 0, DAMAGED_GZIP)


def _document(offset: int, text: bytes, otherwise: str) -> Iterator[bytes | MalformedRecord]:
    """Yield the document that a text is, or a malformed record; nothing for blanks."""
    if not text or text.isspace():
        return
    found = to_bson(text)
    yield MalformedRecord(offset, text[:SHOWN_BYTES], len(text), otherwise) if found is None else found


def _read_one_by_one(dump: Dump, offset: int) -> Iterator[bytes | MalformedRecord]:
    """Yield documents in an array, or just one after the other.

    `window` is a part of the file from `offset` on. It has a character for each byte, so places in it are places in the
    file, whatever the encoding.
    """
    window = dump.read(CHUNK_BYTES).decode("latin-1")
    start = len(window) - len(window.lstrip(" \t\r\n"))
    in_array = window.startswith("[", start)
    start += in_array
    while True:
        between = (_IN_ARRAY if in_array else _BLANKS).match(window, start)
        start = between.end() if between else start
        if in_array and window.startswith("]", start):
            in_array, start = False, start + 1
            continue
        try:
            _, end = _SCANNER.raw_decode(window, start)
        except (ValueError, RecursionError):  # not JSON, or not all of it is in the window
            window, offset, start = window[start:], offset + start, 0
            more = b"" if len(window) > LARGEST_TEXT else dump.read(max(len(window), CHUNK_BYTES))
            if not more:
                break
            window += more.decode("latin-1")
            continue
        yield from _document(offset + start, window[start:end].encode("latin-1"), NOT_EXTENDED_JSON)
        start = end
    if window or dump.damaged or in_array:
        reason = DAMAGED_GZIP if dump.damaged else NOT_EXTENDED_JSON if window else CUT_SHORT
        yield dump.rest(offset, window.encode("latin-1"), reason)
