"""The header gives the names as a person would read them, or one sentence that says what is wrong."""

import io

import pytest

from analytics_platform.gate.csv import Header, HeaderError, read_header


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (b"a,b\n1,2\n", ["a", "b"]),
        (b"\xef\xbb\xbfa,b\n", ["a", "b"]),
        (b'\xef\xbb\xbf"a",b\r\n', ["a", "b"]),
        (b" a ,\tb\n", ["a", "b"]),
        (b'"a,1","say ""b"""\n', ["a,1", 'say "b"']),
        (b"a,b", ["a", "b"]),
        (b"a,b\r", ["a", "b"]),
        (b"a,b\r\r\n", ["a", "b"]),
        (b"one\n", ["one"]),
        (b",a\n", ["", "a"]),
        ("größe,名\n".encode(), ["größe", "名"]),
        (b",".join(b"c%d" % n for n in range(300)) + b"\n", [f"c{n}" for n in range(300)]),
    ],
)
def test_names_are_read(data: bytes, names: list[str]) -> None:
    assert read_header(io.BytesIO(data)) == Header(names, 2)


@pytest.mark.parametrize("data", [b"", b"\n", b"\r\n\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\r\n"])
def test_a_file_without_any_line_has_no_header(data: bytes) -> None:
    assert read_header(io.BytesIO(data)) is None


def test_the_stream_is_left_at_the_first_record() -> None:
    stream = io.BytesIO(b"\n\na,b\r\n1,2\n")
    assert read_header(stream) == Header(["a", "b"], 4)
    assert stream.read() == b"1,2\n"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a,,x,,\n", "The first line is no header, it has columns without a name: export the file with its header."),
        (b"a,b, a\n", "The header names the column 'a' more than once: export the file again without that."),
        (b"a,\xff\n", "The header is not UTF-8: its byte 3 cannot be decoded."),
        (b"a,b\r1,2\r", "The header contains a CR without LF: end lines with LF or CRLF (`tr '\\r' '\\n'`)."),
        (b"a,\0\n", "The header contains a NUL byte: export the file again, or remove it if it is no text."),
        (
            b'a,"b\n',
            "The header has a quote that is unterminated or in the middle of a name: export the file again.",
        ),
        (
            b"x" * (1 << 20) + b"\n",
            "The header is longer than 1,048,576 bytes: it is hardly a CSV file, export the file again.",
        ),
    ],
)
def test_a_header_that_cannot_be_used_is_rejected_in_one_sentence(data: bytes, message: str) -> None:
    with pytest.raises(HeaderError) as rejected:
        read_header(io.BytesIO(data))
    assert str(rejected.value) == message
