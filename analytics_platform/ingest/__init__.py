"""The way of a batch from where it arrives to the cleaned table: land, gate, load, replay. No Dagster in here.

Assets and the command line both call these steps; each is safe to repeat.
"""

from analytics_platform.ingest.files import Landing, find_unreadable, land_files
from analytics_platform.ingest.load import Replayed, days_to_build, load_new_batches, replay
from analytics_platform.ingest.sources import CLICKSTREAM, SOURCES, Source, contract_of

__all__ = [
    "CLICKSTREAM",
    "SOURCES",
    "Landing",
    "Replayed",
    "Source",
    "contract_of",
    "days_to_build",
    "find_unreadable",
    "land_files",
    "load_new_batches",
    "replay",
]
