"""What can go wrong with a bucket, in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.parsers import ResponseParserError
from s3transfer.exceptions import RetriesExceededError

from analytics_platform.deadline import DeadlineError
from analytics_platform.lake.durable import LakeUnreachableError
from analytics_platform.settings import masked

_MISSING = ("404", "NoSuchKey")
_REJECTED = (
    "AuthorizationHeaderMalformed",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
)
_BUSY = ("503", "RequestLimitExceeded", "ServiceUnavailable", "SlowDown", "SlowDownRead", "SlowDownWrite", "Throttling")
_RIGHTS = {
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "DeleteObject": "s3:DeleteObject and s3:DeleteObjectVersion",
    "GetObject": "s3:GetObject and s3:ListBucket",
    "HeadObject": "s3:GetObject and s3:ListBucket",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "ListObjectVersions": "s3:ListBucketVersions",
    "ListObjectsV2": "s3:ListBucket",
}
"""Call → the rights that it needs, of which a policy speaks."""


def is_missing(error: ClientError) -> bool:
    """Tell whether the answer is that there is no such object."""
    return error.response.get("Error", {}).get("Code") in _MISSING


@contextmanager
def explained(bucket: str, endpoint: str | None, setting: str) -> Iterator[None]:
    """Turn what the SDK raises for a call on a bucket into a `LakeUnreachableError`. It has retried by then."""
    name, where = f"The bucket {bucket} of {setting}", f" at {masked(endpoint)}" if endpoint else ""
    try:
        yield
    except ClientError as error:
        raise LakeUnreachableError(f"{name} {_explain(error, setting)}") from error
    except (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError) as error:
        advice = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or a role"
        raise LakeUnreachableError(
            f"There are no AWS credentials for the bucket {bucket} of {setting}: {advice}."
        ) from error
    except (HTTPClientError, EndpointConnectionError, IncompleteReadError, RetriesExceededError) as error:
        cause = error.last_exception if isinstance(error, RetriesExceededError) else error
        remedy = "check the network, AWS_ENDPOINT_URL and the region, or try later"
        raise LakeUnreachableError(f"{name} cannot be reached{where}: {remedy}.") from cause
    except DeadlineError as error:
        remedy = "check the network and AWS_ENDPOINT_URL"
        raise LakeUnreachableError(f"{name} gave no whole answer in time{where}: {remedy}.") from error
    except (ResponseParserError, KeyError) as error:
        remedy = "check AWS_ENDPOINT_URL, or try later"
        raise LakeUnreachableError(
            f"What answered for the bucket {bucket} of {setting} is not S3: {remedy}."
        ) from error
    except BotoCoreError as error:
        raise LakeUnreachableError(f"{name} cannot be used: {_first_line(error)}") from error


def _explain(error: ClientError, setting: str) -> str:
    details = error.response.get("Error", {})
    code = str(details.get("Code", ""))
    if code == "NoSuchBucket":
        return f"does not exist: create it, or correct {setting}."
    if code in ("403", "AccessDenied", "AllAccessDisabled"):
        right = _RIGHTS.get(error.operation_name, "s3:PutObject")
        return f"denies {error.operation_name} to these credentials: allow {right} on it."
    if code in _REJECTED:
        return f"is not open to these credentials ({code}): renew them, and check AWS_DEFAULT_REGION."
    if code in ("301", "PermanentRedirect", "IllegalLocationConstraintException"):
        return "is in another region: set AWS_DEFAULT_REGION to that of the bucket."
    if code in _BUSY:
        return f"takes no more requests for now ({code}): try again later, or run fewer writers."
    return f"answered {error.operation_name} with {code or 'an error'}: {_first_line(details.get('Message'))}"


def _first_line(error: object) -> str:
    line = masked(str(error or "no reason given").strip().partition("\n")[0])[:300]
    return line if line.endswith(".") else f"{line}."
