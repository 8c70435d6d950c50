"""A single record is read into the fields that were written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.gate.csv.fields import parse_fields
from analytics_platform_tests.gate.csv.tables import cells, written


@given(st.lists(cells, min_size=1, max_size=6), st.booleans())
def test_any_record_that_is_written_is_read_back(fields: list[str], quote_all: bool) -> None:
    assert parse_fields(written([fields], quote_all, "\n").decode().removesuffix("\n")) == fields


@pytest.mark.parametrize("torn", ['"', 'a"', 'a,"b', '"a"b', 'a"b"', '"a" ,b', '"""', '"a""'])
def test_a_quote_out_of_place_gives_no_fields(torn: str) -> None:
    assert parse_fields(torn) is None


def test_a_field_of_many_megabytes_is_read() -> None:
    assert parse_fields('a,"' + '""x\n' * 2_000_000 + '"') == ["a", '"x\n' * 2_000_000]
