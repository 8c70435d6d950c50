from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest

from analytics_platform.connectors.sqs import Drained, Message, Queue, QueueError, drain
from analytics_platform.connectors.sqs.fast_calls import FastCalls
from analytics_platform.demo.servers.sqs_server import Faults
from analytics_platform_tests.connectors.sqs.conftest import Shelf
from analytics_platform_tests.connectors.sqs.kit import DRAINED, numbered


def test_every_message_is_stored_and_the_queue_is_empty_afterwards(queue: Queue, shelf: Shelf) -> None:
    bodies = numbered(95)
    queue.send(bodies)

    drained = drain(queue, shelf, batch_messages=30, wait_seconds=1)

    assert shelf.bodies == bodies
    assert (drained.stored, drained.deleted, drained.not_deleted) == (95, 95, 0)
    assert drained.batches == len(shelf.batches) >= 4
    assert queue.depth() == DRAINED


def test_a_message_is_deleted_only_after_it_is_stored(queue: Queue) -> None:
    queue.send(numbered(40))
    kept: list[int] = []

    def store(messages: Sequence[Message]) -> None:
        depth = queue.depth()
        kept.append(depth.visible + depth.in_flight)

    drain(queue, store, batch_messages=20, wait_seconds=0)

    assert kept == [40, 20]


def test_what_a_failing_store_did_not_store_comes_again_at_once(queue: Queue, shelf: Shelf) -> None:
    bodies = numbered(50)
    queue.send(bodies)

    def store(messages: Sequence[Message]) -> None:
        if shelf.batches:
            raise OSError("disk full")
        shelf(messages)

    with pytest.raises(OSError, match="disk full"):
        drain(queue, store, batch_messages=20, wait_seconds=0)
    left = queue.depth()
    assert (left.visible, left.in_flight) == (30, 0)

    drain(queue, shelf, wait_seconds=0)
    assert shelf.bodies == bodies


def test_a_stop_by_the_user_gives_everything_back(queue: Queue) -> None:
    queue.send(numbered(15))

    def store(messages: Sequence[Message]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        drain(queue, store, wait_seconds=0)

    assert queue.depth().visible == 15


def test_messages_in_flight_stay_hidden_while_the_store_is_slow(queue: Queue, shelf: Shelf) -> None:
    queue.send(numbered(25))
    seen_by_others: list[object] = []

    def store(messages: Sequence[Message]) -> None:
        for _ in range(2):  # twice as long as messages are hidden at first
            seen_by_others.extend(queue.receive(10, visibility=1, wait=1))
        shelf(messages)

    drained = drain(queue, store, visibility_seconds=1, wait_seconds=1, batch_messages=25)

    assert seen_by_others == []
    assert len(shelf.batches) == 1
    assert drained.deleted == 25
    assert queue.depth() == DRAINED


def test_failed_delete_entries_are_tried_again(local_queue: Queue, shelf: Shelf, faults: Faults) -> None:
    local_queue.send(numbered(100))
    faults.failed_entries, faults.at_most = 1.0, 25

    drained = drain(local_queue, shelf, wait_seconds=0)

    assert faults.at_most == 0
    assert (drained.deleted, drained.not_deleted, drained.redelivered) == (100, 0, 0)
    assert local_queue.depth() == DRAINED


def test_what_cannot_be_deleted_is_counted_and_left_in_the_queue(
    local_queue: Queue, shelf: Shelf, faults: Faults
) -> None:
    local_queue.send(numbered(20))
    faults.failed_entries = 1.0

    drained = drain(local_queue, shelf, wait_seconds=0)

    assert (drained.stored, drained.deleted, drained.not_deleted) == (20, 0, 20)
    assert local_queue.depth().in_flight == 20


def test_what_could_not_be_deleted_is_deleted_when_it_comes_again_and_not_stored_twice(
    local_queue: Queue, shelf: Shelf, faults: Faults
) -> None:
    local_queue.send(numbered(5))

    def store(messages: Sequence[Message]) -> None:
        faults.failed_entries = 1.0
        shelf(messages)

    def repair(drained: Drained) -> None:
        faults.failed_entries = 0.0

    drained = drain(local_queue, store, batch_messages=5, wait_seconds=2, visibility_seconds=1, on_progress=repair)

    assert drained.redelivered >= 5
    assert (drained.stored, drained.deleted, drained.not_deleted) == (5, 5, 0)
    assert local_queue.depth() == DRAINED


def test_a_message_that_comes_twice_is_stored_once_and_deleted_by_its_newest_handle(
    local_queue: Queue, shelf: Shelf, faults: Faults
) -> None:
    bodies = numbered(60)
    local_queue.send(bodies)
    faults.duplicates, faults.at_most = 0.5, 30

    drained = drain(local_queue, shelf, wait_seconds=0)

    assert faults.at_most == 0
    assert shelf.bodies == bodies
    assert (drained.received, drained.stored, drained.redelivered, drained.deleted) == (90, 60, 30, 60)
    assert local_queue.depth() == DRAINED


def test_empty_receives_do_not_end_a_drain_early(local_queue: Queue, shelf: Shelf, faults: Faults) -> None:
    bodies = numbered(300)
    local_queue.send(bodies)
    faults.empty_receives = 0.6

    drain(local_queue, shelf, fetchers=3, wait_seconds=0)

    assert shelf.bodies == bodies


def test_messages_that_come_while_a_batch_is_stored_belong_to_the_same_drain(queue: Queue, shelf: Shelf) -> None:
    queue.send(numbered(10))

    def store(messages: Sequence[Message]) -> None:
        if not shelf.batches:
            queue.send(["late"])
        shelf(messages)

    drain(queue, store, batch_messages=10, wait_seconds=1)

    assert "late" in shelf.bodies


def test_a_bounded_drain_stops_at_its_limit_and_leaves_the_rest_visible(queue: Queue, shelf: Shelf) -> None:
    queue.send(numbered(60))

    drained = drain(queue, shelf, max_messages=25, wait_seconds=0)

    assert drained.stored == drained.deleted == len(shelf.bodies) == 25
    left = queue.depth()
    assert (left.visible, left.in_flight) == (35, 0)


def test_when_time_is_up_what_came_is_stored_and_the_rest_stays_visible(local_queue: Queue, shelf: Shelf) -> None:
    local_queue.send(numbered(400))
    waits = threading.Event()

    def store(messages: Sequence[Message]) -> None:
        waits.wait(0.3)
        shelf(messages)

    drained = drain(local_queue, store, max_seconds=0.5, batch_messages=20, wait_seconds=0)

    assert 0 < drained.stored < 400
    left = local_queue.depth()
    assert (left.visible, left.in_flight) == (400 - drained.stored, 0)


def test_a_batch_is_closed_at_its_size_in_bytes(local_queue: Queue, shelf: Shelf) -> None:
    local_queue.send(["x" * 1000] * 40)

    drain(local_queue, shelf, batch_bytes=10_000, fetchers=1, wait_seconds=0)

    assert [len(batch) for batch in shelf.batches] == [10, 10, 10, 10]


def test_a_batch_is_closed_after_its_time_though_messages_keep_coming(local_queue: Queue, shelf: Shelf) -> None:
    stored_first = threading.Event()

    def keep_sending() -> None:
        while not stored_first.wait(0.05):
            local_queue.send(["one more"])

    def store(messages: Sequence[Message]) -> None:
        shelf(messages)
        stored_first.set()

    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(keep_sending)
        drain(local_queue, store, batch_seconds=0.3, wait_seconds=1, max_seconds=20)
        stored_first.set()
        sending.result()

    assert shelf.batches


def test_two_drains_at_once_share_the_queue_and_lose_nothing(queue: Queue) -> None:
    bodies = numbered(100)
    queue.send(bodies)
    shelves = Shelf(), Shelf()

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda shelf: drain(queue, shelf, batch_messages=20, wait_seconds=0), shelves))

    assert sorted({*shelves[0].bodies, *shelves[1].bodies}) == bodies
    assert all(drained.not_deleted == 0 for drained in done)
    assert queue.depth() == DRAINED


def test_a_drain_survives_errors_of_the_service(local_queue: Queue, shelf: Shelf, faults: Faults) -> None:
    bodies = numbered(50)
    local_queue.send(bodies)
    faults.server_errors, faults.at_most = 1.0, 2

    drain(local_queue, shelf, visibility_seconds=2, wait_seconds=0)

    assert set(shelf.bodies) == set(bodies)
    assert local_queue.depth() == DRAINED


def test_what_came_before_an_answer_that_is_none_of_sqs_is_stored(
    local_queue: Queue, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    local_queue.send(numbered(10))
    asked, call = itertools.count(), FastCalls.call

    def answer(own: FastCalls, action: str, parameters: Mapping[str, Any]) -> Mapping[str, Any] | None:
        if action == "ReceiveMessage" and next(asked):
            return {"Messages": [{"MessageId": None, "ReceiptHandle": "h", "Body": "x"}]}
        return call(own, action, parameters)

    monkeypatch.setattr(FastCalls, "call", answer)
    with pytest.raises(QueueError, match="What answered for the queue events is not SQS"):
        drain(local_queue, shelf, fetchers=1, batch_seconds=60)
    assert shelf.bodies == numbered(10)
    assert local_queue.depth() == DRAINED


def test_a_queue_that_is_deleted_ends_the_drain_with_one_sentence(local_queue: Queue, local: str) -> None:
    local_queue.send(numbered(30))

    def store(messages: Sequence[Message]) -> None:
        boto3.client("sqs", endpoint_url=local).delete_queue(QueueUrl=local_queue.url)

    with pytest.raises(QueueError, match="The queue events does not exist"):
        drain(local_queue, store, batch_messages=10, wait_seconds=0)


def test_the_order_within_a_group_of_a_fifo_queue_is_kept(moto: str, shelf: Shelf) -> None:
    client = boto3.client("sqs", endpoint_url=moto)
    url = client.create_queue(QueueName="orders.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    queue, bodies = Queue(url, moto), numbered(30)
    queue.send(bodies)

    drain(queue, shelf, wait_seconds=0)

    assert [message.body for batch in shelf.batches for message in batch] == bodies
    assert queue.depth() == DRAINED


def test_progress_is_reported_after_every_batch(local_queue: Queue, shelf: Shelf) -> None:
    local_queue.send(numbered(30))
    reported: list[Drained] = []

    drain(local_queue, shelf, batch_messages=10, fetchers=1, wait_seconds=0, on_progress=reported.append)

    assert [progress.deleted for progress in reported] == [10, 20, 30]


def test_an_empty_queue_is_drained_without_a_batch(queue: Queue, shelf: Shelf) -> None:
    assert drain(queue, shelf, wait_seconds=0) == Drained(0, 0, 0, 0, 0, 0, 0)
    assert shelf.batches == []
