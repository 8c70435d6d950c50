from __future__ import annotations

import gzip
import os
import re
from pathlib import Path

import pyarrow as pa
import pytest

from analytics_platform.lake import FolderLake, register
from analytics_platform.sources.arrivals.files import find_unread, find_unreadable, land_files
from analytics_platform.sources.registry import SOURCES
from analytics_platform_tests.kit import click, load_landed, open_platform, to_csv
from analytics_platform_tests.names import CLICKSTREAM, WEB_LOGS

ROWS = to_csv([click(f"c{number}", f"2026-03-01T10:{number:02}:00+00:00") for number in range(30)])


def test_plain_gzip_and_zstandard_files_are_read_alike(tmp_path: Path) -> None:
    platform = open_platform(tmp_path)
    for client, suffix, codec in (("p", ".csv", None), ("g", ".csv.gz", "gzip"), ("z", ".CSV.ZST", "zstd")):
        rows = [click(f"{client}{number}", f"2026-03-01T10:{number:02}:00+00:00") for number in range(30)]
        with pa.output_stream(str(platform.landing / f"rows{suffix}"), compression=codec) as stream:
            stream.write(to_csv(rows).encode())

    with platform.session() as session:
        loaded = load_landed(platform, session)

    assert [one.rows_accepted for one in loaded] == [30, 30, 30]
    assert find_unreadable(SOURCES[CLICKSTREAM], platform.settings, platform.lake) == {}


def test_the_same_content_is_one_batch_and_changed_content_under_the_same_name_another(tmp_path: Path) -> None:
    platform = open_platform(tmp_path)
    platform.landing.joinpath("a.csv").write_text(ROWS, "utf-8")
    platform.landing.joinpath("b.csv").write_text(ROWS, "utf-8")
    with platform.session() as session:
        assert [loaded.rows_accepted for loaded in load_landed(platform, session)] == [30]
        platform.landing.joinpath("a.csv").write_text(ROWS + ROWS.splitlines()[1].replace("c0", "new") + "\n", "utf-8")

        (again,) = load_landed(platform, session)

    assert (again.rows_accepted, again.rows_duplicate) == (1, 30)


def test_a_file_that_changes_while_it_is_read_is_left_for_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = open_platform(tmp_path)
    growing = platform.landing / "growing.csv"
    growing.write_text(ROWS, "utf-8")
    fsync = os.fsync

    def grow_and_fsync(descriptor: int) -> None:
        with growing.open("a", encoding="utf-8") as file:
            file.write("half a r")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", grow_and_fsync)
    landing = land_files(SOURCES[CLICKSTREAM], platform.settings, platform.lake)
    monkeypatch.undo()

    assert landing.changing == ("growing.csv",)
    assert platform.lake.batches(CLICKSTREAM) == []
    assert [batch.name for batch in land_files(SOURCES[CLICKSTREAM], platform.settings, platform.lake).batches] == [
        "growing.csv"
    ]


def test_a_batch_whose_writer_was_killed_does_not_exist_and_is_put_again(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path / "lake")
    path = tmp_path / "rows.csv"
    path.write_text(ROWS, "utf-8")
    batch = lake.put_file(CLICKSTREAM, "rows.csv", path)
    assert batch is not None
    metadata = tmp_path / "lake" / CLICKSTREAM / f"_{batch.content_sha256}.json"
    metadata.rename(metadata.with_suffix(".draft"))
    assert lake.batches(CLICKSTREAM) == []

    again = lake.put_file(CLICKSTREAM, "rows.csv", path)

    assert again is not None
    assert again.batch_id == batch.batch_id
    assert again.path.read_bytes() == ROWS.encode()


def test_a_file_that_was_landed_is_not_read_again_until_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = open_platform(tmp_path)
    path = platform.landing / "rows.csv"
    path.write_text(ROWS, "utf-8")
    monkeypatch.setattr(register, "SETTLED_S", -1.0)
    (first,) = land_files(SOURCES[CLICKSTREAM], platform.settings, platform.lake).batches

    with monkeypatch.context() as unreadable:
        unreadable.setattr(FolderLake, "put_file", None)
        (again,) = land_files(SOURCES[CLICKSTREAM], platform.settings, platform.lake).batches
    path.write_text(ROWS.replace("c0", "c9"), "utf-8")
    (changed,) = land_files(SOURCES[CLICKSTREAM], platform.settings, platform.lake).batches

    assert again == first
    assert changed.content_sha256 != first.content_sha256


def test_a_file_that_changed_a_moment_ago_is_read_again(tmp_path: Path) -> None:
    platform = open_platform(tmp_path)
    platform.landing.joinpath("rows.csv").write_text(ROWS, "utf-8")
    land_files(SOURCES[CLICKSTREAM], platform.settings, platform.lake)

    assert platform.lake.register(CLICKSTREAM).content_of(platform.landing / "rows.csv") is None


def test_files_that_are_told_other_names_all_stay_when_they_get_them(tmp_path: Path) -> None:
    platform, source = open_platform(tmp_path), SOURCES[CLICKSTREAM]
    names = ["y.csv", "y.csv.1", "y.csv.2", "y.csv.3.gz", "y.csv-20260301", "z.tsv", "z.txt", "y.tsv"]
    names += ["w.tsv.gz", "w.txt.gz"]
    for number, name in enumerate(names):
        content = ROWS.replace("c0", f"first{number}").encode()
        platform.landing.joinpath(name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)

    for said in find_unread(source, SOURCES.values(), platform.settings):
        path = Path(said.removeprefix("Not read: ").partition(": ")[0])
        renamed = path.with_name(re.search(r"rename it to (\S+)", said)[1])  # type: ignore[index]
        assert not renamed.exists(), said
        path.rename(renamed)

    assert find_unread(source, SOURCES.values(), platform.settings) == []
    found = sorted(path.name for path in platform.landing.iterdir())
    rotated = ["y.1.csv", "y.2.csv", "y.20260301.csv", "y.3.csv.gz", "y.csv", "y.tsv.csv"]
    assert found == ["w.tsv.csv.gz", "w.txt.csv.gz", *rotated, "z.tsv.csv", "z.txt.csv"]


@pytest.mark.parametrize(
    ("content", "renamed"),
    [(b' {"_id": 1}\n{"_id": 2}', "l.jsonl"), (b'[{"_id": 1}]', "l.json"), (b"\x16\0\0\0\x10_id\0", "l.bson")],
)
def test_a_file_gets_the_name_of_what_it_begins_as(tmp_path: Path, content: bytes, renamed: str) -> None:
    """Documents in JSON, a line each, were to be called l.bson; so renamed, the file was one rejected record."""
    platform = open_platform(tmp_path)
    path = platform.settings.landing_dir / WEB_LOGS / "l.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    (said,) = find_unread(SOURCES[WEB_LOGS], SOURCES.values(), platform.settings)
    assert f"rename it to {renamed} if it" in said
