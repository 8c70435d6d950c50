"""A tiny replica set of one, in threads: MongoDB's wire protocol with the faults that a test asks for.

It keeps documents as the bytes that came, compares values as MongoDB does (types apart, in BSON's order), and logs
every write as a change that a stream can be resumed from. It knows the commands and operators that the reader and
the tests use, and no others.
"""

from __future__ import annotations

import datetime as dt
import itertools
import math
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import bson
from bson import SON
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.objectid import ObjectId
from bson.raw_bson import RawBSONDocument
from bson.timestamp import Timestamp

Reply = dict[str, Any]

_DECODING: CodecOptions[Any] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)
_OP_REPLY, _OP_QUERY, _OP_MSG = 1, 2004, 2013
_RANKS: Mapping[str, int] = {
    "MinKey": 1,
    "NoneType": 2,
    **dict.fromkeys(("int", "Int64", "float", "Decimal128"), 3),
    "str": 4,
    **dict.fromkeys(("dict", "DBRef"), 5),
    "list": 6,
    **dict.fromkeys(("bytes", "Binary"), 7),
    "ObjectId": 8,
    "bool": 9,
    "DatetimeMS": 10,
    "Timestamp": 11,
    "Regex": 12,
    "Code": 13,
    "MaxKey": 127,
}
"""The order of BSON's types, by the names of the classes that stand for them."""


class CommandError(Exception):
    """A command is answered with an error."""

    def __init__(self, code: int, name: str) -> None:
        super().__init__(name)
        self.reply = {"ok": 0.0, "code": code, "codeName": name, "errmsg": name}


@dataclass
class Faults:
    """What goes wrong: commands answered with an error, replies counted until a connection is cut, waits."""

    errors: dict[str, CommandError] = field(default_factory=dict)
    cut_at: tuple[str, int] | None = None
    delay: dict[str, float] = field(default_factory=dict)


def order(value: Any) -> tuple[int, Any]:
    """The place of a value in BSON's order; documents, lists, patterns and code are only distinguished."""
    rank = _RANKS[type(value).__name__]
    match value:
        case Decimal128():
            return rank, (1, value.to_decimal())
        case float() if math.isnan(value):
            return rank, (0, 0)
        case bool() | ObjectId() | Timestamp() | str():
            return rank, value
        case int() | float():
            return rank, (1, value)
        case DatetimeMS():
            return rank, int(value)
        case bytes():
            return rank, (len(value), getattr(value, "subtype", 0), bytes(value))
    return rank, repr(value)


def _compare(test: Callable[[Any, Any], bool], value: object, bound: object) -> bool:
    """A comparison, which holds only among values of one type."""
    mine, other = order(value), order(bound)
    return mine[0] == other[0] and test(mine[1], other[1])


_TESTS: Mapping[str, Callable[[Any, Any], bool]] = {
    "$lt": lambda value, bound: value < bound,
    "$lte": lambda value, bound: value <= bound,
    "$gt": lambda value, bound: value > bound,
    "$gte": lambda value, bound: value >= bound,
    "$eq": lambda value, bound: value == bound,
}
_BSON_TYPES = {"objectId": "ObjectId", "date": "DatetimeMS"}


def matches(document: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a document fulfils a filter."""
    return all(_fulfils(document, name, condition) for name, condition in wanted.items())


def _fulfils(document: Mapping[str, Any], name: str, condition: Any) -> bool:
    if name == "$and":
        return all(matches(document, part) for part in condition)
    if name == "$nor":
        return not any(matches(document, part) for part in condition)
    if name == "$jsonSchema":
        has_all = all(field in document for field in condition.get("required", ()))
        types = {field: _BSON_TYPES[kind["bsonType"]] for field, kind in condition["properties"].items()}
        return has_all and all(
            type(document[field]).__name__ == kind for field, kind in types.items() if field in document
        )
    tests = (
        condition if isinstance(condition, dict) and next(iter(condition), "").startswith("$") else {"$eq": condition}
    )
    values = document.get(name)
    return any(
        all(_compare(_TESTS[operator], value, bound) for operator, bound in tests.items())
        for value in (values if isinstance(values, list) else [values])
    )


def _has_schema(document: Mapping[str, Any], schema: Mapping[str, Any]) -> bool:
    """Whether the fields of a document are there and of the types that a schema asks for."""
    types = {name: _BSON_TYPES[kind["bsonType"]] for name, kind in schema["properties"].items()}
    return all(name in document for name in schema.get("required", ())) and all(
        type(document[name]).__name__ == kind for name, kind in types.items() if name in document
    )


class ScriptedServer:
    """The server's data, and the faults that a test sets at any time."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.commands: list[str] = []
        self.clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC).replace(tzinfo=None)
        self.replica_set = True
        self._collections: dict[str, dict[bytes, bytes]] = {}
        self._changes: list[dict[str, Any]] = []
        self._forgotten = 0
        self._cursors: dict[int, Callable[[int], Reply]] = {}
        self._ids = itertools.count(1000)
        self._lock = threading.RLock()

    def forget_history(self) -> None:
        """Let every token given so far be too old."""
        with self._lock:
            self._forgotten = len(self._changes) + 1
            self._log("noop", "", None, None)

    def store(self, name: str, documents: Mapping[bytes, bytes]) -> None:
        """Let a collection hold just these raw documents, by their keys as BSON of `{"_id": …}`."""
        with self._lock:
            self._collections[name] = dict(documents)

    def answer(self, command: dict[str, Any], documents: Mapping[str, list[bytes]]) -> Reply:
        """The reply to a command."""
        name = next(iter(command))
        with self._lock:
            self.commands.append(name)
            error = self.faults.errors.get(name)
        time.sleep(self.faults.delay.get(name, 0))
        handler = getattr(self, f"_on_{name.lower()}", None)
        try:
            if error is not None:
                raise error
            if handler is None:
                raise CommandError(59, "CommandNotFound")
            with self._lock:
                return {**handler(command, documents), "ok": 1.0}
        except CommandError as error:
            return error.reply

    def _on_hello(self, command: dict[str, Any], documents: object) -> Reply:
        member = {"setName": "scripted", "hosts": ["127.0.0.1"], "primary": "127.0.0.1", "me": "127.0.0.1"}
        return {
            **(member if self.replica_set else {}),
            "isWritablePrimary": True,
            "helloOk": True,
            "localTime": self.clock(),
            "maxWireVersion": 21,
            "minWireVersion": 0,
            "maxBsonObjectSize": 16 << 20,
            "maxMessageSizeBytes": 48_000_000,
            "maxWriteBatchSize": 100_000,
            "logicalSessionTimeoutMinutes": 30,
        }

    _on_ismaster = _on_hello

    def _on_ping(self, command: object, documents: object) -> Reply:
        return {}

    _on_endsessions = _on_ping

    def _on_killcursors(self, command: dict[str, Any], documents: object) -> Reply:
        for cursor in command["cursors"]:
            self._cursors.pop(cursor, None)
        return {"cursorsKilled": command["cursors"]}

    def _on_listcollections(self, command: dict[str, Any], documents: object) -> Reply:
        wanted = command.get("filter", {}).get("name")
        found = [{"name": name} for name in self._collections if wanted in (None, name)]
        return {"cursor": {"id": 0, "ns": "scripted.$cmd", "firstBatch": found}}

    def _on_dropdatabase(self, command: dict[str, Any], documents: object) -> Reply:
        for name in list(self._collections):
            self._on_drop({"drop": name}, None)
        return {}

    def _on_drop(self, command: dict[str, Any], documents: object) -> Reply:
        name = command["drop"]
        if self._collections.pop(name, None) is not None:
            self._log("drop", name, None, None)
            self._log("invalidate", name, None, None)
        return {}

    def _on_insert(self, command: dict[str, Any], documents: Mapping[str, list[bytes]]) -> Reply:
        given = documents.get("documents") or [bson.encode(document) for document in command["documents"]]
        for raw in given:
            self._write("insert", command["insert"], raw)
        return {"n": len(given)}

    def _on_update(self, command: dict[str, Any], documents: Mapping[str, list[bytes]]) -> Reply:
        updates = documents.get("updates") or [bson.encode(update) for update in command["updates"]]
        for raw in updates:
            update = RawBSONDocument(raw)
            self._write("replace", command["update"], update["u"].raw)
        return {"n": len(updates), "nModified": len(updates)}

    def _on_delete(self, command: dict[str, Any], documents: Mapping[str, list[bytes]]) -> Reply:
        deletes = documents.get("deletes") or [bson.encode(delete) for delete in command["deletes"]]
        stored = self._collections.get(command["delete"], {})
        for raw in deletes:
            wanted = bson.decode(raw, _DECODING)["q"]
            for key, document in list(stored.items()):
                if matches(bson.decode(document, _DECODING), wanted):
                    del stored[key]
                    self._log("delete", command["delete"], document, None)
        return {"n": len(deletes)}

    def _write(self, kind: str, name: str, raw: bytes) -> None:
        key = bson.encode({"_id": RawBSONDocument(raw)["_id"]})
        self._collections.setdefault(name, {})[key] = raw
        self._log(kind, name, raw, raw)

    def _log(self, kind: str, name: str, raw: bytes | None, full: bytes | None) -> None:
        change: dict[str, Any] = SON(_id={"_data": f"{len(self._changes) + 1:08d}"}, operationType=kind)
        change["clusterTime"] = Timestamp(self.clock().replace(tzinfo=dt.UTC), len(self._changes) + 1)
        change["ns"] = {"db": "scripted", "coll": name}
        if raw is not None:
            change["documentKey"] = {"_id": RawBSONDocument(raw)["_id"]}
        if full is not None:
            change["fullDocument"] = RawBSONDocument(full)
        self._changes.append(change)

    def _on_find(self, command: dict[str, Any], documents: object) -> Reply:
        stored = self._collections.get(command["find"], {}).values()
        found = [(bson.decode(raw, _DECODING), raw) for raw in stored]
        found = [pair for pair in found if matches(pair[0], command.get("filter", {}))]
        for name, direction in reversed(list(command.get("sort", {}).items())):
            found.sort(key=lambda pair: order(pair[0].get(name)), reverse=direction < 0)
        raws = iter([RawBSONDocument(raw) for _, raw in found][: abs(command.get("limit", 0)) or None])

        def more(size: int) -> Reply:
            batch = list(itertools.islice(raws, size))
            return {"id": 0 if len(batch) < size else cursor, "ns": f"scripted.{command['find']}", "batch": batch}

        return self._open(more, cursor := next(self._ids), command.get("batchSize", 101))

    def _on_aggregate(self, command: dict[str, Any], documents: object) -> Reply:
        stage, name = command["pipeline"][0]["$changeStream"], command["aggregate"]
        if not self.replica_set:
            raise CommandError(40573, "Location40573")
        token = stage.get("resumeAfter")
        place = int(token["_data"]) if token else len(self._changes)
        if place < self._forgotten and token:
            raise CommandError(286, "ChangeStreamHistoryLost")

        def more(size: int) -> Reply:
            nonlocal place
            found = [change for change in self._changes[place:] if change["ns"]["coll"] == name][:size]
            place = int(found[-1]["_id"]["_data"]) if len(found) == size else len(self._changes)
            ended = any(change["operationType"] == "invalidate" for change in found)
            identity = 0 if ended else cursor
            after = {"_data": f"{place:08d}"}
            return {"id": identity, "ns": f"scripted.{name}", "batch": found, "postBatchResumeToken": after}

        return self._open(more, cursor := next(self._ids), command["cursor"].get("batchSize", 101))

    def _open(self, more: Callable[[int], Reply], cursor: int, size: int) -> Reply:
        self._cursors[cursor] = more
        reply = more(size)
        return {"cursor": {**reply, "firstBatch": reply.pop("batch")}}

    def _on_getmore(self, command: dict[str, Any], documents: object) -> Reply:
        more = self._cursors.get(command["getMore"])
        if more is None:
            raise CommandError(43, "CursorNotFound")
        reply = more(command.get("batchSize", 101))
        return {"cursor": {**reply, "nextBatch": reply.pop("batch")}}

    def cuts(self, name: str) -> bool:
        """Whether the connection is cut instead of answering this command."""
        with self._lock:
            if self.faults.cut_at is None or self.faults.cut_at[0] != name:
                return False
            left = self.faults.cut_at[1] - 1
            self.faults.cut_at = (name, left) if left > 0 else None
            return left <= 0


class _Connection(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        server: ScriptedServer = self.server.scripted  # type: ignore[attr-defined]
        with suppress(ConnectionError):
            while header := self.rfile.read(16):
                length, request, _, code = struct.unpack("<iiii", header)
                body = self.rfile.read(length - 16)
                command, documents = _parse_query(body) if code == _OP_QUERY else _parse_message(body)
                if server.cuts(next(iter(command))):
                    return
                reply = bson.encode(server.answer(command, documents))
                if code == _OP_QUERY:
                    content, kind = struct.pack("<iqii", 8, 0, 0, 1) + reply, _OP_REPLY
                else:
                    content, kind = struct.pack("<IB", 0, 0) + reply, _OP_MSG
                self.wfile.write(struct.pack("<iiii", 16 + len(content), 0, request, kind) + content)


def _parse_query(body: bytes) -> tuple[dict[str, Any], dict[str, list[bytes]]]:
    start = body.index(b"\0", 4) + 9
    return bson.decode(body[start : start + struct.unpack_from("<i", body, start)[0]], _DECODING), {}


def _parse_message(body: bytes) -> tuple[dict[str, Any], dict[str, list[bytes]]]:
    command: dict[str, Any] = {}
    documents: dict[str, list[bytes]] = {}
    place = 4
    while place < len(body):
        kind, place = body[place], place + 1
        size = struct.unpack_from("<i", body, place)[0]
        if kind == 0:
            command = bson.decode(body[place : place + size], _DECODING)
        else:
            named = body.index(b"\0", place + 4)
            documents[body[place + 4 : named].decode()] = list(_cut(body[named + 1 : place + size]))
        place += size
    return command, documents


def _cut(block: bytes) -> Iterator[bytes]:
    while block:
        size = struct.unpack_from("<i", block)[0]
        yield block[:size]
        block = block[size:]


@contextmanager
def serve() -> Iterator[tuple[str, ScriptedServer]]:
    """The connection string of a new server, and the server."""
    scripted = ScriptedServer()
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Connection) as listener:
        listener.daemon_threads = True
        listener.scripted = scripted  # type: ignore[attr-defined]
        thread = threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"mongodb://127.0.0.1:{listener.server_address[1]}/?directConnection=true", scripted
        finally:
            listener.shutdown()
            thread.join()
