"""A folder that cannot be read or written is named, with what to do."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from analytics_platform.lake import FolderLake, LakeError
from analytics_platform.lake.durable import LakeUnreachableError, LakeUnwritableError
from analytics_platform_tests.kit import become_nobody


def test_a_folder_in_place_of_the_register_holds_up_no_file(tmp_path: Path) -> None:
    lake, file = FolderLake(tmp_path / "lake"), tmp_path / "x.csv"
    file.write_bytes(b"x")
    lake.root.joinpath("source", "_landing.register").mkdir(parents=True)
    register = lake.register("source")
    register.remember(file, "0" * 64, is_settled=True)
    register.save()
    assert lake.register("source").content_of(file) is None


def test_a_register_that_may_not_be_read_is_named() -> None:
    with tempfile.TemporaryDirectory() as name:
        restore = become_nobody(Path(name))
        try:
            lake = FolderLake(Path(name))
            lake.root.joinpath("source").mkdir()
            lake.root.joinpath("source", "_landing.register").touch(0)
            words = r"_landing.register cannot be read \(Permission denied\): let the platform's user"
            with pytest.raises(LakeError, match=words):
                lake.register("source")
        finally:
            restore()


def test_a_named_pipe_in_place_of_metadata_or_register_is_no_wait(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path)
    batch, good = (lake.put_bytes("source", name, ".csv", name.encode()) for name in ("bad", "good"))
    path = tmp_path / "source" / f"_{batch.content_sha256}.json"
    path.unlink()
    os.mkfifo(path)
    os.mkfifo(tmp_path / "source" / "_landing.register")
    listed = {each.batch_id: each for each in lake.batches("source")}
    assert listed[good.batch_id] == good
    assert f"its metadata file {path} cannot be read" in listed[batch.batch_id].damage
    lake.register("source").save()


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_a_note_that_is_no_file_and_a_source_that_is_no_folder_are_one_sentence(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    lake, note = FolderLake(tmp_path), tmp_path / "source" / "_source.note"
    note.parent.mkdir()
    make(note)
    with pytest.raises(LakeError, match="note cannot be read: put it back from a backup, or move it away to"):
        lake.noted("source")
    (tmp_path / "other").touch()
    with pytest.raises(LakeUnreachableError, match="other is a file in place of a folder of the lake: move it away"):
        lake.batches("other")


@pytest.mark.parametrize(
    "write",
    [
        lambda lake, file: lake.put_file("source", file.name, file),
        lambda lake, file: lake.put_bytes("source", "input", ".csv", b"x"),
        lambda lake, file: lake.note("source", "read up to here"),
    ],
)
def test_a_lake_that_cannot_be_written_is_said_in_one_sentence(
    tmp_path: Path, write: Callable[[FolderLake, Path], object]
) -> None:
    file, lake = tmp_path / "x.csv", FolderLake(tmp_path / "lake")
    file.write_bytes(b"x")
    lake.root.mkdir()
    lake.root.joinpath("source").write_text("a file where the folder should be")
    with pytest.raises(LakeUnwritableError, match=r"cannot be written \(Not a directory\): correct the rights of"):
        write(lake, file)
    with pytest.raises(FileNotFoundError, match=r"away\.csv"):  # a fault of the file is none of the lake
        FolderLake(tmp_path / "other").put_file("source", "away.csv", tmp_path / "away.csv")
