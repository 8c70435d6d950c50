"""What follows an order and may have to wait: the rows of `shop.outbox`, each removed when its task is done.

A task may be done more than once (a process ends between the deed and its removal), so tasks are such that the second
time changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analytics_platform.shop.database import Connection, Database
from analytics_platform.shop.errors import ShopError, ShopUnavailableError

Payload = Mapping[str, Any]
Task = Callable[[Payload], None]

_BATCH = 200

_TAKE = """
SELECT outbox_id, task, payload, attempts FROM shop.outbox
WHERE task = ANY(%s) AND due_at <= now() ORDER BY outbox_id LIMIT %s FOR UPDATE SKIP LOCKED
"""

_PUT_OFF = """
UPDATE shop.outbox SET attempts = attempts + 1, last_error = %s,
    due_at = clock_timestamp() + least(power(2, attempts), 3600) * interval '1 second'
WHERE outbox_id = %s
"""

_REMOVE_OF_ORDER = """
DELETE FROM shop.outbox WHERE outbox_id IN (
    SELECT outbox_id FROM shop.outbox WHERE order_id = %s AND task = ANY(%s) FOR UPDATE SKIP LOCKED
)
"""


@dataclass(frozen=True, slots=True)
class Drained:
    """How many tasks were done, how many are left, and why (each reason once)."""

    done: int
    left: int
    reasons: tuple[str, ...]


def drain(database: Database, tasks: Mapping[str, Task]) -> Drained:
    """Do what is due. A server that is away ends its kind of task for this time; a task that fails is put off, longer
    every time, and keeps nothing else waiting. Several may drain at once. Raises `ShopUnavailableError` if the
    database is away.
    """
    done = 0
    reasons: dict[str, None] = {}
    open_tasks = dict(tasks)
    while open_tasks:
        with database.transaction() as connection:
            batch = _Batch(connection, open_tasks)
            rows = connection.execute(_TAKE, [list(open_tasks), _BATCH]).fetchall()
            for row in rows:
                batch.do(*row)
            batch.remove_done()
        done += len(batch.done)
        reasons |= dict.fromkeys(batch.reasons)
        open_tasks = {name: task for name, task in open_tasks.items() if name not in batch.away}
        if not rows:
            break
    return Drained(done, count_waiting(database), tuple(reasons))


def count_waiting(database: Database) -> int:
    """How many tasks wait, due or not."""
    with database.transaction() as connection:
        row = connection.execute("SELECT count(*) FROM shop.outbox").fetchone()
    assert row is not None
    return int(row[0])


def count_due(database: Database) -> int:
    """How many tasks nobody has done, though they could have been done at once."""
    with database.transaction() as connection:
        row = connection.execute("SELECT count(*) FROM shop.outbox WHERE due_at < now() - interval '10 s'").fetchone()
    assert row is not None
    return int(row[0])


def remove(database: Database, order_id: int, tasks: Sequence[str]) -> None:
    """Note that these tasks of an order are done. Lost with a crash, it means no more than doing them again."""
    with database.transaction() as connection:
        connection.execute("SET LOCAL synchronous_commit = off")
        connection.execute(_REMOVE_OF_ORDER, [order_id, list(tasks)])


class _Batch:
    """Rows of the outbox that this transaction holds."""

    def __init__(self, connection: Connection, tasks: Mapping[str, Task]) -> None:
        self._connection = connection
        self._tasks = tasks
        self._known: set[tuple[str, str]] = set()
        self.done: list[int] = []
        self.away: set[str] = set()
        self.reasons: list[str] = []

    def do(self, outbox_id: int, name: str, payload: Payload, attempts: int) -> None:
        """Do a task, unless its server is away, or it is the same as one just done."""
        if name in self.away:
            return
        same = (name, json.dumps(payload, sort_keys=True))
        try:
            if same not in self._known:
                self._tasks[name](payload)
        except ShopUnavailableError as error:
            self.away.add(name)
            self.reasons.append(str(error))
        except (ShopError, KeyError, TypeError, ValueError) as error:
            reason = f"{name} {outbox_id} failed for the {attempts + 1}. time: {error}"
            self._connection.execute(_PUT_OFF, [reason, outbox_id])
            self.reasons.append(reason)
        else:
            self._known.add(same)
            self.done.append(outbox_id)

    def remove_done(self) -> None:
        """Remove the rows of what is done."""
        self._connection.execute("DELETE FROM shop.outbox WHERE outbox_id = ANY(%s)", [self.done])
