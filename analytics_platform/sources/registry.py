"""Finds the sources: each folder beside this file is one, but `arrivals`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

from analytics_platform.errors import UserError
from analytics_platform.sources.source import Source

_HERE = Path(__file__).parent
_FOLDERS = sorted(
    path for path in _HERE.iterdir() if path.is_dir() and path.name[0] not in "._" and path.name != "arrivals"
)


def _find(folder: Path) -> Iterator[Source]:
    """Find the sources that the file source.py of a folder declares. Raises `UserError` if it declares none."""
    if not (folder / "source.py").exists():
        raise UserError(f"{folder} has no source.py: a folder of sources/ declares a source in it.")
    module = f"{__package__}.{folder.name}.source"
    found = [value for value in vars(import_module(module)).values() if isinstance(value, Source)]
    if not found:
        raise UserError(f"{folder / 'source.py'} declares no source: write SOURCE = Source(contract, arrival, format).")
    yield from found


SOURCES: Mapping[str, Source] = MappingProxyType(
    {source.name: source for folder in _FOLDERS for source in _find(folder)}
)
"""Every source by its name."""

EVENTS: Mapping[str, Path] = MappingProxyType(
    {path.parent.name: path for folder in _FOLDERS if (path := folder / "events.sql").exists()}
)
"""Folder of a source → the SQL that gives its events in the shape of `SourceEvents`."""
