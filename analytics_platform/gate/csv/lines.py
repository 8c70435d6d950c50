"""What each physical line of a CSV file looks like, found for a whole window of lines at once.

Every line is read as if a record began at its start ("from outside"). Lines that turn out to lie within a
quoted field are checked a second time by what they look like "from inside": there quoted and unquoted
stretches change places.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

import numpy as np
from numpy.typing import NDArray

_LF, _CR, _QUOTE = b'\n\r"'


class Reason(StrEnum):
    """Why a record is malformed: exactly one reason for each."""

    TOO_FEW_COLUMNS = "record: too few columns"
    TOO_MANY_COLUMNS = "record: too many columns"
    STRAY_QUOTE = "record: stray quote"
    UNTERMINATED_QUOTE = "record: unterminated quote"
    NOT_UTF8 = "record: not UTF-8"
    NUL_BYTE = "record: NUL byte"
    TOO_LARGE = "record: too large"


class Verdict(IntEnum):
    """What a line is when read as a record by itself; of several verdicts the highest holds."""

    WELL_FORMED = 0
    BLANK = 1
    TOO_FEW_COLUMNS = 2
    TOO_MANY_COLUMNS = 3
    STRAY_QUOTE = 4
    UNTERMINATED_QUOTE = 5
    NOT_UTF8 = 6
    NUL_BYTE = 7
    TOO_LARGE = 8

    @property
    def reason(self) -> Reason:
        """The reason a record with this verdict is rejected for; `KeyError` if it is not rejected."""
        return Reason[self.name]


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """The lines of `text`, one entry per line in every array but the last two."""

    text: bytes
    """Whole lines, each ended by LF."""
    separator: int
    """The code of the delimiter."""
    starts: NDArray[np.int64]
    """Offset of the line's first byte."""
    ends: NDArray[np.int64]
    """Offset of the line's LF."""
    lengths: NDArray[np.int64]
    """Bytes of the line without its LF or CRLF."""
    odd: NDArray[np.bool_]
    """Whether the line holds an odd number of quotes."""
    outer_delimiters: NDArray[np.int32]
    """Delimiters that separate fields, read from outside."""
    inner_delimiters: NDArray[np.int32]
    """Delimiters that separate fields, read from inside; only filled if some line is odd."""
    stray: NDArray[np.bool_]
    """Whether a quote stands where none may stand, read from outside."""
    verdicts: NDArray[np.uint8]
    """The line's `Verdict`."""
    quotes: NDArray[np.int64]
    """Offset of every quote of the text."""
    opening: NDArray[np.bool_]
    """Whether that quote opens a quoted stretch, read from outside."""

    def end_of(self, count: int) -> int:
        """How many bytes the first `count` lines take, line ends included."""
        return int(self.ends[count - 1]) + 1 if count else 0

    def stray_from_inside(self) -> NDArray[np.bool_]:
        """Whether a quote stands where none may stand, for each line read from inside."""
        return _stray_quotes(self.text, self.separator, self.ends, self.quotes, ~self.opening)


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
    is_delimiter = kind == separator
    outer_delimiters = _count_per_line(is_delimiter & ~quoted, newlines)
    inner_delimiters = (
        _count_per_line(is_delimiter & quoted, newlines) if odd.any() else np.zeros_like(outer_delimiters)
    )
    which = np.flatnonzero(is_quote)
    quotes, opening = at[which], quoted[which]
    stray = _stray_quotes(text, separator, ends, quotes, opening)

    verdicts = np.zeros(len(ends), np.uint8)
    lines = Lines(
        text,
        separator,
        starts,
        ends,
        lengths,
        odd,
        outer_delimiters,
        inner_delimiters,
        stray,
        verdicts,
        quotes,
        opening,
    )
    _judge(lines, columns, max_record_bytes)
    return lines


def _judge(lines: Lines, columns: int, max_record_bytes: int) -> None:
    """Fill in the verdicts, the ones that prevail after the ones they prevail over."""
    verdicts, text = lines.verdicts, lines.text
    verdicts[lines.outer_delimiters < columns - 1] = Verdict.TOO_FEW_COLUMNS
    verdicts[lines.outer_delimiters > columns - 1] = Verdict.TOO_MANY_COLUMNS
    verdicts[lines.stray] = Verdict.STRAY_QUOTE
    verdicts[lines.odd] = Verdict.UNTERMINATED_QUOTE
    verdicts[_undecodable(text, lines.starts, lines.ends)] = Verdict.NOT_UTF8
    if b"\0" in text:
        nul_bytes = np.flatnonzero(np.frombuffer(text, np.uint8) == 0)
        verdicts[np.searchsorted(lines.ends, nul_bytes)] = Verdict.NUL_BYTE
    verdicts[lines.lengths > max_record_bytes] = Verdict.TOO_LARGE
    verdicts[lines.lengths == 0] = Verdict.BLANK


def _quoted_stretches(
    is_quote: NDArray[np.bool_], newlines: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether each special byte opens or lies in a quoted stretch, and whether each line's quotes are odd.

    `newlines` are the places of the line ends among the special bytes.
    """
    quoted = _running_parity(is_quote)
    at_end = quoted[newlines]
    odd = at_end.copy()
    odd[1:] ^= at_end[:-1]
    if odd.any():
        # Let the end of an odd line count as one more quote, so that every line begins outside.
        toggles = is_quote.copy()
        toggles[newlines[odd]] = True
        quoted = _running_parity(toggles)
    return quoted, odd


def _running_parity(toggles: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether the number of true values up to and including each place is odd."""
    return np.bitwise_xor.accumulate(toggles.view(np.uint8)).view(np.bool_)


def _count_per_line(flags: NDArray[np.bool_], newlines: NDArray[np.int64]) -> NDArray[np.int32]:
    """The number of true flags in each line."""
    return np.diff(np.cumsum(flags, dtype=np.int32)[newlines], prepend=np.int32(0))


def _stray_quotes(
    text: bytes, separator: int, ends: NDArray[np.int64], quotes: NDArray[np.int64], opening: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """For each line, whether some quote stands neither at the edge of a field nor beside another quote.

    An opening quote follows a delimiter, a line end or (in `""`) a quote; a closing one is followed by one of
    these.
    """
    codes = np.frombuffer(text, np.uint8)
    # The quote at offset 0 looks at -1: the last byte of the text, which is a LF too.
    beside = codes[quotes + np.where(opening, -1, 1)]
    lawful = beside == separator
    lawful |= beside == _QUOTE
    lawful |= beside == _LF
    wrong = np.flatnonzero(~lawful)
    wrong = wrong[opening[wrong] | (beside[wrong] != _CR) | (codes.take(quotes[wrong] + 2, mode="clip") != _LF)]
    stray = np.zeros(len(ends), np.bool_)
    stray[np.searchsorted(ends, quotes[wrong])] = True
    return stray


def _undecodable(text: bytes, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> list[int]:
    """The lines that are not UTF-8."""
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
