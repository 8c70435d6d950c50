"""Every line of a CSV file ends in exactly one record, whatever the bytes and however they are read."""

import io
import time
from collections.abc import Sequence
from typing import NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from analytics_platform.gate.csv import Block, Flaw, split
from analytics_platform.gate.csv.fields import parse_fields
from analytics_platform_tests.gate.csv.tables import tables, written


class Record(NamedTuple):
    position: int
    raw: bytes
    reason: Flaw | None


class Dribble(io.BytesIO):
    """A stream that hands out a few bytes at a time, like a pipe."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 0, 7))


FRAGMENTS = [
    b'"',
    b'"',
    b'""',
    b",",
    b",",
    b"\n",
    b"\n",
    b"\r",
    b"\r\n",
    b"\0",
    b"\xc3",
    b"\xa9",
    b"a",
    "é😀".encode(),
]
torn_bytes = st.one_of(st.binary(), st.lists(st.sampled_from(FRAGMENTS), max_size=60).map(b"".join))


def records_of(blocks: Sequence[Block]) -> list[Record]:
    """All records in file order."""
    found = []
    for block in blocks:
        malformed = block.malformed
        columns = (malformed.positions.tolist(), malformed.raws, map(Flaw, malformed.flaws.tolist()))
        found += [Record(*record) for record in zip(*columns, strict=True)]
        raws = block.raws(range(len(block.positions)))
        found += [Record(*pair, None) for pair in zip(block.positions.tolist(), raws, strict=True)]
    return sorted(found, key=lambda record: record.position)


def split_bytes(data: bytes, columns: int, block_bytes: int = 1 << 20, limit: int = 1 << 20) -> list[Record]:
    return records_of(list(split(io.BytesIO(data), columns, 1, block_bytes, limit)))


def split_plainly(data: bytes, columns: int, limit: int) -> list[Record]:
    """The same rules, written line by line with nothing clever in it."""
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    found: list[Record] = []
    at = 0
    while at < len(lines):
        closer = next((n for n in range(at + 1, len(lines)) if lines[n].count(b'"') % 2), at)
        joined = b"\n".join(lines[at : closer + 1]).removesuffix(b"\r")
        line = lines[at].removesuffix(b"\r")
        if lines[at].count(b'"') % 2 and len(joined) <= limit and verdict(joined, columns) is None:
            found.append(Record(at + 1, joined, None))
            at = closer
        elif len(line) > limit:
            found.append(Record(at + 1, start_of(line, limit), Flaw.TOO_LARGE))
        elif line:
            found.append(Record(at + 1, line, verdict(line, columns)))
        at += 1
    return found


def start_of(line: bytes, limit: int) -> bytes:
    ends = [end for end in range(limit, max(limit - 4, 0), -1) if not 0x80 <= line[end] < 0xC0]
    return line[: (ends or [limit])[0]]


def verdict(record: bytes, columns: int) -> Flaw | None:
    if b"\0" in record:
        return Flaw.NUL_BYTE
    try:
        fields = parse_fields(record.decode())
    except UnicodeDecodeError:
        return Flaw.NOT_UTF8
    if fields is None:
        return Flaw.UNTERMINATED_QUOTE if record.count(b'"') % 2 else Flaw.STRAY_QUOTE
    if len(fields) < columns:
        return Flaw.TOO_FEW_COLUMNS
    return Flaw.TOO_MANY_COLUMNS if len(fields) > columns else None


@given(torn_bytes, st.integers(1, 4), st.integers(1, 80), st.integers(1, 60))
@example(b'"\r\n\r', 1, 64, 60)
def test_the_fast_splitter_gives_what_the_rules_say(data: bytes, columns: int, block: int, limit: int) -> None:
    assert split_bytes(data, columns, block, limit) == split_plainly(data, columns, limit)


@given(torn_bytes, st.integers(1, 4))
def test_every_line_that_is_not_blank_is_in_exactly_one_record(data: bytes, columns: int) -> None:
    records = split_bytes(data, columns)
    lines = data.split(b"\n")
    covered: list[int] = []
    for at, raw, _ in records:
        after = at + raw.count(b"\n") + 1
        assert raw == b"\n".join(lines[at - 1 : after - 1]).removesuffix(b"\r")
        covered += range(at, after)
    assert len(covered) == len(set(covered))
    missed = set(range(1, len(lines) + 1)).difference(covered)
    assert {lines[at - 1] for at in missed} <= {b"", b"\r"}


@given(
    tables,
    st.booleans(),
    st.sampled_from(["\n", "\r\n"]),
    st.integers(1, 200),
)
def test_any_table_that_is_written_is_read_back(
    table: list[list[str]], quote_all: bool, line_end: str, block_bytes: int
) -> None:
    records = split_bytes(written(table, quote_all, line_end), len(table[0]), block_bytes)
    assert {record.reason for record in records} == {None}
    assert [parse_fields(record.raw.decode()) for record in records] == table


@given(torn_bytes, st.integers(1, 4), st.integers(1, 100))
def test_records_do_not_depend_on_how_the_bytes_arrive(data: bytes, columns: int, block_bytes: int) -> None:
    dribbled = records_of(list(split(Dribble(data), columns, 1, block_bytes)))
    assert dribbled == split_bytes(data, columns)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"a", Flaw.TOO_FEW_COLUMNS),
        (b'"a,b"', Flaw.TOO_FEW_COLUMNS),
        (b"a,b,c", Flaw.TOO_MANY_COLUMNS),
        (b'a,"b', Flaw.UNTERMINATED_QUOTE),
        (b'a,12"', Flaw.UNTERMINATED_QUOTE),
        (b'a,12" x 3"', Flaw.STRAY_QUOTE),
        (b'a,"b"c', Flaw.STRAY_QUOTE),
        (b'a,"b" ', Flaw.STRAY_QUOTE),
        (b'a,"b"\r\r', Flaw.STRAY_QUOTE),
        (b'a,"b"\rc', Flaw.STRAY_QUOTE),
        (b"a,\xff", Flaw.NOT_UTF8),
        (b"a,\xed\xa0\x80", Flaw.NOT_UTF8),
        (b"a,\0", Flaw.NUL_BYTE),
        (b"a,123456789", Flaw.TOO_LARGE),
        (b'\0\xff"', Flaw.NUL_BYTE),
        (b'\xff"', Flaw.NOT_UTF8),
        (b'a"', Flaw.UNTERMINATED_QUOTE),
        (b'a"",b,c', Flaw.STRAY_QUOTE),
    ],
)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_each_reason_has_its_example_between_good_rows(line: bytes, reason: Flaw, line_end: bytes) -> None:
    records = split_bytes(line_end.join([b"x,y", line, b"1,2", b""]), 2, limit=10)
    good = [Record(1, b"x,y", None), Record(3, b"1,2", None)]
    (malformed,) = (record for record in records if record.reason)
    assert [record for record in records if not record.reason] == good
    assert malformed == Record(2, (line + line_end)[:-1].removesuffix(b"\r")[:10], reason)


def test_good_rows_after_an_unterminated_quote_survive() -> None:
    rows = b"".join(b"%d,x\n" % n for n in range(1000))
    records = split_bytes(b'a,"open\n' + rows + b'b,"closed\nhere"\n' + rows, 2)
    assert [record for record in records if record.reason] == [Record(1, b'a,"open', Flaw.UNTERMINATED_QUOTE)]
    assert Record(1002, b'b,"closed\nhere"', None) in records
    assert len(records) == 2002


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"\n\r\n\r", []),
        (b"a,b", [Record(1, b"a,b", None)]),
        (b"a,b\r", [Record(1, b"a,b", None)]),
        (b"a\rb,\r\r\n", [Record(1, b"a\rb,\r", None)]),
        (b'"a\r\n\n"",","b"', [Record(1, b'"a\r\n\n"",","b"', None)]),
        (b"\n\na,b\n\nc,d", [Record(3, b"a,b", None), Record(5, b"c,d", None)]),
        (b'a,"b\n', [Record(1, b'a,"b', Flaw.UNTERMINATED_QUOTE)]),
    ],
)
def test_edges_of_a_file(data: bytes, expected: list[Record]) -> None:
    assert split_bytes(data, 2) == expected


def test_positions_count_from_the_line_after_the_header() -> None:
    (block,) = split(io.BytesIO(b"a,b\nc\n\nd,e\n"), 2)
    assert block.positions.tolist() == [2, 5]
    assert [record for record in records_of([block]) if record.reason] == [Record(3, b"c", Flaw.TOO_FEW_COLUMNS)]
    assert block.good == b"a,b\nd,e\n"
    assert block.raws([1, 0]) == [b"d,e", b"a,b"]


def test_a_record_may_be_as_large_as_the_limit_and_no_larger() -> None:
    for size, reason in [(1 << 20, None), ((1 << 20) + 1, Flaw.UNTERMINATED_QUOTE)]:
        record = b'a,"' + b"line\n" * (size // 5 - 2)
        record += b"x" * (size - len(record) - 1) + b'"'
        assert split_bytes(b"1,2\n" + record + b"\r\n3,4\n", 2, limit=1 << 20)[1].reason is reason


def test_a_gigantic_line_is_one_record_whose_start_is_cut_between_characters() -> None:
    line = "é".encode() * 3_000_001
    first, large, last = split_bytes(b"1,2\n" + line + b"\n3,4\n", 2, limit=(1 << 20) + 1)
    assert (first.raw, last) == (b"1,2", Record(3, b"3,4", None))
    assert large == Record(2, line[: 1 << 20], Flaw.TOO_LARGE)


@pytest.mark.parametrize("columns", [1, 2, 300])
def test_wide_and_narrow_tables(columns: int) -> None:
    line = b",".join([b'"x"'] * columns)
    assert split_bytes((line + b"\n") * 500, columns) == [Record(n + 1, line, None) for n in range(500)]


@pytest.mark.parametrize("data", [b'a,"b\n' * 200_000, (b'a,"b\n' + b"x\n" * 99) * 2_000], ids=["each", "few"])
def test_many_unterminated_quotes_take_linear_time(data: bytes) -> None:
    began = time.process_time()
    records = split_bytes(data, 3)
    assert len(records) == data.count(b"\n")
    assert time.process_time() - began < 10


def test_blocks_are_bounded_though_a_quote_makes_the_reader_look_far_ahead() -> None:
    data = b'a,"b\n' + b"x\n" * 3_000_000 + b'c"d\n' + b"1,2\n" * 10
    blocks = list(split(io.BytesIO(data), 2, 1))
    assert max(len(block.malformed.raws) for block in blocks) < 1_200_000
    assert sum(len(block.malformed.raws) for block in blocks) == 3_000_002
    assert blocks[-1].positions.tolist() == list(range(3_000_003, 3_000_013))
