"""What can go wrong with a queue, in one sentence."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
)
from botocore.parsers import ResponseParserError

from analytics_platform.deadline import DeadlineError
from analytics_platform.errors import UserError
from analytics_platform.settings import masked

_INVALID_CREDENTIALS = re.compile(
    "ExpiredToken|IncompleteSignature|InvalidClientTokenId|InvalidSecurity|MissingAuthenticationToken|"
    "SignatureDoesNotMatch|UnrecognizedClient"
)


_ANSWERS = frozenset({"Messages", "Attributes", "Successful", "Failed"})
"""What the answers to the calls that are made here may hold."""


class QueueError(UserError):
    """A queue cannot be used; the message says which, why and what to do, in one sentence, without secrets."""


class SlowQueueError(QueueError):
    """An answer was not there in the time that a call may take. The next would take as long."""


class ForeignAnswerError(QueueError):
    """What answered is not SQS, but a proxy or a page for maintenance: it may pass."""


def read_answer(body: bytes) -> dict[str, Any]:
    """Read the body of a success. Raises `ResponseParserError` if SQS would not have sent it."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ResponseParserError("no JSON") from error
    if not isinstance(answer, dict) or not answer.keys() <= _ANSWERS:
        raise ResponseParserError("other content than that of SQS")
    return answer


def check_answer(response_dict: Mapping[str, Any], **_: object) -> None:
    """Serve as botocore's hook before it parses, which takes a page of HTML for an empty answer."""
    if response_dict["status_code"] == 200:
        read_answer(response_dict["body"])


@contextmanager
def explained(url: str, endpoint: str) -> Iterator[None]:
    """Turn what boto3 raises for a call on the queue at `url` into a `QueueError`. boto3 has retried by then."""
    try:
        yield
    except ClientError as error:
        raise QueueError(_explain_answer(error, url)) from error
    except (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError) as error:
        advice = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or a role"
        raise QueueError(f"There are no AWS credentials for the queue {queue_name(url)}: {advice}.") from error
    except NoRegionError as error:
        raise QueueError(f"The AWS region of the queue {queue_name(url)} is not known: set AWS_REGION.") from error
    except (HTTPClientError, EndpointConnectionError) as error:
        where = f"The queue {queue_name(url)} cannot be reached at {masked(endpoint)}"
        raise QueueError(f"{where}: check the network and AWS_ENDPOINT_URL.") from error
    except DeadlineError as error:
        where = f"The queue {queue_name(url)} gave no whole answer in time at {masked(endpoint)}"
        raise SlowQueueError(f"{where}: check the network and AWS_ENDPOINT_URL.") from error
    except (ResponseParserError, LookupError, TypeError, AttributeError, RecursionError) as error:
        what = f"What answered for the queue {queue_name(url)} is not SQS"
        raise ForeignAnswerError(f"{what}: check its URL and AWS_ENDPOINT_URL, or try later.") from error
    except (BotoCoreError, ValueError) as error:
        raise QueueError(f"The queue {queue_name(url)} cannot be used: {_first_line(error)}") from error


def _explain_answer(error: ClientError, url: str) -> str:
    details = error.response.get("Error", {})
    code, queue = str(details.get("Code", "")).rpartition(".")[2], f"queue {queue_name(url)}"
    if code in ("NonExistentQueue", "QueueDoesNotExist"):
        return f"The {queue} does not exist: check its URL, account and region."
    if code.startswith("AccessDenied"):
        return (
            f"The {queue} denies {error.operation_name} to these credentials: allow sqs:{error.operation_name} on it."
        )
    if _INVALID_CREDENTIALS.match(code):
        return f"AWS rejects the credentials for the {queue} ({code}): renew them."
    if "Throttl" in code or code == "OverLimit":
        return f"The {queue} takes no more requests for now ({code}): run fewer consumers or try again later."
    return (
        f"The {queue} answered {error.operation_name} with {code or 'an error'}: {_first_line(details.get('Message'))}"
    )


def queue_name(url: str) -> str:
    """Return the last part of a queue's URL."""
    return url.rstrip("/").rpartition("/")[2] or url


def _first_line(error: object) -> str:
    line = masked(str(error or "no reason given").strip().partition("\n")[0])[:300]
    return line if line.endswith(".") else f"{line}."
