"""The frame of a block holds exactly the fields of its well-formed records, whichever parser read them."""

import io
from collections.abc import Sequence

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from analytics_platform.gate.csv import Block, split, to_text_frame
from analytics_platform.gate.csv.text import parse_exactly
from analytics_platform_tests.gate.csv.tables import tables, written


def names_for(columns: int) -> list[str]:
    return [f"column {n}" for n in range(columns)]


def block_of(data: bytes, columns: int) -> Block:
    (block,) = split(io.BytesIO(data), columns)
    return block


def rows_of(table: Sequence[Sequence[str]]) -> list[tuple[str | None, ...]]:
    return [tuple(field or None for field in row) for row in table]


@given(tables, st.booleans(), st.sampled_from(["\n", "\r\n"]))
def test_any_table_that_is_written_is_read_back(table: list[list[str]], quote_all: bool, line_end: str) -> None:
    columns = len(table[0])
    frame = to_text_frame(block_of(written(table, quote_all, line_end), columns), names_for(columns))
    assert frame.rows() == rows_of(table)


@given(
    st.lists(
        st.sampled_from(['"', '""', ",", "\n", "\r", "\r\n", " ", "a", "x", "^", "\x01", "é", "\ufeff"]),
        max_size=60,
    )
)
@example(["\r", ",", "\r", "\r\n"])
@example(["\ufeff", "a", ",", "\n"])
def test_both_parsers_give_the_same_frame(fragments: list[str]) -> None:
    for columns in (1, 2, 3):
        for block in split(io.BytesIO("".join(fragments).encode()), columns):
            names = names_for(columns)
            assert_frame_equal(to_text_frame(block, names), parse_exactly(block, names))


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        (b'a,\r\nb,""\r\n', [("a", None), ("b", None)]),
        (b"a,b", [("a", "b")]),
        (b'"x\r\n\ny","say ""z"""\n', [("x\r\n\ny", 'say "z"')]),
        (b"NULL,#\n", [("NULL", "#")]),
        (b",\n", [(None, None)]),
        (b"\r,\r\r\n", [("\r", "\r")]),
        (b"\xef\xbb\xbfa,b\n", [("\ufeffa", "b")]),
        (b"x^2,b\n", [("x^2", "b")]),
        (b"x^6,b\n", [("x^6", "b")]),
        (b"x\x01,b\n", [("x\x01", "b")]),
    ],
)
def test_fields_stand_as_they_were_written(data: bytes, rows: list[tuple[str | None, str | None]]) -> None:
    assert to_text_frame(block_of(data, 2), ["a", "b"]).rows() == rows


@pytest.mark.parametrize("data", [b'""\n', b'x\n""\n', b'""\nx\n""\n'])
def test_empty_values_of_a_single_column_are_rows(data: bytes) -> None:
    block = block_of(data, 1)
    assert to_text_frame(block, ["only"])["only"].to_list() == [
        None if line == b'""' else "x" for line in data.splitlines()
    ]


def test_a_block_without_good_records_gives_an_empty_frame() -> None:
    frame = to_text_frame(block_of(b"a\n", 2), ["a", "b"])
    assert frame.schema == {"a": pl.String, "b": pl.String}
    assert frame.height == 0


def test_a_large_block_full_of_line_ends_within_quotes_is_read_whole() -> None:
    table = [[str(n), 'said "no",\nthen\r\nleft\n' * (n % 7), ""] for n in range(100_000)]
    blocks = split(io.BytesIO(written(table, False, "\n")), 3)
    frames = [to_text_frame(block, ["n", "note", "nothing"]) for block in blocks]
    assert pl.concat(frames).rows() == rows_of(table)
