"""From the queue to the table: no message is lost, none is there twice, and no poison stops the others."""

from __future__ import annotations

import os
import re
import socket
import stat
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pyarrow.dataset
import pytest

from analytics_platform.connectors.sqs import Drained, Message, Queue, QueueError
from analytics_platform.demo.servers.sqs_server import Faults
from analytics_platform.lake import Batch, FolderLake
from analytics_platform.orchestration.assets.raw import raw_asset
from analytics_platform.orchestration.resources import build_resources
from analytics_platform.settings import Settings, SettingsError, load_settings
from analytics_platform.sources.arrivals import queue as ingest_queue
from analytics_platform.sources.arrivals.queue import drain_queue, put_messages, queue_of, redrive_messages
from analytics_platform.sources.registry import SOURCES
from analytics_platform.warehouse.replay import replay
from analytics_platform_tests.cli.conftest import Call, call
from analytics_platform_tests.connectors.sqs.kit import DRAINED
from analytics_platform_tests.kit import Platform, open_platform
from analytics_platform_tests.names import ECOMMERCE_EVENTS
from analytics_platform_tests.shop_messages import load_drained, shop_message

__all__ = ["call"]

DAY = "2026-03-01"
COUNTS = "SELECT sum(rows_read)::INT, sum(rows_accepted)::INT, sum(rows_duplicate)::INT, sum(rows_quarantined)::INT"


def view(number: int) -> str:
    return shop_message(f"u{number}", f"{DAY}T10:{number:02}:00Z", items=[{"item_id": "p1"}])


def drain_all(platform: Platform, messages: int) -> Drained:
    """A drain that knows how many messages there are, and so need not wait for more."""
    return drain_queue(SOURCES[ECOMMERCE_EVENTS], platform.settings, platform.lake, messages, 60.0)


def load(platform: Platform) -> tuple[object, ...]:
    """Load what is in the lake: read, accepted, duplicate and quarantined messages of all batches so far."""
    with platform.session() as session:
        load_drained(platform, session)
        return session.rows(f"{COUNTS} FROM ops.pipeline_logs")[0]


def rows(platform: Platform, sql: str) -> list[tuple[object, ...]]:
    with platform.session(read_only=True) as session:
        return session.rows(sql)


def dead_copies(queue: Queue) -> list[Message]:
    return [message for message, _ in queue.receive(10, visibility=0, wait=1)]


def test_what_was_sent_is_in_the_table_once_and_the_queue_is_empty(platform: Platform, queue: Queue) -> None:
    queue.send(map(view, range(25)))

    drained = drain_queue(SOURCES[ECOMMERCE_EVENTS], platform.settings, platform.lake, 1_000_000, 60.0)

    assert (drained.stored, drained.deleted, drained.batches) == (25, 25, 1)
    assert queue.depth() == DRAINED
    assert load(platform) == (25, 25, 0, 0)
    assert rows(platform, "SELECT count(DISTINCT user_id) FROM cleaned.ecommerce_events") == [(25,)]


def test_a_message_is_in_the_lake_on_the_disk_before_it_is_deleted(
    platform: Platform, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.send(map(view, range(12)))
    folder = platform.lake.root / ECOMMERCE_EVENTS
    happened: list[str] = []
    fsync, rename, delete = os.fsync, Path.rename, Queue.delete

    def note_fsync(descriptor: int) -> None:
        happened.append("folder on disk" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file on disk")
        fsync(descriptor)

    def note_rename(path: Path, target: Path) -> Path:
        happened.append(f"{target.suffix} in place")
        return rename(path, target)

    def note_delete(own: Queue, handles: dict[str, str]) -> frozenset[str]:
        happened.append("deleted")
        batches = platform.lake.batches(ECOMMERCE_EVENTS)
        assert sum(batch.path.read_bytes().startswith(b"PAR1") for batch in batches) == 1
        return delete(own, handles)

    folder.mkdir(parents=True)
    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(Path, "rename", note_rename)
    monkeypatch.setattr(Queue, "delete", note_delete)
    drain_all(platform, 12)

    assert happened == [
        "file on disk", "file on disk", ".parquet in place", ".json in place", "folder on disk", "deleted", "deleted",
    ]  # fmt: skip


def test_a_lake_that_is_new_is_on_the_disk_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    FolderLake(tmp_path / "new" / "lake").put_bytes(ECOMMERCE_EVENTS, "events", ".parquet", b"x")

    assert {tmp_path, tmp_path / "new", tmp_path / "new" / "lake"} <= set(synced)


def test_batches_are_read_by_others_as_they_lie(platform: Platform, queue: Queue) -> None:
    """The folder as a whole, by the rule for names that Spark, Athena and Arrow share."""
    bodies = sorted(map(view, range(12)))
    queue.send(bodies)
    drain_all(platform, 12)

    table = pyarrow.dataset.dataset(platform.lake.root / ECOMMERCE_EVENTS, format="parquet").to_table()

    assert sorted(table["body"].to_pylist()) == bodies
    assert set(table["receive_count"].to_pylist()) == {1}


def test_killed_after_the_batch_is_stored_its_messages_come_again_and_are_in_the_table_once(
    platform: Platform, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.send([*map(view, range(9)), "poison"])

    def put_and_die(lake: FolderLake, source: str, name: str, messages: Sequence[Message]) -> Batch:
        put_messages(lake, source, name, messages)
        raise OSError("the power failed")

    with monkeypatch.context() as broken:
        broken.setattr(ingest_queue, "put_messages", put_and_die)
        with pytest.raises(OSError, match="the power failed"):
            drain_all(platform, 10)
    assert queue.depth().visible == 10

    assert drain_all(platform, 10).deleted == 10
    assert queue.depth() == DRAINED
    assert len(platform.lake.batches(ECOMMERCE_EVENTS)) == 2
    assert load(platform) == (20, 9, 10, 1)
    assert rows(platform, "SELECT count(*), count(DISTINCT user_id) FROM cleaned.ecommerce_events") == [(9, 9)]
    assert rows(platform, "SELECT raw, error_reason FROM ops.quarantine") == [
        ("poison", "body: not JSON (position 0: Expecting value)")
    ]


def test_messages_that_come_again_under_whatever_id_are_in_the_table_once_and_poison_in_quarantine_once(
    platform: Platform, queue: Queue, faults: Faults
) -> None:
    """Delivered twice by the queue (same id), and sent twice, as by a redrive (another id)."""
    bodies = [*map(view, range(20)), "poison"]
    queue.send([*bodies, *bodies])
    faults.duplicates, faults.shuffle, faults.at_most = 0.5, 1.0, 30

    while queue.depth() != DRAINED:
        drain_all(platform, 10)

    read, accepted, duplicate, rejected = load(platform)
    assert (accepted, rejected) == (20, 1)
    assert read == 21 + int(str(duplicate)) >= 42
    assert rows(platform, "SELECT count(DISTINCT user_id) FROM cleaned.ecommerce_events") == [(20,)]


def test_poison_is_copied_to_the_dead_letters_with_its_reason_and_does_not_block_the_queue(
    careful_platform: Platform, queue: Queue, dead_letters: Queue
) -> None:
    broken = shop_message("u1", f"{DAY}T10:00:00Z", items="[{item_id=p1")
    queue.send_messages([(view(1), {}), (broken, {"app": "4.2"}), (view(2), {}), (shop_message(None, "soon"), {})])

    drained = drain_all(careful_platform, 4)

    assert drained.deleted == 4
    assert queue.depth() == DRAINED
    copies = {copy.body: copy.attributes for copy in dead_copies(dead_letters)}
    assert copies[broken]["error_reason"] == "items: cannot be parsed (position 12: expected the end of the list, }])"
    assert copies[broken]["app"] == "4.2"
    assert [attributes["error_reason"] for attributes in copies.values() if "app" not in attributes] == [
        "user_id: missing; event_timestamp: not a time"
    ]
    assert load(careful_platform) == (4, 2, 0, 2)


def test_a_rejected_message_too_long_to_be_copied_does_not_block_the_queue(
    careful_platform: Platform, queue: Queue, dead_letters: Queue
) -> None:
    queue.send(["x" * (1 << 20), view(1)])

    assert drain_all(careful_platform, 2).deleted == 2

    assert dead_letters.depth() == DRAINED
    assert load(careful_platform) == (2, 1, 0, 1)


def test_rejected_messages_sent_back_after_their_cause_is_corrected_are_in_the_table_once(
    careful_platform: Platform, queue: Queue, dead_letters: Queue
) -> None:
    """Until PARTITION_START is corrected their events are too old."""
    strict = replace(careful_platform, settings=_with(careful_platform.settings, partition_start="2026-03-02"))
    queue.send(map(view, range(3)))
    drain_all(strict, 3)
    assert load(strict) == (3, 0, 0, 3)
    assert dead_letters.depth().visible == 3

    assert redrive_messages(careful_platform.settings, None) == 3
    assert dead_letters.depth() == DRAINED
    drain_all(careful_platform, 3)

    assert load(careful_platform) == (6, 3, 0, 3)
    assert dead_letters.depth() == DRAINED
    with careful_platform.session() as session:
        (replayed,) = replay(session, careful_platform.settings, careful_platform.lake)
        assert (replayed.moved, replayed.loaded.rows_duplicate) == (3, 3)
        assert session.rows("SELECT count(*) FROM cleaned.ecommerce_events") == [(3,)]


def _with(settings: Settings, **changes: object) -> Settings:
    return load_settings(**{**settings.model_dump(exclude_defaults=True), **changes})


def test_what_is_rejected_again_after_a_redrive_waits_in_the_dead_letters(
    careful_platform: Platform, queue: Queue, dead_letters: Queue
) -> None:
    queue.send(["poison"])
    drain_all(careful_platform, 1)

    assert redrive_messages(careful_platform.settings, 1) == 1
    drain_all(careful_platform, 1)

    assert [copy.body for copy in dead_copies(dead_letters)] == ["poison"]
    assert load(careful_platform) == (2, 0, 1, 1)


def test_a_drain_takes_no_more_messages_than_it_may(platform: Platform, queue: Queue) -> None:
    queue.send(map(view, range(25)))

    assert drain_all(platform, 7).stored == 7
    left = queue.depth()
    assert (left.visible, left.in_flight) == (18, 0)


def test_without_an_address_of_a_queue_there_is_none_to_drain_or_send_back_from(
    tmp_path: Path, platform: Platform
) -> None:
    with pytest.raises(SettingsError, match=r"^SQS_QUEUE_URL is not set: give the address of the queue\.$"):
        queue_of(open_platform(tmp_path / "other").settings)
    with pytest.raises(SettingsError, match=r"^SQS_DLQ_URL is not set: give the address of the dead-letter queue\.$"):
        redrive_messages(platform.settings, None)


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port on which no server listens, reserved so that none will."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def unreachable(tmp_path: Path, closed_port: int) -> Settings:
    address = f"http://127.0.0.1:{closed_port}"
    return load_settings(data_dir=tmp_path / "data", sqs_queue_url=f"{address}/0/events", aws_endpoint_url=address)


def _materialize(settings: Settings) -> dg.ExecuteInProcessResult:
    asset = raw_asset(SOURCES[ECOMMERCE_EVENTS])
    return dg.materialize([asset], resources=dict(build_resources(settings)), raise_on_error=False)


def test_the_asset_without_a_queue_is_done_and_says_so(tmp_path: Path) -> None:
    result = _materialize(load_settings(data_dir=tmp_path))

    assert result.success
    (event,) = result.get_asset_materialization_events()
    assert event.materialization.metadata["not read"] == dg.MetadataValue.text("SQS_QUEUE_URL is not set")
    assert not (tmp_path / "lake").exists()


def test_the_asset_says_how_many_messages_it_drained(platform: Platform, queue: Queue) -> None:
    queue.send(map(view, range(3)))
    bounded = _with(platform.settings, drain_max_messages=3)

    (event,) = _materialize(bounded).get_asset_materialization_events()

    metadata = event.materialization.metadata
    assert [metadata[f"messages {word}"].value for word in ("received", "stored", "not deleted")] == [3, 3, 0]
    assert queue.depth() == DRAINED


def test_the_asset_fails_in_one_sentence_when_the_queue_cannot_be_reached(
    unreachable: Settings, closed_port: int
) -> None:
    result = _materialize(unreachable)

    (failure,) = [event for event in result.all_events if event.is_step_failure]
    error = failure.step_failure_data.error
    assert error is not None and error.cause is None
    assert re.fullmatch(rf"\S+Failure: The queue events cannot be [^\n]*:{closed_port}[^\n]*\.\n", error.message)


def test_the_command_drain_says_in_one_sentence_that_the_queue_cannot_be_reached(
    call: Call, unreachable: Settings, closed_port: int
) -> None:
    ended = call(
        unreachable.data_dir,
        "drain",
        SQS_QUEUE_URL=unreachable.sqs_queue_url,
        AWS_ENDPOINT_URL=unreachable.aws_endpoint_url,
    )

    assert ended.returncode == 2
    assert re.fullmatch(rf"analytics-platform: The queue events cannot be [^\n]*:{closed_port}[^\n]*\.\n", ended.stderr)


def test_the_command_drain_moves_what_waits_and_says_how_much(
    call: Call, platform: Platform, queue: Queue, endpoint: str
) -> None:
    queue.send(map(view, range(3)))

    ended = call(
        platform.settings.data_dir,
        *("drain", "--max-messages", "3"),
        SQS_QUEUE_URL=queue.url,
        AWS_ENDPOINT_URL=endpoint,
    )

    assert ended.stdout == "3 messages received, 3 stored in 1 batch, 3 deleted from the queue\n", ended.stderr
    assert load(platform) == (3, 3, 0, 0)


def test_a_queue_that_does_not_exist_is_named(platform: Platform) -> None:
    gone = replace(platform, settings=_with(platform.settings, sqs_queue_url=f"{platform.settings.sqs_queue_url}-gone"))
    with pytest.raises(QueueError, match="The queue events-gone does not exist"):
        drain_all(gone, 1)
