"""Files of mongodump and mongoexport, read as a stream of raw BSON documents.

`.bson` is BSON after BSON, `.json` and `.jsonl` Extended JSON (canonical or relaxed): a document per line, one array
(`--jsonArray`), or documents over several lines (`--pretty`). Damage costs only the documents it is in. Where
the beginning of the next document cannot be found, the rest of the file is one record.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeAlias

import bson
from bson import json_util
from bson.codec_options import DatetimeConversion
from bson.errors import BSONError
from bson.json_util import JSONMode, JSONOptions

from analytics_platform.connectors.mongo.extended_json import SMALLEST_DOCUMENT

DUMP_SUFFIXES = tuple(f"{kind}{packing}" for kind in (".bson", ".json", ".jsonl") for packing in ("", ".gz"))
"""Ends of names of files that can be read."""

BESIDE = (".metadata.json", ".metadata.json.gz", "prelude.json", "prelude.json.gz", "oplog.bson", "oplog.bson.gz")
"""Files that mongodump writes beside the documents."""

CHUNK_BYTES = 1 << 20

SHOWN_BYTES = 1 << 20
"""Bytes of a malformed record that are kept: the file has them all, from its offset on."""

CUT_SHORT = "document: cut short"
IMPOSSIBLE_LENGTH = "document: impossible length"
NOT_TERMINATED = "document: does not end where its length says"
ARCHIVE = "document: a mongodump archive, dump again without --archive"
NOT_EXTENDED_JSON = "document: not Extended JSON"
TOO_LARGE = "document: too large"
DAMAGED_GZIP = "document: damaged gzip"

DUMP_REASONS = (CUT_SHORT, IMPOSSIBLE_LENGTH, NOT_TERMINATED, ARCHIVE, NOT_EXTENDED_JSON, TOO_LARGE, DAMAGED_GZIP)
"""Every reason for which a part of a dump is malformed."""

LARGEST_DOCUMENT = (16 << 20) + (16 << 10)
"""Bytes of the largest document that a server keeps: 16 MiB, and 16 KiB that it allows itself."""

ARCHIVE_MAGIC = b"\x6d\xe2\x99\x81"
"""How an archive of mongodump begins."""

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


@dataclass(frozen=True, slots=True)
class MalformedRecord:
    """A part of a dump that is no document: the offset of its first byte in the (decompressed) file, its bytes.

    `size` counts all of them, `raw` has the first mebibyte.
    """

    offset: int
    raw: bytes
    size: int
    reason: str


Span: TypeAlias = tuple[int, int, bytes | MalformedRecord]
"""Offset of the first byte of a record, that behind its last, and the record."""


class _Source(io.RawIOBase):
    """The bytes of a stream, `waiting` ones first; they end where its compression is damaged."""

    def __init__(self, stream: BinaryIO) -> None:
        # Read in pieces, a stream that breaks off gives what comes before.
        self._read: Callable[[int], bytes] = getattr(stream, "read1", stream.read)
        self.waiting = b""
        self.damaged = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self.waiting:
            try:
                self.waiting = self._read(len(buffer))
            except (EOFError, gzip.BadGzipFile, zlib.error):
                self.damaged = True
        chunk, self.waiting = self.waiting[: len(buffer)], self.waiting[len(buffer) :]
        buffer[: len(chunk)] = chunk
        return len(chunk)


class _Dump(io.BufferedReader):
    """The content of a dump, up to where its compression is damaged."""

    def __init__(self, stream: BinaryIO) -> None:
        self._source = _Source(stream)
        super().__init__(self._source, CHUNK_BYTES)

    @property
    def damaged(self) -> bool:
        """Whether the end that was reached is that of a damaged file."""
        return self._source.damaged

    def head(self) -> bytes:
        """Return the first mebibyte, before anything is read; it can be read afterwards."""
        head = b""
        while len(head) < CHUNK_BYTES and (chunk := self._source.read(CHUNK_BYTES)):
            head += chunk
        self._source.waiting = head
        return head

    def rest(self, offset: int, begun: bytes, reason: str) -> MalformedRecord:
        """Return all that is left as one record, which begins at `offset`; `begun` was read of it already."""
        raw, size = begun[:SHOWN_BYTES], len(begun)
        while chunk := self.read1(CHUNK_BYTES):
            raw += chunk[: SHOWN_BYTES - len(raw)]
            size += len(chunk)
        return MalformedRecord(offset, raw, size, reason)


def is_dump(name: str) -> bool:
    """Return whether a file of this name holds documents of a collection."""
    lowered = name.lower()
    return lowered.endswith(DUMP_SUFFIXES) and not lowered.endswith(BESIDE)


def read_dump(stream: BinaryIO, name: str) -> Iterator[bytes | MalformedRecord]:
    """Yield the documents of a dump as raw BSON, in their order, and what could not be read in its place.

    `stream` gives the content decompressed, `name` (for which `is_dump`) the format. Memory is bounded by one document.
    Raises `OSError` if the stream cannot be read.
    """
    return (record for *_, record in read_spans(stream, name))


def read_spans(stream: BinaryIO, name: str) -> Iterator[Span]:
    """Yield the same as `read_dump`, each with the offsets of its first byte and of that behind its last."""
    read = _read_bson if name.lower().removesuffix(".gz").endswith(".bson") else _read_json
    return read(_Dump(stream))


def _read_bson(dump: _Dump) -> Iterator[Span]:
    """Yield the documents, and the rest of the file as one record from where it cannot be followed."""
    offset, wrong = 0, ""
    while document := dump.read(4):
        length = int.from_bytes(document, "little", signed=True)
        if len(document) < 4:
            wrong = CUT_SHORT
        elif not SMALLEST_DOCUMENT <= length <= LARGEST_DOCUMENT:
            wrong = ARCHIVE if document == ARCHIVE_MAGIC else IMPOSSIBLE_LENGTH
        else:
            document += dump.read(length - 4)
            wrong = CUT_SHORT if len(document) < length else NOT_TERMINATED if document[-1] else ""
        if wrong:
            break
        yield offset, offset + length, document
        offset += length
    if wrong or dump.damaged:
        yield _span(dump.rest(offset, document, DAMAGED_GZIP if dump.damaged else wrong))


def _span(record: MalformedRecord) -> Span:
    return record.offset, record.offset + record.size, record


def _read_json(dump: _Dump) -> Iterator[Span]:
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


def _read_lines(dump: _Dump, offset: int) -> Iterator[Span]:
    while line := dump.readline(LARGEST_TEXT + 1):
        size, end = len(line), line
        if size > LARGEST_TEXT:  # the rest of the line is skipped, and never in memory
            while not end.endswith(b"\n") and (end := dump.readline(CHUNK_BYTES)):
                size += len(end)
            yield _span(MalformedRecord(offset, line[:SHOWN_BYTES], size, TOO_LARGE))
        else:
            reason = NOT_EXTENDED_JSON if line.endswith(b"\n") else CUT_SHORT
            yield from _document(offset, line.removesuffix(b"\n"), reason)
        offset += size
    if dump.damaged:
        yield _span(MalformedRecord(offset, b"", 0, DAMAGED_GZIP))


def _document(offset: int, text: bytes, otherwise: str) -> Iterator[Span]:
    """Yield the document that a text is, or a malformed record; nothing for blanks."""
    if not text or text.isspace():
        return
    found = to_bson(text)
    malformed = MalformedRecord(offset, text[:SHOWN_BYTES], len(text), otherwise)
    yield _span(malformed) if found is None else (offset, offset + len(text), found)


def _read_one_by_one(dump: _Dump, offset: int) -> Iterator[Span]:
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
        yield _span(dump.rest(offset, window.encode("latin-1"), reason))


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
