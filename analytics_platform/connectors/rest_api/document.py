"""JSON text without loss: numbers stay as they are written, records keep their very text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

_BLANK = re.compile(r"[ \t\n\r]*")


class DocumentError(ValueError):
    """Text is not JSON; the message says why, as a clause about the answer."""


class ShapeError(DocumentError):
    """Text is JSON of another shape than declared: it has no list where one should be."""


def _refuse(name: str) -> NoReturn:
    raise DocumentError(f"is not JSON ({name} is no JSON number)")


_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_refuse)
"""Numbers are not converted, so none is too long or loses digits."""


def to_text(body: bytes) -> str:
    """A body as text, with its byte order mark if it has one. JSON is UTF-8 (RFC 8259, 8.1). Raises `DocumentError`."""
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DocumentError(f"is not UTF-8 (byte {error.start})") from None


def parse(text: str) -> Any:
    """The document, its numbers as text. Raises `DocumentError`, which says where the text breaks off or is wrong."""
    try:
        document, end = _DECODER.raw_decode(text, _start(text))
    except json.JSONDecodeError as error:
        cut = not text[error.pos :].strip() or error.msg.startswith("Unterminated string")
        where = f"line {error.lineno} column {error.colno}"
        raise DocumentError(f"breaks off ({where})" if cut else f"is not JSON ({where}: {error.msg})") from None
    except RecursionError:
        raise DocumentError("is nested too deeply") from None
    if text[end:].strip(" \t\n\r"):
        raise DocumentError(f"is not JSON (more text after character {end})")
    return document


def list_in(document: Any, path: str) -> list[Any]:
    """The list at the dotted `path` of a document. Raises `ShapeError` if there is none, and says what is there."""
    found, so_far = document, "top"
    for key in path.split(".") if path else []:
        if not isinstance(found, dict) or key not in found:
            raise ShapeError(f"has no '{key}' at its {so_far}, which is {_describe(found)}")
        found, so_far = found[key], f"'{key}'"
    if not isinstance(found, list):
        raise ShapeError(f"has no list at its {so_far} but {_describe(found)}")
    return found


def _describe(value: Any) -> str:
    """What a value is, in words; names in it are foreign, so they are shown escaped and cut."""
    if isinstance(value, dict):
        names = ", ".join(ascii(name)[:40] for name in list(value)[:8])
        return f"an object with {names or 'nothing'}"
    if isinstance(value, list):
        return "a list"
    return "null" if value is None else "a single value"


def locate_list(text: str, path: str) -> int:
    """Where the list at `path` begins, in well-formed text that has one. Raises `ShapeError` if it has two."""
    place = _start(text)
    for key in path.split(".") if path else []:
        place = _value_of(text, place, key)
    return place


def record_texts(text: str, path: str) -> Iterator[str]:
    """The text of each record of the list at `path`, exactly as it stands there. Raises `DocumentError`."""
    list_in(parse(text), path)
    place = _skip(text, locate_list(text, path) + 1)
    while text[place] != "]":
        _, end = _DECODER.raw_decode(text, place)
        yield text[place:end]
        place = _skip(text, end)
        if text[place] == ",":
            place = _skip(text, place + 1)


def _value_of(text: str, place: int, wanted: str) -> int:
    """Where the value of a member begins, in a well-formed object that begins at `place` and has that member."""
    found: list[int] = []
    place = _skip(text, place + 1)
    while text[place] != "}":
        key, end = _DECODER.raw_decode(text, place)
        place = _skip(text, _skip(text, end) + 1)
        if key == wanted:
            found.append(place)
        _, end = _DECODER.raw_decode(text, place)
        place = _skip(text, end)
        if text[place] == ",":
            place = _skip(text, place + 1)
    if len(found) > 1:
        raise ShapeError(f"has '{wanted}' twice")
    return found[0]


def _start(text: str) -> int:
    """Where the document begins: behind blanks and a byte order mark."""
    return _skip(text, 1 if text.startswith("\ufeff") else 0)


def _skip(text: str, place: int) -> int:
    blank = _BLANK.match(text, place)
    assert blank is not None
    return blank.end()
