"""Files that arrive in a bucket of S3: LANDING_DIR has copies of them, which are read as files of a folder are."""

from __future__ import annotations

import errno
import json
import os
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from analytics_platform.errors import printable
from analytics_platform.lake.bucket import Bucket, S3Path
from analytics_platform.lake.durable import LakeUnreachableError, write_durably, writing
from analytics_platform.settings import Settings

_DRAFTS = ".drafts"
_COPIED = ".copied.{}.json"
"""File beside the folders of copies: name → ETag of the object, which is another after each change."""

_ABANDONED_S = 3600
_LONGEST_NAME = 255
_CLOSED = ("403", "AccessDenied", "InvalidObjectState")
"""Answers that concern one object: it has another owner or key, or lies in an archive."""

_NO_PATH = (
    "its key cannot be the path of a file: give it parts of 1 to 255 bytes between the slashes, no `.` and no `..`"
)
_IN_THE_WAY = "its key begins with that of another object, as if that were a folder: rename one of them"


def copy_landed(folder: str, settings: Settings) -> dict[str, str]:
    """Make a folder of LANDING_DIR equal to that below LANDING_URL; tell why objects cannot be copied: name → reason.

    An object appears whole or not at all, and so does its copy. Raises `LakeUnreachableError` for a bucket that cannot
    be used.
    """
    root, prefix = settings.landing_dir / folder, _key(settings, folder)
    listed = {each.key.removeprefix(prefix): each for each in _bucket(settings).list(prefix, recursive=True)}
    objects = {name: each for name, each in listed.items() if not name.endswith("/")}  # a folder, as consoles make it
    refused = {printable(name): _NO_PATH for name in objects if not _is_path(name)}
    wanted = {root / name: each for name, each in objects.items() if _is_path(name)}
    index = settings.landing_dir / _COPIED.format(folder)
    known, copied = _read(index), dict[str, str]()
    with writing(settings.landing_dir, "the copies of LANDING_URL in", "DATA_DIR"):
        _drop([path for path in root.rglob("*") if path.is_file() and path not in wanted])
        for path, each in wanted.items():
            name, etag = str(path.relative_to(root)), each.stat().etag
            is_current = known.get(name) == etag and path.is_file()
            reason = None if is_current else _copy(each, path, settings.landing_dir / _DRAFTS)
            if reason is None:
                copied[name] = etag
            elif reason:
                refused[printable(name)] = reason
        if copied != known:
            write_durably(index, json.dumps(copied))
    return refused


@lru_cache(maxsize=4)
def _open(name: str, endpoint: str, region: str) -> Bucket:
    return Bucket(name, endpoint or None, region or None, None, "LANDING_URL")


def _bucket(settings: Settings) -> Bucket:
    endpoint = settings.aws_endpoint_url_s3 or settings.aws_endpoint_url
    return _open(urlsplit(settings.landing_url).netloc, endpoint, settings.aws_default_region)


def _key(settings: Settings, folder: str) -> str:
    return f"{urlsplit(settings.landing_url).path.strip('/')}/{folder}/".lstrip("/")


def _is_path(name: str) -> bool:
    parts = name.split("/")
    return "\0" not in name and all(
        part not in ("", ".", "..") and len(part.encode()) <= _LONGEST_NAME for part in parts
    )


def _read(index: Path) -> dict[str, str]:
    """Read what was copied. A lost or damaged index only has all be copied again."""
    with suppress(OSError, ValueError, AttributeError, RecursionError):
        return {str(name): str(etag) for name, etag in json.loads(index.read_bytes()).items()}
    return {}


def _drop(copies: Iterable[Path]) -> None:
    for path in copies:
        path.unlink(missing_ok=True)
        with suppress(OSError):  # other files are in its folder
            os.removedirs(path.parent)


def _copy(each: S3Path, path: Path, drafts: Path) -> str | None:
    """Copy an object, whole or not at all; say why that cannot be done.

    Of one that changed or was deleted since it was listed nothing is said: the next look has it.
    """
    _drop_old(drafts)
    drafts.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=drafts)
    os.close(handle)
    draft, status = Path(name), each.stat()
    try:
        each.bucket.fetch(each.key, draft)
        # Of a large object that is put again meanwhile, some parts may be old ones and others new.
        if each.bucket.status(each.key).etag != status.etag:
            return ""
        os.utime(draft, (status.st_mtime, status.st_mtime))
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.replace(path)
    except FileNotFoundError:
        return ""
    except (NotADirectoryError, FileExistsError, IsADirectoryError):
        return _IN_THE_WAY
    except LakeUnreachableError as error:
        cause = error.__cause__
        if isinstance(cause, ClientError) and cause.response.get("Error", {}).get("Code") in _CLOSED:
            return (
                f"S3 does not give it ({cause.response['Error']['Code']}); let the platform's role read it, or copy it"
            )
        raise
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ):
            return _NO_PATH
        raise
    finally:
        draft.unlink(missing_ok=True)
    return None


def _drop_old(drafts: Path) -> None:
    """Delete what killed processes left."""
    for draft in drafts.glob("*"):
        with suppress(FileNotFoundError):
            if time.time() - draft.stat().st_mtime > _ABANDONED_S:
                draft.unlink()
