"""A folder that cannot be read or written is named, with what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from analytics_platform.lake import FolderLake, LakeError
from analytics_platform.lake.durable import LakeUnwritableError


def test_a_register_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path)
    (tmp_path / "source" / "_landing.register").mkdir(parents=True)
    with pytest.raises(
        LakeError, match=r"_landing.register cannot be read \(Is a directory\): let the platform's user"
    ):
        lake.register("source")


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
