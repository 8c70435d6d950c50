"""Finds the sources: each folder beside this file is one, but `arrivals`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from analytics_platform.contracts.base import SourceRows, file_of
from analytics_platform.contracts.check import DeclarationError, check, load
from analytics_platform.sources.source import Arrival, Format, Source

_HERE = Path(__file__).parent


def find_sources(folder: Path) -> Mapping[str, Source]:
    """Map names to the sources that the folders in `folder` declare. Raises `DeclarationError` for a wrong one."""
    found: dict[str, Source] = {}
    for each in sorted(folder.iterdir()):
        if each.is_dir() and each.name[0] not in "._" and each.name != "arrivals":
            for source in _declared(each):
                other = found.setdefault(source.name, source)
                if other is not source:
                    raise DeclarationError(
                        f"{each / 'source.py'}: {file_of(other.contract)} has the source {source.name} too: write "
                        "another source=."
                    )
    return MappingProxyType(found)


def _declared(folder: Path) -> list[Source]:
    """List the sources that the file source.py of a folder declares."""
    path = folder / "source.py"
    if not path.exists():
        raise DeclarationError(f"{path} is missing: write it, or delete the folder.")
    values = vars(load(f"{__package__}.{folder.name}.source")).values()
    found = [value for value in values if isinstance(value, Source)]
    for problem in _problems(folder, found):
        raise DeclarationError(f"{path}: {problem}.")
    return found


def _problems(folder: Path, found: list[Source]) -> Iterator[str]:
    """Yield what is wrong with the sources of a folder, and what to write."""
    if not found:
        yield "it declares no source: write SOURCE = Source(contract, arrival, format)"
    for source in found:
        if not (isinstance(source.arrival, Arrival) and isinstance(source.format, Format)):
            yield "a source has a contract, an arrival and a format: write Source(Contract, LandingFolder(), Csv())"
        if not (isinstance(source.contract, type) and issubclass(source.contract, SourceRows)):
            yield f"{source.contract} is no contract of a source: write class …(SourceRows, table=…, source=…)"
        check(source.contract)
        if not re.fullmatch("[a-z][a-z0-9_]*", source.name):
            yield f'source="{source.name}" is no name: write lower-case letters, digits and _'
    names = [source.name for source in found]
    if len(names) == 1 and names != [folder.name]:
        yield f'the source {names[0]} is in the folder {folder.name}: write source="{folder.name}"'
    if len(names) > 1 and (folder / "events.sql").exists():
        yield f"events.sql is of one source, and this file declares {', '.join(names)}: give each its own folder"


SOURCES = find_sources(_HERE)
"""Every source by its name."""

EVENTS: Mapping[str, Path] = MappingProxyType(
    {name: path for name in SOURCES if (path := _HERE / name / "events.sql").exists()}
)
"""Source → the SQL that gives its events in the shape of `SourceEvents`."""


def lacks_events(source: Source) -> bool:
    """Tell whether a source has events, and no SQL that gives them."""
    return source.name not in EVENTS and source.contract.columns.keys() >= {"event_name", "event_at"}
