"""Files: from the landing folder into the lake."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

from analytics_platform.errors import printable
from analytics_platform.gate import FileRejectedError
from analytics_platform.gate.types import readable
from analytics_platform.lake import Batch, Lake, UnreadableError
from analytics_platform.lake.durable import FolderInPlaceError
from analytics_platform.settings import Settings
from analytics_platform.sources.source import Arrival, Source

UNFINISHED = (".part", ".tmp", ".crdownload", ".filepart")
"""Ends of names that writers use while a file is not complete."""

NAMED = 20
"""Files of other kinds that are named; more are counted."""

_START_BYTES = 64

CLOSED = "it cannot be opened ({}); let the user that runs the platform read it"

BROKEN = "it cannot be read ({}); check the disk it is on, or drop it again"

OUTSIDE = "it is a link that leads out of the landing folder or to nothing; put the file itself there, or remove it"


class LandingFolder(Arrival):
    """Files that are dropped into a folder below LANDING_DIR or LANDING_URL, named as the source is."""

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


@dataclass(frozen=True, slots=True)
class Found:
    """What stands in a source's landing folder, under names relative to it that people can read.

    `files` are those that the source takes, `rejected` maps what cannot be opened to the reason, `unread` are the
    others: of other kinds, and those that the source would take if they were not hidden or unfinished.
    """

    files: list[tuple[str, Path]]
    rejected: dict[str, str]
    unread: list[tuple[str, Path]]


@dataclass(frozen=True, slots=True)
class Left:
    """What stays in a landing folder: `rejected` maps paths to reasons, `unread` says what nothing reads."""

    rejected: dict[str, str]
    unread: list[str]

    @property
    def sentences(self) -> list[str]:
        """Say of each what it is and why it stays."""
        return [*(f"Rejected: {path}: {why.rstrip('.')}." for path, why in self.rejected.items()), *self.unread]


def look_into(source: Source, settings: Settings) -> Found:
    """List a source's landing folder and the folders in it, by name. A folder that does not exist has no files."""
    folder, found = settings.landing_dir / source.name, Found([], {}, [])
    root = os.path.realpath(folder)
    if settings.landing_url:
        from analytics_platform.sources.arrivals.bucket import copy_landed  # with the AWS SDK, which takes a while

        found.rejected.update(copy_landed(source.name, settings))

    def reject(name: str, error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            found.rejected[name] = CLOSED.format(error.strerror)

    for parent, folders, names in os.walk(folder, onerror=lambda error: reject(_shown(error.filename, folder), error)):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for path in (Path(parent, name) for name in (*folders, *names)):
            complete, takes = _complete(path.name), source.format.takes
            if source.format.is_beside(path) or (complete != path.name and not takes(complete)):
                continue
            name = _shown(path, folder)
            try:
                if path.is_symlink() and not (path.exists() and Path(os.path.realpath(path)).is_relative_to(root)):
                    found.rejected[name] = OUTSIDE
                elif complete == path.name and takes(complete) and path.is_file():
                    found.files.append((name, path))
                elif path.exists() and not path.is_dir():
                    found.unread.append((name, path))
            except OSError as error:  # a folder that can be listed but not entered
                reject(name, error)
    found.files.sort()
    found.unread.sort()
    return found


def _complete(name: str) -> str:
    """Give the name that a hidden or unfinished file has once it is complete."""
    return re.sub(rf"^\.+|({'|'.join(map(re.escape, UNFINISHED))})$", "", name, flags=re.IGNORECASE)


def _shown(path: Path | str, folder: Path) -> str:
    """Write the name of a file for people: bytes that are not UTF-8, line breaks and the like as escapes."""
    return printable(readable(os.fsencode(os.path.relpath(path, folder))))


def find_unread(source: Source, sources: Collection[Source], settings: Settings) -> list[str]:
    """Say what nothing reads: files of other kinds in the source's landing folder, and what is in no source's.

    The latter is said by the first of the `sources` that can read such a file, else of the most similar name.
    """
    return [*_unread_in(source, sources, settings), *_unread_beside(source, sources, settings)]


def _unread_in(source: Source, sources: Collection[Source], settings: Settings) -> list[str]:
    unread, place = look_into(source, settings).unread, f"{settings.landing_place}/{source.name}"
    found = [
        f"Not read: {place}/{name}: {_why_unread(source, path, sources, settings)}." for name, path in unread[:NAMED]
    ]
    return [*found, *([f"Not read in {place}: {len(unread) - NAMED:,} more."] if len(unread) > NAMED else [])]


def _unread_beside(source: Source, sources: Collection[Source], settings: Settings) -> list[str]:
    landing, named, found = settings.landing_dir, _of_files(sources), list[str]()
    with suppress(OSError):  # there is no LANDING_DIR yet, or it may not be listed
        for path in sorted(landing.iterdir()):
            strange = path.name not in named and _complete(path.name) == path.name
            if strange and source.name == (readers := _readers(path, named))[0]:
                words = f"no source of files has this name: {_move(readers, settings)}"
                for other in (each for each in sources if each.name == path.name):  # a list of users is no web log
                    about = other.arrival.about.rstrip(".")
                    words = (
                        f"{other.name} are not read from files, but from here: {about}; put them there, and remove it"
                    )
                found.append(f"Not read: {landing / _shown(path, landing)}: {words}.")
    return found


def _of_files(sources: Iterable[Source]) -> dict[str, Source]:
    return {each.name: each for each in sources if each.format.suffixes}


def _move(names: Iterable[str], settings: Settings) -> str:
    return ", ".join(f"if it is of {name}, move it into {settings.landing_dir / name}" for name in names)


def _readers(path: Path, named: Mapping[str, Source]) -> list[str]:
    """Name the sources that read a file, else those that take its kind, else the one with the most similar name.

    Of a folder the first file in it counts.
    """
    # `root.csv` was said to be of web_logs, whose name is most similar and which reads no CSV.
    inside = (Path(parent, name) for parent, _, names in os.walk(path) for name in sorted(names))
    file = path if path.is_file() else next(inside, path)
    takers = [name for name, source in named.items() if file.is_file() and source.format.takes(file.name)]
    return (
        [name for name in takers if _unreadable(named[name], file) is None]
        or takers
        or get_close_matches(path.name, named, 1, cutoff=0)
    )


def _why_unread(source: Source, path: Path, sources: Collection[Source], settings: Settings) -> str:
    """Say why a file is not read, and what to do; a new name is given if its content can be read under that."""
    complete, kinds = _complete(path.name), source.format.suffixes
    if complete != path.name:
        kind = "hidden" if path.name.startswith(".") else "unfinished"
        return printable(f"its name says that it is {kind}: once it is complete, rename it to {complete}")
    if not path.is_file():
        return "it is a named pipe or the like: write a file in its place"
    reason = None
    with suppress(FileNotFoundError):
        reason = _unreadable(source, path)
    cause, marker, name = (reason or "").partition(": rename it to ")
    if marker and not source.format.takes(name):  # y.csv.gz.1 became y.csv.gz.1.gz, and was to be renamed once more
        return printable(f"{cause}: rename it to {_new_name(source, path, name)}")
    is_beside = path.name.lower().endswith(source.format.beside)
    takes = f"{source.name} takes files that end in {', '.join(kinds)}"
    if reason:
        others = (each for each in _of_files(sources).values() if each.format.takes(path.name))
        able = [each.name for each in others if _unreadable(each, path) is None]
        if len(able) == 1:  # an object a line is a record of several sources
            return f"{takes}: {_move(able, settings)}"
        return reason.rstrip(".") if is_beside else f"{reason.rstrip('.')}; its name must end in {kinds[0]}"
    such = "is such a file"
    if is_beside:
        takes, such = "files of this name stand beside the records, and are not read", f"holds records of {source.name}"
    return printable(f"{takes}: rename it to {_new_name(source, path, path.name)} if it {such}")


def _new_name(source: Source, path: Path, given: str) -> str:
    """Propose a name that the source takes, and that no file beside it has or is given: y.1.csv for y.csv.1.

    It is made from the name `given`, which ends as the file is packed.
    """
    # Of y.csv.1 and y.csv.2, both told to become y.csv.csv, one was left.
    kinds = source.format.suffixes
    bare = _bare(given)
    kind = next((kind for kind in kinds if bare.lower().endswith(kind)), "") or _kind_by_content(path, kinds)
    name = _named(given, kind)
    if name.lower().endswith(source.format.beside):  # oplog.bson was to be renamed to oplog.bson.bson
        name = _named(f"{Path(bare).stem}.records{given[len(Path(bare).stem) :]}", kind)
    others = {each.name for each in path.parent.iterdir()} - {path.name}
    is_taken = not source.format.takes(name) or name in others or any(_named(other, kind) == name for other in others)
    return f"{bare}{kind}{given[len(bare) :]}" if is_taken else name


def _kind_by_content(path: Path, kinds: Sequence[str]) -> str:
    """Return the kind of a file that begins as JSON does, else the usual one."""
    # Documents in l.log, one a line, were lost as l.bson, which they were to be renamed to.
    start = b""
    with suppress(OSError), path.open("rb") as file:
        start = file.read(_START_BYTES).lstrip()[:1]
    kind = {b"{": ".jsonl", b"[": ".json"}.get(start, "")
    return kind if kind in kinds else kinds[0]


def _named(name: str, kind: str) -> str:
    """Put the end of a kind, and that of a packing, to the end of a name, instead of the end that it has."""
    rotated = re.fullmatch(
        rf"(.+){re.escape(kind)}((?:\.gz|\.zst)?)[.-](\d[\d-]*)((?:\.gz|\.zst)?)", name, re.IGNORECASE
    )
    if rotated:
        return f"{rotated[1]}.{rotated[3]}{kind}{rotated[4] or rotated[2]}"
    bare = _bare(name)
    return Path(bare).stem + kind + name[len(bare) :]


def _bare(name: str) -> str:
    return re.sub(r"(\.gz|\.zst)$", "", name, flags=re.IGNORECASE)


def land_files(source: Source, settings: Settings, lake: Lake) -> Landing:
    """Copy every readable file of the source's landing folder into the lake; the same content is stored once.

    A file without a required column, or damaged, stays where it is and is reported at every look until it is
    corrected or taken away. A file that changes while it is read is left for the next look.
    """
    register, found, stored = lake.register(source.name), look_into(source, settings), lake.contents(source.name)
    batches, changing, rejected = [], [], found.rejected
    for name, path in found.files:
        with suppress(FileNotFoundError):  # taken away since it was listed
            batch = stored.get(register.content_of(path) or "")
            if batch is None or batch.damage:
                reason = _unreadable(source, path)
                if reason is not None:
                    rejected[name] = reason
                    continue
                try:
                    batch = lake.put_file(source.name, name, path)
                except FolderInPlaceError:  # the batch is damaged, and named when it is loaded or looked at
                    continue
            if batch is None:
                changing.append(name)
            else:
                batches.append(batch)
                # A copy is never written again: a new one takes its place.
                register.remember(path, batch.content_sha256, is_settled=bool(settings.landing_url))
    register.save()
    return Landing(tuple(batches), tuple(changing), rejected)


def _unreadable(source: Source, path: Path) -> str | None:
    """Say why a file is rejected as a whole. Raises `FileNotFoundError` if it is not there any more."""
    try:
        status = path.stat()
        return _fault_of(source, path, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    except FileNotFoundError:
        raise
    except OSError as error:
        return (CLOSED if isinstance(error, PermissionError) else BROKEN).format(error.strerror)


@lru_cache(maxsize=1000)
def _fault_of(source: Source, path: Path, *state: int) -> str | None:
    """Say why a file in this state is rejected. Raises `OSError`."""
    # The sensor asks every few seconds, and a file may have gigabytes.
    try:
        with path.open("rb", buffering=0) as file:  # to its end: a disk or a network drive may fail in the middle
            while file.read(1 << 20):
                pass
        source.format.check(path, source.contract)
    except (FileRejectedError, UnreadableError) as error:
        return printable(" ".join(str(error).split()))
    return None


def new_files(source: Source, settings: Settings, lake: Lake) -> list[str]:
    """List what is not known to be in the lake: files with size and time of change, what cannot be opened with why."""
    register, found = lake.register(source.name), look_into(source, settings)
    new = [f"{name} {reason}" for name, reason in found.rejected.items()]
    for name, path in found.files:
        with suppress(OSError):
            status = path.stat()
            if register.content_of(path) is None:
                new.append(f"{name} {status.st_size} {status.st_mtime_ns}")
    return new


def find_unreadable(source: Source, settings: Settings, lake: Lake) -> dict[str, str]:
    """Find the files of a source's landing folder that are rejected as a whole: name → reason."""
    register, found = lake.register(source.name), look_into(source, settings)
    for name, path in found.files:
        with suppress(FileNotFoundError):
            if register.content_of(path) is None and (reason := _unreadable(source, path)) is not None:
                found.rejected[name] = reason
    return found.rejected


def find_left(sources: Collection[Source], settings: Settings, lake: Lake) -> dict[str, Left]:
    """Find what stays in the folders of the sources that read files, and under "" what is in no source's folder."""
    found, beside = dict[str, Left](), list[str]()
    for source in (each for each in sources if each.format.suffixes):
        place, rejected = f"{settings.landing_place}/{source.name}", find_unreadable(source, settings, lake)
        unread = _unread_in(source, sources, settings)
        found[source.name] = Left({f"{place}/{name}": why for name, why in rejected.items()}, unread)
        beside += _unread_beside(source, sources, settings)
    return {**found, "": Left({}, beside)}
