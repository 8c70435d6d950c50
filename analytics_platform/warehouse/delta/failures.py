"""What a disk or a bucket did not do: whether to ask once more, and how to say it in a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
from deltalake.exceptions import CommitFailedError, DeltaError
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_random_exponential

from analytics_platform.settings import masked
from analytics_platform.warehouse.session import ConflictError, WarehouseError

_NOISE = re.compile(r"\x1b\[\d+m|↳|\s+\d+: <unknown>.*|\. Detail: .*|: ParsedLogPath .*", re.DOTALL)
"""What errors of Delta have beside their words: colours, the names of frames, and what Rust prints of its values."""

_SAID = re.compile(r"<Code>(\w+)</Code>")
_CUT = re.compile(
    r"Generic S3 error.*response body|AWS Error "
    r"(INTERNAL_FAILURE|NETWORK_CONNECTION|REQUEST_TIMEOUT|SERVICE_UNAVAILABLE|SLOW_DOWN|UNKNOWN \(HTTP status 5)",
    re.DOTALL,
)
"""What is said of an answer that was cut off, which Delta's client does not ask for again; Arrow's not after a refusal
that is longer than what it wanted to read."""

_REMEDIES = {
    "NoSuchBucket": "the bucket does not exist, create it or correct WAREHOUSE_URL",
    "AccessDenied": "it denies that to these credentials, allow what docs/delta.md names under rights",
    "InvalidAccessKeyId": "it does not know these credentials, renew them",
    "SignatureDoesNotMatch": "it does not take these credentials, renew them and check AWS_DEFAULT_REGION",
    "ExpiredToken": "the credentials have expired, renew them",
    "PermanentRedirect": "the bucket is in another region, set AWS_DEFAULT_REGION to that",
    "SlowDown": "it takes no more requests for now, run it again later or run fewer writers",
}
"""What S3 answers → what to do."""

_OS_ERROR = re.compile(r'Os \{ .*?message: "(.*?)" \}')


def was_cut(error: BaseException) -> bool:
    """Return whether an answer of a bucket was cut off or lost: what was asked for is done, or is not."""
    return bool(_CUT.search(str(error)))


again = retry(
    retry=retry_if_exception(was_cut),
    stop=stop_after_attempt(5),
    wait=wait_random_exponential(0.2, 3),
    reraise=True,
)
"""Asks a bucket once more whose answer was cut off: of what may be done twice."""


@contextmanager
def explained(root: str) -> Iterator[None]:
    """Say in one sentence what a disk or a bucket does not do. Delta's own errors never reach a user."""
    try:
        yield
    except CommitFailedError as error:
        raise ConflictError(f"Another run changed a table of {root} at the same time: run it again.") from error
    except (DeltaError, OSError) as error:
        raise WarehouseError(_cause(root, str(error))) from error
    except duckdb.Error as error:  # which repeats what Arrow says of a bucket
        if "AWS Error" not in str(error):
            raise
        raise WarehouseError(_cause(root, str(error))) from error


def _cause(root: str, words: str) -> str:
    """Say what a disk or a bucket did not do, given the words of its error."""
    if "No space left" in words:
        return f"The disk of the warehouse {root} is full: make room and run again; nothing is half stored."
    said = masked(" ".join(_OS_ERROR.sub(r"\1", _NOISE.sub("", words)).split()))[:300].rstrip(".")
    if re.search("Permission denied|Read-only file system", words):
        remedy = "correct its rights, DATA_DIR or WAREHOUSE_URL"
        return f"The warehouse {root} cannot be read or written: {remedy} ({said})."
    if (found := _SAID.search(words)) and found[1] in _REMEDIES:
        return f"The bucket of the warehouse {root} answered {found[1]}: {_REMEDIES[found[1]]}."
    remedy = "check its rights and room, and for a bucket credentials, region and AWS_ENDPOINT_URL"
    once_more = "nothing is half stored, run it again"
    return f"The warehouse {root} cannot be read or written: {remedy}; {once_more} ({said})."
