"""A small, fast SQS on loopback for load and faults, with the protocol of the AWS SDKs (AWS JSON 1.0).

`serve()` runs it in a thread, `serve_in_process()` in a process. Clients differ from those of the real service by
AWS_ENDPOINT_URL only. Queues live in memory and are standard ones: no FIFO order, no redrive policy, no signature is
checked. It has the actions that clients of one queue need, none that list, find or purge queues.

Source of names, limits and errors: Amazon Simple Queue Service API Reference (2012-11-05).
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import fields
from functools import partial
from types import MappingProxyType
from typing import Any, TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from analytics_platform.demo.servers import serve_app, serve_module
from analytics_platform.demo.servers.sqs_queue import Faults, LocalQueue, QueuedMessage, message_id_of

__all__ = ["Faults", "serve", "serve_in_process"]

Json: TypeAlias = Mapping[str, Any]
Answer: TypeAlias = Json | Awaitable[Json]

MAX_REQUEST_BYTES = 4 << 20
MAX_BYTES = 1 << 20
"""The longest message, and the longest batch."""

LONGEST_VISIBILITY = 43_200
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NAME = re.compile(r"[\w-]{1,80}")
_ACCOUNT = "000000000000"
_FAULT: Json = {"__type": "InternalError", "message": "A fault was asked for."}
_MODULE = "analytics_platform.demo.servers.sqs_server"


class ServiceError(Exception):
    """An error of the service: its code, its message, and the code of the older query protocol."""

    def __init__(self, code: str, message: str, query_code: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.query_code = query_code or code


class Service:
    """All queues, as an ASGI application. `url` is the address of the server, without a path."""

    def __init__(self, faults: Faults) -> None:
        self.url = ""
        self._faults = faults
        self._queues: dict[str, LocalQueue] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        body = await _read(request)
        response = _respond({}, 413) if body is None else await self._answer(request, body)
        await response(scope, receive, send)

    async def _answer(self, request: Request, body: bytes) -> Response:
        broken = self._faults.strike(self._faults.server_errors)
        if broken and self._faults.draws.random() < 0.5:
            return _respond(_FAULT, 500)
        try:
            answer = self._call(request.headers.get("x-amz-target", "").removeprefix("AmazonSQS."), json.loads(body))
            if isinstance(answer, Awaitable):
                # a client that goes away while it waits must take no message
                waiting, gone = asyncio.ensure_future(answer), asyncio.ensure_future(request.receive())
                await asyncio.wait({waiting, gone}, return_when=asyncio.FIRST_COMPLETED)
                answer = waiting.result() if waiting.done() else {}
                waiting.cancel()
                gone.cancel()
        except ServiceError as error:
            headers = {"x-amzn-query-error": f"{error.query_code};Sender"}
            return _respond({"__type": f"com.amazonaws.sqs#{error.code}", "message": str(error)}, 400, headers)
        except (KeyError, TypeError, AttributeError, UnicodeError, json.JSONDecodeError) as error:
            message = f"The request is not understood: {error!r}."
            return _respond({"__type": "com.amazonaws.sqs#InvalidParameterValue", "message": message}, 400)
        return _respond(_FAULT, 500) if broken else _respond(answer)

    def _call(self, action: str, call: Json) -> Answer:
        if action == "CreateQueue":
            if not _NAME.fullmatch(name := call["QueueName"]):
                raise ServiceError("InvalidParameterValue", "A queue name has 1 to 80 letters, digits, - and _.")
            self._queues.setdefault(name, LocalQueue(name, self._faults, call.get("Attributes", {})))
            return {"QueueUrl": f"{self.url}/{_ACCOUNT}/{name}"}
        queue = self._queues.get(call["QueueUrl"].rpartition("/")[2])
        if queue is None:
            code = "AWS.SimpleQueueService.NonExistentQueue"
            raise ServiceError("QueueDoesNotExist", "The specified queue does not exist.", code)
        if action == "DeleteQueue":
            del self._queues[queue.name]
            return {}
        if action not in _ACTIONS:
            raise ServiceError("UnsupportedOperation", f"The local queue has no action {action!r}.")
        return _ACTIONS[action](queue, call)


async def _read(request: Request) -> bytes | None:
    """Read the body; None if it is too large."""
    body = bytearray()
    if int(request.headers.get("content-length", 0)) <= MAX_REQUEST_BYTES:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_REQUEST_BYTES:
                return None
        return bytes(body)
    return None


def _respond(answer: Json, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(json.dumps(answer), status, headers, media_type="application/x-amz-json-1.0")


def _attributes(queue: LocalQueue, call: Json) -> Json:
    depth = queue.depth()
    known = {
        **queue.attributes,
        "VisibilityTimeout": str(queue.seconds("VisibilityTimeout", 30)),
        "QueueArn": f"arn:aws:sqs:us-east-1:{_ACCOUNT}:{queue.name}",
        "ApproximateNumberOfMessages": str(depth["visible"]),
        "ApproximateNumberOfMessagesNotVisible": str(depth["in flight"]),
        "ApproximateNumberOfMessagesDelayed": str(depth["delayed"]),
    }
    wanted = call.get("AttributeNames", [])
    return {"Attributes": {name: known[name] for name in known if name in wanted or "All" in wanted}}


def _number(call: Json, name: str, default: int, least: int, most: int) -> int:
    value = call.get(name)
    number = default if value is None else value
    if not isinstance(number, int) or not least <= number <= most:
        reason = f"Must be between {least} and {most}, if provided."
        raise ServiceError("InvalidParameterValue", f"Value {number} for parameter {name} is invalid. Reason: {reason}")
    return number


def _receive(queue: LocalQueue, call: Json) -> Answer:
    limit = _number(call, "MaxNumberOfMessages", 1, 1, 10)
    visibility = _number(call, "VisibilityTimeout", queue.seconds("VisibilityTimeout", 30), 0, LONGEST_VISIBILITY)
    wait = _number(call, "WaitTimeSeconds", queue.seconds("ReceiveMessageWaitTimeSeconds", 0), 0, 20)
    if queue.faults.strike(queue.faults.empty_receives):
        return {}
    messages = queue.receive(limit, visibility)
    if messages or not wait:
        return _received(messages, call)

    async def poll() -> Json:
        end, found = time.monotonic() + wait, messages
        while not found and (left := end - time.monotonic()) > 0:
            await queue.wait(left)
            found = queue.receive(limit, visibility)
        return _received(found, call)

    return poll()


def _received(messages: Sequence[QueuedMessage], call: Json) -> Json:
    if not messages:
        return {}
    wanted = {*call.get("AttributeNames", ()), *call.get("MessageSystemAttributeNames", ())}
    names = set(call.get("MessageAttributeNames", ()))
    return {"Messages": [_shown(message, wanted, names) for message in messages]}


def _shown(message: QueuedMessage, wanted: set[str], names: set[str]) -> Json:
    shown: dict[str, Any] = {
        "MessageId": message.message_id,
        "ReceiptHandle": message.handle,
        "MD5OfBody": message.md5,
        "Body": message.body,
    }
    if wanted:
        known = {
            "SentTimestamp": str(message.sent_ms),
            "ApproximateReceiveCount": str(message.receive_count),
            "ApproximateFirstReceiveTimestamp": str(message.first_received_ms),
            "SenderId": "LOCAL",
        }
        shown["Attributes"] = known if "All" in wanted else {name: known[name] for name in known if name in wanted}
    chosen = {name: value for name, value in message.attributes.items() if names & {"All", ".*", name}}
    return {**shown, "MessageAttributes": chosen} if chosen else shown


def _size(entry: Json) -> int:
    """Count the bytes of a message: its body, and name, type and value of its attributes."""
    attributes = entry.get("MessageAttributes", {}).items()
    texts = [name + value["DataType"] + value.get("StringValue", "") for name, value in attributes]
    return sum(len(text.encode(errors="surrogatepass")) for text in [entry["MessageBody"], *texts])


def _send(queue: LocalQueue, entry: Json) -> Json:
    attributes = entry.get("MessageAttributes", {})
    texts = [entry["MessageBody"], *(value.get("StringValue", "-") for value in attributes.values())]
    if not all(texts) or len(attributes) > 10 or _size(entry) > MAX_BYTES:
        raise ServiceError("InvalidParameterValue", f"A message has 1 to {MAX_BYTES} bytes and up to 10 attributes.")
    if any(map(_ILLEGAL.search, texts)):
        raise ServiceError("InvalidMessageContents", "Invalid characters found.")
    delay = _number(entry, "DelaySeconds", queue.seconds("DelaySeconds", 0), 0, 900)
    sent = queue.send(entry["MessageBody"], attributes, delay)
    return {"MessageId": sent.message_id, "MD5OfMessageBody": sent.md5}


def _delete(queue: LocalQueue, entry: Json) -> Json:
    queue.delete(_handle(entry))
    return {}


def _change_visibility(queue: LocalQueue, entry: Json) -> Json:
    seconds = _number(entry, "VisibilityTimeout", 0, 0, LONGEST_VISIBILITY)
    if not queue.change_visibility(_handle(entry), seconds):
        message = "Message does not exist or is not available for visibility timeout change."
        raise ServiceError("InvalidParameterValue", message)
    return {}


def _handle(entry: Json) -> str:
    handle = str(entry["ReceiptHandle"])
    if not message_id_of(handle) or "#" not in handle:
        raise ServiceError("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
    return handle


def _each(queue: LocalQueue, call: Json, action: Callable[[LocalQueue, Json], Json]) -> Json:
    """Carry out a batch: every entry succeeds or fails by itself."""
    entries = call.get("Entries", [])
    _check_batch(entries, _size if action is _send else lambda entry: 0)
    done: list[Json] = []
    failed: list[Json] = []
    for entry in entries:
        try:
            if queue.faults.strike(queue.faults.failed_entries):
                raise ServiceError("InternalError", _FAULT["message"])
            done.append({"Id": entry["Id"], **action(queue, entry)})
        except ServiceError as error:
            sender = error.code != "InternalError"
            failed.append({"Id": entry["Id"], "SenderFault": sender, "Code": error.code, "Message": str(error)})
    return {"Successful": done, "Failed": failed}


def _check_batch(entries: Sequence[Json], size: Callable[[Json], int]) -> None:
    if not entries:
        raise ServiceError("EmptyBatchRequest", "There should be at least one entry in the request.")
    if len(entries) > 10:
        raise ServiceError("TooManyEntriesInBatchRequest", "Maximum number of entries per request is 10.")
    if len({entry["Id"] for entry in entries}) < len(entries):
        raise ServiceError("BatchEntryIdsNotDistinct", "Two or more batch entries have the same Id.")
    if sum(map(size, entries)) > MAX_BYTES:
        raise ServiceError("BatchRequestTooLong", f"Batch requests cannot be longer than {MAX_BYTES} bytes.")


_ACTIONS: Mapping[str, Callable[[LocalQueue, Json], Answer]] = MappingProxyType(
    {
        "GetQueueAttributes": _attributes,
        "SendMessage": _send,
        "SendMessageBatch": partial(_each, action=_send),
        "ReceiveMessage": _receive,
        "DeleteMessage": _delete,
        "DeleteMessageBatch": partial(_each, action=_delete),
        "ChangeMessageVisibility": _change_visibility,
        "ChangeMessageVisibilityBatch": partial(_each, action=_change_visibility),
    }
)


@contextmanager
def serve(faults: Faults | None = None, port: int = 0) -> Iterator[str]:
    """Serve in a thread of this process; yields the endpoint's URL. `faults` may be changed while it runs.

    Raises `OSError` if the port is taken.
    """
    service = Service(faults or Faults())
    with serve_app(service, port) as service.url:
        yield service.url


def serve_in_process(faults: Faults | None = None, port: int = 0) -> AbstractContextManager[str]:
    """Serve in a separate process, which ends with this one; yields the endpoint's URL.

    Raises `LocalServerError`.
    """
    chances = {each.name: getattr(faults, each.name) for each in fields(Faults) if each.init} if faults else {}
    return serve_module(_MODULE, str(port), json.dumps(chances))


if __name__ == "__main__":
    try:
        with serve(Faults(**json.loads(sys.argv[2])), int(sys.argv[1])) as endpoint:
            print(endpoint, flush=True)
            sys.stdin.read()
    except OSError:
        print(f"port {sys.argv[1]} is taken")
