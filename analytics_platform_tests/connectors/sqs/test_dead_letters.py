from __future__ import annotations

import pytest

from analytics_platform.connectors.sqs import Message, Queue, QueueError, drain, redrive, send_copies
from analytics_platform.demo.servers.sqs_server import Faults
from analytics_platform_tests.connectors.sqs.conftest import NewQueue, Shelf
from analytics_platform_tests.connectors.sqs.kit import DRAINED, create_queue, numbered


def _received(queue: Queue) -> list[Message]:
    shelf = Shelf()
    drain(queue, shelf, wait_seconds=0)
    return [message for batch in shelf.batches for message in batch]


def _rejected(count: int) -> list[tuple[Message, str]]:
    return [(Message(f"id-{number}", f"body {number}", None, 1, {"kind": "test"}), "bad") for number in range(count)]


def test_a_copy_carries_body_attributes_reason_and_original_id(queue: Queue) -> None:
    assert send_copies(queue, _rejected(23)) == 23

    copies = {message.body: message.attributes for message in _received(queue)}
    assert len(copies) == 23
    assert copies["body 7"] == {"kind": "test", "error_reason": "bad", "original_message_id": "id-7"}


@pytest.mark.parametrize(
    ("reason", "sent"),
    [
        ("items: stops at 7\x00\x1b[31m\ud800￿", "items: stops at 7??[31m??"),
        ("é" * 5000, "é" * 1000),
        ("", None),
    ],
)
def test_any_reason_can_be_sent(queue: Queue, reason: str, sent: str | None) -> None:
    send_copies(queue, [(Message("id", "body", None, 1, {}), reason)])

    (copy,) = _received(queue)
    assert copy.attributes.get("error_reason") == sent


def test_a_copy_has_no_more_attributes_than_a_message_may_have(queue: Queue) -> None:
    many = {f"name{number}": "value" for number in range(10)}

    send_copies(queue, [(Message("id", "body", None, 1, many), "bad")])

    (copy,) = _received(queue)
    assert len(copy.attributes) == 10
    assert copy.attributes["error_reason"] == "bad"


def test_the_longest_message_is_copied_though_its_reason_does_not_fit(queue: Queue) -> None:
    body = "x" * (1 << 20)

    assert send_copies(queue, [(Message("id", body, None, 1, {}), "bad")]) == 1
    assert _received(queue)[0].body == body


def test_redrive_sends_dead_letters_back_without_the_reason(new_queue: NewQueue) -> None:
    dead, queue = new_queue(), new_queue()
    send_copies(dead, _rejected(23))

    assert redrive(dead, queue) == 23
    assert dead.depth() == DRAINED
    back = {message.body: message.attributes for message in _received(queue)}
    assert len(back) == 23
    assert back["body 3"] == {"kind": "test"}


def test_redrive_may_be_bounded(new_queue: NewQueue) -> None:
    dead, queue = new_queue(), new_queue()
    dead.send(numbered(25))

    assert redrive(dead, queue, max_messages=12) == 12
    assert dead.depth().visible == 13
    assert queue.depth().visible == 12


def test_redrive_of_nothing_does_nothing(new_queue: NewQueue) -> None:
    assert redrive(new_queue(), new_queue()) == 0


def test_what_cannot_be_sent_back_stays_a_dead_letter(local: str, faults: Faults) -> None:
    dead, gone = create_queue(local, "dead"), Queue(f"{local}/000000000000/gone", local)
    dead.send(numbered(15))

    with pytest.raises(QueueError, match="The queue gone does not exist"):
        redrive(dead, gone)
    assert dead.depth().visible == 15
