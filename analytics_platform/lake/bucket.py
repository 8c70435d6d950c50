"""A bucket of S3: objects that are read as files are, put whole or not at all, and deleted with all their versions."""

from __future__ import annotations

import datetime as dt
import errno
import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, cast

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError
from s3transfer.manager import TransferManager

from analytics_platform.deadline import within
from analytics_platform.lake.bucket_errors import explained, is_missing
from analytics_platform.lake.durable import writing

THREADS = 16
"""Small objects that are read at a time."""

ANSWER_SECONDS = 60.0
"""How long a call may take, but for copies of files: time-outs of sockets begin anew with each byte that comes."""


@dataclass(frozen=True, slots=True)
class S3Status:
    """What S3 says of an object, named as the file system names it; `etag` is another after each change."""

    st_size: int
    st_mtime: float
    etag: str = ""


@dataclass(frozen=True, slots=True)
class S3Path:
    """An object of a bucket, with those members of `pathlib.Path` that readers of the lake use.

    `listed` is its status where a listing gave it: `stat` then needs no request.
    """

    bucket: Bucket = field(compare=False, repr=False)
    key: str
    listed: S3Status | None = field(default=None, compare=False, repr=False)

    def __truediv__(self, name: str) -> S3Path:
        return S3Path(self.bucket, f"{self.key}/{name}".lstrip("/"))

    def __str__(self) -> str:
        return f"s3://{self.bucket.name}/{self.key}"

    @property
    def name(self) -> str:
        """The last part of the key."""
        return PurePosixPath(self.key).name

    @property
    def suffix(self) -> str:
        """The end of the name from the last point on."""
        return PurePosixPath(self.key).suffix

    def exists(self) -> bool:
        """Ask whether the object is there."""
        try:
            return bool(self.bucket.status(self.key))
        except FileNotFoundError:
            return False

    def stat(self) -> S3Status:
        """Tell its size and time of change. Raises `FileNotFoundError`."""
        return self.listed or self.bucket.status(self.key)

    def open(self, mode: str = "rb", buffering: int = -1) -> io.FileIO:
        """Open the content as an unbuffered local file, which has no name. Raises `FileNotFoundError`."""
        return self.bucket.download(self.key)


class Bucket:
    """The bucket `name`. Methods raise `LakeUnreachableError`, and `FileNotFoundError` for an object that is away.

    Credentials, region and endpoint come from the default chain of the AWS SDK unless given; it is asked at first use.
    """

    def __init__(
        self,
        name: str,
        endpoint_url: str | None,
        region: str | None,
        session: botocore.session.Session | None,
        setting: str = "LAKE_URL",
    ) -> None:
        self.name = name
        self._setting = setting
        self._endpoint = endpoint_url
        self._region = region
        self._session = session or botocore.session.get_session()

    def path(self, key: str) -> S3Path:
        """Give the object of a key, be it there or not."""
        return S3Path(self, key)

    @cached_property
    def _client(self) -> Any:
        config = Config(
            retries={"mode": "standard"},  # three attempts, unless AWS_MAX_ATTEMPTS says otherwise
            connect_timeout=5,
            max_pool_connections=2 * THREADS,
            # What S3 made the default in 2025 several servers refuse. Requests are signed over the SHA-256 of the body.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        region = self._region or self._session.get_config_variable("region") or "us-east-1"
        return self._session.create_client("s3", region, endpoint_url=self._endpoint, config=config)

    @contextmanager
    def _asked(self, key: str = "") -> Iterator[Any]:
        """Yield the client; an answer that there is no such object is a `FileNotFoundError`."""
        with explained(self.name, self._endpoint, self._setting):
            try:
                yield self._client
            except ClientError as error:
                if key and is_missing(error):
                    raise FileNotFoundError(
                        errno.ENOENT, "there is no such object", f"s3://{self.name}/{key}"
                    ) from None
                raise

    def _call(self, operation: str, **parameters: Any) -> Any:
        return within(ANSWER_SECONDS, lambda: getattr(self._client, operation)(Bucket=self.name, **parameters))

    def _pages(self, operation: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        pages = iter(self._client.get_paginator(operation).paginate(Bucket=self.name, **parameters))
        while page := within(ANSWER_SECONDS, lambda: next(pages, None)):
            yield page

    def list(self, prefix: str, recursive: bool = False) -> Iterator[S3Path]:
        """List the objects of a folder, or also of those in it, 1,000 with each request."""
        end = {} if recursive else {"Delimiter": "/"}
        with self._asked():
            # A page for maintenance that is XML would be an empty listing: it has no count.
            pages = self._pages("list_objects_v2", Prefix=prefix, **end)
            for each in (each for page in pages if page["KeyCount"] for each in page.get("Contents", ())):
                status = S3Status(each["Size"], each["LastModified"].timestamp(), each["ETag"])
                yield S3Path(self, each["Key"], status)

    def holds(self, prefix: str) -> bool:
        """Tell whether any key begins with this."""
        with self._asked():
            return bool(self._call("list_objects_v2", Prefix=prefix, MaxKeys=1)["KeyCount"])

    def status(self, key: str) -> S3Status:
        """Ask for size and time of change of an object."""
        with self._asked(key):
            answer = self._call("head_object", Key=key)
            return S3Status(answer["ContentLength"], answer["LastModified"].timestamp(), answer["ETag"])

    def read(self, key: str) -> bytes:
        """Read a small object."""
        with self._asked(key) as client:
            found = within(ANSWER_SECONDS, lambda: client.get_object(Bucket=self.name, Key=key)["Body"].read())
            return cast(bytes, found)

    def download(self, key: str) -> io.FileIO:
        """Copy an object into a temporary file without a name; parts that are lost on the way are fetched again.

        Readers wait for minutes between two reads, where S3 ends connections, and those of Parquet jump.
        """
        with writing(Path(tempfile.gettempdir())), self._asked(key) as client:
            file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 (its reader closes it)
            try:
                with TransferManager(client) as transfers:
                    transfers.download(self.name, key, file).result()
                file.seek(0)
            except BaseException:
                file.close()
                raise
            return file

    def fetch(self, key: str, path: Path) -> None:
        """Copy an object into a file; parts that are lost on the way are fetched again."""
        with self._asked(key) as client, path.open("wb") as file, TransferManager(client) as transfers:
            transfers.download(self.name, key, file).result()

    def write(self, key: str, content: bytes) -> None:
        """Put a small object there, in place of one that is."""
        with self._asked():
            self._call("put_object", Key=key, Body=content)

    def upload(self, path: Path, key: str) -> None:
        """Put a file there as an object: from 8 MB on in parts, which are dropped if one fails for good."""
        with self._asked() as client, TransferManager(client) as transfers:
            transfers.upload(os.fspath(path), self.name, key).result()

    def delete(self, key: str) -> None:
        """Delete all versions of an object."""
        with self._asked():
            for version in self._versions(key):
                if version["Key"] == key:
                    self._call("delete_object", **version)

    def delete_older(self, prefix: str, start: str) -> None:
        """Delete all versions but the last of objects below `prefix` whose names begin with `start`."""
        with self._asked():
            for version in self._versions(prefix, older=True):
                if self.path(version["Key"]).name.startswith(start):
                    self._call("delete_object", **version)

    def _versions(self, prefix: str, older: bool = False) -> Iterator[dict[str, str]]:
        """List key and version of what begins so, or only of what is not the last of its key."""
        try:
            for page in self._pages("list_object_versions", Prefix=prefix):
                for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                    if not (older and each["IsLatest"]):
                        yield {"Key": each["Key"], "VersionId": each["VersionId"]}
        except ClientError as error:
            if error.response["Error"]["Code"] != "NotImplemented":
                raise
            if not older:  # a server that keeps no versions
                yield {"Key": prefix}

    def uploads(self, prefix: str, before: dt.datetime) -> Iterator[tuple[str, str]]:
        """List keys and ids of uploads in parts that were begun before a moment and did not end."""
        with self._asked():
            pages = self._pages("list_multipart_uploads", Prefix=prefix)
            for each in (each for page in pages for each in page.get("Uploads", ())):
                if each["Initiated"] < before:
                    yield each["Key"], each["UploadId"]

    def abort(self, key: str, upload: str) -> None:
        """Drop an upload that did not end."""
        with self._asked():
            self._call("abort_multipart_upload", Key=key, UploadId=upload)
