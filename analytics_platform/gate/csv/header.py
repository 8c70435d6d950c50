"""Reads the header of a CSV file: the names of its columns, as the file writes them."""

import codecs
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from analytics_platform.gate.csv.fields import parse_fields

MAX_HEADER_BYTES = 1 << 20


class HeaderError(ValueError):
    """The header cannot be used, so no row of the file can be read; the message says why in one sentence."""


@dataclass(frozen=True, slots=True)
class Header:
    """The names of a file's columns in file order, and the number of the line after the header."""

    names: Sequence[str]
    first_line: int


def read_header(stream: BinaryIO, delimiter: str = ",") -> Header | None:
    """Read the header and leave the stream at the byte after it; None if the file has only blank lines.

    The header is the first line that is not blank, and always one line; a line `sep=;` before it, with which Excel
    tells the delimiter, is skipped if that is `delimiter`. A UTF-8 byte order mark and the white
    space around names are taken off; a name may be empty, as in an exported index. `stream` needs `readline`:
    wrap a raw stream in `io.BufferedReader`. Raises `HeaderError` if the line is longer than
    `MAX_HEADER_BYTES`, not UTF-8, holds a NUL byte, a CR or a quote out of place, or names a column twice.
    """
    number = 1
    line = _read_line(stream).removeprefix(codecs.BOM_UTF8)
    while line in (b"\n", b"\r\n") or line.lower().strip(b'"\r\n') == f"sep={delimiter}".encode():
        number += 1
        line = _read_line(stream)
    text = line.removesuffix(b"\n").removesuffix(b"\r")
    return Header(_names(text, delimiter), number + 1) if text else None


def _read_line(stream: BinaryIO) -> bytes:
    line = stream.readline(MAX_HEADER_BYTES + 1)
    if len(line) > MAX_HEADER_BYTES:
        raise HeaderError(
            f"The header is longer than {MAX_HEADER_BYTES:,} bytes: it is hardly a CSV file, export the file again."
        )
    return line


def _names(text: bytes, delimiter: str) -> list[str]:
    if b"\0" in text:
        raise HeaderError("The header contains a NUL byte: export the file again, or remove it if it is no text.")
    if b"\r" in text.rstrip(b"\r"):
        raise HeaderError("The header contains a CR without LF: end lines with LF or CRLF (`tr '\\r' '\\n'`).")
    try:
        fields = parse_fields(text.decode(), delimiter)
    except UnicodeDecodeError as error:
        raise HeaderError(f"The header is not UTF-8: its byte {error.start + 1} cannot be decoded.") from error
    if fields is None:
        raise HeaderError(
            "The header has a quote that is unterminated or in the middle of a name: export the file again."
        )
    names = [field.strip() for field in fields]
    name, count = Counter(names).most_common(1)[0]
    if count > 1 and not name:
        raise HeaderError(
            "The first line is no header, it has columns without a name: export the file with its header."
        )
    if count > 1:
        raise HeaderError(f"The header names the column {name!r} more than once: export the file again without that.")
    return names
