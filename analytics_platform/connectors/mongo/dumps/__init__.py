"""Files of mongodump and mongoexport, read as a stream of raw BSON documents.

`.bson` is BSON after BSON, `.json` and `.jsonl` Extended JSON (canonical or relaxed): a document per line, one array,
or documents over several lines; each perhaps with gzip around it (`.gz`). Damage costs only the documents it lies in,
or, where nothing tells any more where the next document begins, the rest of the file as one record.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from analytics_platform.connectors.mongo.dumps.bson_dump import read_bson
from analytics_platform.connectors.mongo.dumps.chunks import read_chunks
from analytics_platform.connectors.mongo.dumps.json_dump import read_json
from analytics_platform.connectors.mongo.dumps.records import DUMP_REASONS, MalformedRecord

DUMP_SUFFIXES = tuple(f"{kind}{packing}" for kind in (".bson", ".json", ".jsonl") for packing in ("", ".gz"))
"""Ends of names of files that can be read."""

_BESIDE = (".metadata.json", ".metadata.json.gz", "prelude.json", "prelude.json.gz", "oplog.bson", "oplog.bson.gz")
"""Files that mongodump writes beside the documents."""

__all__ = ["DUMP_REASONS", "DUMP_SUFFIXES", "MalformedRecord", "is_dump", "read_dump"]


def is_dump(name: str) -> bool:
    """Whether a file of this name holds documents of a collection."""
    lowered = name.lower()
    return lowered.endswith(DUMP_SUFFIXES) and not lowered.endswith(_BESIDE)


def read_dump(stream: BinaryIO, name: str) -> Iterator[bytes | MalformedRecord]:
    """The documents of a dump as raw BSON, in their order, and what could not be read in its place.

    `name` tells the format; a stream that is decompressed already may keep its `.gz`. Memory is bounded by one
    document. Raises `ValueError` for a name that is none of a dump, `OSError` if the stream cannot be read.
    """
    lowered = name.lower()
    if not is_dump(lowered):
        raise ValueError(f"{name!r} is no dump of MongoDB: expected one of {', '.join(DUMP_SUFFIXES)}.")
    read = read_bson if lowered.removesuffix(".gz").endswith(".bson") else read_json
    return read(read_chunks(stream, perhaps_gzip=lowered.endswith(".gz")))
