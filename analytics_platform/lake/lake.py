"""The rules of a lake, wherever its files are: immutable batches of raw bytes, named by the hash of their content.

Layout: `<root>/<source>/<sha256><suffix>` holds the bytes as they arrived, `_<sha256>.json` beside it the metadata:
where from and when. That is written last: a batch without it does not exist yet, or was damaged. Athena, Spark and
Arrow skip names that begin with `_` or `.`: given the folder of a source, they read its batches and nothing else.

A batch from which a person was erased is a new batch that `replaces` the content before. The metadata of that stays and
says by what it was `replaced_by`: dropped again, the content before is known, and not stored.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

from analytics_platform.lake.batch import CHUNK_BYTES, Batch, Withdrawal, batch_id_of, not_a_file, remedy
from analytics_platform.lake.codec import LakeError, Place, open_encoded
from analytics_platform.lake.register import Register

METADATA = "_"
"""The prefix of a metadata file's name."""

NOTE = "_source.note"
"""File with the note about a source."""

_SHA256 = re.compile("[0-9a-f]{64}")
_METADATA_NAME = re.compile(rf"{METADATA}([0-9a-f]{{64}})\.json")


def _fingerprint(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


class Lake(ABC):
    """The lake below `root`. Writes are atomic and idempotent; writers on several machines may share it."""

    root: Place

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
            if _fingerprint(path) != before:
                return None
            suffix = re.search(r"(\.[a-z0-9]{1,10})?(\.gz|\.zst)?$", name.lower())
            return self._commit(source, name, incoming, digest.hexdigest(), suffix[0] if suffix else "")

    def put_bytes(self, source: str, name: str, suffix: str, content: bytes) -> Batch:
        """Store bytes that were fetched; when this returns they are kept. The same content is stored once."""
        with self._incoming(source) as incoming:
            incoming.write_bytes(content)
            return self._commit(source, name, incoming, hashlib.sha256(content).hexdigest(), suffix)

    def put_edited(self, batch: Batch, write: Callable[[BinaryIO], None]) -> Batch:
        """Store what `write` writes as the content that replaces that of a batch, under its name and time of arrival.

        Both are in the lake then, until `forget`.
        """
        with self._incoming(batch.source) as incoming:
            with open_encoded(incoming, batch.path.name) as content:
                write(content)
            with incoming.open("rb") as reader:
                sha256 = hashlib.file_digest(reader, "sha256").hexdigest()
            suffix = batch.path.name.removeprefix(batch.content_sha256)
            edited = self._commit(batch.source, batch.name, incoming, sha256, suffix, batch.arrived_at)
        replaces = tuple(dict.fromkeys((*edited.replaces, *batch.replaces, batch.content_sha256)))
        if replaces != edited.replaces:  # also of two batches that are the same now
            edited = replace(edited, replaces=replaces, withdrawal=batch.withdrawal)
            self.describe(edited)
        return edited

    def describe(self, batch: Batch) -> None:
        """Write the metadata of a batch that is stored."""
        self.write(metadata_name(batch.source, batch.content_sha256), _metadata_of(batch))

    def withdraw(self, source: str, content_sha256: str, withdrawal: Withdrawal | None) -> None:
        """Note beside a batch that a person withdrew it, or with None that it is to be loaded again."""
        batch = self._find(source, content_sha256)
        if batch and not batch.fault and batch.content_sha256 == content_sha256 and batch.withdrawal != withdrawal:
            self.describe(replace(batch, withdrawal=withdrawal))

    def forget(self, batch: Batch, replaced_by: Batch) -> None:
        """Delete the content of a batch; its metadata says from now on by what it was replaced."""
        # In this order: killed in between, a batch is left that lacks its file, and the same erasure forgets it again.
        # Described as replaced first, nobody would look for what is left of it.
        self.delete(f"{batch.source}/{batch.path.name}")
        text = json.dumps({"replaced_by": replaced_by.content_sha256})
        self.write(metadata_name(batch.source, batch.content_sha256), text)

    def batches(self, source: str) -> list[Batch]:
        """List all batches of a source, in the order they arrived; also those that cannot be read."""
        found = {batch.batch_id: batch for batch in self.contents(source).values()}
        return sorted(found.values(), key=lambda batch: (batch.arrived_at, batch.name))

    def contents(self, source: str) -> dict[str, Batch]:
        """Map the SHA-256 of every content that was ever stored to its batch, or to the one that replaces it."""
        files = self._files(source)
        described = {match[1]: files[name] for name in files if (match := _METADATA_NAME.fullmatch(name))}
        texts = self._read_many(source, described)
        found = {sha256: self._read_batch(source, sha256, files, texts) for sha256 in described}
        for name, file in files.items():
            sha256 = name.partition(".")[0]
            if sha256 in described or not _SHA256.fullmatch(sha256):
                continue
            if not self._is_unfinished(file, metadata_name(source, sha256)):
                found[sha256] = self._unknown(source, sha256, file, "is missing")
        return {sha256: batch for sha256, batch in found.items() if batch is not None}

    def batch_with(self, source: str, content_sha256: str) -> Batch | None:
        """Find the batch with this content, if there is one. One that is not whole is to be put again."""
        batch = self._find(source, content_sha256)
        return None if batch is None or batch.damage else batch

    def missing(self, source: str, content_sha256: str) -> LakeError:
        """Return what to say of a batch that is missing or not whole."""
        metadata = self.root / metadata_name(source, content_sha256)
        what = "is missing" if self._find(source, content_sha256) is None else "describes a damaged file"
        return LakeError(f"its metadata file {metadata} {what}: {remedy(source)}")

    def note(self, source: str, text: str) -> None:
        """Store a small text about a source, such as how far it has been read; it replaces the previous one."""
        self.write(f"{source}/{NOTE}", text)

    def noted(self, source: str) -> str | None:
        """Return the text stored about a source, if there is one. Raises `LakeError` for what is no file of text."""
        name = f"{source}/{NOTE}"
        try:
            return self.read(name)
        except (ValueError, OSError) as error:
            raise LakeError(
                f"{self.root / name} cannot be read: put it back from a backup, or move it away to read {source} again "
                "from the start."
            ) from error

    def register(self, source: str) -> Register:
        """Open the register of the source's landing folder. Raises `LakeError` if it must not be read."""
        name = f"{source}/_landing.register"
        write = partial(self.write, name)
        try:
            return Register(self.read(name) or "", write)
        except ValueError:  # not even text: it is written anew
            return Register("", write)
        except IsADirectoryError:  # without it files are read again at each look, and none is held up
            return Register("", lambda text: None)
        except OSError as error:
            raise LakeError(
                f"{self.root / name} cannot be read ({error.strerror}): let the platform's user read it, or delete it, "
                "it is written anew."
            ) from error

    def write(self, name: str, text: str) -> None:
        """Write a small file below the root, whole or not at all."""
        with self._drafted(name, text):
            pass

    @abstractmethod
    def read(self, name: str) -> str | None:
        """Read a small file below the root, if it is there. Raises `OSError` if it must not be read."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Delete a file below the root, if it is there, so that nobody can bring it back."""

    @abstractmethod
    def exists(self) -> bool:
        """Tell whether anything was ever stored."""

    @abstractmethod
    def old_drafts(self, age_s: float) -> list[str]:
        """Name what killed writers left that is older than `age_s` seconds."""

    @abstractmethod
    def drop_drafts(self, age_s: float) -> None:
        """Delete what `old_drafts` names."""

    @abstractmethod
    def _incoming(self, source: str) -> AbstractContextManager[Path]:
        """Yield a place for a temporary file, which is gone at the end of the block."""

    @abstractmethod
    def _store(self, incoming: Path, name: str) -> None:
        """Put a temporary file there as a file of the lake, whole or not at all."""

    @abstractmethod
    def _drafted(self, name: str, text: str) -> AbstractContextManager[None]:
        """Write a small file, whole or not at all, at the end of a `with` block."""

    @abstractmethod
    def _files(self, source: str) -> Mapping[str, Place]:
        """List the files of a source by their names."""

    @abstractmethod
    def _is_unfinished(self, file: Place, metadata: str) -> bool:
        """Tell of a content whose metadata was not listed whether its writer is still at work, or was killed."""

    def _read_many(self, source: str, metadata: Mapping[str, Place]) -> Mapping[str, str]:
        """Read metadata files by SHA-256, where many at once take less time; the others are read one by one."""
        return {}

    def _commit(
        self, source: str, name: str, incoming: Path, sha256: str, suffix: str, arrived_at: dt.datetime | None = None
    ) -> Batch:
        known = self._find(source, sha256)
        if known is not None and not known.fault:
            if known.content_sha256 == sha256:  # else a person was erased from this content
                # The same bytes, in place of what may be missing or damaged.
                self._store(incoming, f"{source}/{known.path.name}")
            return known
        file, size, at = f"{source}/{sha256}{suffix}", incoming.stat().st_size, arrived_at or dt.datetime.now(dt.UTC)
        batch = Batch(batch_id_of(source, sha256), source, name, sha256, self.root / file, at, size)
        with self._drafted(metadata_name(source, sha256), _metadata_of(batch)):
            self._store(incoming, file)
        return batch

    def _find(self, source: str, content_sha256: str) -> Batch | None:
        return self._read_batch(source, content_sha256, {}, {})

    def _read_batch(
        self, source: str, sha256: str, files: Mapping[str, Place], texts: Mapping[str, str]
    ) -> Batch | None:
        """Read the metadata of a batch; of one that is damaged nothing is known but what its name says."""
        metadata = metadata_name(source, sha256)
        try:
            text = texts[sha256] if sha256 in texts else self.read(metadata)
            if text is None:
                return None
            known = json.loads(text)
            if "replaced_by" in known:
                return self._read_batch(source, _text_in(known, "replaced_by"), files, texts)
            name, file, size = _text_in(known, "name"), _text_in(known, "file"), known["size"]
            # Put back under a wrong name it is no metadata of this batch: the other must not be overwritten.
            if not file.startswith(sha256) or "/" in file or type(size) is not int:
                raise ValueError(f"{metadata} describes {file}")
            path, withdrawn = files.get(file) or self.root / source / file, known.get("withdrawal")
            return Batch(
                *(batch_id_of(source, sha256), source, name, sha256, path, _moment_in(known, "arrived_at"), size),
                replaces=tuple(map(_checked_text, known.get("replaces", ()))),
                withdrawal=withdrawn
                and Withdrawal(
                    *(_text_in(withdrawn, "reason"), _text_in(withdrawn, "decided_by"), _moment_in(withdrawn, "at"))
                ),
            )
        except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            return self._unknown(source, sha256, self.root / metadata, "cannot be read")

    def _unknown(self, source: str, sha256: str, file: Place, what: str) -> Batch:
        """Make a batch of which nothing is known but what the name of one of its files says."""
        status = file.lstat() if isinstance(file, Path) else file.stat()  # it may be a link to nothing
        changed = dt.datetime.fromtimestamp(status.st_mtime, dt.UTC)
        metadata = self.root / metadata_name(source, sha256)
        folder = next((each for each in (metadata, file) if isinstance(each, Path) and each.is_dir()), None)
        seen = f"{folder} {not_a_file(folder)}" if folder else f"its metadata file {metadata} {what}"
        fault = f"{seen}: {remedy(source)}"
        return Batch(batch_id_of(source, sha256), source, file.name, sha256, file, changed, 0, fault)


def _text_in(known: Mapping[str, object], name: str) -> str:
    return _checked_text(known[name])


def _checked_text(text: object) -> str:
    if not isinstance(text, str):
        raise TypeError(f"{text!r} is no text")
    text.encode()  # half a surrogate pair is no text that a table can store
    return text


def _moment_in(known: Mapping[str, object], name: str) -> dt.datetime:
    moment = dt.datetime.fromisoformat(_text_in(known, name)).astimezone(dt.UTC)
    # With one digit changed, a batch of 9026 kept `fresh` from ever saying that data is late.
    if moment > dt.datetime.now(dt.UTC) + dt.timedelta(days=1):
        raise ValueError(f"{moment} is in the future")
    return moment


def metadata_name(source: str, sha256: str) -> str:
    """Name the metadata file of a batch, below the root."""
    return f"{source}/{METADATA}{sha256}.json"


def _metadata_of(batch: Batch) -> str:
    metadata = {
        "name": batch.name,
        "file": batch.path.name,
        "size": batch.size,
        "arrived_at": batch.arrived_at.isoformat(),
        **({"replaces": batch.replaces} if batch.replaces else {}),
    }
    if batch.withdrawal:
        metadata["withdrawal"] = asdict(batch.withdrawal) | {"at": batch.withdrawal.at.isoformat()}
    return json.dumps(metadata, ensure_ascii=False)
