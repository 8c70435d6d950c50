"""Tasks that follow an order and may have to wait: the rows of `shop.outbox`, each removed when its task is done.

A task may be done more than once (a process ends between the task and its removal), so a second
time must change nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

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
class OutboxDrained:
    """How many tasks were done, how many are left, and why (each reason once)."""

    done: int
    left: int
    reasons: tuple[str, ...]


def drain(database: Database, tasks: Mapping[str, Task]) -> OutboxDrained:
    """Do the tasks that are due.

    If a server does not answer, its tasks are skipped this time. A task that fails is postponed, longer every time, and
    does not delay the others. Several processes may drain at once. Raises `ShopUnavailableError` if the database does
    not answer.
    """
    done = 0
    reasons: dict[str, None] = {}
    available, rows = dict(tasks), True
    while available and rows:
        with database.transaction() as connection:
            taken = connection.execute(_TAKE, [list(available), _BATCH]).fetchall()
            finished = _do_batch(connection, taken, available, reasons)
            connection.execute("DELETE FROM shop.outbox WHERE outbox_id = ANY(%s)", [finished])
        done, rows = done + len(finished), bool(taken)
    return OutboxDrained(done, _count(database, "SELECT count(*) FROM shop.outbox"), tuple(reasons))


def _do_batch(
    connection: Connection, rows: Sequence[tuple[Any, ...]], tasks: dict[str, Task], reasons: dict[str, None]
) -> list[int]:
    """Do the tasks of these rows, equal ones once; return the ids of those done.

    Removes from `tasks` those whose server does not answer, and adds to `reasons` why a task is not done.
    """
    known: set[tuple[str, str]] = set()
    finished = []
    for outbox_id, name, payload, attempts in rows:
        if name not in tasks:
            continue
        same = (name, json.dumps(payload, sort_keys=True))
        try:
            if same not in known:
                tasks[name](payload)
        except ShopUnavailableError as error:
            del tasks[name]
            reasons[str(error)] = None
        except (ShopError, KeyError, TypeError, ValueError) as error:
            reason = f"{name} {outbox_id} failed, attempt {attempts + 1}: {error}"
            connection.execute(_PUT_OFF, [reason, outbox_id])
            reasons[reason] = None
        else:
            known.add(same)
            finished.append(outbox_id)
    return finished


def count_due(database: Database) -> int:
    """Count the tasks that have been due for more than ten seconds."""
    return _count(database, "SELECT count(*) FROM shop.outbox WHERE due_at < now() - interval '10 s'")


def _count(database: Database, sql: LiteralString) -> int:
    with database.transaction() as connection:
        row = connection.execute(sql).fetchone()
    assert row is not None
    return int(row[0])


def remove(database: Database, order_id: int, tasks: Sequence[str]) -> None:
    """Remove these tasks of an order as done. If a crash loses the removal, they are only done again."""
    with database.transaction() as connection:
        connection.execute("SET LOCAL synchronous_commit = off")
        connection.execute(_REMOVE_OF_ORDER, [order_id, list(tasks)])
