"""Which failures of a step are worth another try: those of the infrastructure, which may pass by themselves.

A broken contract, a wrong setting or an error in the code would fail again, and is not tried again.
"""

import re
from collections.abc import Iterator

import dagster as dg
import duckdb
import httpx
import psycopg
from botocore.exceptions import ClientError, EndpointConnectionError, HTTPClientError, IncompleteReadError
from pymongo.errors import ConnectionFailure, OperationFailure

from analytics_platform.connectors.rest_api.endpoint import RestError, SlowAnswerError
from analytics_platform.connectors.sqs.errors import ForeignAnswerError, SlowQueueError
from analytics_platform.warehouse.session import ConflictError, WarehouseError

RETRIES = 3
"""How often a step is tried again."""

FIRST_WAIT_S = 10.0
"""Seconds before the first retry; each later one waits twice as long."""

_LOST = ("08", "40", "53", "57P")
"""Classes of PostgreSQL's errors that pass: connections, transactions rolled back, resources, server shut down."""

_PASSING_STATUS = frozenset({408, 425, 429})
_THROTTLED = ("OverLimit", "RequestThrottled", "ThrottlingException", "Throttling", "ServiceUnavailable")
_BUCKET = re.compile(
    r"Generic S3 error(?!.*\b4\d\d [A-Z])|AWS Error (?!ACCESS_DENIED|EXPIRED|INVALID|NO_SUCH|SIGNATURE|UNRECOGNIZED)",
    re.DOTALL,
)
_CURSOR_GONE = frozenset({43, 237})
_BUSY = ("starting up", "shutting down", "recovery mode", "too many clients", "connection slots")
_PASSING = (
    ConflictError,
    ConnectionFailure,
    ForeignAnswerError,
    EndpointConnectionError,
    HTTPClientError,
    IncompleteReadError,
    httpx.TransportError,
    ConnectionError,
    TimeoutError,
)


def may_pass(error: BaseException) -> bool:
    """Whether the error, or one that led to it, passes by itself: a lost connection, a busy server, a file in use."""
    # What sent a byte every few seconds held up a run four times as long as an answer may take.
    return not isinstance(error, SlowAnswerError | SlowQueueError) and any(map(_passes, _chain(error)))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _passes(error: BaseException) -> bool:
    match error:
        case psycopg.Error():
            if error.sqlstate is not None:  # a full disk is of class 53 too, and stays full
                return error.sqlstate.startswith(_LOST) and not isinstance(error, psycopg.errors.DiskFull)
            # While connecting there is no code: a server that refuses for good says FATAL.
            lost = "FATAL" not in str(error) or any(map(str(error).__contains__, _BUSY))
            return lost and isinstance(error, psycopg.OperationalError)
        case ClientError():
            status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
            return status >= 500 or str(error.response.get("Error", {}).get("Code", "")).endswith(_THROTTLED)
        case OperationFailure(code=int(code)):
            return code in _CURSOR_GONE
        case RestError(status=int(status)):
            return status >= 500 or status in _PASSING_STATUS
        case duckdb.IOException() if "lock on file" in str(error):
            return True
    # Delta, Arrow and DuckDB say in their words what a bucket did; a refusal (404 Not Found) would come again.
    is_of_bucket = not isinstance(error, WarehouseError) and _BUCKET.search(str(error))
    return isinstance(error, _PASSING) or bool(is_of_bucket)


def failure(error: Exception) -> Exception:
    """What a step raises for `error`, whose message is a sentence for people: a request to try again, or a failure.

    The last try ends in the sentence.
    """
    try:
        tried = dg.OpExecutionContext.get().retry_number
    except dg.DagsterInvariantViolationError:  # not in a run
        tried = RETRIES
    if tried >= RETRIES or not may_pass(error):
        return dg.Failure(str(error), allow_retries=False)
    wait = FIRST_WAIT_S * 2**tried
    dg.OpExecutionContext.get().log.warning(f"{error} Trying again in {wait:g} s.")
    return dg.RetryRequested(RETRIES, wait)
