"""From the rows of a table to the records that the gate validates."""

from __future__ import annotations

from typing import ClassVar

from analytics_platform.sources.formats import JsonLines


class TableRows(JsonLines):
    """Rows as JSON lines that PostgreSQL wrote; no file is taken from the landing folder."""

    suffixes: ClassVar[tuple[str, ...]] = ()
