"""A lake in a local folder: immutable batches of raw bytes, named by the hash of their content.

Layout: `<root>/<source>/<sha256><suffix>` holds the bytes as they arrived, `_<sha256>.json` beside it the metadata:
where from and when. A writer drafts it first (`_<sha256>.<draft>`) and names it last. So a batch that has only a draft
is one whose writer was killed: it does not exist and is stored again. One that has neither was damaged. Athena, Spark
and Arrow skip names that begin with `_` or `.`: given the folder of a source, they read its batches and nothing else.

A batch from which a person was erased is a new batch that `replaces` the content before. The metadata of that stays and
says by what it was `replaced_by`: dropped again, the content before is known, and not stored.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
import os
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import BinaryIO, cast

from analytics_platform.lake.codec import LakeError, open_decoded, open_encoded
from analytics_platform.lake.durable import drafted, make_folder, sync, write_durably, writing
from analytics_platform.lake.register import Register
from analytics_platform.settings import Settings

CHUNK_BYTES = 1 << 20

METADATA = "_"
"""The prefix of a metadata file's name."""

NOTE = "_source.note"
"""File with the note about a source."""


def _remedy(source: str) -> str:
    return (
        f"put it back from a backup, or, if it came as a file, drop that into LANDING_DIR/{source} again and run "
        "`analytics-platform materialize`"
    )


class _HashedFile(io.RawIOBase):
    """The bytes of an open, unbuffered `file`. What is read from its start on is hashed on the way."""

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._hashed = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        place = self._file.tell()
        count = self._file.readinto(buffer) or 0
        if place == self._hashed:
            self._digest.update(memoryview(buffer)[:count])
            self._hashed += count
        return count

    def sha256(self) -> str:
        """Return the hash of the whole file. What was not read in order, as in Parquet files, is read now."""
        self.seek(self._hashed)
        chunk = bytearray(1 << 20)
        while self.readinto(chunk):
            pass
        return self._digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """That a person took a batch back out of the tables: why, who (`decided_by`), and when."""

    reason: str
    decided_by: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class Batch:
    """One immutable batch. `name` is the input's name as people know it, `arrived_at` when it was put into the lake.

    Of a batch whose metadata file is damaged or gone these are unknown: `fault` says what is wrong, and what to do.
    `replaces` has the SHA-256 of each content before a person was erased from it. One with a `withdrawal` is loaded
    only when asked for.
    """

    batch_id: str
    source: str
    name: str
    content_sha256: str
    path: Path
    arrived_at: dt.datetime
    size: int
    fault: str = ""
    replaces: tuple[str, ...] = ()
    withdrawal: Withdrawal | None = None

    @property
    def damage(self) -> str:
        """Say what is wrong with its files, as far as that is seen without reading them, and what to do; or nothing."""
        try:
            size = self.size if self.fault else self.path.stat().st_size
        except OSError as error:
            return self._damaged(f"cannot be read ({error.strerror})")
        return self.fault if size == self.size else self._damaged(f"has {size:,} bytes instead of {self.size:,}")

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open the decompressed content for the length of a `with` block.

        Raises `LakeError` for a file that is missing or damaged: for its size at the start of the block, for its
        SHA-256 at the end, and in place of an error that the damage led to.
        """
        if damage := self.damage:
            raise LakeError(damage)
        try:
            file = self.path.open("rb", buffering=0)
        except OSError as error:
            raise LakeError(self._damaged(f"cannot be read ({error.strerror})")) from error
        with file:
            hashed = _HashedFile(file)
            try:
                yield open_decoded(self.path, cast(BinaryIO, io.BufferedReader(hashed, CHUNK_BYTES)))
            except Exception:
                self._verify(hashed)
                raise
            self._verify(hashed)

    def _verify(self, hashed: _HashedFile) -> None:
        if hashed.sha256() != self.content_sha256:
            raise LakeError(self._damaged("is damaged, its SHA-256 is not what it was"))

    def _damaged(self, what: str) -> str:
        return f"its file {self.path} {what}: {_remedy(self.source)}"


def batch_id_of(source: str, content_sha256: str) -> str:
    """Return the stable id of a batch: 16 hex digits over its source and content."""
    return hashlib.sha256(f"{source}:{content_sha256}".encode()).hexdigest()[:16]


def _fingerprint(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


class FolderLake:
    """The lake below `root`. Writes are atomic (temporary file, fsync, rename) and idempotent."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put_file(self, source: str, name: str, path: Path) -> Batch | None:
        """Copy a file into the lake and hash it on the way; the same content is stored once.

        Returns None when the file changed while it was read (size or modification time): it is left for the next
        run. Raises `OSError` if the file cannot be read, `LakeUnwritableError` if the lake cannot be written.
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

    def put_edited(self, batch: Batch, write: Callable[[BinaryIO], None]) -> Batch:
        """Store what `write` writes as the content that replaces that of a batch, under its name and time of arrival.

        Both are in the lake then, until `forget`.
        """
        with self._incoming(batch.source) as incoming:
            with open_encoded(incoming, batch.path.name) as content:
                write(content)
            with incoming.open("rb") as reader:
                os.fsync(reader.fileno())
                sha256 = hashlib.file_digest(reader, "sha256").hexdigest()
            suffix = batch.path.name.removeprefix(batch.content_sha256)
            edited = self._commit(batch.source, batch.name, incoming, sha256, suffix, batch.arrived_at)
        replaces = tuple(dict.fromkeys((*edited.replaces, *batch.replaces, batch.content_sha256)))
        if replaces != edited.replaces:  # also of two batches that are the same now
            edited = replace(edited, replaces=replaces, withdrawal=batch.withdrawal)
            self.describe(edited)
        return edited

    def withdraw(self, source: str, content_sha256: str, withdrawal: Withdrawal | None) -> None:
        """Note beside a batch that a person withdrew it, or with None that it is to be loaded again."""
        batch = self._find(source, content_sha256)
        if batch and not batch.fault and batch.content_sha256 == content_sha256 and batch.withdrawal != withdrawal:
            self.describe(replace(batch, withdrawal=withdrawal))

    def forget(self, batch: Batch, replaced_by: Batch) -> None:
        """Delete the content of a batch; its metadata says from now on by what it was replaced."""
        metadata = {"replaced_by": replaced_by.content_sha256}
        with writing(self.root):
            write_durably(self._metadata(batch.source, batch.content_sha256), json.dumps(metadata))
            batch.path.unlink(missing_ok=True)
            sync(batch.path.parent)

    def _prepare(self, source: str) -> Path:
        folder = self.root / source
        make_folder(folder)
        return folder

    @contextmanager
    def _incoming(self, source: str) -> Iterator[Path]:
        """Yield a temporary file for a batch. Its name is unique: writers on several machines may share a lake."""
        with writing(self.root):
            path = self._prepare(source) / f".incoming-{uuid.uuid4().hex}"
            try:
                yield path
            finally:
                path.unlink(missing_ok=True)

    def _commit(
        self, source: str, name: str, incoming: Path, sha256: str, suffix: str, arrived_at: dt.datetime | None = None
    ) -> Batch:
        known = self._find(source, sha256)
        if known is not None and not known.fault:
            if known.content_sha256 == sha256:  # else a person was erased from this content
                incoming.rename(known.path)  # the same bytes, in place of what may be missing or damaged
            return known
        data = incoming.parent / f"{sha256}{suffix}"
        arrived_at = arrived_at or dt.datetime.now(dt.UTC)
        batch = Batch(batch_id_of(source, sha256), source, name, sha256, data, arrived_at, incoming.stat().st_size)
        with self._described(batch):
            incoming.rename(data)
        return batch

    def describe(self, batch: Batch) -> None:
        """Write the metadata of a batch that is stored."""
        with writing(self.root), self._described(batch):
            pass

    def _described(self, batch: Batch) -> AbstractContextManager[None]:
        """Write the metadata of a batch at the end of a `with` block that puts its content there."""
        metadata = {
            "name": batch.name,
            "file": batch.path.name,
            "size": batch.size,
            "arrived_at": batch.arrived_at.isoformat(),
            **({"replaces": batch.replaces} if batch.replaces else {}),
        }
        if batch.withdrawal:
            metadata["withdrawal"] = asdict(batch.withdrawal) | {"at": batch.withdrawal.at.isoformat()}
        path = self._metadata(batch.source, batch.content_sha256)
        return drafted(path, json.dumps(metadata, ensure_ascii=False))

    def _metadata(self, source: str, sha256: str) -> Path:
        return self.root / source / f"{METADATA}{sha256}.json"

    def _read(self, source: str, path: Path) -> Batch:
        """Read the metadata of a batch; of one that is damaged nothing is known but what its name says."""
        sha256 = path.stem.removeprefix(METADATA)
        known = (batch_id_of(source, sha256), source)
        try:
            metadata = json.loads(path.read_text(encoding="utf-8"))
            if "replaced_by" in metadata:
                return self._read(source, self._metadata(source, metadata["replaced_by"]))
            name, file, size = str(metadata["name"]), path.parent / metadata["file"], int(metadata["size"])
            if not file.name.startswith(sha256):  # put back under a wrong name: the other batch must not be overwritten
                raise ValueError(f"{path} describes {file}")
            arrived_at = dt.datetime.fromisoformat(metadata["arrived_at"]).astimezone(dt.UTC)
            withdrawn = metadata.get("withdrawal")
            return Batch(
                *(*known, name, sha256, file, arrived_at, size),
                replaces=tuple(metadata.get("replaces", ())),
                withdrawal=withdrawn and Withdrawal(**withdrawn | {"at": dt.datetime.fromisoformat(withdrawn["at"])}),
            )
        except (OSError, ValueError, TypeError, KeyError):
            return self._unknown(source, sha256, path, "cannot be read")

    def _unknown(self, source: str, sha256: str, file: Path, what: str) -> Batch:
        """Make a batch of which nothing is known but what the name of one of its files says."""
        changed = dt.datetime.fromtimestamp(file.stat().st_mtime, dt.UTC)
        fault = f"its metadata file {self._metadata(source, sha256)} {what}: {_remedy(source)}"
        return Batch(batch_id_of(source, sha256), source, file.name, sha256, file, changed, 0, fault)

    def _find(self, source: str, content_sha256: str) -> Batch | None:
        metadata = self._metadata(source, content_sha256)
        return self._read(source, metadata) if metadata.exists() else None

    def missing(self, source: str, content_sha256: str) -> LakeError:
        """Return what to say of a batch that is missing or not whole."""
        metadata = self._metadata(source, content_sha256)
        what = "describes a damaged file" if metadata.exists() else "is missing"
        return LakeError(f"its metadata file {metadata} {what}: {_remedy(source)}")

    def note(self, source: str, text: str) -> None:
        """Store a small text about a source, such as how far it has been read; it replaces the previous one."""
        with writing(self.root):
            write_durably(self._prepare(source) / NOTE, text)

    def noted(self, source: str) -> str | None:
        """Return the text stored about a source, if there is one."""
        path = self.root / source / NOTE
        return path.read_text(encoding="utf-8") if path.exists() else None

    def register(self, source: str) -> Register:
        """Open the register of the source's landing folder. Raises `LakeError` if it must not be read."""
        return Register(self.root / source / "_landing.register")

    def batch_with(self, source: str, content_sha256: str) -> Batch | None:
        """Find the batch with this content, if there is one. One that is not whole is to be put again."""
        batch = self._find(source, content_sha256)
        return None if batch is None or batch.damage else batch

    def batches(self, source: str) -> list[Batch]:
        """List all batches of a source, in the order they arrived; also those that cannot be read."""
        folder = self.root / source
        described = {path.stem: self._read(source, path) for path in folder.glob(f"{METADATA}*.json")}
        found = {batch.batch_id: batch for batch in described.values()}
        for path in folder.glob("[0-9a-f]*"):
            sha256 = path.name.partition(".")[0]
            if f"{METADATA}{sha256}" in described or not re.fullmatch("[0-9a-f]{64}", sha256):
                continue
            # In this order: a writer renames its draft at any time.
            if any(folder.glob(f"{METADATA}{sha256}.*")) or self._metadata(source, sha256).exists():
                continue
            batch = self._unknown(source, sha256, path, "is missing")
            found[batch.batch_id] = batch
        return sorted(found.values(), key=lambda batch: (batch.arrived_at, batch.name))


def open_lake(settings: Settings) -> FolderLake:
    """Open the lake at LAKE_URL."""
    return FolderLake(Path(settings.lake_url))
