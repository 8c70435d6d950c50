"""JSON documents in `jsonb`, and back without loss.

`jsonb` keeps what a document means, not how it is written. A few documents it cannot keep: U+0000 and lone surrogates
have no place in its text, of a repeated key it keeps the last, `1e2` becomes `100`. Such a document, and one that is
just a string, is kept as a JSON string that holds it whole. So every document can be stored, whoever reads the column
gets the very document or its text, and models see what they see on DuckDB. (The order of keys is not kept: a nested
object that a model reads as text may have its keys in another order.)
"""

from __future__ import annotations

import json
from typing import NoReturn

_DEEP = 500
"""Brackets above which a document may be nested too deeply for PostgreSQL's stack: its own limit is above 5,000."""


_LONG = 1_000
"""Characters of a number above which it is not looked at closely; PostgreSQL's own limit is above 16,000."""


class _Unfaithful(ValueError):
    """jsonb would change the document."""


def as_jsonb(document: str) -> str:
    """The document as it is stored: itself, or a JSON string that holds it."""
    return document if is_kept(document) else json.dumps(document, ensure_ascii=False)


def is_kept(document: str) -> bool:
    """Whether jsonb keeps all that the document says; False too if it is a string, which would be taken for wrapped."""
    if "\\u0000" in document or document.count("[") + document.count("{") > _DEEP:
        return False
    try:
        decoded = _DECODER.decode(document)
        if "\\u" in document:
            json.dumps(decoded, ensure_ascii=False).encode()  # raises for a surrogate without its other half
    except (ValueError, RecursionError):
        return False
    return not isinstance(decoded, str)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Unfaithful
    return found


def _number(text: str) -> float:
    """A number that is written with all its digits; minus zero jsonb does not know."""
    number = float(text)
    if len(text) > _LONG or "e" in text or "E" in text or (number == 0 and text[0] == "-"):
        raise _Unfaithful
    return number


def _reject(text: str) -> NoReturn:
    raise _Unfaithful


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_number, parse_constant=_reject)

READ = "CASE WHEN jsonb_typeof({column}) = 'string' THEN {column} #>> '{{}}' ELSE CAST({column} AS text) END"
"""SQL, in PostgreSQL: the text of a stored document."""
