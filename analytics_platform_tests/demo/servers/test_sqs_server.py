from __future__ import annotations

import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import boto3
import pytest
from botocore.exceptions import ClientError

from analytics_platform.demo.servers import LocalServerError
from analytics_platform.demo.servers.sqs_server import Faults, serve, serve_in_process
from analytics_platform_tests.moto_server import serve_moto

Client: TypeAlias = Any


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    with serve_moto() as url:
        yield url


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def local(faults: Faults) -> Iterator[str]:
    with serve(faults) as url:
        yield url


@pytest.fixture(params=["local", "moto"])
def client(request: pytest.FixtureRequest) -> Client:
    """Every test with this client proves the same of moto and of our server."""
    return boto3.client("sqs", endpoint_url=request.getfixturevalue(request.param))


@pytest.fixture
def local_client(local: str) -> Client:
    return boto3.client("sqs", endpoint_url=local)


@pytest.fixture
def queue(client: Client, request: pytest.FixtureRequest) -> str:
    return _create(client, f"q-{abs(hash(request.node.name))}")


def _create(client: Client, name: str, **attributes: str) -> str:
    return str(client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])


def _receive(client: Client, queue: str, **options: object) -> list[dict[str, Any]]:
    call = {"MaxNumberOfMessages": 10, "WaitTimeSeconds": 0, "MessageSystemAttributeNames": ["All"], **options}
    return list(client.receive_message(QueueUrl=queue, **call).get("Messages", []))


def _counts(client: Client, queue: str) -> tuple[str, str, str]:
    found = client.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    prefix = "ApproximateNumberOfMessages"
    return found[prefix], found[f"{prefix}NotVisible"], found[f"{prefix}Delayed"]


def _code_of(call: Callable[..., object], **options: object) -> str:
    with pytest.raises(ClientError) as caught:
        call(**options)
    return str(caught.value.response["Error"]["Code"])


def test_a_queue_created_again_is_the_same_queue(client: Client) -> None:
    assert _create(client, "again") == _create(client, "again")


def test_a_message_is_received_unchanged_with_its_checksum(client: Client, queue: str) -> None:
    body = '{"name": "Audífonos, \\"negro\\"", "emoji": "🛒"}\t\n'
    sent = client.send_message(
        QueueUrl=queue, MessageBody=body, MessageAttributes={"kind": {"DataType": "String", "StringValue": "é"}}
    )

    (message,) = _receive(client, queue, MessageAttributeNames=["All"])
    assert message["Body"] == body
    assert message["MD5OfBody"] == sent["MD5OfMessageBody"]
    assert message["MessageId"] == sent["MessageId"]
    assert message["MessageAttributes"]["kind"]["StringValue"] == "é"
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"


def test_a_received_message_is_hidden_until_its_visibility_ends(client: Client, queue: str) -> None:
    client.send_message(QueueUrl=queue, MessageBody="x")

    (first,) = _receive(client, queue, VisibilityTimeout=1)
    assert _counts(client, queue) == ("0", "1", "0")
    (again,) = _receive(client, queue, WaitTimeSeconds=3)

    assert again["Attributes"]["ApproximateReceiveCount"] == "2"
    assert again["ReceiptHandle"] != first["ReceiptHandle"]


def test_visibility_zero_gives_a_message_back_at_once(client: Client, queue: str) -> None:
    client.send_message(QueueUrl=queue, MessageBody="x")
    (message,) = _receive(client, queue)

    handle = message["ReceiptHandle"]
    client.change_message_visibility(QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=0)

    assert _counts(client, queue) == ("1", "0", "0")


def test_a_deleted_message_never_comes_again(client: Client, queue: str) -> None:
    client.send_message(QueueUrl=queue, MessageBody="x")
    (message,) = _receive(client, queue, VisibilityTimeout=1)

    client.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])

    assert _receive(client, queue, WaitTimeSeconds=2) == []
    assert _counts(client, queue) == ("0", "0", "0")


def test_a_delayed_message_comes_later(client: Client, queue: str) -> None:
    client.send_message(QueueUrl=queue, MessageBody="x", DelaySeconds=1)

    assert _counts(client, queue) == ("0", "0", "1")
    assert len(_receive(client, queue, WaitTimeSeconds=3)) == 1


def test_a_long_poll_ends_when_a_message_comes(client: Client, queue: str) -> None:
    sender = threading.Timer(0.2, client.send_message, kwargs={"QueueUrl": queue, "MessageBody": "x"})
    sender.start()

    assert len(_receive(client, queue, WaitTimeSeconds=20)) == 1
    sender.join()


def test_entries_of_a_batch_succeed_or_fail_by_themselves(client: Client, queue: str) -> None:
    client.send_message(QueueUrl=queue, MessageBody="x")
    (message,) = _receive(client, queue)
    entries = [
        {"Id": "a", "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 9},
        {"Id": "b", "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 99_999},
    ]

    answer = client.change_message_visibility_batch(QueueUrl=queue, Entries=entries)

    assert [entry["Id"] for entry in answer["Successful"]] == ["a"]
    assert [(entry["Id"], entry["SenderFault"]) for entry in answer["Failed"]] == [("b", True)]


def test_wrong_calls_get_the_codes_of_the_service(client: Client, queue: str) -> None:
    entries = [{"Id": str(number), "MessageBody": "x"} for number in range(11)]
    missing = "AWS.SimpleQueueService.NonExistentQueue"

    assert _code_of(client.receive_message, QueueUrl=f"{queue}-gone") == missing
    assert _code_of(client.send_message_batch, QueueUrl=queue, Entries=[]).endswith("EmptyBatchRequest")
    assert _code_of(client.send_message_batch, QueueUrl=queue, Entries=entries).endswith("TooManyEntriesInBatchRequest")
    assert _code_of(client.receive_message, QueueUrl=queue, MaxNumberOfMessages=11) == "InvalidParameterValue"
    assert _code_of(client.receive_message, QueueUrl=queue, WaitTimeSeconds=21) == "InvalidParameterValue"


def test_messages_that_sqs_rejects_are_rejected(local_client: Client) -> None:
    queue = _create(local_client, "strict")

    assert _code_of(local_client.send_message, QueueUrl=queue, MessageBody="\x00") == "InvalidMessageContents"
    assert (
        _code_of(local_client.send_message, QueueUrl=queue, MessageBody="x" * (1 << 20) + "x")
        == "InvalidParameterValue"
    )
    assert _code_of(local_client.receive_message, QueueUrl=queue, VisibilityTimeout=43_201) == "InvalidParameterValue"


def test_an_old_receipt_handle_deletes_nothing(local_client: Client, faults: Faults) -> None:
    queue = _create(local_client, "q")
    local_client.send_message(QueueUrl=queue, MessageBody="x")
    faults.duplicates, faults.at_most = 1.0, 1
    (old,), (new,) = _receive(local_client, queue), _receive(local_client, queue)

    local_client.delete_message(QueueUrl=queue, ReceiptHandle=old["ReceiptHandle"])
    assert _counts(local_client, queue) == ("0", "1", "0")
    local_client.delete_message(QueueUrl=queue, ReceiptHandle=new["ReceiptHandle"])
    assert _counts(local_client, queue) == ("0", "0", "0")


def test_faults_happen_when_they_are_asked_for(local_client: Client, faults: Faults) -> None:
    queue = _create(local_client, "q")
    entries = [{"Id": str(number), "MessageBody": "x"} for number in range(10)]
    faults.failed_entries, faults.at_most = 1.0, 4
    assert len(local_client.send_message_batch(QueueUrl=queue, Entries=entries)["Failed"]) == 4
    faults.failed_entries, faults.empty_receives, faults.at_most = 0.0, 1.0, 1
    assert _receive(local_client, queue) == []
    (message, *_) = _receive(local_client, queue)
    faults.empty_receives, faults.lost_deletes, faults.at_most = 0.0, 1.0, 1
    local_client.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    assert _counts(local_client, queue) == ("0", "6", "0")
    faults.server_errors = faults.at_most = 1.0
    assert _code_of(local_client.create_queue, QueueName="q") == "InternalError"


def test_the_order_is_that_of_sending_unless_it_is_shuffled(local_client: Client, faults: Faults) -> None:
    queue = _create(local_client, "q")
    bodies = [str(number) for number in range(100)]

    def sent_and_received() -> list[str]:
        for start in range(0, 100, 10):
            entries = [{"Id": body, "MessageBody": body} for body in bodies[start : start + 10]]
            local_client.send_message_batch(QueueUrl=queue, Entries=entries)
        return [message["Body"] for _ in range(10) for message in _receive(local_client, queue)]

    assert sent_and_received() == bodies
    faults.shuffle = 1.0
    shuffled = sent_and_received()
    assert shuffled != bodies
    assert sorted(shuffled, key=int) == bodies


def test_a_client_that_goes_away_while_it_waits_takes_no_message(local: str, local_client: Client) -> None:
    queue = _create(local_client, "q")
    body = json.dumps({"QueueUrl": queue, "WaitTimeSeconds": 20}).encode()
    host, _, port = local.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as gone:
        gone.sendall(b"POST / HTTP/1.1\r\nX-Amz-Target: AmazonSQS.ReceiveMessage\r\n")
        gone.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    _counts(local_client, queue)  # answered after the server has seen the client go

    local_client.send_message(QueueUrl=queue, MessageBody="x")

    assert _counts(local_client, queue) == ("1", "0", "0")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"POST / HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n500000\r\n" + b"x" * 0x500000, b"413"),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nX-Amz-Target: AmazonSQS.SendMessage\r\nContent-Length: 2\r\n\r\n[]", b"400"),
        (b"POST / HTTP/1.1\r\nX-Amz-Target: AmazonSQS.SendMessage\r\nContent-Length: 2\r\n\r\n\xff\xff", b"400"),
        (b"\x00" * 100, b"400"),
    ],
)
def test_a_malformed_request_is_rejected_and_later_requests_are_answered(
    local: str, local_client: Client, request_bytes: bytes, status: bytes
) -> None:
    host, _, port = local.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(request_bytes)
        assert connection.recv(1000).split()[1] == status

    assert _create(local_client, "later").endswith("/later")


def test_a_request_in_small_pieces_and_two_in_one_piece_are_answered(local: str) -> None:
    host, _, port = local.removeprefix("http://").partition(":")
    call = b'POST / HTTP/1.1\r\nX-Amz-Target: AmazonSQS.CreateQueue\r\nContent-Length: 18\r\n\r\n{"QueueName": "q"}'
    with socket.create_connection((host, int(port))) as connection:
        for byte in call:
            connection.sendall(bytes([byte]))
        connection.sendall(call + call)
        answers = b""
        while answers.count(b"QueueUrl") < 3:
            answers += connection.recv(1000)

    assert answers.count(b"200 OK") == 3


def test_it_runs_in_a_separate_process_on_loopback() -> None:
    with serve_in_process(Faults(seed=7, server_errors=1.0)) as url:
        assert url.startswith("http://127.0.0.1:")
        with pytest.raises(urllib.error.HTTPError, match="500"):
            urllib.request.urlopen(url, data=b"{}")


def test_a_taken_port_is_reported_in_one_sentence(local: str) -> None:
    port = int(local.rpartition(":")[2])

    with pytest.raises(LocalServerError, match=f"did not start: port {port} is taken"), serve_in_process(port=port):
        pass
