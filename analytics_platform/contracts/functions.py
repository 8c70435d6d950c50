"""The SQL functions that models and the gate share, so that both read an amount alike."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import sqlglot

from analytics_platform.contracts.event_names import event_macros

MODELS_DIR = Path(__file__).parent.parent / "models"


@lru_cache(maxsize=1)
def macros() -> tuple[str, ...]:
    """Read the statements that define the functions, for DuckDB."""
    files = sorted((MODELS_DIR / "macros").glob("*.sql"))
    texts = (*(path.read_text(encoding="utf-8") for path in files), event_macros())
    trees = (tree for text in texts for tree in sqlglot.parse(text, dialect="duckdb"))
    return tuple(tree.sql("duckdb", comments=False) for tree in trees if tree is not None)
