"""Cuts the bytes of a CSV file into records, well-formed ones and malformed ones with a reason.

Grammar (RFC 4180, strict): outside quotes a LF or CRLF ends a record, and so does the end of the file; a
quoted field starts at the start of a field, writes a quote as `""`, and is followed by a delimiter or the end of
the record; a lone CR is data. Lines between records that hold nothing, or only the CR of a CRLF, are blank
and skipped.

A line with an even number of quotes is a record by itself. A line with an odd number opens a record that
reaches to the *next* odd line, if the joined lines are well-formed, have exactly the expected columns and at
most `max_record_bytes`. If not, that first line alone is malformed and reading goes on at the very next line:
a forgotten quote costs one line, never the good rows after it.

A line longer than `max_record_bytes` is not held in memory whole: it becomes one malformed record "too large",
whose raw bytes are as much of its start. They are cut between characters, so they are UTF-8 if the line is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import chain, pairwise
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from analytics_platform.gate.csv.fields import parse_fields
from analytics_platform.gate.csv.lines import REASONS, Flaw, Lines, read_lines

MAX_RECORD_BYTES = 16 << 20
BLOCK_BYTES = 8 << 20
# The arrays that describe a window of this size stay in the processor's cache.
_WINDOW_BYTES = 1 << 20
# A malformed record's bytes are a Python object, many times a short line's size: a block of many is closed early.
_MALFORMED_PER_BLOCK = 100_000


@dataclass(frozen=True, slots=True, eq=False)
class Malformed:
    """Records that cannot be parsed, in file order: columns of one length, for there may be very many."""

    positions: NDArray[np.int64]
    """The line each starts on (header = 1)."""
    raws: Sequence[bytes]
    """Their bytes without the line end; of one that is too large, its start."""
    flaws: NDArray[np.uint8]
    """Why, as a `Flaw`."""

    @property
    def reasons(self) -> list[str]:
        """Give the flaws in words."""
        return [REASONS[Flaw(flaw)] for flaw in self.flaws.tolist()]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """The records of one stretch of the file, in file order."""

    good: bytes
    """The well-formed records as they stand in the file, each ended by LF or CRLF, ready for a CSV parser."""
    positions: NDArray[np.int64]
    """For each well-formed record, the physical line it starts on (header = 1)."""
    sizes: NDArray[np.int64]
    """For each well-formed record, its bytes in `good`, line end included."""
    malformed: Malformed
    """The malformed records."""

    def raws(self, indices: Sequence[int] | NDArray[np.integer]) -> list[bytes]:
        """Give the original bytes of the well-formed records at `indices`, without their line ends."""
        chosen = np.asarray(indices, np.int64)
        ends = np.cumsum(self.sizes)[chosen]
        bounds = zip((ends - self.sizes[chosen]).tolist(), ends.tolist(), strict=True)
        return [self.good[start : end - 1].removesuffix(b"\r") for start, end in bounds]


def split(
    stream: BinaryIO,
    columns: int,
    first_line: int = 2,
    block_bytes: int = BLOCK_BYTES,
    max_record_bytes: int = MAX_RECORD_BYTES,
    delimiter: str = ",",
) -> Iterator[Block]:
    """Read the rest of `stream` as records of `columns` columns; its first line has the number `first_line`.

    Yields blocks of about `block_bytes`, none without records. Which records there are does not depend on
    `block_bytes`. Memory is bounded whatever the bytes: some 0.2 GB for ordinary files at the default sizes,
    1.2 GB for the worst, a quote opened before `max_record_bytes` of empty lines. Raises only what reading
    the stream raises.
    """
    parts: list[Block] = []
    size = malformed = 0
    for part in _Splitter(stream, columns, first_line, min(block_bytes, _WINDOW_BYTES), max_record_bytes, delimiter):
        parts.append(part)
        size += len(part.good) + sum(map(len, part.malformed.raws))
        malformed += len(part.malformed.raws)
        if size >= block_bytes or malformed >= _MALFORMED_PER_BLOCK:
            yield _join(parts)
            parts, size, malformed = [], 0, 0
    if parts:
        yield _join(parts)


def _join(parts: Sequence[Block]) -> Block:
    bad = [part.malformed for part in parts]
    return Block(
        good=b"".join(part.good for part in parts),
        positions=np.concatenate([part.positions for part in parts]),
        sizes=np.concatenate([part.sizes for part in parts]),
        malformed=Malformed(
            positions=np.concatenate([part.positions for part in bad]),
            raws=list(chain.from_iterable(part.raws for part in bad)),
            flaws=np.concatenate([part.flaws for part in bad]),
        ),
    )


class _Splitter:
    """Reads a stream window by window and yields the records that no later byte can change."""

    def __init__(
        self, stream: BinaryIO, columns: int, first_line: int, window: int, max_record_bytes: int, delimiter: str
    ) -> None:
        self._stream = stream
        self._columns = columns
        self._line = first_line
        self._window = window
        self._limit = max_record_bytes
        self._delimiter = delimiter
        self._buffer = b""
        self._unread: list[BytesIO] = []
        self._ended = False
        self._within_large_line = False

    def __iter__(self) -> Iterator[Block]:
        while self._read_on():
            if self._within_large_line and b"\n" in self._buffer:
                _, _, self._buffer = self._buffer.partition(b"\n")
                self._within_large_line = False
                self._line += 1
            if b"\n" in self._buffer:
                block = self._settle()
                if len(block.positions) or block.malformed.raws:
                    yield block
            # One byte over the limit could still be the CR of a line end.
            if len(self._buffer) > self._limit + 1 and b"\n" not in self._buffer:
                if not self._within_large_line:
                    yield self._large()
                self._within_large_line = True
                self._buffer = b""

    def _read_on(self) -> bool:
        """Add bytes to the buffer, at the end of the file a LF if it lacks one; false when nothing is left.

        A buffer that could not be settled doubles, up to the size that settles it, so that long records are not
        looked at over and over.
        """
        held = len(self._buffer)
        chunk = self._read(max(self._window, min(held, self._limit + 2 - held)))
        self._ended = not chunk
        if self._ended and self._buffer and not self._buffer.endswith(b"\n"):
            chunk = b"\n"
        self._buffer += chunk
        return bool(self._buffer)

    def _read(self, size: int) -> bytes:
        while self._unread:
            if chunk := self._unread[-1].read(size):
                return chunk
            self._unread.pop()
        return self._stream.read(size)

    def _settle(self) -> Block:
        """Validate the whole lines in the buffer, and keep those that more bytes could still complete."""
        whole = self._buffer.rfind(b"\n") + 1
        lines = read_lines(self._buffer[:whole], self._columns, self._limit, self._delimiter)
        openers, closers = _multi_line_records(lines, self._columns, self._limit, self._delimiter)
        settled = len(lines.ends) if self._ended else self._settled_lines(lines, closers)
        enough = int(np.searchsorted(lines.starts, 2 * self._window))
        if begun := int(np.searchsorted(openers, enough)):
            enough = max(enough, int(closers[begun - 1]) + 1)
        rest = self._buffer[lines.end_of(min(settled, enough)) :]
        if settled > enough:
            # The buffer grew to check one record: read the lines after it again, window by window, for there
            # may be millions of them and their records should not be in memory all at once.
            self._unread.append(BytesIO(rest))
            settled, rest = enough, b""
        self._buffer = rest
        block = _cut(lines, openers, closers, settled, self._line, self._limit)
        self._line += settled
        return block

    def _settled_lines(self, lines: Lines, closers: NDArray[np.int64]) -> int:
        """Count the lines that can be checked now: all, or those before a record that may go on after the buffer."""
        odd = np.flatnonzero(lines.odd)
        if not odd.size or (closers.size and closers[-1] == odd[-1]):
            return len(lines.ends)
        opener = int(odd[-1])
        may_open = lines.flaws[opener] == Flaw.UNTERMINATED_QUOTE
        return (
            opener if may_open and len(self._buffer) - int(lines.starts[opener]) - 1 <= self._limit else len(lines.ends)
        )

    def _large(self) -> Block:
        nothing, start = np.empty(0, np.int64), _start_of(self._buffer, self._limit)
        malformed = Malformed(np.array([self._line]), [start], np.array([Flaw.TOO_LARGE], np.uint8))
        return Block(b"", nothing, nothing, malformed)


def _multi_line_records(
    lines: Lines, columns: int, max_record_bytes: int, delimiter: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the first and the last line of every record of several lines."""
    taken: list[tuple[int, int]] = []
    for opener, closer in pairwise(np.flatnonzero(lines.odd).tolist()):
        raw = lines.text[lines.starts[opener] : lines.starts[closer] + lines.lengths[closer]]
        is_free = not taken or opener > taken[-1][1]
        if is_free and len(raw) <= max_record_bytes and _is_well_formed(raw, columns, delimiter):
            taken.append((opener, closer))
    openers, closers = np.array(taken, np.int64).reshape(-1, 2).T
    return openers, closers


def _is_well_formed(raw: bytes, columns: int, delimiter: str) -> bool:
    try:
        fields = parse_fields(raw.decode(), delimiter)
    except UnicodeDecodeError:
        return False
    return fields is not None and len(fields) == columns and b"\0" not in raw


def _cut(
    lines: Lines,
    openers: NDArray[np.int64],
    closers: NDArray[np.int64],
    settled: int,
    first_line: int,
    max_record_bytes: int,
) -> Block:
    """Give the records of the first `settled` lines, `openers` to `closers` being those of several lines."""
    steps = np.zeros(len(lines.ends) + 1, np.int8)
    openers, closers = openers[openers < settled], closers[closers < settled]
    steps[openers + 1] = 1
    steps[closers + 1] = -1
    goes_on = np.cumsum(steps, dtype=np.int8).view(np.bool_)[: settled + 1]
    flaws = lines.flaws[:settled].copy()
    flaws[openers] = Flaw.NONE
    flaws[goes_on[:-1]] = Flaw.NONE
    well_formed = flaws == Flaw.NONE
    first = np.flatnonzero(well_formed & ~goes_on[:-1])
    last = np.flatnonzero(well_formed & ~goes_on[1:])
    edges = np.flatnonzero(np.diff(well_formed, prepend=False, append=False))
    runs = zip(lines.starts[edges[::2]].tolist(), lines.ends[edges[1::2] - 1].tolist(), strict=True)
    return Block(
        good=b"".join([lines.text[start : end + 1] for start, end in runs]),
        positions=first + first_line,
        sizes=lines.ends[last] + 1 - lines.starts[first],
        malformed=_malformed(lines, flaws, first_line, max_record_bytes),
    )


def _malformed(lines: Lines, flaws: NDArray[np.uint8], first_line: int, max_record_bytes: int) -> Malformed:
    """Give the malformed records among the lines with these flaws."""
    rejected = np.flatnonzero(flaws > Flaw.BLANK)
    starts = lines.starts[rejected]
    bounds = zip(starts.tolist(), (starts + lines.lengths[rejected]).tolist(), strict=True)
    raws = [_start_of(lines.text[start:end], max_record_bytes) for start, end in bounds]
    return Malformed(rejected + first_line, raws, flaws[rejected])


def _start_of(line: bytes, limit: int) -> bytes:
    """Cut a line off after at most `limit` bytes, between two UTF-8 characters, which have four bytes at most."""
    if len(line) <= limit:
        return line
    ends = (end for end in range(limit, max(limit - 4, 0), -1) if line[end] & 0xC0 != 0x80)
    return line[: next(ends, limit)]
