"""Finds what each physical line of a CSV file looks like, for a whole window of lines at once.

Every line is read as if a record began at its start.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

_LF, _CR, _QUOTE = b'\n\r"'


class Flaw(IntEnum):
    """Why a line is no record when it is read by itself; of several flaws the highest holds."""

    NONE = 0
    BLANK = 1
    TOO_FEW_COLUMNS = 2
    TOO_MANY_COLUMNS = 3
    STRAY_QUOTE = 4
    UNTERMINATED_QUOTE = 5
    NOT_UTF8 = 6
    NUL_BYTE = 7
    TOO_LARGE = 8


REASONS: Mapping[Flaw, str] = MappingProxyType(
    {
        Flaw.TOO_FEW_COLUMNS: "record: too few columns",
        Flaw.TOO_MANY_COLUMNS: "record: too many columns",
        Flaw.STRAY_QUOTE: "record: stray quote",
        Flaw.UNTERMINATED_QUOTE: "record: unterminated quote",
        Flaw.NOT_UTF8: "record: not UTF-8",
        Flaw.NUL_BYTE: "record: NUL byte",
        Flaw.TOO_LARGE: "record: too large",
    }
)
"""Flaw → the one reason for which a record is malformed."""


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """The lines of `text`, one entry per line in every array."""

    text: bytes
    """Whole lines, each ended by LF."""
    starts: NDArray[np.int64]
    """Offset of the line's first byte."""
    ends: NDArray[np.int64]
    """Offset of the line's LF."""
    lengths: NDArray[np.int64]
    """Bytes of the line without its LF or CRLF."""
    odd: NDArray[np.bool_]
    """Whether the line holds an odd number of quotes."""
    flaws: NDArray[np.uint8]
    """The line's `Flaw`."""

    def end_of(self, count: int) -> int:
        """Count the bytes of the first `count` lines, line ends included."""
        return int(self.ends[count - 1]) + 1 if count else 0


def read_lines(text: bytes, columns: int, max_record_bytes: int, delimiter: str = ",") -> Lines:
    """Describe the lines of `text`, which must end with LF, for a file of `columns` columns."""
    codes = np.frombuffer(text, np.uint8)
    # Three comparisons and a search beat one look-up table: they run on whole vector registers.
    separator = ord(delimiter)
    special = codes == separator
    special |= codes == _QUOTE
    special |= codes == _LF
    at = np.flatnonzero(special)
    kind = codes[at]
    newlines = np.flatnonzero(kind == _LF)
    ends = at[newlines]
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts
    # An empty line has the LF of the line before (or the text's last LF) in front of its own, never a CR.
    lengths -= codes[ends - 1] == _CR

    is_quote = kind == _QUOTE
    quoted, odd = _quoted_stretches(is_quote, newlines)
    delimiters = np.diff(np.cumsum((kind == separator) & ~quoted, dtype=np.int32)[newlines], prepend=np.int32(0))
    which = np.flatnonzero(is_quote)
    # The higher flaws after the lower ones that they prevail over.
    flaws = np.zeros(len(ends), np.uint8)
    flaws[delimiters < columns - 1] = Flaw.TOO_FEW_COLUMNS
    flaws[delimiters > columns - 1] = Flaw.TOO_MANY_COLUMNS
    flaws[np.searchsorted(ends, _stray_quotes(codes, separator, at[which], quoted[which]))] = Flaw.STRAY_QUOTE
    flaws[odd] = Flaw.UNTERMINATED_QUOTE
    flaws[_undecodable(text, starts, ends)] = Flaw.NOT_UTF8
    if b"\0" in text:
        flaws[np.searchsorted(ends, np.flatnonzero(codes == 0))] = Flaw.NUL_BYTE
    flaws[lengths > max_record_bytes] = Flaw.TOO_LARGE
    flaws[lengths == 0] = Flaw.BLANK
    return Lines(text, starts, ends, lengths, odd, flaws)


def _quoted_stretches(
    is_quote: NDArray[np.bool_], newlines: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell of each special byte whether it opens or lies in a quoted stretch, of each line whether its quotes are odd.

    `newlines` are the places of the line ends among the special bytes.
    """
    quoted = _running_parity(is_quote)
    at_end = quoted[newlines]
    odd = at_end.copy()
    odd[1:] ^= at_end[:-1]
    if odd.any():
        # Let the end of an odd line count as one more quote, so that no line begins in a quoted stretch.
        toggles = is_quote.copy()
        toggles[newlines[odd]] = True
        quoted = _running_parity(toggles)
    return quoted, odd


def _running_parity(toggles: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell of each place whether the number of true values up to and including it is odd."""
    return np.bitwise_xor.accumulate(toggles.view(np.uint8)).view(np.bool_)


def _stray_quotes(
    codes: NDArray[np.uint8], separator: int, quotes: NDArray[np.int64], opening: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Find the quotes that stand neither at the edge of a field nor beside another quote.

    An opening quote follows a delimiter, a line end or (in `""`) a quote; a closing one is followed by one of
    these.
    """
    # The quote at offset 0 looks at -1: the last byte of the text, which is a LF too.
    beside = codes[quotes + np.where(opening, -1, 1)]
    lawful = beside == separator
    lawful |= beside == _QUOTE
    lawful |= beside == _LF
    wrong = np.flatnonzero(~lawful)
    wrong = wrong[opening[wrong] | (beside[wrong] != _CR) | (codes.take(quotes[wrong] + 2, mode="clip") != _LF)]
    stray: NDArray[np.int64] = quotes[wrong]
    return stray


def _undecodable(text: bytes, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> list[int]:
    """Find the lines that are not UTF-8."""
    if text.isascii() or _is_utf8(text):
        return []
    suspects = np.flatnonzero(np.maximum.reduceat(np.frombuffer(text, np.uint8), starts) >= 0x80)
    bounds = zip(suspects.tolist(), starts[suspects].tolist(), ends[suspects].tolist(), strict=True)
    return [line for line, start, end in bounds if not _is_utf8(text[start:end])]


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
