"""A lake in a local folder: immutable batches of raw bytes, named by the hash of their content.

Layout: `<root>/<source>/<sha256><suffix>` holds the bytes as they arrived, `_<sha256>.json` beside it the metadata:
where from and when. It is written last, so a batch without it does not exist and is stored again. Athena, Spark and
Arrow skip names that begin with `_` or `.`: given the folder of a source, they read its batches and nothing else.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from analytics_platform.lake.codec import open_decoded
from analytics_platform.lake.register import Register
from analytics_platform.settings import Settings

CHUNK_BYTES = 1 << 20

METADATA = "_"
"""The prefix of a metadata file's name."""

NOTE = "_source.note"
"""File with the note about a source."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One immutable batch. `name` is the input's name as people know it, `arrived_at` when it was put into the lake."""

    batch_id: str
    source: str
    name: str
    content_sha256: str
    path: Path
    arrived_at: dt.datetime
    size: int

    def open(self) -> BinaryIO:
        """Open the decompressed content."""
        return open_decoded(self.path)


def batch_id_of(source: str, content_sha256: str) -> str:
    """Return the stable id of a batch: 16 hex digits over its source and content."""
    return hashlib.sha256(f"{source}:{content_sha256}".encode()).hexdigest()[:16]


def _fingerprint(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _sync(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _make_folder(folder: Path) -> None:
    """Make a folder, and those above it, so that their names are durable too."""
    if not folder.exists():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync(folder.parent)


def _write_durably(path: Path, text: str) -> None:
    """Write a small file whole or not at all; when this returns it is on the disk."""
    draft = path.with_suffix(f".{uuid.uuid4().hex}")
    try:
        with draft.open("w", encoding="utf-8") as writer:
            writer.write(text)
            writer.flush()
            os.fsync(writer.fileno())
        draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)
    _sync(path.parent)


class FolderLake:
    """The lake below `root`. Writes are atomic (temporary file, fsync, rename) and idempotent."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put_file(self, source: str, name: str, path: Path) -> Batch | None:
        """Copy a file into the lake and hash it on the way; the same content is stored once.

        Returns None when the file changed while it was read (size or modification time): it is left for the next
        run. Raises `OSError` if the file cannot be read or the lake cannot be written.
        """
        before = _fingerprint(path)
        digest = hashlib.sha256()
        with self._incoming(source) as incoming:
            with path.open("rb", buffering=0) as reader, incoming.open("wb", buffering=0) as writer:
                while chunk := reader.read(CHUNK_BYTES):
                    digest.update(chunk)
                    writer.write(chunk)
                os.fsync(writer.fileno())
            if _fingerprint(path) != before:
                return None
            suffix = re.search(r"(\.[a-z0-9]{1,10})?(\.gz|\.zst)?$", name.lower())
            return self._commit(source, name, incoming, digest.hexdigest(), suffix[0] if suffix else "")

    def put_bytes(self, source: str, name: str, suffix: str, content: bytes) -> Batch:
        """Store bytes that were fetched; when this returns they are on the disk. The same content is stored once."""
        with self._incoming(source) as incoming:
            with incoming.open("wb") as writer:
                writer.write(content)
                writer.flush()
                os.fsync(writer.fileno())
            return self._commit(source, name, incoming, hashlib.sha256(content).hexdigest(), suffix)

    def _prepare(self, source: str) -> Path:
        folder = self.root / source
        _make_folder(folder)
        return folder

    @contextmanager
    def _incoming(self, source: str) -> Iterator[Path]:
        """Yield a temporary file for a batch. Its name is unique: writers on several machines may share a lake."""
        path = self._prepare(source) / f".incoming-{uuid.uuid4().hex}"
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _commit(self, source: str, name: str, incoming: Path, sha256: str, suffix: str) -> Batch:
        known = self.batch_with(source, sha256)
        if known is not None:
            return known
        data = incoming.parent / f"{sha256}{suffix}"
        size = incoming.stat().st_size
        incoming.rename(data)
        metadata = {"name": name, "file": data.name, "size": size, "arrived_at": dt.datetime.now(dt.UTC).isoformat()}
        _write_durably(self._metadata(source, sha256), json.dumps(metadata, ensure_ascii=False))
        batch = self.batch_with(source, sha256)
        assert batch is not None
        return batch

    def _metadata(self, source: str, sha256: str) -> Path:
        return self.root / source / f"{METADATA}{sha256}.json"

    def _read(self, source: str, path: Path) -> Batch | None:
        if not path.exists():
            return None
        metadata = json.loads(path.read_text(encoding="utf-8"))
        sha256 = path.stem.removeprefix(METADATA)
        return Batch(
            batch_id=batch_id_of(source, sha256),
            source=source,
            name=metadata["name"],
            content_sha256=sha256,
            path=path.parent / metadata["file"],
            arrived_at=dt.datetime.fromisoformat(metadata["arrived_at"]),
            size=metadata["size"],
        )

    def note(self, source: str, text: str) -> None:
        """Store a small text about a source, such as how far it has been read; it replaces the previous one."""
        _write_durably(self._prepare(source) / NOTE, text)

    def noted(self, source: str) -> str | None:
        """Return the text stored about a source, if there is one."""
        path = self.root / source / NOTE
        return path.read_text(encoding="utf-8") if path.exists() else None

    def register(self, source: str) -> Register:
        """Open the register of the source's landing folder."""
        return Register(self.root / source / "_landing.register")

    def batch_with(self, source: str, content_sha256: str) -> Batch | None:
        """Find the batch with this content, if there is one."""
        return self._read(source, self._metadata(source, content_sha256))

    def batches(self, source: str) -> list[Batch]:
        """List all batches of a source, in the order they arrived."""
        found = (self._read(source, path) for path in (self.root / source).glob(f"{METADATA}*.json"))
        return sorted(filter(None, found), key=lambda batch: (batch.arrived_at, batch.name))


def open_lake(settings: Settings) -> FolderLake:
    """Open the lake at LAKE_URL."""
    return FolderLake(Path(settings.lake_url))
