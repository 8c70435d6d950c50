"""The frame of a block holds exactly the fields of its well-formed records, whichever parser read them."""

import csv
import io
from collections.abc import Sequence

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from analytics_platform.gate.csv import Block, split, to_text_frame
from analytics_platform.gate.csv.text import parse_exactly

cell = st.text(
    st.one_of(
        st.sampled_from('",\n\r \ufeffa#'), st.characters(exclude_categories=["Cs"], exclude_characters="\0")
    )
)
tables = st.integers(1, 5).flatmap(
    lambda columns: st.lists(st.lists(cell, min_size=columns, max_size=columns), min_size=1, max_size=12)
)


def names_for(columns: int) -> list[str]:
    return [f"column {n}" for n in range(columns)]


def block_of(data: bytes, columns: int) -> Block:
    (block,) = split(io.BytesIO(data), columns)
    return block


def rows_of(table: Sequence[Sequence[str]]) -> list[tuple[str | None, ...]]:
    return [tuple(field or None for field in row) for row in table]


@given(tables, st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), st.sampled_from(["\n", "\r\n"]))
def test_any_table_that_is_written_comes_back(table: list[list[str]], quoting: int, line_end: str) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=quoting, lineterminator=line_end).writerows(table)  # type: ignore[arg-type]
    columns = len(table[0])
    assert to_text_frame(block_of(text.getvalue().encode(), columns), names_for(columns)).rows() == rows_of(
        table
    )


@given(st.lists(st.sampled_from(['"', '""', ",", "\n", "\r", "\r\n", " ", "a", "é", "\ufeff"]), max_size=60))
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
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(table)
    blocks = list(split(io.BytesIO(text.getvalue().encode()), 3))
    frames = [to_text_frame(block, ["n", "note", "nothing"]) for block in blocks]
    assert pl.concat(frames).rows() == rows_of(table)
