"""Reads files decompressed: plain, gzip or zstandard, by the suffix of the name."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa


class UnreadableError(ValueError):
    """A compressed file is damaged; the message says how."""


def open_decoded(path: Path) -> BinaryIO:
    """Open the decompressed content of `path` as a buffered stream."""
    name = path.name.lower()
    if name.endswith(".gz"):
        return cast(BinaryIO, gzip.open(path, "rb"))
    if name.endswith(".zst"):
        return io.BufferedReader(pa.input_stream(str(path), compression="zstd"), 1 << 20)
    return path.open("rb", buffering=1 << 20)


def check_decodable(path: Path) -> None:
    """Read a compressed file to its end. Raises `UnreadableError` if it is damaged or cut short."""
    if not path.name.lower().endswith((".gz", ".zst")):
        return
    try:
        with open_decoded(path) as stream:
            while stream.read(1 << 20):
                pass
    except (EOFError, OSError, zlib.error) as error:
        raise UnreadableError(f"cannot be decompressed ({error}); export it again") from error
