"""JSON read and written exactly: numbers to their last digit, keys once, and no text that a database rejects.

Stricter than RFC 8259, so that two readers never see two messages: a key given twice, NaN and Infinity are
rejected. So are NUL, which no database stores, and lone surrogates, which UTF-8 cannot write. Nesting and the
length of numbers are bounded, so no text costs more than time and memory proportional to its length.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from enum import StrEnum
from json.encoder import encode_basestring
from typing import NoReturn

from analytics_platform.gate.printed import read_printed

MAX_DEPTH = 64
"""Lists and objects may be nested so deep."""

MAX_DIGITS = 100
"""Most characters of a number, as it is written and in plain notation: `1e99` just fits."""


class JsonFault(StrEnum):
    """Why a text is not JSON that can be used."""

    NOT_JSON = "not JSON"
    TOO_DEEP = "nested too deep"
    DUPLICATE_KEY = "duplicate key"
    LONG_NUMBER = "number too long"
    NUL = "NUL character"
    SURROGATE = "lone surrogate"


class JsonError(ValueError):
    """A text is not JSON, or JSON that cannot be stored: `fault`, `detail` in words, and the place if known.

    `position` counts characters from 0. Hooks of the decoder do not know it; they name the `literal` instead.
    """

    def __init__(self, fault: JsonFault, detail: str, position: int | None = None, literal: str | None = None) -> None:
        super().__init__(f"{fault}: {detail}")
        self.fault = fault
        self.detail = detail
        self.position = position
        self.literal = literal


# The quantifiers of tokens never give back what they took, so no text costs more than one pass.
_NUMBER = re.compile(r"(-?[0-9]++)(?:\.([0-9]++))?([eE][+-]?[0-9]++)?")
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[^\s"\[\]{},:]++', re.DOTALL)
_PYTHON = re.compile(r"\s*[\[(]?\s*(?:\{\s*'|(?:collections\.)?OrderedDict\()")
_SUSPECT = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


def number_of(text: str) -> int | Decimal | None:
    """Read the number that a text in JSON's notation (leading zeros allowed) writes; None if it is none or too long.

    A whole number is an int however it is written (`1499.0`, `1e3`), any other an exact Decimal without
    trailing zeros.
    """
    if len(text) > MAX_DIGITS:
        return None
    if text.isdecimal() and text.isascii():  # the usual case, in half the time
        return int(text)
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    whole, fraction, exponent = match.groups("")
    if exponent:
        number = _decimal(text)
        if number is None:
            return None
        whole, _, fraction = plain_text(number).partition(".")
    fraction = fraction.rstrip("0")
    return Decimal(f"{whole}.{fraction}") if fraction else int(whole)


def plain_text(number: int | Decimal) -> str:
    """Write a finite number in its one notation: no exponent, no trailing zeros, no negative zero."""
    text = format(number, "f") if isinstance(number, Decimal) else str(number)
    if "." in text:
        text = text.rstrip("0").removesuffix(".")
    return "0" if text == "-0" else text


def _decimal(text: str) -> Decimal | None:
    """Read the number that this literal of JSON writes; None if its plain notation is too long."""
    _, written, exponent = text.lower().partition("e")
    # Checked first, for an exponent beyond what Decimal takes is an error or NaN, depending on the context.
    if len(text) > MAX_DIGITS or len(exponent.lstrip("+-0")) > len(str(MAX_DIGITS)):
        return None
    number = Decimal(text)
    return None if written and len(plain_text(number)) > MAX_DIGITS else number


def _read_number(literal: str, read: Callable[[str], int | Decimal | None]) -> int | Decimal:
    number = read(literal) if len(literal) <= MAX_DIGITS else None
    if number is None:
        raise JsonError(JsonFault.LONG_NUMBER, f"more than {MAX_DIGITS} digits", literal=literal)
    return number


def _reject_constant(literal: str) -> NoReturn:
    raise JsonError(JsonFault.NOT_JSON, f"{literal} is no number", literal=literal)


def _read_object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        repeated = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise JsonError(JsonFault.DUPLICATE_KEY, f"{repeated[:40]!r} is given twice in an object")
    return found


_DECODER = json.JSONDecoder(
    object_pairs_hook=_read_object,
    parse_int=lambda literal: _read_number(literal, int),
    parse_float=lambda literal: _read_number(literal, _decimal),
    parse_constant=_reject_constant,
)


def read_json(text: str) -> object:
    """Read the value of a JSON text: objects, lists, str, int, Decimal, bool, None. Raises `JsonError`.

    A number written with point or exponent is a Decimal as written, any other an int.
    """
    check_characters(text)
    try:
        value: object = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise JsonError(JsonFault.NOT_JSON, error.msg, error.pos) from error
    except JsonError as error:
        places = (token.start() for token in _TOKEN.finditer(text) if token[0] == error.literal)
        raise JsonError(error.fault, error.detail, next(places, None)) from error
    except RecursionError:
        raise JsonError(JsonFault.TOO_DEEP, f"more than {MAX_DEPTH} levels") from None
    if text.count("[") + text.count("{") > MAX_DEPTH:
        check_depth(value)
    if "\\u" in text and _SUSPECT.search(text):
        for part in _texts(value):
            check_characters(part, escaped=True)
    return value


MAX_LAYERS = 3
"""JSON may stand so deep in texts that stand in JSON."""


def unnest(value: object, layers: int = MAX_LAYERS) -> object:
    """Read the JSON objects and lists in texts of a decoded value: `{"a": "[1]"}` becomes `{"a": [1]}`.

    So are those that Python printed: `[{'a': None}]`.
    """
    match value:
        case str() if layers and (value.strip()[:1] in ("{", "[", '"') or _PYTHON.match(value)):
            try:
                found = unnest(read_python(value) or read_json(value), layers - 1)
            except JsonError:
                return value
            return found if isinstance(found, dict | list) else value
        case dict():
            return {key: unnest(each, layers) for key, each in value.items()}
        case list():
            return [unnest(each, layers) for each in value]
    return value


def unnested(text: str) -> str:
    """Write JSON, or what Python printed, with the JSON in its texts unnested; without any, and no JSON, as it is."""
    try:
        given = text if read_python(text) else read_json(text)
        value = unnest(given)
        check_depth(value)
    except JsonError:
        return text
    return text if value == given else canonical_json(value)


def read_python(text: str) -> object:
    """Read objects, or a list of them, as Python prints them: `{'a': None}`. None for any other text."""
    if not _PYTHON.match(text):
        return None
    try:
        return read_json(canonical_json(read_printed(text, number_of)))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):  # a JsonError is a ValueError
        return None


def check_characters(text: str, *, escaped: bool = False) -> None:
    """Raise `JsonError` if a text holds NUL or a lone surrogate; with `escaped`, no position in it is given."""
    if (place := text.find("\0")) >= 0:
        raise JsonError(JsonFault.NUL, "no database stores it", None if escaped else place)
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise JsonError(JsonFault.SURROGATE, "UTF-8 cannot write it", None if escaped else error.start) from error


def check_depth(value: object) -> None:
    """Raise `JsonError` if lists and objects are nested more than `MAX_DEPTH` deep."""
    level = [value]
    for _ in range(MAX_DEPTH):
        inner = (node.values() if isinstance(node, dict) else node for node in level if isinstance(node, dict | list))
        level = [child for children in inner for child in children if isinstance(child, dict | list)]
        if not level:
            return
    raise JsonError(JsonFault.TOO_DEEP, f"more than {MAX_DEPTH} levels")


def _texts(value: object) -> Iterator[str]:
    """Find all texts in a value, keys too."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case str() as text:
                yield text
            case dict() as found:
                yield from found
                waiting.extend(found.values())
            case list() as found:
                waiting.extend(found)


_WORDS = {None: "null", True: "true", False: "false"}


def canonical_json(value: object) -> str:
    """Write a decoded value as its one JSON text: compact, keys in code point order, numbers exact and plain.

    `1499.0` and `1499`, or two orders of keys, give the same text. Characters beyond ASCII are written as they
    are. `value` is what `read_json` or `parse_items` returns; a float is written as Python shows it. Raises
    ValueError for NaN and Infinity, TypeError for what JSON does not know.
    """
    if isinstance(value, str):
        return encode_basestring(value)
    if value is None or isinstance(value, bool):
        return _WORDS[value]
    if isinstance(value, dict):
        pairs = [f"{encode_basestring(key)}:{canonical_json(value[key])}" for key in sorted(value)]
        return f"{{{','.join(pairs)}}}"
    if isinstance(value, list):
        return f"[{','.join(map(canonical_json, value))}]"
    if isinstance(value, float):
        value = Decimal(repr(value))
        if not value.is_finite():
            raise ValueError(f"{value} is no number of JSON")
    if isinstance(value, (int, Decimal)):
        return plain_text(value)
    raise TypeError(f"JSON does not know {type(value).__name__}")
