"""One small simulation, made once for all tests that only read it."""

from bisect import insort
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from analytics_platform.demo.simulator import read_documents, read_messages, simulate
from analytics_platform.demo.simulator.tally import Figures
from analytics_platform_tests.demo.simulator.log_reader import Log, distinct_logs, read_document, read_users
from analytics_platform_tests.demo.simulator.message_reader import Message, distinct, orders_of, read_body
from analytics_platform_tests.demo.simulator.reader import Row, distinct_rows, earliest_orders, read_file

START = date(2026, 11, 1)


@dataclass(frozen=True)
class Stage:
    """What has arrived at one time, and what is true of it."""

    truth: Figures
    files: dict[Path, list[Row]]
    messages: list[Message]
    logs: list[Log]
    users: Path

    @cached_property
    def rows(self) -> list[Row]:
        return [row for rows in self.files.values() for row in rows]

    @cached_property
    def records(self) -> dict[str, list[Row] | list[Message] | list[Log]]:
        return {"clickstream": self.rows, "ecommerce_events": self.messages, "web_logs": self.logs}

    @cached_property
    def events(self) -> dict[str, list[Row] | list[Message] | list[Log]]:
        """The distinct accepted records of each source."""
        return {
            "clickstream": distinct_rows(self.rows),
            "ecommerce_events": distinct(self.messages),
            "web_logs": distinct_logs(self.logs),
        }

    @cached_property
    def orders(self) -> list[Row | Message]:
        return [*earliest_orders(self.rows), *orders_of(self.messages)]

    @cached_property
    def customers(self) -> dict[str, dict[str, Any]]:
        return read_users(self.users)[0]

    @cached_property
    def times(self) -> dict[str, list[int]]:
        """The times of each client's events in all sources, sorted, in milliseconds since 1970."""
        found: defaultdict[str, list[int]] = defaultdict(list)
        for event in (event for events in self.events.values() for event in events):
            insort(found[event.client_id], event.milliseconds)
        return found


@dataclass(frozen=True)
class Traffic:
    """What a simulation wrote, before the late files arrive and with them."""

    folder: Path
    before_late: Stage
    total: Stage


@pytest.fixture(scope="session")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> Traffic:
    folder = tmp_path_factory.mktemp("traffic")
    truth = simulate(days=8, visitors=150, seed=7, out=folder, start=START)
    stages = [
        Stage(
            figures,
            {path: read_file(path) for part in parts for path in sorted((folder / part / "clickstream").iterdir())},
            [read_body(body) for part in parts for body in _read(folder / part / "messages", read_messages)],
            [read_document(text) for part in parts for text in _read(folder / part / "web_logs", read_documents)],
            folder / parts[-1] / "users.json",
        )
        for figures, parts in ((truth.before_late, ["."]), (truth.total, [".", "late"]))
    ]
    return Traffic(folder, *stages)


def _read(folder: Path, read: Any) -> list[str]:
    return [text for path in sorted(folder.iterdir()) for text in read(path)]


@pytest.fixture(params=["before_late", "total"])
def stage(request: pytest.FixtureRequest, traffic: Traffic) -> Stage:
    found: Stage = getattr(traffic, request.param)
    return found
