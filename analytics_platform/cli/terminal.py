"""How the command line shows things: tables for people, JSON for scripts, progress."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from analytics_platform.cli.status import Status
from analytics_platform.warehouse.watchdog import Observation


def to_json(found: object) -> str:
    """Dataclasses and sequences of them as indented JSON; times in ISO 8601."""
    return json.dumps(_plain(found), indent=2, ensure_ascii=False)


def _plain(found: object) -> object:
    if dataclasses.is_dataclass(found) and not isinstance(found, type):
        return {field.name: _plain(getattr(found, field.name)) for field in dataclasses.fields(found)}
    if isinstance(found, list | tuple):
        return [_plain(part) for part in found]
    return found.isoformat() if isinstance(found, dt.date) else found


def _text(value: object) -> Text:
    """A value without markup or control characters: file names are hostile input."""
    return Text("".join(sign if unicodedata.category(sign)[0] != "C" else " " for sign in str(value)))


def print_observations(observations: Sequence[Observation], title: str) -> None:
    """The watchdog's answers as a table."""
    table = Table("check", "", "seen", "what to do", title=title)
    for observation in observations:
        mark = "[green]ok[/]" if observation.passed else "[red]FAIL[/]"
        remedy = "" if observation.passed else observation.remedy
        table.add_row(observation.name, mark, _text(observation.seen), _text(remedy))
    Console().print(table)


def print_status(status: Status) -> None:
    """The status as tables, the next step last."""
    console = Console()
    sources = Table("source", "from", "batches", "rows", "quarantined", "last arrival", title=status.warehouse)
    for source in status.sources:
        figures = (f"{source.batches:,}", f"{source.rows:,}", f"{source.quarantined:,}", _minute(source.last_arrival))
        sources.add_row(source.name, _text(source.place), *figures, style="" if source.configured else "dim")
    console.print(sources)
    if status.batches:
        batches = Table("batch", "source", "input", "arrived", "rows", "quarantined", title="Last batches")
        for batch in status.batches:
            counts = (f"{batch.rows_read:,}", f"{batch.rows_quarantined:,}")
            named = (_text(batch.batch_id), batch.source, _text(batch.input), _minute(batch.arrived_at))
            batches.add_row(*named, *counts)
        console.print(batches)
    if status.observations:
        print_observations(status.observations, "What is stored")
    for sentence in status.unread:
        console.print(_text(sentence))
    console.print(Text(f"Next: {status.next_step}"))


def _minute(at: dt.datetime | None) -> str:
    return f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC" if at else "never"


@contextmanager
def copying() -> Iterator[Callable[[str, int], None]]:
    """Progress of a copy on standard error; the yielded function is called with every finished table and its rows."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task, tables, rows = progress.add_task("copying …", total=None), 0, 0

        def report(table: str, count: int) -> None:
            nonlocal tables, rows
            tables, rows = tables + 1, rows + count
            progress.update(task, description=f"{tables} tables, {rows:,} rows; {table} is done")

        yield report
