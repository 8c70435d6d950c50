"""Whatever is dropped beside good files: it is named once, in one sentence, and holds up nothing else."""

from __future__ import annotations

import datetime as dt
import errno
import gzip
import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import bson
import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analytics_platform.cli.status import read_status
from analytics_platform.contracts.base import ContractType
from analytics_platform.sources.arrivals.collection import to_parquet
from analytics_platform.sources.arrivals.files import find_unread, find_unreadable, land_files, new_files
from analytics_platform.sources.formats import Csv
from analytics_platform.sources.registry import SOURCES
from analytics_platform_tests.end_to_end.platform_run import DagsterPlatform, clickstream, failed_checks
from analytics_platform_tests.kit import become_nobody, open_platform
from analytics_platform_tests.names import CLICKSTREAM, WEB_LOGS
from analytics_platform_tests.reliability.test_file_kinds import follow, zstd
from analytics_platform_tests.shop_logs import load

ROWS = clickstream(40)


def _other(name: str) -> str:
    """Good rows of other clients."""
    return clickstream(40, name=name)


BOMB = bytes(65 << 20)
GOOD: Mapping[str | bytes, str | bytes] = {
    "one.csv": ROWS,
    "two.csv.gz": gzip.compress(_other("two").encode()),
    "deeper/three.csv.zst": zstd(_other("three").encode()),
    b"M\xe4rz.csv": _other("four"),
    "line\nbreak\x1b[31m.csv": _other("five"),
    f"{'l' * 246}.csv": clickstream(40, without_client=1, name="six"),
}
"""Files that are loaded, some under names that are odd; the last has one row that is rejected."""

BAD: Mapping[str, tuple[str | bytes, str]] = {
    "missing.csv": (ROWS.replace("timestamp", "time", 1), "required column timestamp missing"),
    "escape.csv": ("client\x1b[31m_id,b\n", "(the header has: client\\x1b[31m_id, b)"),
    "utf16.csv": (ROWS.encode("utf-16"), "declare ClickstreamCsv(encoding='utf-16')"),
    "semicolons.csv": (ROWS.replace(",", ";"), "declare ClickstreamCsv(delimiter=';')"),
    "wide.csv": (f"{','.join(map(str, range(100_000)))},{ROWS}", "it has 100,007 columns, and at most 5,000 are read"),
    "cr.csv": (ROWS.replace("\n", "\r"), "a CR without LF"),
    "cut.csv.gz": (gzip.compress(ROWS.encode())[:-9], "cannot be decompressed"),
    "plain.csv.zst": (ROWS, "not compressed as .zst files are: rename it to plain.csv"),
    "bomb.csv.gz": (gzip.compress(BOMB, 1), "expands to more than 200 times its size"),
    "bomb.csv.zst": (zstd(ROWS.encode() + BOMB), "expands to more than 200 times its size"),
}
LINKS = {"out.csv": "/etc/hostname", "nothing.csv": "gone", "loop.csv": "loop.csv", "folder": "/etc", "up.csv": "../x"}
UNREAD = ("book.xlsx", "notes.txt", "pipe.csv")


def _drop_all(platform: DagsterPlatform) -> None:
    landing = platform.settings.landing_dir / CLICKSTREAM
    for name, content in GOOD.items():
        platform.drop(os.fsdecode(name), content)
    for name, (content, _) in BAD.items():
        platform.drop(name, content)
    for name, target in {**LINKS, "again.csv": "one.csv"}.items():
        landing.joinpath(name).symlink_to(target)
    for name in ("notes.txt", "book.xlsx", "later.csv.part", ".hidden.txt", "../stray.csv", "../clikstream/a.csv"):
        platform.drop(name, "x")
    os.mkfifo(landing / "pipe.csv")


def _said(result: dg.ExecuteInProcessResult) -> str:
    """What the check `files_readable` says."""
    (words,) = [
        str(check.description)
        for check in result.get_asset_check_evaluations()
        if check.check_name == "files_readable" and not check.passed
    ]
    return words


def _unread(result: dg.ExecuteInProcessResult) -> str:
    """What the raw asset's metadata say of files that nothing reads."""
    (raw,) = [event.materialization for event in result.all_events if event.is_step_materialization][:1]
    return str(raw.metadata["not read by any source"].value)


def test_odd_files_are_named_once_and_good_ones_beside_them_are_loaded(tmp_path: Path) -> None:
    platform = DagsterPlatform(tmp_path)
    _drop_all(platform)
    lake, said = tmp_path / "lake", list[str]()
    for _ in range(2):
        result = platform.materialize("2026-03-01", "2026-03-01", select='key:"raw/clickstream"+1')

        assert not result.success and failed_checks(result) == {"raw/clickstream: files_readable"}
        said.append(_said(result))
        reasons = {name: words for name, (_, words) in BAD.items()} | dict.fromkeys(LINKS, "a link that leads out of")
        parts = dict(line.split(": ", 1) for line in said[-1].splitlines())
        found = {path.rpartition(f"/{CLICKSTREAM}/")[2]: words for path, words in parts.items()}
        assert found.keys() == reasons.keys()
        assert [name for name, words in reasons.items() if words not in found[name]] == []
        remedy = ", then run `analytics-platform materialize`."
        assert all(line.isprintable() and line.endswith(remedy) for line in said[-1].splitlines())
        assert found["nothing.csv"].endswith(f" or to nothing; put the file itself there, or remove it{remedy}")
        unread = _unread(result)
        assert "/pipe.csv: it is a named pipe or the like: write a file in its place." in unread
        assert [unread.count(f"/{name}:") for name in (*UNREAD, "clikstream", "stray.csv", "later.csv.part")] == [1] * 6
        assert ".hidden.txt" not in unread
    assert said[0] == said[1]
    loaded = platform.rows("SELECT input, rows_accepted, rows_quarantined FROM ops.pipeline_logs ORDER BY 1")
    assert [name for name, _, _ in loaded if "\\" in str(name)] == ["M\\xe4rz.csv", "line\\nbreak\\x1b[31m.csv"]
    assert len(loaded) == len(GOOD)
    assert sum(int(str(accepted)) for _, accepted, _ in loaded) == 40 * len(GOOD) - 1
    # The register is written once files are old enough to be remembered.
    stored = [path for path in lake.joinpath(CLICKSTREAM).iterdir() if path.name != "_landing.register"]
    assert len(stored) == 2 * len(GOOD), "batches and their metadata"
    (sheet,) = platform.settings.quarantine_dir.iterdir()
    assert sheet.name.startswith("l" * 200)
    status = read_status(platform.settings, dt.datetime.now(dt.UTC))
    assert "\n".join(status.unread) == unread


def test_files_and_folders_that_may_not_be_opened_are_named_and_others_are_loaded() -> None:
    with tempfile.TemporaryDirectory() as name:
        restore = become_nobody(Path(name))
        try:
            platform = open_platform(Path(name) / "data")
            for path in ("good.csv", "closed.csv", "closed/a.csv", "listed/b.csv"):
                platform.landing.joinpath(path).parent.mkdir(exist_ok=True)
                platform.landing.joinpath(path).write_text(ROWS, "utf-8")
            platform.landing.joinpath("closed.csv").chmod(0)
            platform.landing.joinpath("closed").chmod(0)
            platform.landing.joinpath("listed").chmod(0o400)
            source = SOURCES[CLICKSTREAM]

            landing = land_files(source, platform.settings, platform.lake)

            assert [batch.name for batch in landing.batches] == ["good.csv"]
            assert landing.rejected.keys() == {"closed.csv", "closed", "listed/b.csv"}
            assert {words.partition(";")[0] for words in landing.rejected.values()} == {
                "it cannot be opened (Permission denied)"
            }
            assert find_unreadable(source, platform.settings, platform.lake) == landing.rejected
            assert len(new_files(source, platform.settings, platform.lake)) == 4
        finally:
            for closed in Path(name).rglob("*"):
                closed.chmod(0o700)
            restore()


@pytest.mark.parametrize(
    "content", [f"sep=,\n{ROWS}", ROWS.replace("client_id", "Client_ID").replace("user_", "USER ")]
)
def test_a_header_in_other_case_and_below_the_line_of_excel_is_read(tmp_path: Path, content: str) -> None:
    platform = open_platform(tmp_path)
    platform.landing.joinpath("rows.csv").write_text(content, "utf-8")
    (batch,) = land_files(SOURCES[CLICKSTREAM], platform.settings, platform.lake).batches
    (verdict,) = (each for each in SOURCES[CLICKSTREAM].validate(batch, platform.settings) if each.accepted.height)
    assert verdict.accepted.height == 40 and verdict.accepted["user_agent"].null_count() == 0


class Vanishing(Csv):
    """Files that are taken away while they are looked at."""

    def check(self, path: Path, contract: ContractType) -> None:
        """Take the file away, before the look or after it."""
        if path.name == "late.csv":
            super().check(path, contract)
        path.unlink()
        if path.name == "soon.csv":
            super().check(path, contract)


def test_a_file_that_is_taken_away_while_it_is_read_is_no_failure(tmp_path: Path) -> None:
    platform, source = open_platform(tmp_path), replace(SOURCES[CLICKSTREAM], format=Vanishing())
    for _ in range(2):
        for name in ("late.csv", "soon.csv"):
            platform.landing.joinpath(name).write_text(ROWS, "utf-8")
        landing = land_files(source, platform.settings, platform.lake)
        assert (landing.batches, landing.rejected) == ((), {})
        assert list(platform.settings.landing_dir.rglob("*.csv")) == []
    assert not list(Path(platform.settings.lake_url).rglob("*.*"))


def test_a_dump_that_expands_too_far_is_rejected(tmp_path: Path) -> None:
    platform, source = open_platform(tmp_path), SOURCES[WEB_LOGS]
    folder = platform.settings.landing_dir / WEB_LOGS
    folder.mkdir()
    folder.joinpath("logs.json.gz").write_bytes(gzip.compress(BOMB, 1))
    assert find_unreadable(source, platform.settings, platform.lake)
    assert find_unread(source, SOURCES.values(), platform.settings) == []


@pytest.mark.parametrize("form", ["texts", "nested", "prefixes"])
def test_a_parquet_file_whose_rows_expand_too_far_is_rejected_before_they_are_read(tmp_path: Path, form: str) -> None:
    platform, source, rows, text = open_platform(tmp_path), SOURCES["ga4_events"], 200_000, "x" * 100_000
    notes: pa.Array = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), [text])
    if form == "nested":
        rows = 40_000
        notes = pa.ListArray.from_arrays(range(0, 5 * rows + 1, 5), notes)
    if form == "prefixes":
        rows = 1_000
        notes = pa.array([text] * rows)
    named = {name: pa.array([name] * rows) for name in ("event_name", "user_pseudo_id")}
    table = pa.table({"event_timestamp": pa.array([1_772_359_200_000_000] * rows), **named, "note": notes})
    folder = platform.settings.landing_dir / source.name
    folder.mkdir()
    encoding = {"note": "DELTA_BYTE_ARRAY"} if form == "prefixes" else None
    pq.write_table(table, folder / "bomb.parquet", use_dictionary=not encoding, column_encoding=encoding)
    assert folder.joinpath("bomb.parquet").stat().st_size < 400_000

    landing, peak = land_files(source, platform.settings, platform.lake), pa.default_memory_pool().max_memory()
    assert landing.rejected == {
        "bomb.parquet": "expands to more than 200 times its size; if that is right, export it as .csv or .jsonl and "
        "drop that"
    }
    assert peak < 1 << 30


def test_what_stands_beside_dumps_is_not_named_and_logs_with_such_a_name_are(tmp_path: Path) -> None:
    platform, source = open_platform(tmp_path), SOURCES[WEB_LOGS]
    folder = platform.settings.landing_dir / WEB_LOGS
    folder.mkdir()
    folder.joinpath("a.metadata.json").write_text('{"indexes": [{"v": 2}], "collectionName": "logs"}', "utf-8")
    folder.joinpath("a.metadata.json.gz").write_bytes(gzip.compress(b'{"options": {}, "uuid": "1"}'))
    folder.joinpath("b").mkdir()
    folder.joinpath("b", "prelude.json").write_text('{"ServerVersion": "7.0", "ToolVersion": "100"}', "utf-8")
    log = '{"_id": 1, "user_id": 1, "action": "view", "timestamp": "2024-03-01T10:00:00Z"}\n'
    folder.joinpath("b", "oplog.bson").write_bytes(bson.encode({"op": "i", "ns": "shop.logs", "ts": 1, "o": {}}))
    folder.joinpath("oplog.bson.gz").write_bytes(gzip.compress(b""))
    for name in ("shop.metadata.json", "prelude.json"):
        folder.joinpath(name).write_text(log, "utf-8")
    folder.joinpath("oplog.bson").write_bytes(bson.encode(json.loads(log) | {"_id": 2}))

    said = find_unread(source, SOURCES.values(), platform.settings)
    assert [sentence.split(": ")[1] for sentence in said] == [
        str(folder / name) for name in ("oplog.bson", "prelude.json", "shop.metadata.json")
    ]
    assert [re.search(r"rename it to (\S+)", sentence)[1] for sentence in said] == [  # type: ignore[index]
        *("oplog.records.bson", "prelude.records.json", "shop.metadata.records.json")
    ]
    assert not any("files that end in" in sentence for sentence in said)
    for sentence in said:
        follow(Path(sentence.split(": ")[1]), sentence)
    assert find_unread(source, SOURCES.values(), platform.settings) == []
    assert len(land_files(source, platform.settings, platform.lake).batches) == 3


class Broken(Csv):
    """Files whose disk fails."""

    def check(self, path: Path, contract: ContractType) -> None:
        """Fail as a bad sector does."""
        if path.name == "broken.csv":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().check(path, contract)


def test_a_file_whose_disk_fails_is_named_and_others_are_loaded(tmp_path: Path) -> None:
    platform, source = open_platform(tmp_path), replace(SOURCES[CLICKSTREAM], format=Broken())
    for name in ("broken.csv", "good.csv"):
        platform.landing.joinpath(name).write_text(_other(name), "utf-8")
    landing = land_files(source, platform.settings, platform.lake)
    assert [batch.name for batch in landing.batches] == ["good.csv"]
    words = "it cannot be read (Input/output error); check the disk it is on, or drop it again"
    assert landing.rejected == {"broken.csv": words}
    assert find_unreadable(source, platform.settings, platform.lake) == landing.rejected


def test_status_says_of_a_rejected_file_why_and_not_that_it_waits(tmp_path: Path) -> None:
    platform = open_platform(tmp_path)
    path = platform.landing / "missing.csv"
    path.write_text(ROWS.replace("timestamp", "time", 1), "utf-8")
    status = read_status(platform.settings, dt.datetime.now(dt.UTC))
    assert status.next_step.startswith(f"Correct {path} or remove it: required column timestamp missing")
    assert [words.partition(" missing")[0] for words in status.rejected] == [
        f"Rejected: {path}: required column timestamp"
    ]
    path.unlink()
    assert read_status(platform.settings, dt.datetime.now(dt.UTC)).next_step.startswith("Nothing was loaded yet into")


def test_large_documents_hold_up_no_others_of_their_batch(tmp_path: Path) -> None:
    platform, at = open_platform(tmp_path), dt.datetime(2026, 11, 1)
    assert platform.settings.warehouse_memory == "1GB"
    large: list[dict[str, object]] = [{"metadata": {"x": "a" * 4_000_000}}] * 6
    fields = [{}] * 20 + large + [{"blob": bytes(15_000_000)}, {"x": "\1" * 7_000_000}]
    documents = [
        bson.encode({"_id": place, "user_id": 1 + place, "action": "view", "timestamp": at, **more})
        for place, more in enumerate(fields)
    ]
    platform.lake.put_bytes(WEB_LOGS, "shop.logs", ".parquet", to_parquet(documents))
    assert load(platform, WEB_LOGS) == {WEB_LOGS: (26, 0, 2)}
    with platform.session(read_only=True) as session:
        assert session.rows("SELECT DISTINCT error_reason FROM ops.quarantine") == [("document: too large",)]
