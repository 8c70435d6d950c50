from __future__ import annotations

import json
import os
import random
import uuid
from collections.abc import Sequence
from pathlib import Path

from analytics_platform.sources.sqs import Message, Queue, drain
from analytics_platform_tests.reliability.queue_chaos import Chaos, run_chaos
from analytics_platform_tests.sources.sqs.kit import DRAINED

MESSAGES = 20_000
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
