"""How the command line shows things: tables for people, JSON for scripts."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from analytics_platform.cli.status import Status
from analytics_platform.errors import printable
from analytics_platform.warehouse.erasure import Place
from analytics_platform.warehouse.observation import Observation, TableState


def to_json(found: object) -> str:
    """Write dataclasses and sequences of them as indented JSON; times in ISO 8601."""

    def plain(value: Any) -> object:
        return value.isoformat() if isinstance(value, dt.date) else dataclasses.asdict(value)

    return json.dumps(found, indent=2, ensure_ascii=False, default=plain)


def _text(value: object) -> Text:
    """Make a value without markup or control characters: file names are hostile input. It is wrapped, never cut."""
    return Text(printable(str(value)), overflow="fold")


def print_observations(observations: Sequence[Observation], title: str) -> None:
    """Print the watchdog's answers as a table."""
    table = Table("check", "", "seen", "what to do", title=title)
    for observation in observations:
        mark = ("[green]ok[/]" if observation.checked else "–") if observation.passed else "[red]FAIL[/]"
        remedy = "" if observation.passed else observation.remedy
        table.add_row(observation.name, mark, _text(observation.seen), _text(remedy))
    Console().print(table)


def print_places(places: Sequence[Place], title: str) -> None:
    """Print the places of an erasure as a table."""
    table = Table("place", "searched", Column("found", justify="right"), title=title)
    for place in places:
        table.add_row(_text(place.name), place.searched, f"{place.found:,}")
    Console().print(table)


def print_states(states: Sequence[TableState], title: str) -> None:
    """Print tables with the version and the rows that they have or had."""
    table = Table(
        "table", Column("version", justify="right"), "committed", Column("rows", justify="right"), title=title
    )
    for each in states:
        table.add_row(each.table, f"{each.version:,}", f"{each.at:%Y-%m-%d %H:%M:%S} UTC", f"{each.rows:,}")
    Console().print(table)


def print_status(status: Status) -> None:
    """Print the status as tables, then what is not set, and the next step last; ids of batches are never cut."""
    console = Console()
    sources = Table(
        "source", "from", "batches", "rows", "quarantined", "ids reused", "last arrival", title=status.warehouse
    )
    for source in status.sources:
        if source.configured or source.batches:
            figures = [f"{figure:,}" for figure in (source.batches, source.rows, source.quarantined, source.id_reused)]
            sources.add_row(_text(source.name), _text(source.place), *figures, _minute(source.last_arrival))
    console.print(sources)
    if status.not_set:
        console.print(f"Not set: {', '.join(status.not_set)}")
    if status.batches:
        whole = Column("batch", no_wrap=True, min_width=16)  # ids are copied into other commands
        batches = Table(whole, "source", "input", "arrived", "rows", "quarantined", title="Last batches")
        for batch in status.batches:
            shown = batch | {"arrived_at": _minute(batch["arrived_at"])}
            batches.add_row(*(_text(f"{cell:,}" if isinstance(cell, int) else cell) for cell in shown.values()))
        console.print(batches)
    if status.observations:
        print_observations(status.observations, "What is stored")
    for sentence in filter(None, (*status.unread, *status.rejected, status.lane)):
        console.print(Text(printable(sentence)))
    # Not wrapped: a command that is copied over two lines does not run.
    console.print(Text(printable(f"Next: {status.next_step}")), soft_wrap=True)


def _minute(at: dt.datetime | None) -> str:
    return f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC" if at else "never"
