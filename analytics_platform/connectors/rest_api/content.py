"""The content of an answer, to keep in the lake as one file and to take apart into records without loss.

The file is JSON lines: a line that says what it is, then one line per page with its body as a string. Nothing in it
tells when or how the answer came, so the same answer is the same file with the same hash. Numbers are never converted,
and a record keeps its very text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

FORMAT = "rest-pages-1"

_BLANK = re.compile(r"[ \t\n\r]*")


class ContentError(ValueError):
    """Bytes are not what they should be: the file of an answer, or JSON. The message is a clause about the answer."""


class ShapeError(ContentError):
    """JSON has another shape than declared: no list where one should be, or two."""


@dataclass(frozen=True, slots=True)
class Content:
    """The unchanged bodies of all pages, in order, and where in each of them the list of records is."""

    endpoint: str
    record_path: str
    bodies: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its place in the answer, from 1 through all pages, and its JSON text exactly as it stands there."""

    position: int
    raw: str


def encode_pages(content: Content) -> bytes:
    """Write the content as one file. Bodies must be UTF-8, as those that `fetch` returns are."""
    head = {"format": FORMAT, "endpoint": content.endpoint, "record_path": content.record_path}
    lines: list[dict[str, object]] = [{**head, "pages": len(content.bodies)}]
    lines += [{"page": number, "body": body.decode("utf-8")} for number, body in enumerate(content.bodies, 1)]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode("utf-8")


def decode_pages(data: bytes) -> Content:
    """Read a file that `encode_pages` wrote, byte for byte. Raises `ContentError`."""
    try:
        head, *pages = [json.loads(line) for line in data.decode("utf-8").split("\n") if line]
        content = Content(head["endpoint"], head["record_path"], tuple(page["body"].encode("utf-8") for page in pages))
        whole = head["format"] == FORMAT and [page["page"] for page in pages] == list(range(1, head["pages"] + 1))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ContentError("the file holds no answer of an API") from error
    if not whole:
        raise ContentError("the file holds no answer of an API in the known format, or not all of it")
    return content


def records(content: Content) -> Iterator[Record]:
    """Yield every record of every page, in order. Raises `ContentError` if a body is not what `fetch` lets pass."""
    position = 0
    for body in content.bodies:
        text = to_text(body)
        count_records(text, content.record_path)
        for start, end in _elements(text, _place_of_list(text, content.record_path)):
            position += 1
            yield Record(position, text[start:end])


def to_text(body: bytes) -> str:
    """Decode a body, its byte order mark included. JSON is UTF-8 (RFC 8259, 8.1). Raises `ContentError`."""
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ContentError(f"is not UTF-8 (byte {error.start})") from None


def count_records(text: str, path: str) -> int:
    """Return the length of the list at the dotted `path` of a JSON text.

    Raises `ContentError`, which says where the text breaks off or is wrong, and `ShapeError` if there is no such list.
    """
    found, so_far = _parse(text), "top"
    for key in path.split(".") if path else []:
        if not isinstance(found, dict) or key not in found:
            raise ShapeError(f"has no '{key}' at its {so_far}, which is {_describe(found)}")
        found, so_far = found[key], f"'{key}'"
    if not isinstance(found, list):
        raise ShapeError(f"has no list at its {so_far} but {_describe(found)}")
    _place_of_list(text, path)
    return len(found)


def _parse(text: str) -> Any:
    try:
        document, end = _DECODER.raw_decode(text, _start(text))
    except json.JSONDecodeError as error:
        cut = not text[error.pos :].strip() or error.msg.startswith("Unterminated string")
        where = f"line {error.lineno} column {error.colno}"
        raise ContentError(f"breaks off ({where})" if cut else f"is not JSON ({where}: {error.msg})") from None
    except RecursionError:
        raise ContentError("is nested too deeply") from None
    if text[end:].strip(" \t\n\r"):
        raise ContentError(f"is not JSON (more text after character {end})")
    return document


def _reject_constant(name: str) -> NoReturn:
    raise ContentError(f"is not JSON ({name} is no JSON number)")


# Numbers stay text, so none is too long or loses digits.
_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_reject_constant)


def _describe(value: Any) -> str:
    """Describe a value in words. Names in it come from outside, so they are shown escaped and cut."""
    if isinstance(value, dict):
        names = ", ".join(ascii(name)[:40] for name in list(value)[:8])
        return f"an object with {names or 'nothing'}"
    if isinstance(value, list):
        return "a list"
    return "null" if value is None else "a single value"


def _place_of_list(text: str, path: str) -> int:
    """Return where the list at `path` begins, in well-formed text that has one. Raises `ShapeError` if it has two."""
    place = _start(text)
    for key in path.split(".") if path else []:
        # The places of an object's elements are those of key, value, key, value, …
        places = list(_elements(text, place))
        found = [
            value
            for (start, end), (value, _) in zip(places[::2], places[1::2], strict=True)
            if _DECODER.decode(text[start:end]) == key
        ]
        if len(found) > 1:
            raise ShapeError(f"has '{key}' twice")
        place = found[0]
    return place


def _elements(text: str, place: int) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of the elements of a well-formed list, or of the keys and values of an object, at `place`."""
    place = _skip(text, place + 1)
    while text[place] not in "]}":
        _, end = _DECODER.raw_decode(text, place)
        yield place, end
        place = _skip(text, end)
        if text[place] in ",:":
            place = _skip(text, place + 1)


def _start(text: str) -> int:
    """Return where the document begins: behind blanks and a byte order mark."""
    return _skip(text, 1 if text.startswith("\ufeff") else 0)


def _skip(text: str, place: int) -> int:
    blank = _BLANK.match(text, place)
    assert blank is not None
    return blank.end()
