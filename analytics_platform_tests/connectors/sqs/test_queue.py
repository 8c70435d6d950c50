from __future__ import annotations

import contextlib
import datetime as dt
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import boto3
import pytest
from botocore.exceptions import ClientError

from analytics_platform.connectors.sqs import Depth, Queue, QueueError, drain
from analytics_platform.connectors.sqs.errors import explained
from analytics_platform.demo.servers.sqs_server import Faults
from analytics_platform.orchestration.retries import may_pass
from analytics_platform_tests.connectors.sqs.kit import DRAINED, numbered


def test_a_message_says_what_was_sent_when_and_how_often_it_came(queue: Queue) -> None:
    before = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
    queue.send_messages([("Audífonos, 1.499 €", {"kind": "test"})])

    ((first, handle),) = queue.receive(1, visibility=30, wait=1)
    queue.change_visibility({first.message_id: handle}, 0)
    ((again, _),) = queue.receive(1, visibility=30, wait=1)

    assert (first.body, first.attributes, first.receive_count) == ("Audífonos, 1.499 €", {"kind": "test"}, 1)
    assert first.sent_at is not None
    assert before <= first.sent_at <= dt.datetime.now(dt.UTC)
    assert (again.message_id, again.receive_count) == (first.message_id, 2)


def test_binary_attributes_are_kept_as_base64(queue: Queue) -> None:
    client = boto3.client("sqs", endpoint_url=queue.url.partition("/0")[0].partition("/1234")[0])
    value = {"DataType": "Binary", "BinaryValue": b"\x00\xff"}
    client.send_message(QueueUrl=queue.url, MessageBody="-", MessageAttributes={"bytes": value})

    ((message, _),) = queue.receive(1, visibility=30, wait=1)

    assert message.attributes == {"bytes": "AP8="}


def test_a_call_that_fails_once_is_made_again_and_gives_the_same(
    local_queue: Queue, local: str, faults: Faults
) -> None:
    attributes = {"bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}}
    attributes["kind"] = {"DataType": "String", "StringValue": "é"}
    client = boto3.client("sqs", endpoint_url=local)
    client.send_message(QueueUrl=local_queue.url, MessageBody="-", MessageAttributes=attributes)
    ((message, _),) = local_queue.receive(1, visibility=1, wait=1)

    faults.server_errors, faults.at_most = 1.0, 1
    ((again, handle),) = local_queue.receive(1, visibility=1, wait=3)

    assert faults.at_most == 0
    assert replace(again, receive_count=1) == message
    faults.at_most = 1
    assert local_queue.delete({again.message_id: handle}) == frozenset()
    assert local_queue.depth() == DRAINED


def test_how_often_one_queue_tries_says_nothing_of_another(
    local_queue: Queue, local: str, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as impatient:
        impatient.setenv("AWS_MAX_ATTEMPTS", "1")
        hasty = Queue(local_queue.url, local)
    faults.server_errors, faults.at_most = 1.0, 1
    with pytest.raises(QueueError, match="answered GetQueueAttributes with InternalError"):
        hasty.depth()

    faults.at_most = 2
    assert Queue(local_queue.url, local).depth() == DRAINED


def test_the_depth_has_visible_in_flight_and_delayed_messages(queue: Queue) -> None:
    queue.send(numbered(12))
    queue.receive(5, visibility=30, wait=1)

    assert queue.depth() == Depth(visible=7, in_flight=5, delayed=0)


def test_long_messages_are_sent_in_several_requests(queue: Queue) -> None:
    bodies = [letter * 150_000 for letter in "abcde"]

    assert queue.send(bodies) == 5
    assert queue.depth().visible == 5


def test_entries_that_fail_to_be_sent_are_sent_again_and_only_those(local_queue: Queue, faults: Faults) -> None:
    faults.failed_entries, faults.at_most = 1.0, 12

    assert local_queue.send(numbered(50)) == 50
    assert faults.at_most == 0
    assert local_queue.depth().visible == 50


def test_messages_that_cannot_be_sent_are_an_error(local_queue: Queue, faults: Faults) -> None:
    faults.failed_entries = 1.0

    with pytest.raises(QueueError, match=r"The queue events took 0 of 3 messages \(InternalError\)\."):
        local_queue.send(numbered(3))


def test_a_missing_queue_is_named_in_one_sentence(queue: Queue) -> None:
    missing = Queue(f"{queue.url}-misspelt", queue.url.rpartition("/")[0].rpartition("/")[0])

    with pytest.raises(QueueError, match=r"The queue \S+-misspelt does not exist: check its URL, account and region\."):
        missing.depth()
    with pytest.raises(QueueError, match="does not exist"):
        drain(missing, lambda messages: None)


def test_an_endpoint_that_cannot_be_reached_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with socket.create_server(("127.0.0.1", 0)) as closing:
        port = closing.getsockname()[1]
    queue = Queue(f"http://127.0.0.1:{port}/1/events", f"http://user:hunter2@127.0.0.1:{port}")

    with pytest.raises(QueueError, match=r"The queue events cannot be reached at http://\*\*\*@127") as caught:
        drain(queue, lambda messages: None)
    assert "hunter2" not in str(caught.value)


def test_missing_credentials_are_said_with_what_to_do(local_queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/nonexistent")

    with pytest.raises(QueueError, match="There are no AWS credentials for the queue events: set AWS_ACCESS_KEY_ID"):
        Queue(local_queue.url, local_queue.url).depth()


def test_the_region_is_taken_from_the_url_if_nothing_else_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")

    Queue("https://sqs.eu-west-1.amazonaws.com/123456789012/events")
    with pytest.raises(QueueError, match="The AWS region of the queue events is not known: set AWS_REGION"):
        Queue("https://queues.example/123456789012/events")


def test_an_endpoint_that_is_not_an_address_is_rejected_in_one_sentence() -> None:
    with pytest.raises(QueueError, match="The queue events cannot be used: Invalid endpoint: somewhere"):
        Queue("https://sqs.eu-west-1.amazonaws.com/123456789012/events", "somewhere")


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (
            "AccessDenied",
            "The queue events denies DeleteMessageBatch to these credentials: allow sqs:DeleteMessageBatch",
        ),
        ("AccessDeniedException", "The queue events denies DeleteMessageBatch to these credentials"),
        ("ExpiredToken", r"AWS rejects the credentials for the queue events \(ExpiredToken\): renew them\."),
        ("RequestThrottled", r"The queue events takes no more requests for now \(RequestThrottled\): run fewer"),
        ("KmsDisabled", "The queue events answered DeleteMessageBatch with KmsDisabled: The key is disabled."),
    ],
)
def test_an_answer_of_the_service_becomes_one_sentence(code: str, sentence: str) -> None:
    answer = {"Error": {"Code": code, "Message": "The key is disabled.\nsecond line"}}

    with pytest.raises(QueueError, match=sentence) as caught, explained("https://host/1/events", "https://host"):
        raise ClientError(answer, "DeleteMessageBatch")
    assert "\n" not in str(caught.value)


JSON = "application/x-amz-json-1.0"


@contextlib.contextmanager
def answering(body: bytes, kind: str) -> Iterator[str]:
    """A server that gives one answer to every request."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<html>Down for maintenance</html>", "text/html"),
        (b"", JSON),
        (b'"OK"', "application/json"),
        (b'{"status": "up"}', "application/json"),
        (b'{"Messages": [{}], "Attributes": {}, "Successful": [{}]}', JSON),
        (b'{"Messages": [1], "Attributes": [], "Successful": [1]}', JSON),
        (b'{"Messages": 1, "Attributes": 1, "Successful": 1}', JSON),
        (b"[" * 200_000, JSON),
        *(
            (
                b'{"Messages": [%b], "Attributes": {"ApproximateNumberOfMessages": "x"}, "Successful": [{}]}' % message,
                JSON,
            )
            for wrong in (b"null", b"5", b"[1]", b'"\\ud800"', b'""')
            for message in (
                b'{"MessageId": %b, "ReceiptHandle": "h"}' % wrong,
                b'{"MessageId": "a", "ReceiptHandle": %b}' % wrong,
            )
        ),
    ],
)
def test_an_answer_that_is_none_of_sqs_is_an_error_that_may_pass(body: bytes, kind: str) -> None:
    with answering(body, kind) as endpoint:
        queue = Queue(f"{endpoint}/1/events", endpoint)
        for call in (
            queue.depth,
            lambda: queue.receive(1, 30, 0),
            lambda: queue.delete({"a": "b"}),
            lambda: queue.change_visibility({"a": "b"}, 0),
            lambda: queue.send(["x"]),
            lambda: drain(queue, lambda messages: None),
        ):
            with pytest.raises(QueueError, match="What answered for the queue events is not SQS: ") as caught:
                call()
            assert may_pass(caught.value)


def _trickle(connection: socket.socket, sent: bytes) -> None:
    with connection, contextlib.suppress(OSError):
        for byte in sent:
            connection.sendall(bytes([byte]))
            time.sleep(0.05)


@contextlib.contextmanager
def trickling(sent: bytes) -> Iterator[str]:
    """A server that sends a byte every 0.05 s."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    Thread(target=_trickle, args=(connection, sent), daemon=True).start()

        Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize(
    "sent",
    [b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 500, b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + b" " * 500],
    ids=["headers", "body"],
)
def test_an_answer_that_trickles_ends_a_call_and_a_drain_in_time_and_is_not_waited_for_again(sent: bytes) -> None:
    with trickling(sent) as endpoint:
        queue = Queue(f"{endpoint}/1/events", endpoint, answer_seconds=0.5)
        for call in (
            queue.depth,
            lambda: queue.change_visibility({"a": "b"}, 0),
            lambda: queue.send(["x"]),
            lambda: drain(queue, lambda messages: None, max_seconds=1),
        ):
            with pytest.raises(QueueError, match="The queue events gave no whole answer in time at http://") as caught:
                call()
            assert not may_pass(caught.value)


def test_a_message_that_the_answer_does_not_name_was_not_deleted() -> None:
    with answering(b"{}", JSON) as endpoint:
        queue = Queue(f"{endpoint}/1/events", endpoint)

        assert queue.delete({"a": "b", "c": "d"}) == {"a", "c"}
        assert queue.receive(1, 30, 0) == []


OTHER = {"MessageId": "b", "ReceiptHandle": "h", "Body": "y"}


@pytest.mark.parametrize(
    "odd",
    [
        {"Body": None},
        {"Body": 5},
        {"Body": "x", "Attributes": {"SentTimestamp": "y", "ApproximateReceiveCount": "z"}},
        {"Body": "x", "Attributes": {"SentTimestamp": "9" * 30, "ApproximateReceiveCount": "9" * 30}},
        {"Body": "x", "Attributes": None, "MessageAttributes": {"a": None}},
        {},
    ],
)
def test_an_odd_message_does_not_hold_up_the_others_of_an_answer(odd: dict[str, object]) -> None:
    answer = {"Messages": [{"MessageId": "a", "ReceiptHandle": "h", **odd}, {**OTHER}]}
    with answering(json.dumps(answer).encode(), JSON) as endpoint:
        found = [message for message, _ in Queue(f"{endpoint}/1/events", endpoint).receive(2, 30, 0)]
    assert [(each.message_id, each.receive_count) for each in found] == [("a", 1), ("b", 1)]
    assert (found[0].body, found[1].body) == ("x" if odd.get("Body") == "x" else "", "y")
    assert found[0].sent_at is None
