"""What is kept of an answer is every byte of it, and its records are exactly what stands there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from analytics_platform.connectors.rest_api.content import BadAnswerError, decode_pages, encode_pages, split_records

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner), max_leaves=12
)


@given(st.text(), st.lists(st.text().map(str.encode), max_size=5))
def test_every_byte_of_every_page_survives(name: str, bodies: list[bytes]) -> None:
    assert decode_pages(encode_pages(name.encode(errors="ignore").decode(), bodies)) == tuple(bodies)


@given(
    st.lists(DOCUMENTS, max_size=5),
    st.sampled_from([None, 1, "\t"]),
    st.booleans(),
    st.sampled_from(["", "\ufeff", " \r\n"]),
)
@example(["\ud800"], None, True, "")
@example(["\ud800"], None, False, "")
def test_records_are_found_however_they_are_written(
    rows: list[Any], indent: int | str | None, plain: bool, start: str
) -> None:
    text = start + json.dumps(rows, indent=indent, ensure_ascii=plain) + "\n "
    body = text.encode("utf-8", "surrogatepass")
    if not plain and any("\ud800" <= sign <= "\udfff" for sign in text):
        # Half of a surrogate pair can be escaped in JSON; its bare bytes are no UTF-8.
        with pytest.raises(BadAnswerError, match="is not UTF-8"):
            list(split_records(body))
        return
    found = list(split_records(body))
    assert [json.loads(record) for record in found] == rows
    assert all(record in text and record.strip() == record for record in found)


def test_a_record_is_its_very_text() -> None:
    body = b'[ {"a" : 1.50e0 ,"a":2}\n, 12345678901234567890123456789 ,"\\u00e9" , [ ] ]'
    found = list(split_records(body))
    assert found == ['{"a" : 1.50e0 ,"a":2}', "12345678901234567890123456789", '"\\u00e9"', "[ ]"]


def test_a_file_can_be_read_by_eye_and_says_what_it_is() -> None:
    lines = encode_pages("users", ['["ä"]'.encode()]).decode().splitlines()
    assert lines == [
        '{"format": "rest-pages-1", "endpoint": "users", "record_path": "", "pages": 1}',
        '{"page": 1, "body": "[\\"ä\\"]"}',
    ]


@pytest.mark.parametrize("damage", ["head", "tail", "middle", "format", "bytes", "empty"])
def test_a_damaged_file_is_told(damage: str) -> None:
    lines = encode_pages("x", (b"[1]", b"[2]", b"[3]")).split(b"\n")[:-1]
    damaged = {
        "head": lines[1:],
        "tail": lines[:-1],
        "middle": [*lines[:2], *lines[3:]],
        "format": [lines[0].replace(b"pages-1", b"pages-9"), *lines[1:]],
        "bytes": [*lines[:3], lines[3][:-4]],
        "empty": [],
    }[damage]
    with pytest.raises(ValueError, match="holds no answer of an API"):
        decode_pages(b"\n".join(damaged))


SIGNS = st.sampled_from([*'[]{},:"1 ', "[]", "{}", '"a":', "null", "tru", "\n", "\\"])


@given(text=st.lists(SIGNS, max_size=12).map("".join))
def test_a_text_is_taken_for_a_list_just_if_a_parser_of_json_takes_it(text: str) -> None:
    try:
        expected = isinstance(json.loads(text), list)
    except ValueError:
        expected = False
    try:
        list(split_records(text.encode()))
    except BadAnswerError:
        assert not expected
    else:
        assert expected


@pytest.mark.parametrize("text", ["[1}", "[1,]", "[,1]", "[1 1]", "[1]]", "[[1}]"])
def test_a_text_whose_brackets_and_commas_do_not_fit_is_no_json(text: str) -> None:
    with pytest.raises(BadAnswerError) as caught:
        list(split_records(text.encode()))
    assert "is not JSON" in caught.value.what
