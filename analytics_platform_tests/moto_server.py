"""moto over HTTP on loopback: SQS and S3 written by others, to check our own local queue and the code against."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any
from unittest import mock

from moto.server import ThreadedMotoServer
from moto.sqs.models import Queue, SQSBackend


@contextmanager
def serve_moto(port: int = 0) -> Iterator[str]:
    """Serve SQS and S3 in threads of this process; yields the endpoint's URL.

    moto keeps its queues and buckets in the process, not in the server: two servers in one process share them.
    Its receive looks at the whole queue, so keep queues short (15 messages/s at 3,000 queued).
    """
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    try:
        host, bound = server.get_host_and_port()
        with _one_at_a_time():
            yield f"http://{host}:{bound}"
    finally:
        server.stop()


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """moto's queues are not made for threads: of two deletes at once, one brings back what the other deleted."""
    lock = RLock()

    def locked(bare: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: object, **named: object) -> object:
            with lock:
                return bare(*arguments, **named)

        return call

    def wait_for_messages(queue: Queue, timeout: int, bare: Callable[..., None] = Queue.wait_for_messages) -> None:
        lock.release()  # which the receive that waits holds
        try:
            bare(queue, timeout)
        finally:
            lock.acquire()

    with (
        mock.patch.object(Queue, "add_message", locked(Queue.add_message)),
        mock.patch.object(Queue, "delete_message", locked(Queue.delete_message)),
        mock.patch.object(Queue, "wait_for_messages", wait_for_messages),
        mock.patch.object(SQSBackend, "receive_message", locked(SQSBackend.receive_message)),
        mock.patch.object(SQSBackend, "get_queue_attributes", locked(SQSBackend.get_queue_attributes)),
    ):
        yield
