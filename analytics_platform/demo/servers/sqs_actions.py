"""The actions of the SQS API on queues in memory: JSON in, JSON out, errors with the codes of the real service.

Source of names, limits and errors: Amazon Simple Queue Service API Reference (2012-11-05).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

from analytics_platform.demo.servers.sqs_queue import Faults, LocalQueue, Stored, message_id_of

Json: TypeAlias = Mapping[str, Any]
Answer: TypeAlias = "Json | Awaitable[Json]"

MAX_BYTES = 1 << 20
"""The longest message, and the longest batch."""

LONGEST_VISIBILITY = 43_200
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NAME = re.compile(r"[\w-]{1,80}")
_ACCOUNT = "000000000000"


class ServiceError(Exception):
    """An error of the service: its code, what it says, and the code of the older query protocol."""

    def __init__(self, code: str, message: str, query_code: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.query_code = query_code or code


class Service:
    """All queues. `url` is the address of the server, without a path."""

    def __init__(self, faults: Faults) -> None:
        self.url = ""
        self.faults = faults
        self._queues: dict[str, LocalQueue] = {}
        self.actions: Mapping[str, Callable[[Json], Answer]] = {
            "CreateQueue": self._create_queue,
            "DeleteQueue": self._delete_queue,
            "GetQueueUrl": lambda call: {"QueueUrl": self._url_of(self._named(call["QueueName"]))},
            "ListQueues": self._list_queues,
            "GetQueueAttributes": self._attributes,
            "SetQueueAttributes": self._set_attributes,
            "PurgeQueue": self._purge,
            "SendMessage": lambda call: _send(self._queue(call), call),
            "SendMessageBatch": lambda call: self._each(call, _send, MAX_BYTES),
            "ReceiveMessage": self._receive,
            "DeleteMessage": lambda call: _delete(self._queue(call), call),
            "DeleteMessageBatch": lambda call: self._each(call, _delete),
            "ChangeMessageVisibility": lambda call: _change_visibility(self._queue(call), call),
            "ChangeMessageVisibilityBatch": lambda call: self._each(call, _change_visibility),
        }

    def _create_queue(self, call: Json) -> Json:
        name = call["QueueName"]
        if not _NAME.fullmatch(name):
            raise ServiceError("InvalidParameterValue", "A queue name has 1 to 80 letters, digits, - and _.")
        attributes = call.get("Attributes", {})
        return {"QueueUrl": self._url_of(self._queues.setdefault(name, LocalQueue(name, self.faults, attributes)))}

    def _delete_queue(self, call: Json) -> Json:
        del self._queues[self._queue(call).name]
        return {}

    def _list_queues(self, call: Json) -> Json:
        prefix = call.get("QueueNamePrefix", "")
        return {"QueueUrls": [self._url_of(queue) for name, queue in self._queues.items() if name.startswith(prefix)]}

    def _attributes(self, call: Json) -> Json:
        queue = self._queue(call)
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

    def _set_attributes(self, call: Json) -> Json:
        self._queue(call).attributes.update(call["Attributes"])
        return {}

    def _purge(self, call: Json) -> Json:
        self._queue(call).purge()
        return {}

    def _receive(self, call: Json) -> Answer:
        queue = self._queue(call)
        limit = _number(call, "MaxNumberOfMessages", 1, 1, 10)
        visibility = _number(call, "VisibilityTimeout", queue.seconds("VisibilityTimeout", 30), 0, LONGEST_VISIBILITY)
        wait = _number(call, "WaitTimeSeconds", queue.seconds("ReceiveMessageWaitTimeSeconds", 0), 0, 20)
        missing = self.faults.strike(self.faults.empty_receives)
        messages = [] if missing else queue.receive(limit, visibility)
        if messages or missing or not wait:
            return _received(messages, call)
        return _wait_and_receive(queue, limit, visibility, wait, call)

    def _each(self, call: Json, action: Callable[[LocalQueue, Json], Json], max_bytes: int = 0) -> Json:
        """A batch: every entry succeeds or fails by itself."""
        queue, entries = self._queue(call), call.get("Entries", [])
        _check_batch(entries, max_bytes)
        done: list[Json] = []
        failed: list[Json] = []
        for entry in entries:
            try:
                if self.faults.strike(self.faults.failed_entries):
                    raise ServiceError("InternalError", "A fault was asked for.")
                done.append({"Id": entry["Id"], **action(queue, entry)})
            except ServiceError as error:
                sender = error.code != "InternalError"
                failed.append({"Id": entry["Id"], "SenderFault": sender, "Code": error.code, "Message": str(error)})
        return {"Successful": done, "Failed": failed}

    def _queue(self, call: Json) -> LocalQueue:
        return self._named(str(call["QueueUrl"]).rpartition("/")[2])

    def _named(self, name: str) -> LocalQueue:
        queue = self._queues.get(name)
        if queue is None:
            code = "AWS.SimpleQueueService.NonExistentQueue"
            raise ServiceError("QueueDoesNotExist", "The specified queue does not exist.", code)
        return queue

    def _url_of(self, queue: LocalQueue) -> str:
        return f"{self.url}/{_ACCOUNT}/{queue.name}"


def _number(call: Json, name: str, default: int, least: int, most: int) -> int:
    value = call.get(name)
    number = default if value is None else value
    if not isinstance(number, int) or not least <= number <= most:
        reason = f"Must be between {least} and {most}, if provided."
        raise ServiceError("InvalidParameterValue", f"Value {number} for parameter {name} is invalid. Reason: {reason}")
    return number


def _check_batch(entries: Sequence[Json], max_bytes: int) -> None:
    if not entries:
        raise ServiceError("EmptyBatchRequest", "There should be at least one entry in the request.")
    if len(entries) > 10:
        raise ServiceError("TooManyEntriesInBatchRequest", "Maximum number of entries per request is 10.")
    if len({entry["Id"] for entry in entries}) < len(entries):
        raise ServiceError("BatchEntryIdsNotDistinct", "Two or more batch entries have the same Id.")
    if max_bytes and sum(map(_size, entries)) > max_bytes:
        raise ServiceError("BatchRequestTooLong", f"Batch requests cannot be longer than {max_bytes} bytes.")


def _size(entry: Json) -> int:
    """Bytes of a message: its body, and name, type and value of its attributes."""
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
        raise ServiceError(
            "InvalidParameterValue", "Message does not exist or is not available for visibility timeout change."
        )
    return {}


def _handle(entry: Json) -> str:
    handle = str(entry["ReceiptHandle"])
    if not message_id_of(handle) or "#" not in handle:
        raise ServiceError("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
    return handle


async def _wait_and_receive(queue: LocalQueue, limit: int, visibility: float, wait: float, call: Json) -> Json:
    """A long poll: look again whenever a message becomes visible."""
    loop = asyncio.get_running_loop()
    end = loop.time() + wait
    messages: list[Stored] = []
    while not messages and (left := end - loop.time()) > 0:
        future: asyncio.Future[None] = loop.create_future()
        queue.waiting.futures.append(future)
        await asyncio.wait([future], timeout=max(0.0, min(left, queue.until_next())))
        future.cancel()
        messages = queue.receive(limit, visibility)
    return _received(messages, call)


def _received(messages: Sequence[Stored], call: Json) -> Json:
    if not messages:
        return {}
    wanted = {*call.get("AttributeNames", ()), *call.get("MessageSystemAttributeNames", ())}
    names = set(call.get("MessageAttributeNames", ()))
    return {"Messages": [_shown(message, wanted, names) for message in messages]}


def _shown(message: Stored, wanted: set[str], names: set[str]) -> Json:
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
