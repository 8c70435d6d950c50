"""Files: from the landing folder into the lake."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from analytics_platform.connectors.files import find_files
from analytics_platform.connectors.mongo.dumps import is_dump
from analytics_platform.contracts.base import ContractType
from analytics_platform.gate import FileRefusedError, read_layout
from analytics_platform.ingest.sources import SOURCES, WEB_LOGS, contract_of
from analytics_platform.lake import CSV_SUFFIXES, Batch, FolderLake, UnreadableError, check_decodable, open_decoded
from analytics_platform.settings import Settings


@dataclass(frozen=True, slots=True)
class Landing:
    """What came of a look into the landing folder. `refused` maps a file to the reason it cannot be read."""

    batches: tuple[Batch, ...]
    changing: tuple[str, ...]
    refused: dict[str, str]


def _files_of(source: str, settings: Settings) -> list[tuple[str, Path]]:
    """The finished files in the source's landing folder that it can read."""
    files = find_files(settings.landing_dir / source, SOURCES[source].suffixes)
    return [(name, path) for name, path in files if source != WEB_LOGS or is_dump(name)]


def land_files(source: str, settings: Settings, lake: FolderLake) -> Landing:
    """Copy every readable file of the source's landing folder into the lake; the same content is stored once.

    A file without a required column, or damaged, stays where it is and is reported at every look until it is
    corrected or taken away. A file that changes while it is read is left for the next look.
    """
    register = lake.register(source)
    batches, changing, refused = [], [], {}
    for name, path in _files_of(source, settings):
        known = register.content_of(path)
        batch = lake.batch_with(source, known) if known else None
        if batch is None:
            reason = _unreadable(contract_of(source), path)
            if reason is not None:
                refused[name] = reason
                continue
            batch = lake.put_file(source, name, path)
        if batch is None:
            changing.append(name)
        else:
            register.remember(path, batch.content_sha256)
            batches.append(batch)
    register.save()
    return Landing(tuple(batches), tuple(changing), refused)


def _unreadable(contract: ContractType, path: Path) -> str | None:
    """Why a file is refused as a whole. Of a damaged dump whatever can be read is taken in."""
    if not path.name.lower().endswith(CSV_SUFFIXES):
        return None
    try:
        check_decodable(path)
        with open_decoded(path) as stream:
            read_layout(contract, stream)
    except (FileRefusedError, UnreadableError) as error:
        return str(error)
    return None


def new_files(source: str, settings: Settings, lake: FolderLake) -> list[str]:
    """Files of the landing folder that are not known to be in the lake: name, size and time of change of each.

    Raises `OSError` if the folder exists and cannot be looked into.
    """
    folder = settings.landing_dir / source
    if folder.is_dir():
        next(folder.iterdir(), None)  # rglob takes a folder it may not read for an empty one
    register = lake.register(source)
    files = _files_of(source, settings)
    return [_identity(name, path) for name, path in files if register.content_of(path) is None]


def _identity(name: str, path: Path) -> str:
    status = path.stat()
    return f"{name} {status.st_size} {status.st_mtime_ns}"


def find_unreadable(source: str, settings: Settings, lake: FolderLake) -> dict[str, str]:
    """The files of a source's landing folder that are refused as a whole: name → reason."""
    register = lake.register(source)
    files = _files_of(source, settings)
    new = [(name, path) for name, path in files if register.content_of(path) is None]
    reasons = {name: _unreadable(contract_of(source), path) for name, path in new}
    return {name: reason for name, reason in reasons.items() if reason is not None}
