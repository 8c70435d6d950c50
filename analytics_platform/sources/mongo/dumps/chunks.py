"""A file as chunks of its content, decompressed as far as it can be."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from analytics_platform.sources.mongo.dumps.records import DamagedError

CHUNK_BYTES = 1 << 20

_GZIP = b"\x1f\x8b\x08"
_WITH_GZIP_HEADER = 31


def read_chunks(stream: BinaryIO, *, perhaps_gzip: bool) -> Iterator[bytes]:
    """The content in chunks of at most a mebibyte. Raises `DamagedError` after the last that can be decompressed."""
    first = stream.read(CHUNK_BYTES)
    compressed = perhaps_gzip and first.startswith(_GZIP)
    chunks = _all_chunks(first, stream)
    return _decompress(chunks) if compressed else chunks


def _all_chunks(first: bytes, stream: BinaryIO) -> Iterator[bytes]:
    chunk = first
    while chunk:
        yield chunk
        try:
            chunk = stream.read(CHUNK_BYTES)
        except (EOFError, zlib.error) as error:  # a stream that the caller had decompressed
            raise DamagedError(str(error)) from error


def _decompress(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The content of one gzip member or several, each chunk bounded however well it was compressed."""
    member = zlib.decompressobj(_WITH_GZIP_HEADER)
    for chunk in chunks:
        while chunk:
            if member.eof:
                member = zlib.decompressobj(_WITH_GZIP_HEADER)
            try:
                content = member.decompress(chunk, CHUNK_BYTES)
            except zlib.error as error:
                raise DamagedError(str(error)) from error
            if content:
                yield content
            chunk = member.unused_data if member.eof else member.unconsumed_tail
    if content := member.flush():
        yield content
    if not member.eof:
        raise DamagedError("the file ends within its compressed data")
