"""Cuts the bytes of a CSV file into records, well-formed ones and malformed ones with a reason.

Grammar (RFC 4180, strict): outside quotes a LF or CRLF ends a record, and so does the end of the file; a
quoted field starts at the start of a field, writes a quote as `""`, and is followed by a delimiter or the end of
the record; a lone CR is data. Lines between records that hold nothing, or only the CR of a CRLF, are blank
and skipped.

A line with an even number of quotes is a record by itself. A line with an odd number opens a record that
reaches to the *next* odd line, if the joined lines are well-formed, have exactly the expected columns and at
most `max_record_bytes`. If not, that first line alone is malformed and reading goes on at the very next line:
a forgotten quote costs one line, never the good rows after it.

A line longer than `max_record_bytes` is not held in memory whole: it becomes several malformed records "too
large", all with the line's position, whose raw bytes in order are the line. They are cut between characters,
so each is UTF-8 if the line is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import chain
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from analytics_platform.gate.csv.lines import Lines, Reason, Verdict, read_lines

MAX_RECORD_BYTES = 16 << 20
BLOCK_BYTES = 8 << 20
# The arrays that describe a window of this size stay in the processor's cache.
_WINDOW_BYTES = 1 << 20
# A malformed record's bytes are a Python object, many times a short line's size: a block of many is closed early.
_MALFORMED_PER_BLOCK = 100_000
_REASONS: Mapping[int, Reason] = {int(verdict): verdict.reason for verdict in Verdict if verdict > Verdict.BLANK}


@dataclass(frozen=True, slots=True, eq=False)
class Malformed:
    """Records that cannot be parsed, in file order: columns of one length, for there may be very many."""

    positions: NDArray[np.int64]
    """The line each starts on (header = 1)."""
    raws: Sequence[bytes]
    """Their bytes without the line end."""
    verdicts: NDArray[np.uint8]
    """Why, as a `Verdict`."""

    def __len__(self) -> int:
        """How many they are."""
        return len(self.raws)

    @property
    def reasons(self) -> list[Reason]:
        """Why, in words."""
        return [_REASONS[verdict] for verdict in self.verdicts.tolist()]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """The records of one stretch of the file, in file order."""

    good: bytes
    """The well-formed records as they stand in the file, each ended by LF or CRLF, ready for a CSV parser."""
    positions: NDArray[np.int64]
    """For each well-formed record, the physical line it starts on (header = 1)."""
    offsets: NDArray[np.int64]
    """For each well-formed record, its first byte in `good`; one more entry: the length of `good`."""
    malformed: Malformed
    """The malformed records."""

    def raw(self, index: int) -> bytes:
        """The original bytes of the well-formed record at `index`, without its line end."""
        return self.raws([index])[0]

    def raws(self, indices: Sequence[int] | NDArray[np.integer]) -> list[bytes]:
        """The original bytes of the well-formed records at `indices`, without their line ends."""
        chosen = np.asarray(indices, np.int64)
        bounds = zip(self.offsets[chosen].tolist(), self.offsets[1:][chosen].tolist(), strict=True)
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
    stretches: list[_Stretch] = []
    size = malformed = 0
    for stretch in _Splitter(stream, columns, first_line, min(block_bytes, _WINDOW_BYTES), max_record_bytes, delimiter):
        stretches.append(stretch)
        size += stretch.size
        malformed += len(stretch.malformed)
        if size >= block_bytes or malformed >= _MALFORMED_PER_BLOCK:
            yield _join(stretches)
            stretches, size, malformed = [], 0, 0
    if stretches:
        yield _join(stretches)


@dataclass(frozen=True, slots=True, eq=False)
class _Stretch:
    """The records of one window, in file order."""

    good: Sequence[memoryview]
    positions: NDArray[np.int64]
    sizes: NDArray[np.int64]
    malformed: Malformed
    size: int


def _join(stretches: Sequence[_Stretch]) -> Block:
    return Block(
        good=b"".join(part for stretch in stretches for part in stretch.good),
        positions=np.concatenate([stretch.positions for stretch in stretches]),
        offsets=np.cumsum(np.concatenate([np.zeros(1, np.int64), *(stretch.sizes for stretch in stretches)])),
        malformed=_join_malformed([stretch.malformed for stretch in stretches]),
    )


def _join_malformed(parts: Sequence[Malformed]) -> Malformed:
    return Malformed(
        positions=np.concatenate([part.positions for part in parts]),
        raws=list(chain.from_iterable(part.raws for part in parts)),
        verdicts=np.concatenate([part.verdicts for part in parts]),
    )


class _Splitter:
    """Reads a stream window by window and yields the records whose verdict no later byte can change."""

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

    def __iter__(self) -> Iterator[_Stretch]:
        while self._read_on():
            if self._within_large_line and b"\n" in self._buffer:
                yield self._end_large_line()
            if b"\n" in self._buffer:
                stretch = self._settle()
                if len(stretch.positions) or len(stretch.malformed):
                    yield stretch
            # One byte over the limit could still be the CR of a line end.
            if len(self._buffer) > self._limit + 1 and b"\n" not in self._buffer:
                yield self._cut_large_line()

    def _read_on(self) -> bool:
        """Add bytes to the buffer, at the end of the file a LF if it lacks one; false when nothing is left.

        A buffer that could not be settled doubles, up to where its verdict must fall, so that long records
        are not looked at over and over.
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

    def _settle(self) -> _Stretch:
        """Validate the whole lines in the buffer, and keep those that more bytes could still complete."""
        whole = self._buffer.rfind(b"\n") + 1
        lines = read_lines(self._buffer[:whole], self._columns, self._limit, self._delimiter)
        openers, closers = _multi_line_records(lines, self._columns, self._limit)
        settled = len(lines.ends) if self._ended else self._settled_lines(lines, closers)
        enough = _lines_until(2 * self._window, lines, openers, closers)
        rest = self._buffer[lines.end_of(min(settled, enough)) :]
        if settled > enough:
            # The buffer grew to check one record: read the lines after it again, window by window, for there
            # may be millions of them and their records should not be in memory all at once.
            self._unread.append(BytesIO(rest))
            settled, rest = enough, b""
        self._buffer = rest
        stretch = _cut(lines, openers, closers, settled, self._line, self._limit)
        self._line += settled
        return stretch

    def _settled_lines(self, lines: Lines, closers: NDArray[np.int64]) -> int:
        """How many lines can be checked now: all, or those before a record that may go on after the buffer."""
        odd = np.flatnonzero(lines.odd)
        if not odd.size or (closers.size and closers[-1] == odd[-1]):
            return len(lines.ends)
        opener = int(odd[-1])
        delimiters = int(lines.outer_delimiters[opener]) + int(lines.inner_delimiters[opener + 1 :].sum())
        hopeless = (
            not _may_open(lines, odd[-1:])[0]
            or delimiters > self._columns - 1
            or len(self._buffer) - int(lines.starts[opener]) - 1 > self._limit
        )
        return len(lines.ends) if hopeless else opener

    def _cut_large_line(self) -> _Stretch:
        """Cut one piece from the line longer than the limit that fills the buffer."""
        size = _character_end(self._buffer, self._limit)
        piece, self._buffer = self._buffer[:size], self._buffer[size:]
        self._within_large_line = True
        return self._large([piece])

    def _end_large_line(self) -> _Stretch:
        """Cut the rest of the line longer than the limit, whose end is in the buffer."""
        rest, _, self._buffer = self._buffer.partition(b"\n")
        stretch = self._large(_pieces(rest.removesuffix(b"\r"), self._limit))
        self._within_large_line = False
        self._line += 1
        return stretch

    def _large(self, pieces: Sequence[bytes]) -> _Stretch:
        count = len(pieces)
        malformed = Malformed(np.full(count, self._line), pieces, np.full(count, Verdict.TOO_LARGE, np.uint8))
        nothing = np.empty(0, np.int64)
        return _Stretch((), nothing, nothing, malformed, sum(map(len, pieces)))


def _may_open(lines: Lines, which: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether these odd lines, read as the start of a longer record, are flawless."""
    unterminated: NDArray[np.bool_] = lines.verdicts[which] == Verdict.UNTERMINATED_QUOTE
    return unterminated & ~lines.stray[which]


def _multi_line_records(
    lines: Lines, columns: int, max_record_bytes: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first and the last line of every record of several lines."""
    odd = np.flatnonzero(lines.odd)
    opener, closer = odd[:-1], odd[1:]
    delimiters = _sums_between(lines.inner_delimiters, opener, closer) + lines.outer_delimiters[opener]
    size = lines.starts[closer] + lines.lengths[closer] - lines.starts[opener]
    fits = (delimiters == columns - 1) & (size <= max_record_bytes) & _may_open(lines, opener)
    # A file without multi-line records hardly ever gets this far, and is spared the slower look from inside.
    if fits.any():
        flaws = lines.stray_from_inside() | (lines.verdicts >= Verdict.NOT_UTF8)
        fits &= _sums_between(flaws, opener, closer) == 0
    taken = _first_come(fits)
    return opener[taken], closer[taken]


def _sums_between(values: NDArray[np.generic], after: NDArray[np.int64], upto: NDArray[np.int64]) -> NDArray[np.int64]:
    """The sums of `values` over the stretches of lines after `after` and up to `upto`, inclusive."""
    sums = np.cumsum(values, dtype=np.int64)
    return sums[upto] - sums[after]


def _first_come(fits: NDArray[np.bool_]) -> list[int]:
    """The pairs (odd line n, odd line n + 1) that fit and share no line with a pair taken before."""
    taken: list[int] = []
    free = 0
    for pair in np.flatnonzero(fits).tolist():
        if pair >= free:
            taken.append(pair)
            free = pair + 2
    return taken


def _lines_until(size: int, lines: Lines, openers: NDArray[np.int64], closers: NDArray[np.int64]) -> int:
    """The number of lines in the records that begin within the first `size` bytes."""
    line = int(np.searchsorted(lines.starts, size))
    begun = int(np.searchsorted(openers, line))
    return max(line, int(closers[begun - 1]) + 1) if begun else line


def _cut(
    lines: Lines,
    openers: NDArray[np.int64],
    closers: NDArray[np.int64],
    settled: int,
    first_line: int,
    max_record_bytes: int,
) -> _Stretch:
    """The records of the first `settled` lines, `openers` to `closers` being those of several lines."""
    steps = np.zeros(len(lines.ends) + 1, np.int8)
    openers, closers = openers[openers < settled], closers[closers < settled]
    steps[openers + 1] = 1
    steps[closers + 1] = -1
    goes_on = np.cumsum(steps, dtype=np.int8).view(np.bool_)[: settled + 1]
    verdicts = lines.verdicts[:settled].copy()
    verdicts[openers] = Verdict.WELL_FORMED
    verdicts[goes_on[:-1]] = Verdict.WELL_FORMED
    well_formed = verdicts == Verdict.WELL_FORMED
    first = np.flatnonzero(well_formed & ~goes_on[:-1])
    last = np.flatnonzero(well_formed & ~goes_on[1:])
    return _Stretch(
        good=_runs(lines, well_formed),
        positions=first + first_line,
        sizes=lines.ends[last] + 1 - lines.starts[first],
        malformed=_malformed(lines, verdicts, first_line, max_record_bytes),
        size=lines.end_of(settled),
    )


def _runs(lines: Lines, chosen: NDArray[np.bool_]) -> list[memoryview]:
    """The bytes of the chosen lines, a view for each run of neighbours."""
    text = memoryview(lines.text)
    edges = np.flatnonzero(np.diff(chosen, prepend=False, append=False))
    starts, ends = lines.starts[edges[::2]].tolist(), lines.ends[edges[1::2] - 1].tolist()
    return [text[start : end + 1] for start, end in zip(starts, ends, strict=True)]


def _malformed(lines: Lines, verdicts: NDArray[np.uint8], first_line: int, max_record_bytes: int) -> Malformed:
    """The malformed records among the lines with these verdicts."""
    rejected = np.flatnonzero(verdicts > Verdict.BLANK)
    starts = lines.starts[rejected]
    bounds = zip(starts.tolist(), (starts + lines.lengths[rejected]).tolist(), strict=True)
    raws = [lines.text[start:end] for start, end in bounds]
    found = Malformed(rejected + first_line, raws, verdicts[rejected])
    if (found.verdicts == Verdict.TOO_LARGE).any():
        return _in_pieces(found, [_pieces(raw, max_record_bytes) for raw in raws])
    return found


def _in_pieces(records: Malformed, pieces: Sequence[Sequence[bytes]]) -> Malformed:
    """The same records, each as several: its pieces."""
    counts = list(map(len, pieces))
    return Malformed(
        positions=np.repeat(records.positions, counts),
        raws=list(chain.from_iterable(pieces)),
        verdicts=np.repeat(records.verdicts, counts),
    )


def _pieces(line: bytes, limit: int) -> list[bytes]:
    """The line in pieces of at most `limit` bytes."""
    pieces: list[bytes] = []
    start = 0
    while len(line) - start > limit:
        size = _character_end(line[start : start + limit + 1], limit)
        pieces.append(line[start : start + size])
        start += size
    return [*pieces, line[start:]]


def _character_end(line: bytes, limit: int) -> int:
    """Where to cut off at most `limit` bytes without cutting a UTF-8 character of at most four."""
    for end in range(limit, max(limit - 4, 0), -1):
        if line[end] & 0xC0 != 0x80:
            return end
    return limit
