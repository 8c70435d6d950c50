"""One small simulation, made once for all tests that only read it."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from analytics_platform.demo.simulator import Truth, read_documents, read_messages, simulate
from analytics_platform_tests.demo.simulator.log_reader import Log, read_document
from analytics_platform_tests.demo.simulator.message_reader import Message, read_body
from analytics_platform_tests.demo.simulator.reader import Row, read_file

START = date(2026, 11, 1)


@dataclass(frozen=True)
class Traffic:
    """What a simulation wrote, and what it says is true."""

    folder: Path
    truth: Truth
    on_time: dict[Path, list[Row]]
    late: dict[Path, list[Row]]
    messages: list[Message]
    late_messages: list[Message]
    documents: list[Log]
    late_documents: list[Log]

    @property
    def message_files(self) -> list[Path]:
        return sorted(self.folder.glob("**/messages/*"))

    @property
    def files(self) -> dict[Path, list[Row]]:
        return self.on_time | self.late

    @property
    def rows(self) -> list[Row]:
        return [row for rows in self.files.values() for row in rows]

    @property
    def events(self) -> list[Row]:
        return list({row.identity: row for row in self.rows if not row.reason}.values())

    def times_of(self, client_id: str) -> list[int]:
        events = [row for row in self.events if row.values["client_id"] == client_id]
        return sorted(round(row.at.timestamp() * 1000) for row in events)


@pytest.fixture(scope="session")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> Traffic:
    folder = tmp_path_factory.mktemp("traffic")
    truth = simulate(days=8, visitors=150, seed=7, out=folder, start=START)
    on_time = {path: read_file(path) for path in sorted((folder / "clickstream").iterdir())}
    late = {path: read_file(path) for path in sorted((folder / "late" / "clickstream").iterdir())}
    messages, late_messages = (
        [read_body(body) for path in sorted((folder / part).iterdir()) for body in read_messages(path)]
        for part in ("messages", "late/messages")
    )
    documents, late_documents = (
        [read_document(text) for path in sorted((folder / part).iterdir()) for text in read_documents(path)]
        for part in ("web_logs", "late/web_logs")
    )
    return Traffic(folder, truth, on_time, late, messages, late_messages, documents, late_documents)
