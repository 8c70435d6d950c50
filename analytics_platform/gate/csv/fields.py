"""Reads one CSV record into its fields: slow, simple and exact."""

import re

# A quoted field or a bare one, and what it ends with. The quantifiers never give back what they took, so a
# long field costs neither stack nor time.
_FIELD = re.compile(r'(?:"((?:[^"]++|"")*+)"|([^",]*+))(,|\Z)')


def parse_fields(record: str) -> list[str] | None:
    """The fields of one record given without its line end, or None if a quote is stray or unterminated."""
    fields: list[str] = []
    position, separator = 0, ","
    while separator:
        match = _FIELD.match(record, position)
        if match is None:
            return None
        quoted, bare, separator = match.groups()
        fields.append(bare if quoted is None else quoted.replace('""', '"'))
        position = match.end()
    return fields
