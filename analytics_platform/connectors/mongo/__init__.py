"""Interaction logs from a MongoDB collection, and from the files that mongodump and mongoexport write."""

from analytics_platform.connectors.mongo.batches import BatchSize, RawDocuments
from analytics_platform.connectors.mongo.errors import MongoError
from analytics_platform.connectors.mongo.position import Position, PositionError
from analytics_platform.connectors.mongo.source import MongoSource

__all__ = ["BatchSize", "MongoError", "MongoSource", "Position", "PositionError", "RawDocuments"]
