"""Writing one file: sound and broken rows as bytes, under a temporary name until it is whole."""

import gzip
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from random import Random
from typing import BinaryIO, cast

from analytics_platform.demo.simulator.breakage import Breakage
from analytics_platform.demo.simulator.drift import FileStyle, write_row
from analytics_platform.demo.simulator.event import Event

_BATCH = 4_096
"""Rows turned into bytes at once."""

_COMPRESSION = 6


def write_file(
    path: Path, style: FileStyle, rows: Sequence[Event], broken: Mapping[int, Breakage], rng: Random
) -> None:
    """Write rows, with a broken one before each place named in `broken`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with ExitStack() as stack:
        stream: BinaryIO = stack.enter_context(part.open("wb"))
        if style.is_gzipped:
            zipped = gzip.GzipFile(filename="", mode="wb", compresslevel=_COMPRESSION, fileobj=stream, mtime=0)
            stream = cast(BinaryIO, stack.enter_context(zipped))
        _write_lines(stream, style, _write_rows(style, rows, broken, rng))
    part.replace(path)


def _write_rows(style: FileStyle, rows: Sequence[Event], broken: Mapping[int, Breakage], rng: Random) -> Iterator[str]:
    """Records without their line ends."""
    for place, row in enumerate(rows):
        breakage = broken.get(place)
        if breakage is not None:
            yield breakage.write(rng, row, style)
        yield write_row(row, style)


def _write_lines(stream: BinaryIO, style: FileStyle, lines: Iterator[str]) -> None:
    """The header and the lines; lone surrogates stand for bytes that are not UTF-8."""
    stream.write(style.header.encode("utf-8-sig" if style.has_bom else "utf-8"))
    while batch := list(islice(lines, _BATCH)):
        text = style.newline + style.newline.join(batch)
        stream.write(text.encode("utf-8", errors="surrogateescape"))
    if style.has_final_newline:
        stream.write(style.newline.encode())
