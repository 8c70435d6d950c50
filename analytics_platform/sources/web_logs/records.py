"""From a batch of raw documents to the records that the gate validates."""

from __future__ import annotations

import json
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import bson
import pyarrow as pa
import pyarrow.parquet as pq
from bson.errors import BSONError

from analytics_platform.connectors.mongo.dumps import (
    ARCHIVE_MAGIC,
    BESIDE,
    DUMP_REASONS,
    DUMP_SUFFIXES,
    IMPOSSIBLE_LENGTH,
    LARGEST_DOCUMENT,
    MalformedRecord,
    is_dump,
    read_dump,
    read_spans,
)
from analytics_platform.connectors.mongo.extended_json import SMALLEST_DOCUMENT, document_text
from analytics_platform.contracts.base import ContractType
from analytics_platform.gate import FileRejectedError
from analytics_platform.gate.json_rows import check_encoding
from analytics_platform.gate.records import MalformedError, Positions, Records, no_records, numbered, parse_records
from analytics_platform.gate.types import readable
from analytics_platform.lake import Batch, check_decodable, open_decoded
from analytics_platform.sources.arrivals.parquet import encode_table, read_columns
from analytics_platform.sources.source import Edits, Format
from analytics_platform.sources.web_logs.decode import COLUMNS, DECODE_REASONS, decode_document

_METADATA = ("indexes", "options", "collectionName", "ServerVersion", "ToolVersion")
_OF_AN_OPLOG = {"op", "ns", "ts"}
_LARGEST_METADATA = 1 << 20

DOCUMENT_REASONS = (*DECODE_REASONS, *DUMP_REASONS)
"""Why a document cannot be parsed."""


class Documents(Format):
    """Documents read from a server come in Parquet files, those of a dump as the dump."""

    suffixes = DUMP_SUFFIXES
    beside = BESIDE
    reasons = DOCUMENT_REASONS

    def takes(self, name: str) -> bool:
        """Tell whether a file of this name holds documents of a collection."""
        return is_dump(name)

    def is_beside(self, path: Path) -> bool:
        """Tell whether a file is one that mongodump writes beside the documents: by its name and its content."""
        # Logs in a file called shop.metadata.json or oplog.bson were skipped in silence.
        if not super().is_beside(path):
            return False
        with suppress(EOFError, OSError, zlib.error, ValueError, BSONError), open_decoded(path) as stream:
            if path.name.lower().endswith((".bson", ".bson.gz")):
                first = next(read_dump(stream, path.name), None)
                return first is None or (isinstance(first, bytes) and bson.decode(first).keys() >= _OF_AN_OPLOG)
            found = json.loads(stream.read(_LARGEST_METADATA))
            return isinstance(found, dict) and (not found or not found.keys().isdisjoint(_METADATA))
        return False

    def check(self, path: Path, contract: ContractType) -> None:
        """Raise `UnreadableError` for a dump that expands too far; of a damaged one whatever can be read is read.

        Raises `FileRejectedError` for a file of another kind, or with another name than a dump's and no document.
        """
        check_decodable(path, may_be_damaged=True)
        with suppress(EOFError, OSError, zlib.error):
            self.check_kind(path)
            _check_text(path)
            if not self.takes(path.name) and not self.is_beside(path) and not _begins_as_dump(path):
                # A CSV was to be renamed to x.csv.bson, and would have been one rejected record.
                raise FileRejectedError("it holds no documents: export them by mongodump or mongoexport, and drop that")

    def read(self, batch: Batch, stream: BinaryIO, contract: ContractType, only: Positions) -> Iterator[Records]:
        """Parse the documents."""
        if batch.path.suffix == ".parquet":
            return read_documents((document for (document,) in read_columns(stream, "document")), only)
        return read_documents(read_dump(stream, batch.name), only)

    def edit(self, batch: Batch, contract: ContractType, edits: Edits, out: BinaryIO) -> None:
        """Leave documents out. Of a dump in one array the separator behind a document goes with it."""
        if batch.path.suffix == ".parquet":
            with batch.open() as stream:
                table = pq.ParquetFile(stream).read()
            kept = pa.array([place not in edits for place in range(1, table.num_rows + 1)], pa.bool_())
            out.write(encode_table(table.filter(kept)))
            return
        with batch.open() as stream:
            spans = [span for *span, _ in read_spans(stream, batch.name)]
        starts = [start for start, _ in spans]
        with batch.open() as stream:
            offset = 0
            for place, (start, end) in enumerate(spans, 1):
                out.write(stream.read(start - offset))
                offset = starts[place] if place in edits and place < len(spans) else end
                record = stream.read(offset - start)
                out.write(b"" if place in edits else record)
            out.write(stream.read())


def _check_text(path: Path) -> None:
    """Raise `FileRejectedError` for an archive, JSON in another encoding than UTF-8, or JSON that is named for BSON."""
    with open_decoded(path) as stream:
        start = stream.read(1 << 10)
    if start.startswith(ARCHIVE_MAGIC):
        raise FileRejectedError("it is an archive of mongodump: dump again without --archive, and drop that")
    is_named_bson = path.name.lower().endswith((".bson", ".bson.gz"))
    length = int.from_bytes(start[:4], "little", signed=True)
    if is_named_bson and SMALLEST_DOCUMENT <= length <= LARGEST_DOCUMENT:  # that of 8,827 bytes begins with `{"`
        return
    check_encoding(start)
    if is_named_bson and re.match(rb"(?:\xef\xbb\xbf)?\s*[\[{]\s*[\[{\"]", start):
        raise FileRejectedError("it holds JSON: name it .json in place of .bson, and drop it again")


def _begins_as_dump(path: Path) -> bool:
    with open_decoded(path) as stream:
        if stream.read(1 << 10).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
            return True
    with open_decoded(path) as stream:
        first = next(read_dump(stream, ".bson"), None)
    return isinstance(first, bytes) or (first is not None and first.reason != IMPOSSIBLE_LENGTH)


def read_documents(documents: Iterable[bytes | MalformedRecord], only: Positions = None) -> Iterator[Records]:
    """Parse raw BSON documents, by their place from 1; with `only`, those at these places.

    The last records say which fields had another type than usual, and how often.
    """
    changes: Counter[str] = Counter()

    def parse(document: bytes | MalformedRecord) -> list[str | None]:
        if isinstance(document, MalformedRecord):
            raise MalformedError(document.reason)
        return decode_document(document, changes)

    yield from parse_records(numbered(documents, only), COLUMNS, parse, _text_of)
    drift = [f"{change} in {count:,} document{'s' if count > 1 else ''}" for change, count in sorted(changes.items())]
    yield no_records(*(drift if only is None else ()))


def _text_of(document: bytes | MalformedRecord) -> str:
    """Write a document, or a piece of a dump that is none, as text that a database can store."""
    return readable(document.raw if isinstance(document, MalformedRecord) else document_text(document).encode())
