"""What says that a value is missing, in all sources alike."""

from __future__ import annotations

MISSING = frozenset(
    {
        *("", "null", "none", "nil", "nan", "n/a", "undefined", "(not set)", "(none)", "[object object]"),
        "00000000-0000-0000-0000-000000000000",
    }
)
"""Texts that are no value, trimmed and in lower case: what exports, tags and scripts write for nothing."""
