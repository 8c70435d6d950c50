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
    CUT_SHORT,
    DAMAGED_GZIP,
    NOT_EXTENDED_JSON,
    SHOWN_BYTES,
    TOO_LARGE,
    DamagedError,
    MalformedRecord,
    rest_of,
)

LARGEST_TEXT = 64 << 20
"""Bytes of the longest text of one document: canonical Extended JSON is at most some four times its BSON."""

_OPTIONS = JSONOptions(
    json_mode=JSONMode.CANONICAL, tz_aware=False, datetime_conversion=DatetimeConversion.DATETIME_AUTO
)
_HEAD_BYTES = 1 << 20
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


class _Text:
    """A window on the file that can grow: `data` begins at the offset `passed`; `damaged` if the file broke off."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self.chunks = chunks
        self.data = b""
        self.passed = 0
        self.damaged = False

    def grow(self, size: int = 1) -> bool:
        """Make the window at least `size` bytes longer, or as much as the file still has; False if it has nothing."""
        grown: list[bytes] = []
        try:
            while sum(map(len, grown)) < size and (chunk := next(self.chunks, None)) is not None:
                grown.append(chunk)
        except DamagedError:
            self.damaged = True
        self.data = b"".join((self.data, *grown))
        return any(grown)

    def drop(self, size: int) -> None:
        """Let the window begin `size` bytes later."""
        self.data = self.data[size:]
        self.passed += size


def read_json(chunks: Iterator[bytes]) -> Iterator[bytes | MalformedRecord]:
    """Yield the documents, and what is none, in their order."""
    text = _Text(chunks)
    text.grow(_HEAD_BYTES)
    if text.data.startswith(_MARK):
        text.drop(len(_MARK))
    return _read_lines(text) if _is_by_lines(text.data) else _read_one_by_one(text)


def _is_by_lines(head: bytes) -> bool:
    """Return whether the file has a document per line, by its first mebibyte."""
    if head.lstrip().startswith(b"[") or _OPENED.search(head):
        return False
    lines = head.split(b"\n")
    return len(lines) == 1 or any(line.startswith(b"{") and to_bson(line) is not None for line in lines)


def _read_lines(text: _Text) -> Iterator[bytes | MalformedRecord]:
    start = 0
    while True:
        end = text.data.find(b"\n", start)
        if end >= 0:
            yield from _document(text.passed + start, text.data[start:end], NOT_EXTENDED_JSON)
            start = end + 1
            continue
        text.drop(start)
        start = 0
        if len(text.data) > LARGEST_TEXT:
            yield _skip_line(text)
        elif not text.grow():
            break
    yield from _document(text.passed, text.data, CUT_SHORT)
    if text.damaged:
        yield MalformedRecord(text.passed + len(text.data), b"", 0, DAMAGED_GZIP)


def _document(offset: int, text: bytes, otherwise: str) -> Iterator[bytes | MalformedRecord]:
    """Yield the document that a text is, or a malformed record; nothing for blanks."""
    if not text or text.isspace():
        return
    found = to_bson(text)
    yield MalformedRecord(offset, text[:SHOWN_BYTES], len(text), otherwise) if found is None else found


def _skip_line(text: _Text) -> MalformedRecord:
    """Go on after a line that is too long, and never hold it."""
    offset, shown = text.passed, text.data[:SHOWN_BYTES]
    while (end := text.data.find(b"\n")) < 0:
        text.drop(len(text.data))
        if not text.grow():
            break
    text.drop(end + 1)
    return MalformedRecord(offset, shown, text.passed - offset, TOO_LARGE)


def _read_one_by_one(text: _Text) -> Iterator[bytes | MalformedRecord]:
    """Yield documents in an array, or just one after the other."""
    text.drop(len(text.data) - len(text.data.lstrip()))
    in_array = text.data.startswith(b"[")
    text.drop(int(in_array))
    between = _IN_ARRAY if in_array else _BLANKS
    window, start = text.data.decode("latin-1"), 0
    while True:
        found = between.match(window, start)
        start = found.end() if found else start
        if in_array and window.startswith("]", start):
            in_array, between, start = False, _BLANKS, start + 1
            continue
        end = _end_of(window, start)
        if end is not None:
            yield from _document(text.passed + start, text.data[start:end], NOT_EXTENDED_JSON)
            start = end
            continue
        text.drop(start)
        if len(text.data) > LARGEST_TEXT or not text.grow(max(len(text.data), 1)):
            break
        window, start = text.data.decode("latin-1"), 0
    if text.data or text.damaged or in_array:
        reason = DAMAGED_GZIP if text.damaged else NOT_EXTENDED_JSON if text.data else CUT_SHORT
        yield rest_of(text.passed, text.data, text.chunks, reason)


def _end_of(window: str, start: int) -> int | None:
    """Return where the JSON that begins at `start` ends; None if it does not end within the window.

    The window holds a character for each byte, so places in it are places in the file, whatever the encoding.
    """
    try:
        _, end = _SCANNER.raw_decode(window, start)
    except (ValueError, RecursionError):
        return None
    return end
