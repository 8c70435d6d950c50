"""The SQL functions that models and the gate share, so that both read an amount alike."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import sqlglot

from analytics_platform.contracts.event_names import event_macros

MODELS_DIR = Path(__file__).parent.parent / "models"


@lru_cache(maxsize=1)
def macros() -> Mapping[str, str]:
    """Map the name of each function to the statement that defines it for DuckDB, in the order of the files."""
    files = sorted((MODELS_DIR / "macros").glob("*.sql"))
    texts = (*(path.read_text(encoding="utf-8") for path in files), event_macros())
    trees = (tree for text in texts for tree in sqlglot.parse(text, dialect="duckdb"))
    return MappingProxyType(
        {tree.this.this.name: tree.sql("duckdb", comments=False) for tree in trees if tree is not None}
    )


@lru_cache(maxsize=4096)
def macros_in(sql: str) -> frozenset[str]:
    """Return the names of the functions that `sql` calls, and of those that these call."""
    called = frozenset(macros()) & {name.lower() for name in re.findall(r"(\w+)\s*\(", sql)}
    return called.union(*(macros_in(macros()[name].partition(" AS ")[2]) for name in called))
