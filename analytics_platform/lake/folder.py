"""A lake in a local folder: immutable batches of raw bytes, named by the hash of their content.

Layout: `<root>/<source>/<sha256><suffix>` holds the bytes as they came, `<sha256>.json` beside it says where from
and when. The JSON is written last, so a batch without it does not exist and is put again.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from analytics_platform.lake.codec import SUFFIXES, open_decoded
from analytics_platform.lake.register import Register

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Batch:
    """One immutable batch. `name` is the input as people know it, `arrived_at` when it was put into the lake."""

    batch_id: str
    source: str
    name: str
    content_sha256: str
    path: Path
    arrived_at: dt.datetime
    size: int

    def open(self) -> BinaryIO:
        """The decompressed content."""
        return open_decoded(self.path)


def batch_id_of(source: str, content_sha256: str) -> str:
    """Stable id of a batch: 16 hex digits over its source and content."""
    return hashlib.sha256(f"{source}:{content_sha256}".encode()).hexdigest()[:16]


def _suffix(name: str) -> str:
    return next((suffix for suffix in reversed(SUFFIXES) if name.lower().endswith(suffix)), "")


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


class FolderLake:
    """The lake below `root`. Writes are atomic (temporary file, fsync, rename) and idempotent."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put_file(self, source: str, name: str, path: Path) -> Batch | None:
        """Copy a file into the lake and hash it on the way; the same content is stored once.

        Returns None when the file changed while it was read (size or modification time): it is left for the next
        run. Raises `OSError` if the lake cannot be written.
        """
        before = _fingerprint(path)
        incoming = self._prepare(source) / f".incoming-{os.getpid()}"
        digest = hashlib.sha256()
        with path.open("rb", buffering=0) as reader, incoming.open("wb", buffering=0) as writer:
            while chunk := reader.read(CHUNK_BYTES):
                digest.update(chunk)
                writer.write(chunk)
            os.fsync(writer.fileno())
        if _fingerprint(path) != before:
            incoming.unlink()
            return None
        return self._commit(source, name, incoming, digest.hexdigest(), _suffix(name))

    def put_bytes(self, source: str, name: str, suffix: str, content: bytes) -> Batch:
        """Store bytes that were fetched; when this returns they are on the disk. The same content is stored once."""
        incoming = self._prepare(source) / f".incoming-{os.getpid()}-{threading.get_ident()}"
        with incoming.open("wb", buffering=0) as writer:
            writer.write(content)
            os.fsync(writer.fileno())
        return self._commit(source, name, incoming, hashlib.sha256(content).hexdigest(), suffix)

    def _prepare(self, source: str) -> Path:
        folder = self.root / source
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _commit(self, source: str, name: str, incoming: Path, sha256: str, suffix: str) -> Batch:
        known = self._read(source, incoming.parent / f"{sha256}.json")
        if known is not None:
            incoming.unlink()
            return known
        data = incoming.parent / f"{sha256}{suffix}"
        size = incoming.stat().st_size
        incoming.rename(data)
        card = {"name": name, "file": data.name, "size": size, "arrived_at": dt.datetime.now(dt.UTC).isoformat()}
        self._write_card(incoming.parent / f"{sha256}.json", card)
        batch = self._read(source, incoming.parent / f"{sha256}.json")
        assert batch is not None
        return batch

    def _write_card(self, path: Path, card: dict[str, object]) -> None:
        draft = path.with_suffix(f".json.{os.getpid()}-{threading.get_ident()}")
        with draft.open("w", encoding="utf-8") as writer:
            json.dump(card, writer, ensure_ascii=False)
            writer.flush()
            os.fsync(writer.fileno())
        draft.rename(path)
        _sync(path.parent)

    def _read(self, source: str, path: Path) -> Batch | None:
        if not path.exists():
            return None
        card = json.loads(path.read_text(encoding="utf-8"))
        return Batch(
            batch_id=batch_id_of(source, path.stem),
            source=source,
            name=card["name"],
            content_sha256=path.stem,
            path=path.parent / card["file"],
            arrived_at=dt.datetime.fromisoformat(card["arrived_at"]),
            size=card["size"],
        )

    def note(self, source: str, text: str) -> None:
        """Keep a small text about a source, such as how far it has been read; the last one stays."""
        path = self._prepare(source) / "source.note"
        draft = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}")
        with draft.open("w", encoding="utf-8") as writer:
            writer.write(text)
            writer.flush()
            os.fsync(writer.fileno())
        draft.rename(path)
        _sync(path.parent)

    def noted(self, source: str) -> str | None:
        """The text kept about a source, if there is one."""
        path = self.root / source / "source.note"
        return path.read_text(encoding="utf-8") if path.exists() else None

    def register(self, source: str) -> Register:
        """What is remembered of the source's landing folder."""
        return Register(self.root / source / "landing.register")

    def batch_with(self, source: str, content_sha256: str) -> Batch | None:
        """The batch with this content, if there is one."""
        return self._read(source, self.root / source / f"{content_sha256}.json")

    def batches(self, source: str) -> list[Batch]:
        """All batches of a source, in the order they arrived."""
        return sorted(self._scan(source), key=lambda batch: (batch.arrived_at, batch.name))

    def _scan(self, source: str) -> Iterator[Batch]:
        for path in (self.root / source).glob("*.json"):
            batch = self._read(source, path)
            if batch is not None:
                yield batch
