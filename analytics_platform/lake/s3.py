"""A lake in a bucket of S3, or of a server that speaks its protocol, such as MinIO.

A batch is one object, and its metadata another, which is put last. An object appears whole or not at all, and whoever
reads after that sees it. So a content without metadata is one that is being written, or whose writer was killed, or
whose metadata somebody deleted: for `UNFINISHED_S` it does not exist, and then it is named as damaged.

Metadata is read once: `_batches.index` has what was read, by the ETag of each object. It is only a shortcut, which
whoever finds much that is not in it writes anew.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import botocore.session

from analytics_platform.lake.batch import Batch
from analytics_platform.lake.bucket import THREADS, Bucket, S3Path
from analytics_platform.lake.codec import Place
from analytics_platform.lake.durable import writing
from analytics_platform.lake.lake import METADATA, Lake

UNFINISHED_S = 3600
"""Seconds after which nobody will add its metadata to a content any more."""

INDEX = "_batches.index"
"""Object with the metadata of all batches of a source."""

INDEX_AFTER = 100
"""Metadata objects that are read one by one before the index is written anew."""

_DRAFTS = "analytics-lake-"


class S3Lake(Lake):
    """The lake at `url`, `s3://bucket/prefix`. What is not given comes from the default chain of the AWS SDK."""

    root: S3Path

    def __init__(
        self,
        url: str,
        endpoint_url: str | None = None,
        region: str | None = None,
        session: botocore.session.Session | None = None,
    ) -> None:
        parts = urlsplit(url)
        self._bucket = Bucket(parts.netloc, endpoint_url, region, session)
        self.root = self._bucket.path(parts.path.strip("/"))
        self._known: dict[str, dict[str, tuple[str, str]]] = {}

    def exists(self) -> bool:
        """Tell whether anything was ever stored."""
        return self._bucket.holds((self.root / "").key)

    def describe(self, batch: Batch) -> None:
        """Write the metadata of a batch that is stored."""
        super().describe(batch)
        self._drop_index(batch.source)

    def forget(self, batch: Batch, replaced_by: Batch) -> None:
        """Delete the content of a batch; its metadata says from now on by what it was replaced."""
        super().forget(batch, replaced_by)
        self._drop_index(batch.source)

    def _drop_index(self, source: str) -> None:
        self.delete(f"{source}/{INDEX}")  # its names may name a person who is erased
        self._known.pop(source, None)

    def old_drafts(self, age_s: float) -> list[str]:
        """Name uploads in parts, and temporary files of this machine, that writers left who were killed."""
        uploads = [f"the upload {upload} of {self._bucket.path(key)}" for key, upload in self._uploads(age_s)]
        return [*uploads, *map(str, self._drafts(age_s))]

    def drop_drafts(self, age_s: float) -> None:
        """Delete what `old_drafts` names, and what metadata, notes and registers were before."""
        self._bucket.delete_older((self.root / "").key, METADATA)
        for key, upload in self._uploads(age_s):
            self._bucket.abort(key, upload)
        for path in self._drafts(age_s):
            shutil.rmtree(path, ignore_errors=True)

    def _uploads(self, age_s: float) -> Iterator[tuple[str, str]]:
        before = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=age_s)
        return self._bucket.uploads((self.root / "").key, before)

    def _drafts(self, age_s: float) -> Iterator[Path]:
        found = Path(tempfile.gettempdir()).glob(f"{_DRAFTS}*")
        return (path for path in found if time.time() - path.stat().st_mtime > age_s)

    @contextmanager
    def _incoming(self, source: str) -> Iterator[Path]:
        # The name of an object is the hash of its content: that is known, and the content whole, before it is put.
        with writing(Path(tempfile.gettempdir())), tempfile.TemporaryDirectory(prefix=_DRAFTS) as folder:
            yield Path(folder) / source

    def _store(self, incoming: Path, name: str) -> None:
        self._bucket.upload(incoming, (self.root / name).key)

    @contextmanager
    def _drafted(self, name: str, text: str) -> Iterator[None]:
        yield
        self._bucket.write((self.root / name).key, text.encode())

    def read(self, name: str) -> str | None:
        """Read a small object below the root, if it is there."""
        try:
            return self._bucket.read((self.root / name).key).decode()
        except FileNotFoundError:
            return None

    def delete(self, name: str) -> None:
        """Delete an object below the root with all its versions."""
        self._bucket.delete((self.root / name).key)

    def _files(self, source: str) -> Mapping[str, S3Path]:
        return {path.name: path for path in self._bucket.list((self.root / source / "").key)}

    def _is_unfinished(self, file: Place, metadata: str) -> bool:
        return time.time() - file.stat().st_mtime < UNFINISHED_S or (self.root / metadata).exists()

    def _read_many(self, source: str, metadata: Mapping[str, Place]) -> Mapping[str, str]:
        index = self._known[source] if source in self._known else self._read_index(source)
        files = {sha256: file for sha256, file in metadata.items() if isinstance(file, S3Path)}
        etags = {sha256: file.stat().etag for sha256, file in files.items()}
        new = [sha256 for sha256, etag in etags.items() if index.get(sha256, ("", ""))[0] != etag]
        with ThreadPoolExecutor(THREADS) as pool:
            texts = pool.map(self._text, (f"{source}/{files[sha256].name}" for sha256 in new))
            read = {sha256: (etags[sha256], text) for sha256, text in zip(new, texts, strict=True)}
        index = {sha256: each for sha256, each in {**index, **read}.items() if sha256 in etags}
        self._known[source] = index
        if len(new) > INDEX_AFTER:
            self.write(f"{source}/{INDEX}", json.dumps(index))
        return {sha256: text for sha256, (_, text) in index.items()}

    def _text(self, name: str) -> str:
        try:
            return self.read(name) or ""
        except ValueError:  # it is damaged, as an empty one is
            return ""

    def _read_index(self, source: str) -> dict[str, tuple[str, str]]:
        with suppress(ValueError, TypeError, AttributeError, RecursionError):
            found = json.loads(self.read(f"{source}/{INDEX}") or "{}")
            return {str(sha256): (str(etag), str(text)) for sha256, (etag, text) in found.items()}
        return {}
