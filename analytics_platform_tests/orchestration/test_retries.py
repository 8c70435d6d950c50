"""What passes by itself is tried again, what would fail again is not, and the last try ends in one sentence."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import psycopg
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from deltalake.exceptions import DeltaError
from pymongo.errors import AutoReconnect, OperationFailure

from analytics_platform.connectors.rest_api.endpoint import RestError
from analytics_platform.connectors.sqs import QueueError
from analytics_platform.demo.servers.start import start_queue
from analytics_platform.orchestration import retries
from analytics_platform.orchestration.retries import may_pass
from analytics_platform.sources.arrivals import queue as queue_arrival
from analytics_platform.warehouse import WarehouseError
from analytics_platform_tests.end_to_end.platform_run import DagsterPlatform, clickstream, failure_words

DAY = "2026-03-01"


def _led_to(cause: Exception, error: Exception) -> Exception:
    try:
        raise error from cause
    except type(error) as chained:
        return chained


def _answer(status: int, code: str) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "ReceiveMessage")


@pytest.mark.parametrize(
    "error",
    [
        psycopg.OperationalError("server closed the connection unexpectedly"),
        psycopg.OperationalError("FATAL:  the database system is starting up"),
        psycopg.errors.AdminShutdown("terminating connection"),
        psycopg.errors.DeadlockDetected("deadlock"),
        AutoReconnect("connection closed"),
        EndpointConnectionError(endpoint_url="http://127.0.0.1:9"),
        _answer(503, "InternalFailure"),
        _answer(400, "AWS.SimpleQueueService.OverLimit"),
        RestError("busy", status=503),
        RestError("slow down", status=429),
        duckdb.IOException("IO Error: Could not set lock on file"),
        OSError(
            "Generic S3 error: HTTP error: request or response body error: end of file before message length reached"
        ),
        OSError("When reading information for key 'a' in bucket 'b': AWS Error NETWORK_CONNECTION during HeadObject"),
        DeltaError("Kernel error: Generic S3 error: Error performing GET http://127.0.0.1:4321/shop: 503 Slow Down"),
        duckdb.InvalidInputException("IOError: Generic S3 error: Error performing GET … error sending request"),
        TimeoutError(),
    ],
)
def test_errors_of_the_infrastructure_may_pass(error: Exception) -> None:
    assert may_pass(_led_to(error, WarehouseError("a sentence")))


@pytest.mark.parametrize(
    "error",
    [
        DeltaError("Generic S3 error: Error performing LIST http://127.0.0.1:4321/shop: 404 Not Found: NoSuchBucket"),
        OSError("When reading information for key 'a' in bucket 'b': AWS Error ACCESS_DENIED during HeadObject"),
        OSError("Generic S3 error: The operation lacked the necessary privileges: 403 Forbidden"),
        psycopg.OperationalError('FATAL:  password authentication failed for user "x"'),
        psycopg.errors.UndefinedTable("no such table"),
        psycopg.errors.InsufficientPrivilege("denied"),
        psycopg.errors.DiskFull("could not extend file"),
        OperationFailure("not allowed", 13),
        _answer(403, "AccessDenied"),
        RestError("not found", status=404),
        duckdb.IOException("IO Error: No space left on device"),
        ValueError("a mistake in the code"),
    ],
)
def test_errors_that_would_come_again_do_not_pass(error: Exception) -> None:
    assert not may_pass(_led_to(error, WarehouseError("a sentence")))


def _events(result: dg.ExecuteInProcessResult, kind: dg.DagsterEventType) -> int:
    return sum(event.event_type == kind for event in result.all_events)


def test_a_queue_that_does_not_answer_is_tried_again_and_ends_in_its_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    with socket.socket() as taken:  # bound and not listening: it refuses
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        platform = DagsterPlatform(tmp_path, sqs_queue_url=f"{address}/1/events", aws_endpoint_url=address)
        result = platform.materialize(DAY, DAY, select='key:"raw/ecommerce_events"')

    assert _events(result, dg.DagsterEventType.STEP_UP_FOR_RETRY) == retries.RETRIES
    assert "The queue events cannot be reached" in failure_words(result)


def test_a_queue_that_answers_again_is_drained_by_the_next_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with start_queue() as queue:
        for name, value in queue.items():
            monkeypatch.setenv(name, value)
        platform = DagsterPlatform(tmp_path)
        drain, calls = queue_arrival.drain_queue, []

        def drain_after_a_fault(*given: Any) -> Any:
            calls.append(given)
            if len(calls) == 1:
                raise QueueError("The line is cut.") from TimeoutError()
            return drain(*given)

        monkeypatch.setattr(queue_arrival, "drain_queue", drain_after_a_fault)
        result = platform.materialize(DAY, DAY, select='key:"raw/ecommerce_events"')

    assert result.success
    assert _events(result, dg.DagsterEventType.STEP_UP_FOR_RETRY) == 1


def test_a_broken_contract_is_not_tried_again(tmp_path: Path) -> None:
    platform = DagsterPlatform(tmp_path)
    platform.drop("bad.csv", clickstream(1000, without_client=58))
    result = platform.materialize(DAY, DAY, select='key:"raw/clickstream"+1')

    assert not result.success
    assert _events(result, dg.DagsterEventType.STEP_UP_FOR_RETRY) == 0
