"""Names and values as SQL text."""

from __future__ import annotations

import datetime as dt


def quote(identifier: str) -> str:
    """Return `identifier` as a quoted SQL name."""
    return '"' + identifier.replace('"', '""') + '"'


def quote_table(name: str) -> str:
    """Return `schema.table` as a quoted SQL name."""
    return ".".join(quote(part) for part in name.split("."))


def literal(value: object) -> str:
    """Return `value` as a SQL literal. Raises `TypeError` for types that contracts do not use."""
    match value:
        case bool():
            return "TRUE" if value else "FALSE"
        case int() | float():
            return repr(value)
        case str():
            return "'" + value.replace("'", "''") + "'"
        case dt.datetime():
            return f"TIMESTAMPTZ '{value.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S.%f}+00:00'"
        case dt.date():
            return f"DATE '{value.isoformat()}'"
    raise TypeError(f"no SQL literal for {type(value).__name__}")
