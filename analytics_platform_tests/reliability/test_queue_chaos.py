from __future__ import annotations

import datetime as dt
import json
import os
import random
import uuid
from collections.abc import Sequence
from pathlib import Path

from analytics_platform.connectors.sqs import Message, Queue, drain
from analytics_platform.lake import FolderLake
from analytics_platform.sources.arrivals.queue import put_messages
from analytics_platform.sources.registry import SOURCES
from analytics_platform.warehouse.load import load_new_batches
from analytics_platform_tests.connectors.sqs.kit import DRAINED
from analytics_platform_tests.kit import open_platform
from analytics_platform_tests.names import ECOMMERCE_EVENTS
from analytics_platform_tests.reliability.queue_chaos import Chaos, run_chaos

MESSAGES = 3_000
TWICE = 0.1
"""Share of the messages whose content was sent before."""


def write_files(queue: Queue, folder: Path) -> None:
    """Drain the queue; every batch becomes a file that is there as a whole or not at all."""

    def store(messages: Sequence[Message]) -> None:
        draft = folder / f"{uuid.uuid4()}.part"
        with draft.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(message.body) + "\n" for message in messages)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(draft.with_suffix(".jsonl"))

    drain(queue, store, batch_messages=200, batch_seconds=0.5, visibility_seconds=2, wait_seconds=1)


def _bodies(seed: int) -> list[str]:
    draws = random.Random(seed)
    new = [json.dumps({"event": number, "name": "Audífonos"}) for number in range(int(MESSAGES * (1 - TWICE)))]
    bodies = new + draws.sample(new, MESSAGES - len(new))
    draws.shuffle(bodies)
    return bodies


def _stored(folder: Path) -> list[str]:
    lines = (line for path in folder.glob("*.jsonl") for line in path.read_text("utf-8").splitlines())
    return [json.loads(line) for line in lines]


def test_no_message_is_lost_though_one_of_two_consumers_is_killed_again_and_again(tmp_path: Path) -> None:
    bodies = _bodies(seed=20260301)

    outcome = run_chaos(write_files, tmp_path, bodies, Chaos(seed=7))

    stored = _stored(tmp_path)
    assert outcome.kills >= 12
    assert outcome.left == DRAINED
    assert set(stored) == set(bodies)
    assert len(stored) > len(set(stored)), "messages were to come more than once"


POISON = 0.02


def put_in_the_lake(queue: Queue, folder: Path) -> None:
    """Drain the queue as the platform does, with a visibility that lets a test be short."""
    lake = FolderLake(folder / "lake")
    drain(
        queue,
        lambda messages: put_messages(lake, ECOMMERCE_EVENTS, "events", messages) and None,
        batch_messages=500,
        batch_seconds=0.5,
        visibility_seconds=2,
        wait_seconds=1,
    )


def _events(seed: int) -> list[str]:
    """Product events with some sent twice and some malformed, in random order."""
    draws, at = random.Random(seed), dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    new = [
        f'{{"event_timestamp": broken {number}'
        if draws.random() < POISON
        else json.dumps(
            {
                "event_timestamp": (at + dt.timedelta(seconds=number * 7)).isoformat(),
                "user_id": 1 + number % 500,
                "event_name": "view_item",
                "platform": "IOS",
                "items": f"[{{item_id=p{number % 40}, item_name=Audífonos, negro, price=10.5, coupon=(not set)}}]",
            }
        )
        for number in range(int(MESSAGES * (1 - TWICE)))
    ]
    bodies = new + draws.sample(new, MESSAGES - len(new))
    draws.shuffle(bodies)
    return bodies


def test_the_tables_hold_every_event_once_though_consumers_are_killed_again_and_again(tmp_path: Path) -> None:
    bodies = _events(seed=20260302)
    platform = open_platform(tmp_path, partition_start="2026-03-01")

    outcome = run_chaos(put_in_the_lake, tmp_path, bodies, Chaos(seed=11))

    with platform.session() as session:
        loads = [
            each
            for _, each in load_new_batches(
                SOURCES[ECOMMERCE_EVENTS], session, platform.settings, platform.lake, "chaos"
            )
        ]
        poison = {body for body in bodies if "broken" in body}
        assert outcome.kills >= 12
        assert outcome.left == DRAINED
        assert session.count("cleaned.ecommerce_events") == len(set(bodies) - poison)
        assert {raw for (raw,) in session.rows("SELECT raw FROM ops.quarantine")} == poison
        assert session.count("ops.quarantine") == len(poison)
        assert sum(each.rows_read for each in loads) >= len(bodies)
        assert sum(each.rows_accepted + each.rows_quarantined for each in loads) == len(set(bodies))
