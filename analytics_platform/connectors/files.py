"""Files dropped into a landing folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

UNFINISHED = (".part", ".tmp", ".crdownload", ".filepart")
"""Ends of names that writers use while a file is not complete."""


def find_files(folder: Path, suffixes: tuple[str, ...]) -> list[tuple[str, Path]]:
    """The finished files below `folder` that end in one of `suffixes`: (name relative to folder, path), by name.

    Hidden files and folders, and unfinished ones, are left out. A folder that does not exist has no files.
    """
    return sorted(_walk(folder, suffixes))


def _walk(folder: Path, suffixes: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in name.parts)
        lowered = path.name.lower()
        if hidden or lowered.endswith(UNFINISHED) or not lowered.endswith(suffixes):
            continue
        if path.is_file():
            yield name.as_posix(), path
