"""Files: from the landing folder into the lake."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from analytics_platform.gate import FileRejectedError
from analytics_platform.lake import Batch, FolderLake, UnreadableError
from analytics_platform.settings import Settings
from analytics_platform.sources.source import Arrival, Source

UNFINISHED = (".part", ".tmp", ".crdownload", ".filepart")
"""Ends of names that writers use while a file is not complete."""


class LandingFolder(Arrival):
    """Files that are dropped into a folder below LANDING_DIR, named as the source is."""

    system = "landing_folder"
    about = "Where exports and dumps are dropped, a folder per source (LANDING_DIR)."
    description = "Files from LANDING_DIR, byte for byte, each content once."
    kinds = ("file",)


@dataclass(frozen=True, slots=True)
class Landing:
    """What came of a look into the landing folder. `rejected` maps a file to the reason it cannot be read."""

    batches: tuple[Batch, ...]
    changing: tuple[str, ...]
    rejected: dict[str, str]


def find_files(source: Source, settings: Settings) -> list[tuple[str, Path]]:
    """List the finished files in the source's landing folder that it takes: (name relative to it, path), by name.

    Hidden files and folders, and unfinished ones, are left out. A folder that does not exist has no files.
    """
    folder = settings.landing_dir / source.name
    found = ((path.relative_to(folder), path) for path in folder.rglob("*") if source.format.takes(path.name))
    return sorted(
        (name.as_posix(), path)
        for name, path in found
        if not path.name.lower().endswith(UNFINISHED)
        and not any(part.startswith(".") for part in name.parts)
        and path.is_file()
    )


def land_files(source: Source, settings: Settings, lake: FolderLake) -> Landing:
    """Copy every readable file of the source's landing folder into the lake; the same content is stored once.

    A file without a required column, or damaged, stays where it is and is reported at every look until it is
    corrected or taken away. A file that changes while it is read is left for the next look.
    """
    register = lake.register(source.name)
    batches, changing, rejected = [], [], {}
    for name, path in find_files(source, settings):
        known = register.content_of(path)
        batch = lake.batch_with(source.name, known) if known else None
        if batch is None:
            reason = _unreadable(source, path)
            if reason is not None:
                rejected[name] = reason
                continue
            batch = lake.put_file(source.name, name, path)
        if batch is None:
            changing.append(name)
        else:
            register.remember(path, batch.content_sha256)
            batches.append(batch)
    register.save()
    return Landing(tuple(batches), tuple(changing), rejected)


def _unreadable(source: Source, path: Path) -> str | None:
    try:
        source.format.check(path, source.contract)
    except (FileRejectedError, UnreadableError) as error:
        return str(error)
    return None


def _unknown_files(source: Source, settings: Settings, lake: FolderLake) -> Iterator[tuple[str, Path]]:
    """Find the files that are not known to be in the lake."""
    register = lake.register(source.name)
    files = find_files(source, settings)
    return ((name, path) for name, path in files if register.content_of(path) is None)


def new_files(source: Source, settings: Settings, lake: FolderLake) -> list[str]:
    """List the files of the landing folder that are not known to be in the lake: name, size and time of change.

    Raises `OSError` if the folder exists and cannot be looked into.
    """
    folder = settings.landing_dir / source.name
    if folder.is_dir():
        next(folder.iterdir(), None)  # rglob takes a folder it may not read for an empty one
    unknown = ((name, path.stat()) for name, path in _unknown_files(source, settings, lake))
    return [f"{name} {status.st_size} {status.st_mtime_ns}" for name, status in unknown]


def find_unreadable(source: Source, settings: Settings, lake: FolderLake) -> dict[str, str]:
    """Find the files of a source's landing folder that are rejected as a whole: name → reason."""
    reasons = {name: _unreadable(source, path) for name, path in _unknown_files(source, settings, lake)}
    return {name: reason for name, reason in reasons.items() if reason is not None}
