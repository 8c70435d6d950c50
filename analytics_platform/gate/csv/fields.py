"""Reads one CSV record into its fields: slow, simple and exact."""

import re
from functools import cache


@cache
def _field(delimiter: str) -> re.Pattern[str]:
    # A quoted field or a bare one, and what it ends with. The quantifiers never give back what they took, so a
    # long field costs neither stack nor time.
    separator = re.escape(delimiter)
    return re.compile(rf'(?:"((?:[^"]++|"")*+)"|([^"{separator}]*+))({separator}|\Z)')


def parse_fields(record: str, delimiter: str = ",") -> list[str] | None:
    """Split a record, given without its line end, into its fields; None if a quote is stray or unterminated."""
    field, fields = _field(delimiter), []
    position, separator = 0, delimiter
    while separator:
        match = field.match(record, position)
        if match is None:
            return None
        quoted, bare, separator = match.groups()
        fields.append(bare if quoted is None else quoted.replace('""', '"'))
        position = match.end()
    return fields
