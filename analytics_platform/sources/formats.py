"""The forms in which files hold records: CSV, JSON lines, Parquet; plain, or packed as `.gz` or `.zst`."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from itertools import product
from pathlib import Path
from typing import BinaryIO, cast

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from analytics_platform.contracts.base import ContractType, file_of
from analytics_platform.contracts.event_names import plain_name
from analytics_platform.gate import CSV_REASONS, FileRejectedError, Records, read_csv, read_layout
from analytics_platform.gate.csv.header import HeaderError, read_header
from analytics_platform.gate.json_rows import JSON_REASONS, check_json_lines, read_json_lines
from analytics_platform.gate.layout import usual_names
from analytics_platform.gate.parquet_rows import (
    PARQUET_REASONS,
    check_parquet,
    open_parquet,
    plain_schema,
    read_parquet_rows,
    read_parts,
)
from analytics_platform.gate.records import Positions
from analytics_platform.lake import Batch, open_decoded
from analytics_platform.sources.source import Edits, Format, edit_lines

DELIMITERS = (",", ";", "\t", "|")
"""What is tried when a file does not have the declared delimiter."""

ENCODINGS = ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32")
"""What is tried when a file does not have the declared encoding."""


def packed(*kinds: str) -> tuple[str, ...]:
    """Give the ends of names of files of these kinds, plain and packed."""
    return tuple(f"{kind}{packing}" for kind in kinds for packing in ("", ".gz", ".zst"))


@dataclass(frozen=True)
class Csv(Format):
    """Text with a header line, fields as in RFC 4180. `encoding` is a codec of Python: utf-8, cp1252, utf-16 …

    Raises `ValueError` for an encoding or delimiter that cannot be used.
    """

    delimiter: str = ","
    encoding: str = "utf-8"

    suffixes = packed(".csv")

    def __post_init__(self) -> None:
        """Look at the declaration."""
        if len(self.delimiter) != 1 or not self.delimiter.isascii() or self.delimiter in '"\r\n\0':
            raise ValueError(f"Csv(delimiter={self.delimiter!r}): a delimiter is one ASCII character, and no quote")
        try:
            codecs.lookup(self.encoding)
        except LookupError as error:
            raise ValueError(f"Csv(encoding={self.encoding!r}): Python knows no such encoding") from error

    @property
    def reasons(self) -> tuple[str, ...]:  # type: ignore[override]
        """Why a line cannot be parsed."""
        return tuple(map(self._reason, CSV_REASONS))

    def read(self, batch: Batch, stream: BinaryIO, contract: ContractType, only: Positions) -> Iterator[Records]:
        """Parse the lines behind the header."""
        for some in read_csv(self._as_utf8(stream), contract, only, delimiter=self.delimiter):
            reasons = some.malformed["error_reason"].map_elements(self._reason, pl.String)
            yield replace(some, malformed=some.malformed.with_columns(reasons))

    def edit(self, batch: Batch, contract: ContractType, edits: Edits, out: BinaryIO) -> None:
        """Copy all lines but those of edited records."""
        with batch.open() as stream:
            layout = read_layout(contract, self._as_utf8(stream), self.delimiter)
        decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        encoder = codecs.getincrementalencoder(self.encoding)("surrogateescape")

        def line_of(values: Mapping[str, str]) -> bytes:
            cells = {source: values.get(name, "") for name, source in layout.sources.items()} if layout else {}
            line = io.StringIO()
            writer = csv.writer(line, delimiter=self.delimiter, lineterminator="\n")
            writer.writerow([cells.get(name, "") for name in layout.names] if layout else ())
            return line.getvalue().encode()

        def write(part: bytes) -> None:
            out.write(part if self._is_utf8 else encoder.encode(decoder.decode(part)))

        with batch.open() as stream:
            edit_lines(self._as_utf8(stream), edits, line_of, write)

    def _reason(self, reason: str) -> str:
        """Name the declared encoding: the gate reads UTF-8 only."""
        return reason if self._is_utf8 else reason.replace("UTF-8", self.encoding)

    def check(self, path: Path, contract: ContractType) -> None:
        """Raise `FileRejectedError` for a file without a required column or in another form, and say what it has."""
        super().check(path, contract)
        fault = self._find_fault(path, contract)
        if fault is not None:
            raise FileRejectedError(self._hint(path, contract) or fault)

    def _find_fault(self, path: Path, contract: ContractType) -> str | None:
        """Say why the file cannot be read as declared; None if it can."""
        try:
            with open_decoded(path) as stream:
                read_layout(contract, self._as_utf8(stream), self.delimiter)
            if self._is_utf8:
                return None
            with open_decoded(path) as stream:
                text = self._as_utf8(stream)
                while text.read(1 << 20):
                    pass
        except FileRejectedError as error:
            return self._reason(str(error))
        except UnicodeError as error:
            return f"it is not encoded as {self.encoding} ({error}); export it again"
        with open_decoded(path) as stream:
            return f"it is encoded as UTF-8, not {self.encoding}" if _holds_utf8(stream, self.encoding) else None

    def _hint(self, path: Path, contract: ContractType) -> str | None:
        """Say what the file has instead of what is declared; None if that cannot be found."""
        forms = product((self.encoding, *ENCODINGS), (self.delimiter, *DELIMITERS))
        others = [replace(self, delimiter=delimiter, encoding=encoding) for encoding, delimiter in forms]
        other = next((each for each in others if each != self and each._find_fault(path, contract) is None), None)
        if other is None and not self._names_a_column(path, contract):
            # A `;` file that lacks a column too was said to lack all of them.
            other = next((each for each in others if each._names_a_column(path, contract)), None)
        if other is None:
            return None
        found = [f"it is encoded as {other.encoding.upper()}"] if other.encoding != self.encoding else []
        if other.delimiter != self.delimiter:
            found.append(f"its columns are separated by {other.delimiter!r}, not {self.delimiter!r}")
        values = ((field.name, getattr(other, field.name), field.default) for field in fields(other))
        given = ", ".join(f"{name}={value!r}" for name, value, default in values if value != default)
        declaration = f"declare {type(self).__name__}({given}) in {file_of(contract)}"
        usual = f"{self.encoding.upper()} with {self.delimiter!r} between the columns"
        return f"{' and '.join(found)}: {declaration}, or export it as {usual}, and drop it again"

    def _names_a_column(self, path: Path, contract: ContractType) -> bool:
        """Tell whether the header, read in this form, names a column that the contract requires."""
        try:
            with open_decoded(path) as stream:
                header = read_header(self._as_utf8(stream), self.delimiter)
        except (HeaderError, UnicodeError):
            return False
        required = (column.metadata for column in contract.columns.values() if column.metadata["required"])
        wanted = {plain_name(name) for metadata in required for name in metadata["source"]}
        return header is not None and not wanted.isdisjoint(map(plain_name, header.names))

    @property
    def _is_utf8(self) -> bool:
        return codecs.lookup(self.encoding).name in ("utf-8", "utf-8-sig")

    def _as_utf8(self, stream: BinaryIO) -> BinaryIO:
        if self._is_utf8:
            return stream
        return cast(BinaryIO, io.BufferedReader(_Recoded(stream, self.encoding), 1 << 20))


def _holds_utf8(stream: BinaryIO, encoding: str) -> bool:
    """Tell whether a text that can be decoded by this encoding is UTF-8: by its mark, or by characters beyond ASCII.

    Only an encoding with a character per byte, such as cp1252, takes any UTF-8 for text; in others the mark decides.
    """
    by_byte = len("é".encode().decode(encoding, "replace")) == 2
    decoder, start = codecs.getincrementaldecoder("utf-8")(), stream.read(3)
    chunk, is_ascii = start, True
    try:
        while by_byte and chunk:
            is_ascii &= chunk.isascii()
            decoder.decode(chunk)
            chunk = stream.read(1 << 20)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return start == codecs.BOM_UTF8 or not is_ascii


class _Recoded(io.RawIOBase):
    """A stream of text in some encoding, as UTF-8. Bytes that cannot be decoded stay: the gate names them."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogateescape")
        self._left = b""
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        while not self._left and not self._ended:
            chunk = self._stream.read(1 << 20)
            self._ended = not chunk
            self._left = self._decoder.decode(chunk, final=self._ended).encode("utf-8", "surrogateescape")
        part, self._left = self._left[: len(buffer)], self._left[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


class JsonLines(Format):
    """One JSON object per line, in UTF-8. A nested object or list is JSON text to the contract."""

    suffixes = packed(".jsonl", ".ndjson", ".json")
    reasons = JSON_REASONS

    def read(self, batch: Batch, stream: BinaryIO, contract: ContractType, only: Positions) -> Iterator[Records]:
        """Parse the lines."""
        return read_json_lines(stream, contract, only)

    def edit(self, batch: Batch, contract: ContractType, edits: Edits, out: BinaryIO) -> None:
        """Copy all lines but those of edited records."""
        names = usual_names(contract)

        def line_of(values: Mapping[str, str]) -> bytes:
            return json.dumps({names[column]: text for column, text in values.items()}).encode() + b"\n"

        with batch.open() as stream:
            edit_lines(stream, edits, line_of, out.write)

    def check(self, path: Path, contract: ContractType) -> None:
        """Raise `FileRejectedError` for a file that begins as JSON in another form than a line per object."""
        super().check(path, contract)
        with open_decoded(path) as stream:
            check_json_lines(stream)


class Parquet(Format):
    """Parquet files. A nested value is JSON text to the contract, NaN is missing."""

    suffixes = packed(".parquet")
    reasons = PARQUET_REASONS

    def read(self, batch: Batch, stream: BinaryIO, contract: ContractType, only: Positions) -> Iterator[Records]:
        """Read the rows."""
        return read_parquet_rows(stream, contract, only)

    def edit(self, batch: Batch, contract: ContractType, edits: Edits, out: BinaryIO) -> None:
        """Copy all rows but those that are edited."""
        with batch.open() as packed:
            file, stream, _ = open_parquet(packed, contract)
            with pq.ParquetWriter(out, plain_schema(file), compression="zstd") as writer:
                first = 1
                for part in read_parts(file, stream):
                    kept = [place not in edits for place in range(first, first + part.num_rows)]
                    writer.write_table(part.filter(pa.array(kept, pa.bool_())))
                    first += part.num_rows

    def check(self, path: Path, contract: ContractType) -> None:
        """Raise `FileRejectedError` for a file that is not Parquet, is damaged, or lacks a required column."""
        super().check(path, contract)
        with open_decoded(path) as stream:
            check_parquet(stream, contract)
