"""The content of an answer, to keep in the lake as one file and to take apart into records without loss.

The file is JSON lines: a line that says what it is, then one line per page with its body as a string. Nothing in it
tells when or how the answer came, so the same answer is the same file with the same hash.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

CHECK_ADDRESS, TELL_OWNER = "check the address of the source", "tell the API's owner"
ASK_FOR_LESS = "ask for less by parameters in the address"
FORMAT = "rest-pages-1"

LONGEST_VALUE = 8 << 20
"""Characters of a record. Decoded, it takes up to 25 times as many bytes."""

_BLANK = re.compile(r"[ \t\n\r]*")
_BRACKET = re.compile(r'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+"?)*+[\[\]{}]', re.DOTALL)
"""The next bracket that does not stand in a string."""


@dataclass
class BadAnswerError(Exception):
    """An attempt failed. A `lasting` failure would come again, the others may pass if tried again.

    One that `is_slow` took all the time that it may.
    `retry_after_s` is how long the API asks to wait, `status` its HTTP status, if it answered. For use inside this
    package: `fetch` raises `RestError`.
    """

    what: str
    remedy: str = "run again later"
    lasting: bool = True
    retry_after_s: float | None = None
    status: int | None = None
    is_slow: bool = False


def encode_pages(endpoint: str, bodies: Sequence[bytes]) -> bytes:
    """Write the bodies of all pages as one file. They must be UTF-8, as those that `fetch` returns are."""
    # `record_path` is always empty: without it, the same answer would get another hash than in older files.
    head = {"format": FORMAT, "endpoint": endpoint, "record_path": "", "pages": len(bodies)}
    pages = [{"page": number, "body": body.decode("utf-8")} for number, body in enumerate(bodies, 1)]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in (head, *pages)).encode("utf-8")


def decode_pages(data: bytes) -> tuple[bytes, ...]:
    """Return the bodies in a file that `encode_pages` wrote, byte for byte. Raises `ValueError`."""
    try:
        head, *pages = [json.loads(line) for line in data.decode("utf-8").split("\n") if line]
        is_whole = head["format"] == FORMAT and [page["page"] for page in pages] == list(range(1, head["pages"] + 1))
        bodies = tuple(page["body"].encode("utf-8") for page in pages)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError("the file holds no answer of an API") from error
    if not is_whole:
        raise ValueError("the file holds no answer of an API in the known format, or not all of it")
    return bodies


def split_records(body: bytes) -> Iterator[str]:
    """Yield the JSON text of each record of a list, exactly as it stands there: numbers are never converted.

    Raises `BadAnswerError`, which says where the text breaks off or is wrong, or what is there instead of a list; in
    part only after the last record.
    """
    try:
        text = body.decode("utf-8-sig")  # JSON is UTF-8 (RFC 8259, 8.1)
    except UnicodeDecodeError as error:
        raise BadAnswerError(f"is not UTF-8 (byte {error.start})", TELL_OWNER, lasting=False) from None
    place = _skip(text, 0)
    if not text.startswith("[", place):
        raise BadAnswerError(f"is no list but {_describe(_decode(text, place)[0])}", CHECK_ADDRESS)
    sign, place = "[", _skip(text, place + 1)
    if text.startswith("]", place):
        sign, place = "]", _skip(text, place + 1)
    # One at a time is decoded: all would take twenty times the memory of the text.
    while sign != "]":
        _, end = _decode(text, place)
        yield text[place:end]
        end = _skip(text, end)
        sign, place = text[end : end + 1], _skip(text, end + 1)
        if sign not in ("]", ","):
            raise _fault(json.JSONDecodeError("Expecting ',' delimiter", text, end))
    if place < len(text):
        raise _fault(json.JSONDecodeError("Extra data", text, place))


def _decode(text: str, place: int) -> tuple[Any, int]:
    """Return the value at `place` and where it ends."""
    # The length of a list or an object is found without making it.
    depth, end = 0, place
    while text.startswith(("[", "{"), place) and (found := _BRACKET.match(text, end)):
        end, depth = found.end(), depth + (1 if found[0][-1] in "[{" else -1)
        if end - place > LONGEST_VALUE:
            what = f"has a value of more than {LONGEST_VALUE:,} characters"
            raise BadAnswerError(what, TELL_OWNER, lasting=False)
        if depth == 0:
            break
    try:
        return _DECODER.raw_decode(text, place)
    except json.JSONDecodeError as error:
        raise _fault(error) from None
    except RecursionError:
        raise BadAnswerError("is nested too deeply", TELL_OWNER, lasting=False) from None


def _fault(error: json.JSONDecodeError) -> BadAnswerError:
    is_cut = not error.doc[error.pos :].strip() or error.msg.startswith("Unterminated string")
    where = f"line {error.lineno} column {error.colno}"
    what = f"breaks off ({where})" if is_cut else f"is not JSON ({where}: {error.msg})"
    return BadAnswerError(what, TELL_OWNER, lasting=False)


def _skip(text: str, place: int) -> int:
    """Return where the next character is that is no blank."""
    blank = _BLANK.match(text, place)
    return blank.end() if blank else place


def _reject_constant(name: str) -> NoReturn:
    raise BadAnswerError(f"is not JSON ({name} is no JSON number)", TELL_OWNER, lasting=False)


# Numbers stay text, so none is too long or loses digits.
_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_reject_constant)


def _describe(value: Any) -> str:
    """Describe a value in words. Names in it come from outside, so they are shown escaped and cut."""
    if isinstance(value, dict):
        names = ", ".join(ascii(name)[:40] for name in list(value)[:8])
        return f"an object with {names or 'nothing'}"
    return "null" if value is None else "a single value"
