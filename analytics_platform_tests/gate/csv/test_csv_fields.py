"""A single record is read into the fields that were written."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.gate.csv.fields import parse_fields

cell = st.text(st.one_of(st.sampled_from('",\n\r'), st.characters(exclude_categories=["Cs"])))


@given(st.lists(cell, min_size=1, max_size=6), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
def test_any_record_that_is_written_comes_back(fields: list[str], quoting: int) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=quoting, lineterminator="\n").writerow(fields)  # type: ignore[arg-type]
    assert parse_fields(text.getvalue().removesuffix("\n")) == fields


@pytest.mark.parametrize("torn", ['"', 'a"', 'a,"b', '"a"b', 'a"b"', '"a" ,b', '"""', '"a""'])
def test_a_quote_out_of_place_gives_no_fields(torn: str) -> None:
    assert parse_fields(torn) is None


def test_a_field_of_many_megabytes_is_read() -> None:
    assert parse_fields('a,"' + '""x\n' * 2_000_000 + '"') == ["a", '"x\n' * 2_000_000]
