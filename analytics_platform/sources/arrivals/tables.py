"""Tables of the shop's database: into the lake."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping

from analytics_platform.connectors.batches import BatchSize
from analytics_platform.contracts.check import DeclarationError
from analytics_platform.errors import count
from analytics_platform.gate.json_rows import MAX_LINE_BYTES
from analytics_platform.lake import Lake
from analytics_platform.settings import Settings, SettingsError
from analytics_platform.sources.arrivals.position import note_position, noted_position
from analytics_platform.sources.source import Arrival, Connect, Say, Source

SUFFIX = ".rows.jsonl"
"""End of the names of files with rows."""


class DatabaseTable(Arrival):
    """Rows of the table in the shop's database that has the name of the source."""

    system = "shop_database"
    about = "The shop's own database (SHOP_DATABASE_URL)."
    description = (
        "Rows of a table in SHOP_DATABASE_URL, as JSON lines that PostgreSQL wrote: what changed since the last run, "
        "and the ten minutes before that once more for what was committed late."
    )
    kinds = ("postgres", "json")
    setting = "SHOP_DATABASE_URL"

    def fetch(
        self, source: Source, settings: Settings, lake: Lake, say: Say, connect: Connect | None = None
    ) -> Mapping[str, int | str]:
        """Read what changed in the table."""
        rows = 0
        for some in read_table(source.name, settings, lake):
            rows += some
            say(f"{count(rows, 'row')} read")
        return {"rows": rows}


def read_table(source: str, settings: Settings, lake: Lake, batch: BatchSize | None = None) -> Iterator[int]:
    """Move what changed in the table of this source into the lake; yields the rows of each batch.

    Raises `ShopDatabaseError`, `PositionNoteError`, `DeclarationError` for an unknown table, and `SettingsError`
    without a database.
    """
    # Each command reads the sources, few read the shop: its driver takes a tenth of a short command.
    from analytics_platform.connectors.shop_db import TABLES, ShopDatabase, ShopPosition

    url = settings.shop_database_url.get_secret_value()
    if not url:
        raise SettingsError("SHOP_DATABASE_URL is not set: give the address of the shop's database.")
    if source not in TABLES:
        raise DeclarationError(f"The shop's database has no table {source}: a source is one of {', '.join(TABLES)}.")
    shop = ShopDatabase(url, batch=batch or BatchSize(), longest=MAX_LINE_BYTES + 1)  # longer ones the gate rejects
    earliest = dt.datetime.combine(settings.partition_start, dt.time(), dt.UTC)
    position = noted_position(lake, source, shop.place, ShopPosition)
    for found in shop.read(source, position, earliest):
        content = b"".join(b"%b\n" % row for row in found.rows)
        lake.put_bytes(source, f"shop.{source}", SUFFIX, content)
        note_position(lake, source, shop.place, found.position)
        yield len(found.rows)
