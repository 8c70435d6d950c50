"""From a collection and its dumps to the table: what is new is read, nothing is missed, nothing is there twice."""

from __future__ import annotations

import datetime as dt
import gzip
import itertools
import json
import re
import shutil
import signal
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import bson
import dagster as dg
import pytest
from bson import json_util
from pymongo import MongoClient

from analytics_platform.connectors.batches import BatchSize
from analytics_platform.connectors.mongo.collection import OpenCollection
from analytics_platform.connectors.mongo.extended_json import document_text
from analytics_platform.lake import FolderLake
from analytics_platform.orchestration.assets.raw import raw_asset
from analytics_platform.orchestration.resources import build_resources
from analytics_platform.settings import SettingsError, load_settings
from analytics_platform.sources.arrivals.collection import collection_of, read_collection
from analytics_platform.sources.arrivals.files import land_files
from analytics_platform.sources.arrivals.parquet import read_columns
from analytics_platform.sources.arrivals.position import PositionNoteError
from analytics_platform.sources.registry import SOURCES
from analytics_platform_tests.connectors.mongo.conftest import real_shop, server_uri
from analytics_platform_tests.connectors.mongo.shop import Shop
from analytics_platform_tests.kit import Contents, Platform, open_platform
from analytics_platform_tests.names import WEB_LOGS
from analytics_platform_tests.shop_logs import load, log
from analytics_platform_tests.slow import spread
from analytics_platform_tests.sources.arrivals.collection_victim import SMALL, kill_at, run

__all__ = ["real_shop", "server_uri"]

START = dt.datetime(2024, 3, 1, 12)
SECOND = dt.timedelta(seconds=1)
OVERLAP = 600
"""Documents, one a second, that are read again."""
COUNT = 2_000
ROWS = "SELECT * EXCLUDE (batch_id, position, arrived_at) FROM cleaned.web_logs ORDER BY event_id"
REJECTED = "SELECT raw, error_reason FROM ops.quarantine ORDER BY raw"


def logs(first: int, stop: int) -> list[dict[str, Any]]:
    """One a second. Of each hundred one has text for its time, one is rejected, and one has an extra field."""
    found = []
    for number in range(first, stop):
        fields: dict[str, Any] = {}
        match number % 100:
            case 1:
                fields["timestamp"] = (START + number * SECOND).isoformat()
            case 2:
                fields["user_id"] = 1.5
            case 3:
                fields["campaign"] = {"id": "EXP_01", "bucket": [number, 0.5]}
        found.append(log(1 + number % 50, START + number * SECOND, item=f"Pizza {number % 7}") | fields)
    return found


def at(root: Path, shop: Shop, **settings: object) -> Platform:
    return open_platform(root, mongodb_uri=shop.uri, mongodb_database=shop.database.name, **settings)


def read(platform: Platform, batch: BatchSize | None = None) -> int:
    """Read what is new into the lake: how many documents that was."""
    return sum(step.documents for step in read_collection(WEB_LOGS, platform.settings, platform.lake, batch))


def rows(platform: Platform, sql: str = ROWS) -> list[tuple[object, ...]]:
    with platform.session(read_only=True) as session:
        return session.rows(sql)


def test_a_second_run_reads_only_what_is_new_and_a_rerun_changes_nothing(real_shop: Shop, tmp_path: Path) -> None:
    platform = at(tmp_path, real_shop)
    real_shop.insert(*logs(0, COUNT))
    assert read(platform) == COUNT
    assert load(platform, WEB_LOGS)[WEB_LOGS] == (COUNT * 99 // 100, 0, COUNT // 100)

    real_shop.insert(*logs(COUNT, COUNT + 100))
    again = read(platform)
    assert 100 <= again <= 100 + OVERLAP * 102 // 100  # those with text for their time may come twice
    assert load(platform, WEB_LOGS)[WEB_LOGS] == (99, again - 100, 1)

    read(platform)
    load(platform, WEB_LOGS)
    before, batches = rows(platform), platform.lake.batches(WEB_LOGS)
    read(platform)
    load(platform, WEB_LOGS)
    assert rows(platform) == before
    assert platform.lake.batches(WEB_LOGS) == batches
    assert len(before) == (COUNT + 100) * 99 // 100


def test_a_log_that_is_written_late_is_found_while_its_time_lies_in_the_overlap(
    real_shop: Shop, tmp_path: Path
) -> None:
    platform = at(tmp_path, real_shop)
    real_shop.insert(*logs(0, 1000))
    read(platform)

    late = log(77, START + (1000 - OVERLAP + 10) * SECOND, item="Late")
    late_text = log(78, START + (1000 - OVERLAP + 10) * SECOND, item="Late") | {"timestamp": "2024-03-01 12:07"}
    real_shop.insert(late, late_text)
    read(platform)
    load(platform, WEB_LOGS)

    found = rows(platform, "SELECT user_id FROM cleaned.web_logs WHERE item_name = 'Late' ORDER BY 1")
    assert found == [("77",), ("78",)]


def test_a_log_that_was_changed_is_another_row(real_shop: Shop, tmp_path: Path) -> None:
    platform = at(tmp_path, real_shop)
    (identity,) = real_shop.insert(log(1, START, item="Margherita"))
    read(platform)
    real_shop.logs.update_one({"_id": identity}, {"$set": {"item_name": "Marinara"}})
    read(platform)

    assert load(platform, WEB_LOGS)[WEB_LOGS] == (2, 0, 0)
    found = rows(platform, "SELECT item_name FROM cleaned.web_logs ORDER BY 1")
    assert found == [("Margherita",), ("Marinara",)]


def _extended(documents: Sequence[dict[str, Any]]) -> list[str]:
    return [document_text(bson.encode(document)) for document in documents]


FORMS: dict[str, Callable[[Sequence[dict[str, Any]]], bytes]] = {
    "logs.bson": lambda documents: b"".join(map(bson.encode, documents)),
    "logs.bson.gz": lambda documents: gzip.compress(b"".join(map(bson.encode, documents))),
    "logs.json": lambda documents: f"[{','.join(_extended(documents))}]".encode(),
    "logs.json.gz": lambda documents: gzip.compress(f"[{','.join(_extended(documents))}]".encode()),
    "logs.jsonl": lambda documents: "\n".join(_extended(documents)).encode(),
    "relaxed.jsonl": lambda documents: "\n".join(
        json_util.dumps(document, json_options=json_util.RELAXED_JSON_OPTIONS) for document in documents
    ).encode(),
}


def drop(platform: Platform, name: str, content: bytes) -> None:
    path = platform.settings.landing_dir / WEB_LOGS / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_a_dump_in_any_form_gives_the_same_rows_as_the_server(real_shop: Shop, tmp_path: Path) -> None:
    documents = logs(0, 300)
    real_shop.insert(*documents)
    platform = at(tmp_path / "server", real_shop)
    read(platform)
    load(platform, WEB_LOGS)
    expected = rows(platform), rows(platform, REJECTED)

    for name, write in FORMS.items():
        dumped = open_platform(tmp_path / name)
        drop(dumped, name, write(documents))
        land_files(SOURCES[WEB_LOGS], dumped.settings, dumped.lake)
        assert load(dumped, WEB_LOGS)[WEB_LOGS] == (297, 0, 3), name
        assert (rows(dumped), rows(dumped, REJECTED)) == expected, name


def test_a_dump_of_what_was_read_brings_only_duplicates_and_so_does_the_other_way_round(
    real_shop: Shop, tmp_path: Path
) -> None:
    documents = logs(0, 200)
    real_shop.insert(*documents)
    for first in ("server", "dump"):
        platform = at(tmp_path / first, real_shop)
        drop(platform, "logs.bson", FORMS["logs.bson"](documents))
        for way in ("server", "dump") if first == "server" else ("dump", "server"):
            if way == "server":
                read(platform)
            else:
                land_files(SOURCES[WEB_LOGS], platform.settings, platform.lake)
            assert load(platform, WEB_LOGS)[WEB_LOGS] == ((198, 0, 2) if way == first else (0, 200, 0))


def test_all_that_can_be_read_of_a_damaged_dump_is_loaded(tmp_path: Path) -> None:
    platform = open_platform(tmp_path)
    packed = gzip.compress(FORMS["logs.bson"](logs(200, 300)))
    drop(platform, "cut.bson.gz", packed[: len(packed) // 2])
    drop(platform, "torn.jsonl", b"\n".join([FORMS["logs.jsonl"](logs(10, 12)), b'{"user_id": ', b""]))
    drop(platform, "logs.metadata.json", b'{"indexes": []}')
    land_files(SOURCES[WEB_LOGS], platform.settings, platform.lake)

    accepted, _, quarantined = load(platform, WEB_LOGS)[WEB_LOGS]

    assert accepted > 20
    assert quarantined in (2, 3)
    reasons = rows(
        platform, "SELECT DISTINCT input, error_reason FROM ops.quarantine WHERE error_reason LIKE 'document%'"
    )
    assert sorted(map(str, reasons)) == [
        "('cut.bson.gz', 'document: damaged gzip')",
        "('torn.jsonl', 'document: not Extended JSON')",
    ]


def test_how_far_one_collection_was_read_says_nothing_of_another(real_shop: Shop, tmp_path: Path) -> None:
    platform = at(tmp_path, real_shop)
    real_shop.insert(*logs(1000, 1010))
    real_shop.database["archive"].insert_many(logs(0, 10))
    assert read(platform) == 10

    other = at(tmp_path, real_shop, mongodb_collection="archive")
    steps = list(read_collection(WEB_LOGS, other.settings, other.lake))

    assert sum(step.documents for step in steps) == 10
    assert steps[0].note.endswith(
        f"{real_shop.database.name}.archive is not what was read before: it is read from the start."
    )
    assert "mongodb://" in steps[0].note


def test_the_note_holds_nothing_of_the_address_but_its_hosts(real_shop: Shop, tmp_path: Path) -> None:
    uri = real_shop.uri + ("&" if "?" in real_shop.uri else "/?") + "appname=s3cret"
    platform = open_platform(tmp_path, mongodb_uri=uri, mongodb_database=real_shop.database.name)
    real_shop.insert(*logs(0, 2))
    read(platform)

    noted = json.loads(platform.lake.noted(WEB_LOGS) or "")
    assert re.fullmatch(rf"mongodb(\+srv)?://[^@/?]+/{real_shop.database.name}\.web_logs", noted["place"])


@pytest.mark.parametrize("position", ["", "[]", "{", '{"timestamp": "soon"}', '{"snapshot": 5}', None])
def test_a_note_that_cannot_be_read_stops_the_reading_and_says_what_to_do(
    real_shop: Shop, tmp_path: Path, position: str | None
) -> None:
    platform = at(tmp_path, real_shop)
    real_shop.insert(*logs(0, 1))
    read(platform)
    note = json.loads(platform.lake.noted(WEB_LOGS) or "") | {"position": position}
    platform.lake.note(WEB_LOGS, json.dumps(note))
    with pytest.raises(PositionNoteError, match="delete it"):
        read(platform)


def test_without_an_address_there_is_no_collection(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^MONGODB_URI is not set: give the address of the MongoDB server\.$"):
        collection_of(load_settings(data_dir=tmp_path))


def _materialize(root: Path, instance: dg.DagsterInstance, **settings: object) -> dg.ExecuteInProcessResult:
    resources = dict(build_resources(load_settings(data_dir=root, **settings)))
    return dg.materialize([raw_asset(SOURCES[WEB_LOGS])], resources=resources, instance=instance, raise_on_error=False)


def test_the_asset_without_a_server_takes_dumps_in_and_says_so(tmp_path: Path) -> None:
    instance = dg.DagsterInstance.ephemeral()
    drop(open_platform(tmp_path), "logs.bson", FORMS["logs.bson"](logs(0, 3)))

    result = _materialize(tmp_path, instance)

    assert result.success
    assert "MONGODB_URI is not set: nothing of web_logs is read from there." in [
        entry.user_message for entry in instance.all_logs(result.run_id)
    ]
    assert len(FolderLake(tmp_path / "lake").batches(WEB_LOGS)) == 1


def test_the_asset_fails_in_one_sentence_that_holds_no_password(tmp_path: Path) -> None:
    result = _materialize(tmp_path, dg.DagsterInstance.ephemeral(), mongodb_uri="mongodb://ada:s3cret@127.0.0.1:x")

    (failure,) = [event for event in result.all_events if event.is_step_failure]
    words = str(failure.step_failure_data)
    assert "The address of MongoDB is not valid or its name is unknown: check MONGODB_URI" in words
    assert "s3cret" not in words


class TornError(RuntimeError):
    """What a fuse raises in place of a kill."""


def break_off(platform: Platform, monkeypatch: pytest.MonkeyPatch, left: int) -> bool:
    """Read, and break off before the step `left` of those that ask, write, put or note; whether it did."""
    passed = itertools.count()

    def fused(method: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **options: Any) -> Any:
            if next(passed) == left:
                raise TornError
            return method(*arguments, **options)

        return step

    with monkeypatch.context() as patch:
        for owner, name in (
            (OpenCollection, "find"),
            (FolderLake, "put_bytes"),
            (FolderLake, "note"),
            (Path, "rename"),
        ):
            patch.setattr(owner, name, fused(getattr(owner, name)))
        try:
            read(platform, SMALL)
        except TornError:
            return True
    return False


def read_to_the_end(platform: Platform) -> tuple[set[bytes], str | None]:
    """Every document in the lake, and how far the collection is read."""
    read(platform, SMALL)
    documents: set[bytes] = set()
    for batch in platform.lake.batches(WEB_LOGS):
        with batch.open() as stream:
            documents.update(raw for (raw,) in read_columns(stream, "document"))
    return documents, platform.lake.noted(WEB_LOGS)


@pytest.mark.parametrize("first", [0, 70])
def test_broken_off_before_any_step_a_rerun_ends_as_if_undisturbed(
    first: int, real_shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of the first reading, and of a later one."""
    start = at(tmp_path / "start", real_shop)
    if first:
        real_shop.insert(*logs(0, first))
        read(start, SMALL)
    real_shop.insert(*logs(first, 150), log(3, START + 10 * SECOND, item="Late"))

    def copy(name: str) -> Platform:
        platform = at(tmp_path / name, real_shop)
        if first:
            shutil.copytree(start.lake.root, platform.lake.root)
        return platform

    expected = read_to_the_end(copy("undisturbed"))
    assert len(expected[0]) == 151
    for left in itertools.count():
        platform = copy(str(left))
        torn = break_off(platform, monkeypatch, left)
        assert read_to_the_end(platform) == expected, left
        if not torn:
            break
    assert left > 10


SAMPLES = 6


@pytest.fixture(scope="module")
def killed_shop(server_uri: str) -> Iterator[Shop]:
    """A collection that tests read and do not change."""
    client: MongoClient[dict[str, Any]]
    with MongoClient(server_uri) as client:
        shop = Shop(server_uri, client[f"killed_{uuid.uuid4().hex[:12]}"])
        shop.insert(*logs(0, 200))
        yield shop
        client.drop_database(shop.database.name)


@pytest.fixture(scope="module")
def undisturbed(killed_shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Contents]:
    """The number of boundaries of a run that is not killed, and its tables."""
    root = tmp_path_factory.mktemp("undisturbed")
    code, passed = kill_at(root, killed_shop.uri, killed_shop.database.name, None)
    assert code == 0
    return passed, state(at(root, killed_shop))


def state(platform: Platform) -> Contents:
    """What the tables hold, but for when it was written there; what was read again is a duplicate."""
    booked = "SELECT sum(rows_accepted), sum(rows_quarantined) FROM ops.pipeline_logs"
    return {"logs": rows(platform), "rejected": rows(platform, REJECTED), "books": rows(platform, booked)}


@pytest.mark.parametrize("sample", spread(SAMPLES, 2))
def test_killed_anywhere_between_server_and_table_a_rerun_ends_as_if_undisturbed(
    sample: int, killed_shop: Shop, undisturbed: tuple[int, Contents], tmp_path: Path
) -> None:
    boundaries, expected = undisturbed
    code, _ = kill_at(
        tmp_path, killed_shop.uri, killed_shop.database.name, (2 * sample + 1) * boundaries // (2 * SAMPLES)
    )
    assert code == -signal.SIGKILL
    platform = at(tmp_path, killed_shop)
    run(platform)

    assert state(platform) == expected
    assert len(expected["logs"]) == 198
