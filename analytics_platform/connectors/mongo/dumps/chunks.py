"""A file as chunks of its content, decompressed as far as it can be."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO

from analytics_platform.connectors.mongo.dumps.records import DamagedError

CHUNK_BYTES = 1 << 20

_GZIP = b"\x1f\x8b\x08"
_WITH_GZIP_HEADER = 31


def read_chunks(stream: BinaryIO, *, perhaps_gzip: bool) -> Iterator[bytes]:
    """The content in chunks of at most a mebibyte. Raises `DamagedError` after the last that can be decompressed."""
    chunks = _all_chunks(stream)
    if not perhaps_gzip:
        yield from chunks
        return
    first = b""
    for chunk in chunks:
        first += chunk
        if len(first) >= len(_GZIP):
            break
    whole = itertools.chain([first], chunks)
    yield from _decompress(whole) if first.startswith(_GZIP) else whole


def _all_chunks(stream: BinaryIO) -> Iterator[bytes]:
    """The content, where it can be read in pieces: a stream that breaks off keeps what it gave before."""
    read: Callable[[int], bytes] = getattr(stream, "read1", stream.read)
    try:
        while chunk := read(CHUNK_BYTES):
            yield chunk
    except (EOFError, zlib.error) as error:  # the caller's own decompression
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
