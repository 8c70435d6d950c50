"""Files of mongodump and mongoexport, read as a stream of raw BSON documents.

`.bson` is BSON after BSON, `.json` and `.jsonl` Extended JSON (canonical or relaxed): a document per line, one array,
or documents over several lines. Damage costs only the documents it lies in, or, where nothing tells any more where the
next document begins, the rest of the file as one record.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from analytics_platform.connectors.mongo.dumps.bson_dump import read_bson
from analytics_platform.connectors.mongo.dumps.json_dump import read_json
from analytics_platform.connectors.mongo.dumps.parts import DUMP_REASONS, Dump, MalformedRecord

DUMP_SUFFIXES = tuple(f"{kind}{packing}" for kind in (".bson", ".json", ".jsonl") for packing in ("", ".gz"))
"""Ends of names of files that can be read."""

_BESIDE = (".metadata.json", ".metadata.json.gz", "prelude.json", "prelude.json.gz", "oplog.bson", "oplog.bson.gz")
"""Files that mongodump writes beside the documents."""

__all__ = ["DUMP_REASONS", "DUMP_SUFFIXES", "MalformedRecord", "is_dump", "read_dump"]


def is_dump(name: str) -> bool:
    """Return whether a file of this name holds documents of a collection."""
    lowered = name.lower()
    return lowered.endswith(DUMP_SUFFIXES) and not lowered.endswith(_BESIDE)


def read_dump(stream: BinaryIO, name: str) -> Iterator[bytes | MalformedRecord]:
    """Yield the documents of a dump as raw BSON, in their order, and what could not be read in its place.

    `stream` gives the content decompressed, `name` tells the format. Memory is bounded by one document. Raises
    `ValueError` if the name is not that of a dump, `OSError` if the stream cannot be read.
    """
    if not is_dump(name):
        raise ValueError(f"{name!r} is no dump of MongoDB: expected one of {', '.join(DUMP_SUFFIXES)}.")
    read = read_bson if name.lower().removesuffix(".gz").endswith(".bson") else read_json
    return read(Dump(stream))
