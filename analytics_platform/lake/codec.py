"""Reads files decompressed: plain, gzip or zstandard, by the suffix of the name."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, cast

import pyarrow as pa

from analytics_platform.errors import UserError

if TYPE_CHECKING:  # a lake in a folder does without the AWS SDK, which takes 0.2 s to import
    from analytics_platform.lake.bucket import S3Path

Place: TypeAlias = "Path | S3Path"
"""Where a file of the lake is."""

MAX_EXPANSION = 200
"""Times its size that a compressed file may expand to: logs do to 5 to 50 times, one byte repeated to 1,000 or more."""

_PACKINGS = {".gz": b"\x1f\x8b\x08", ".zst": b"\x28\xb5\x2f\xfd"}
"""End of a name → how the bytes of such files begin."""

ALWAYS_BYTES = 64 << 20
"""Bytes that any compressed file may expand to."""


class UnreadableError(ValueError):
    """A compressed file is damaged or expands too far; the message says how."""


class LakeError(UserError):
    """What the lake has of a batch is not what was stored; the message names the file and the remedy."""


def open_decoded(path: Path, raw: BinaryIO | None = None) -> BinaryIO:
    """Open the decompressed content of `path` as a buffered stream; its bytes are read from `raw` if that is given."""
    name = path.name.lower()
    if name.endswith(".gz"):
        return cast(BinaryIO, gzip.open(raw or path, "rb"))
    if name.endswith(".zst"):
        return io.BufferedReader(pa.input_stream(raw or str(path), compression="zstd"), 1 << 20)
    return raw or path.open("rb", buffering=1 << 20)


@contextmanager
def open_encoded(path: Path, name: str) -> Iterator[BinaryIO]:
    """Open a new file, compressed as the suffix of `name` says. The same content gives the same bytes."""
    with path.open("wb") as raw:
        if name.lower().endswith(".gz"):
            with gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed:
                yield cast(BinaryIO, packed)
        elif name.lower().endswith(".zst"):
            with pa.output_stream(raw, compression="zstd") as packed:
                yield packed
        else:
            yield raw


def check_decodable(path: Place, *, may_be_damaged: bool = False) -> None:
    """Read a compressed file to its end.

    Raises `UnreadableError` if its name does not say how it is compressed, if it is compressed twice or expands too
    far, or unless it `may_be_damaged`, if it is damaged or cut short.
    """
    with path.open("rb") as file:
        _check_decodable(path.name, path.stat().st_size, file, may_be_damaged)


def _check_decodable(name: str, packed_size: int, file: BinaryIO, may_be_damaged: bool) -> None:
    start = file.read(4)
    file.seek(0)
    said = next((end for end in _PACKINGS if name.lower().endswith(end)), "")
    found = next((end for end, mark in _PACKINGS.items() if start.startswith(mark)), "")
    if start and said != found:
        bare = name[: len(name) - len(said)]
        right = f"{re.sub(r'[.](gzip|zstd)$', '', bare, flags=re.IGNORECASE)}{found}"
        what = f"compressed as {found} files are" if found else f"not compressed as {said} files are"
        raise UnreadableError(f"it is {what}: rename it to {right}")
    if not said:
        return
    size, limit = 0, max(ALWAYS_BYTES, MAX_EXPANSION * packed_size)
    try:
        with open_decoded(Path(name), file) as stream:
            while chunk := stream.read(1 << 20):
                if not size and (again := next((end for end, mark in _PACKINGS.items() if chunk.startswith(mark)), "")):
                    right = f"{name[: len(name) - len(said)]}{again}"
                    raise UnreadableError(f"it is compressed twice: decompress it once, and name it {right}")
                size += len(chunk)
                if size > limit:
                    words = f"expands to more than {MAX_EXPANSION} times its size"
                    raise UnreadableError(f"{words}; if that is right, decompress it and drop it again")
    except (EOFError, OSError, zlib.error) as error:
        if may_be_damaged:
            return
        raise UnreadableError(f"cannot be decompressed ({error}); export it again") from error
