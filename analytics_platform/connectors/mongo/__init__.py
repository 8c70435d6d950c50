"""Interaction logs from a MongoDB collection, and from the files that mongodump and mongoexport write."""

from analytics_platform.connectors.batches import BatchSize
from analytics_platform.connectors.mongo.collection import RawDocuments
from analytics_platform.connectors.mongo.errors import MongoError
from analytics_platform.connectors.mongo.position import MongoPosition
from analytics_platform.connectors.mongo.source import MongoSource

__all__ = ["BatchSize", "MongoError", "MongoPosition", "MongoSource", "RawDocuments"]
