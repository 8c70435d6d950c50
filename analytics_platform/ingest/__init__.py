"""The way of a batch from where it arrives to the cleaned table: land, gate, load, replay. No Dagster in here.

Assets and the command line both call these steps; each is safe to repeat.
"""

from analytics_platform.ingest.files import Landing, find_unreadable, land_files, new_files
from analytics_platform.ingest.load import Replayed, days_after, days_to_build, load_new_batches, replay
from analytics_platform.ingest.sources import (
    CLICKSTREAM,
    ECOMMERCE_EVENTS,
    SHOP,
    SOURCES,
    USERS,
    WEB_LOGS,
    Source,
    contract_of,
)

__all__ = [
    "CLICKSTREAM",
    "ECOMMERCE_EVENTS",
    "SHOP",
    "SOURCES",
    "USERS",
    "WEB_LOGS",
    "Landing",
    "Replayed",
    "Source",
    "contract_of",
    "days_after",
    "days_to_build",
    "find_unreadable",
    "land_files",
    "load_new_batches",
    "new_files",
    "replay",
]
