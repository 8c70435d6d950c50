"""The forms in which files hold records: CSV, JSON lines, Parquet; plain, or packed as `.gz` or `.zst`."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from analytics_platform.contracts.base import ContractType, file_of
from analytics_platform.gate import CSV_REASONS, ROW_REASONS, FileRejectedError, Records, read_csv, read_layout
from analytics_platform.gate.json_rows import read_json_lines
from analytics_platform.gate.parquet_rows import open_parquet, read_parquet_rows
from analytics_platform.gate.records import Positions
from analytics_platform.lake import Batch, open_decoded
from analytics_platform.sources.source import Format

DELIMITERS = (",", ";", "\t", "|")
"""What is tried when a file does not have the declared delimiter."""


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
    reasons = CSV_REASONS

    def __post_init__(self) -> None:
        """Look at the declaration."""
        if len(self.delimiter) != 1 or not self.delimiter.isascii() or self.delimiter in '"\r\n\0':
            raise ValueError(f"Csv(delimiter={self.delimiter!r}): a delimiter is one ASCII character, and no quote")
        try:
            codecs.lookup(self.encoding)
        except LookupError as error:
            raise ValueError(f"Csv(encoding={self.encoding!r}): Python knows no such encoding") from error

    def read(self, batch: Batch, stream: BinaryIO, contract: ContractType, only: Positions) -> Iterator[Records]:
        """Parse the lines behind the header."""
        return read_csv(self._as_utf8(stream), contract, only, delimiter=self.delimiter)

    def check(self, path: Path, contract: ContractType) -> None:
        """Raise `FileRejectedError` for a file without a required column, and say what it has instead."""
        super().check(path, contract)
        try:
            self._read_header(path, contract, self.delimiter)
        except FileRejectedError as error:
            raise FileRejectedError(self._hint(path, contract) or str(error)) from error

    def _read_header(self, path: Path, contract: ContractType, delimiter: str) -> None:
        with open_decoded(path) as stream:
            read_layout(contract, self._as_utf8(stream), delimiter)

    def _hint(self, path: Path, contract: ContractType) -> str | None:
        """Say what the file has instead of what is declared; None if that cannot be found."""
        with open_decoded(path) as stream:
            start = stream.read(4)
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and not self.encoding.startswith("utf-16"):
            return self._other(contract, "it is encoded as UTF-16", "encoding='utf-16'")
        for delimiter in DELIMITERS:
            try:
                self._read_header(path, contract, delimiter)
            except FileRejectedError:
                continue
            words = f"its columns are separated by {delimiter!r}, not {self.delimiter!r}"
            return self._other(contract, words, f"delimiter={delimiter!r}")
        return None

    def _other(self, contract: ContractType, found: str, argument: str) -> str:
        return f"{found}: declare Csv({argument}) in {file_of(contract)}, or export it as declared and drop it again"

    def _as_utf8(self, stream: BinaryIO) -> BinaryIO:
        if codecs.lookup(self.encoding).name == "utf-8":
            return stream
        return cast(BinaryIO, io.BufferedReader(_Recoded(stream, self.encoding), 1 << 20))


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
    reasons = ROW_REASONS

    def read(self, batch: Batch, stream: BinaryIO, contract: ContractType, only: Positions) -> Iterator[Records]:
        """Parse the lines."""
        return read_json_lines(stream, contract, only)


class Parquet(Format):
    """Parquet files. A nested value is JSON text to the contract."""

    suffixes = packed(".parquet")

    def read(self, batch: Batch, stream: BinaryIO, contract: ContractType, only: Positions) -> Iterator[Records]:
        """Read the rows."""
        return read_parquet_rows(stream, contract, only)

    def check(self, path: Path, contract: ContractType) -> None:
        """Raise `FileRejectedError` for a file that is not Parquet, or lacks a required column."""
        super().check(path, contract)
        with open_decoded(path) as stream:
            open_parquet(stream, contract)
