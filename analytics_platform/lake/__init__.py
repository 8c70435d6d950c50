"""The landing zone: immutable batches of raw bytes, each known by the hash of its content.

There is no Dagster in here, and no knowledge of what the bytes mean.
"""

from analytics_platform.lake.batch import Batch, Withdrawal, batch_id_of
from analytics_platform.lake.codec import LakeError, UnreadableError, check_decodable, open_decoded, open_encoded
from analytics_platform.lake.folder import FolderLake
from analytics_platform.lake.lake import Lake
from analytics_platform.lake.open import check_writable, open_lake

__all__ = [
    "Batch",
    "FolderLake",
    "Lake",
    "LakeError",
    "UnreadableError",
    "Withdrawal",
    "batch_id_of",
    "check_decodable",
    "check_writable",
    "open_decoded",
    "open_encoded",
    "open_lake",
]
