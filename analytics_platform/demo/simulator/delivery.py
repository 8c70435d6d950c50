"""Which file carries which event: on time, late, again, and broken ones between; and the files themselves."""

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path, PurePosixPath
from random import Random
from typing import Any, BinaryIO, Generic, NamedTuple, Protocol, TypeVar, cast

from analytics_platform.demo.simulator.breakage import Breakage, count_broken
from analytics_platform.demo.simulator.events import (
    HOUR,
    MINUTE,
    Bought,
    Event,
    Purchase,
    Timed,
    day_of,
    format_money,
    format_time,
)
from analytics_platform.demo.simulator.rows import DAY_STYLES, LATE_STYLES, FileStyle, write_row

_LATE_SHARE = 0.004
_COPY_SHARE = 0.01


class FilePlan(NamedTuple):
    """A file to be written: where (below the output folder), how, and the day it arrives after or on."""

    path: PurePosixPath
    style: FileStyle
    arrives_on: date
    is_late: bool


class Parcel(NamedTuple):
    """The sound rows of a file in order, and the events among them that no file carried before."""

    rows: list[Event]
    events: list[Event]


def plan_files(start: date, days: int) -> tuple[FilePlan, ...]:
    """One file a day, then the late files: of the last day, if it has a day before, and of the next day."""
    plans = []
    for number in range(days):
        day, style = start + timedelta(days=number), DAY_STYLES[number % len(DAY_STYLES)]
        suffix = ".csv.gz" if style.is_gzipped else ".csv"
        plans.append(FilePlan(PurePosixPath(f"clickstream/events_{day}{suffix}"), style, day, False))
    last = start + timedelta(days=days - 1)
    for day, style in zip((last, last + timedelta(days=1)), LATE_STYLES, strict=True):
        if day > start:
            plans.append(FilePlan(PurePosixPath(f"late/clickstream/late_{day}.csv"), style, day, True))
    return tuple(plans)


class Delivery:
    """Packs one file after the other, in the order of the plans; late events and copies wait for theirs."""

    def __init__(self, rng: Random, plans: Sequence[FilePlan]) -> None:
        """A delivery into these files."""
        self._rng = rng
        self._plans = plans
        self._held: defaultdict[int, list[Event]] = defaultdict(list)
        self._copies: defaultdict[int, list[Event]] = defaultdict(list)

    def hold(self, event: Event) -> None:
        """Keep an event back for a late file that arrives after the event's day."""
        day = day_of(event.at)
        late = [number for number, plan in enumerate(self._plans) if plan.is_late and plan.arrives_on > day]
        self._held[self._rng.choice(late)].append(event)

    def pack_day(self, number: int, events: list[Event]) -> Parcel:
        """The rows of the daily file of that number, from the events of its day."""
        rng = self._rng
        on_time = []
        for event in events:
            if rng.random() < _LATE_SHARE:
                self.hold(event)
            else:
                on_time.append(event)
        return self._pack(number, on_time)

    def pack_late(self, number: int) -> Parcel:
        """The rows of the late file of that number, in no order."""
        events = self._held.pop(number, [])
        self._rng.shuffle(events)
        return self._pack(number, events)

    def _pack(self, number: int, events: list[Event]) -> Parcel:
        """Put copies of some of the events, and of earlier ones, among them."""
        rng = self._rng
        for event in events:
            if rng.random() < _COPY_SHARE:
                self._copies[self._draw_target(number)].append(event)
        return Parcel(scatter(rng, events, self._copies.pop(number, [])), events)

    def _draw_target(self, number: int) -> int:
        """The file that repeats a row of this one: itself, the next, or a late one.

        A row goes to another file only where both hold the same columns, else it would be another event.
        """
        fate = self._rng.random()
        last = len(self._plans) - 1
        target = number if fate < 0.6 else min(number + 1, last) if fate < 0.9 else last
        same_columns = self._plans[number].style.is_complete and self._plans[target].style.is_complete
        return target if same_columns else number


def scatter(rng: Random, rows: list[Event], extra: list[Event]) -> list[Event]:
    """Rows in their order, with the extra ones at places drawn by chance."""
    places = sorted(rng.randrange(len(rows) + 1) for _ in extra)
    mixed: list[Event] = []
    previous = 0
    for place, event in zip(places, extra, strict=True):
        mixed += rows[previous:place]
        mixed.append(event)
        previous = place
    return mixed + rows[previous:]


EventT = TypeVar("EventT", bound=Timed)
WrittenT = TypeVar("WrittenT", bound=Timed, contravariant=True)
FormT = TypeVar("FormT")

_FEED_LATE_SHARE = 0.01


class Writer(Protocol[WrittenT, FormT]):
    """How a source writes its events, as lines without their ends."""

    copy_share: float
    """The share of events that are sent again."""

    copy_targets: tuple[int, int, int]
    """How often, against each other, a copy stands in the same file, the next, the late one."""

    kinds: int
    """How many kinds of broken records there are."""

    def draw_form(self, rng: Random, event: WrittenT) -> FormT:
        """How an event is written first."""

    def draw_copy_form(self, rng: Random, form: FormT) -> FormT:
        """How it is written when it is sent again."""

    def write(self, event: WrittenT, form: FormT) -> str:
        """An event as a line."""

    def spoil(self, rng: Random, kind: int, model: WrittenT) -> tuple[str, str]:
        """The reason and the line of a broken record of that kind, modelled on a sound event; no two are equal."""


class Packed(NamedTuple, Generic[EventT]):
    """The lines of a file, and in them: events that no file carried before, copies, broken records by reason."""

    lines: list[str]
    events: list[EventT]
    duplicates: int
    reasons: Counter[str]


class Feed(Generic[EventT, FormT]):
    """Packs the file of one day after the other, then the late one; late events and copies wait for theirs."""

    def __init__(self, rng: Random, writer: Writer[EventT, FormT], days: int, broken_share: Fraction) -> None:
        """A feed of so many daily files, each with at most that share of broken records."""
        self._rng = rng
        self._writer = writer
        self._late = days
        self._broken_share = broken_share
        self._held: list[EventT] = []
        self._punctual: set[EventT] = set()
        self._copies: defaultdict[int, list[tuple[EventT, str]]] = defaultdict(list)
        self._kinds = cycle(range(writer.kinds))

    def hold(self, events: Iterable[EventT]) -> None:
        """Keep events back for the late file."""
        self._held += events

    def hurry(self, events: Iterable[EventT]) -> None:
        """Let these events arrive with their day, whatever chance says."""
        self._punctual.update(events)

    def pack_day(self, number: int, events: Iterable[EventT]) -> Packed[EventT]:
        """The file of the day of that number, from the events of the day."""
        on_time: list[EventT] = []
        for event in events:
            is_late = self._rng.random() < _FEED_LATE_SHARE and event not in self._punctual
            (self._held if is_late else on_time).append(event)
        return self._pack(number, on_time)

    def pack_late(self) -> Packed[EventT]:
        """The late file, to be asked for last."""
        return self._pack(self._late, self._held)

    def _pack(self, number: int, events: list[EventT]) -> Packed[EventT]:
        """Write events, mostly in their order, and the copies that are due."""
        rng = self._rng
        placed: list[tuple[float, EventT, str]] = []
        for event in events:
            form = self._writer.draw_form(rng, event)
            line = self._writer.write(event, form)
            placed.append((event.at + rng.expovariate(1 / MINUTE), event, line))
            if rng.random() < self._writer.copy_share:
                self._copy(number, event, self._writer.write(event, self._writer.draw_copy_form(rng, form)))
        copies = self._copies.pop(number, [])
        for event, line in copies:
            near = rng.choice(events) if events else event
            placed.append((max(near.at, event.at) + rng.expovariate(1 / HOUR), event, line))
        placed.sort(key=lambda each: each[0])
        lines, reasons = self._insert_broken([(event, line) for _, event, line in placed])
        return Packed(lines, events, len(copies), reasons)

    def _copy(self, number: int, event: EventT, line: str) -> None:
        """Send an event again, in the same file or a later one."""
        targets = (number, min(number + 1, self._late), self._late)
        self._copies[self._rng.choices(targets, self._writer.copy_targets)[0]].append((event, line))

    def _insert_broken(self, sound: Sequence[tuple[EventT, str]]) -> tuple[list[str], Counter[str]]:
        """All lines, with broken ones spread evenly, so that no stretch holds many; each is like its next."""
        count = count_broken(len(sound), self._broken_share)
        places = {len(sound) * n // count + self._rng.randrange(len(sound) // count) for n in range(count)}
        lines: list[str] = []
        reasons: Counter[str] = Counter()
        for place, (event, line) in enumerate(sound):
            if place in places:
                reason, broken = self._writer.spoil(self._rng, next(self._kinds), event)
                lines.append(broken)
                reasons[reason] += 1
            lines.append(line)
        return lines, reasons


def plan_feed(name: str, start: date, days: int) -> tuple[PurePosixPath, ...]:
    """One file a day, then the late one."""
    daily = (PurePosixPath(f"{name}/{start + timedelta(days=number)}.jsonl") for number in range(days))
    return (*daily, PurePosixPath(f"late/{name}/late.jsonl"))


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write lines under a temporary name until the file is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(f"{line}\n" for line in lines)
    part.replace(path)


class FeedFiles(Generic[EventT]):
    """Writes a feed's files and has them counted."""

    def __init__(
        self,
        paths: Sequence[Path],
        parcels: Iterator[Packed[EventT]],
        count: Callable[[Packed[EventT]], None],
        report: Callable[[], None],
    ) -> None:
        """The late file comes last in `paths` and `parcels`; `report` is called after each file."""
        self._paths = paths
        self._parcels = parcels
        self._count = count
        self._report = report

    def write_days(self) -> None:
        """Write the file of each day."""
        for path in self._paths[:-1]:
            self._write(path)

    def write_late(self) -> None:
        """Write the late file."""
        self._write(self._paths[-1])

    def _write(self, path: Path) -> None:
        packed = next(self._parcels)
        write_lines(path, packed.lines)
        self._count(packed)
        self._report()


_BATCH = 4_096
"""Rows turned into bytes at once."""

_COMPRESSION = 6


def write_file(
    path: Path, style: FileStyle, rows: Sequence[Event], broken: Mapping[int, Breakage], rng: Random
) -> None:
    """Write rows, with a broken one before each place named in `broken`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with ExitStack() as stack:
        stream: BinaryIO = stack.enter_context(part.open("wb"))
        if style.is_gzipped:
            zipped = gzip.GzipFile(filename="", mode="wb", compresslevel=_COMPRESSION, fileobj=stream, mtime=0)
            stream = cast(BinaryIO, stack.enter_context(zipped))
        _write_lines(stream, style, _write_rows(style, rows, broken, rng))
    part.replace(path)


def _write_rows(style: FileStyle, rows: Sequence[Event], broken: Mapping[int, Breakage], rng: Random) -> Iterator[str]:
    """Records without their line ends."""
    for place, row in enumerate(rows):
        breakage = broken.get(place)
        if breakage is not None:
            yield breakage.write(rng, row, style)
        yield write_row(row, style)


def _write_lines(stream: BinaryIO, style: FileStyle, lines: Iterator[str]) -> None:
    """The header and the lines; lone surrogates stand for bytes that are not UTF-8."""
    stream.write(style.header.encode("utf-8-sig" if style.has_bom else "utf-8"))
    while batch := list(islice(lines, _BATCH)):
        text = style.newline + style.newline.join(batch)
        stream.write(text.encode("utf-8", errors="surrogateescape"))
    if style.has_final_newline:
        stream.write(style.newline.encode())


PURCHASES = "purchases.jsonl"


class BoughtOrder(NamedTuple):
    """An order of a client: the number it gave it, when, what it paid, and for what; a free one has no lines."""

    client_id: str
    transaction_id: str
    at: datetime
    revenue: Decimal
    lines: tuple[Bought, ...]


def write_purchases(path: Path, purchases: Iterable[tuple[str, int, Purchase]]) -> None:
    """Write orders (client, time in milliseconds since 1970, content) as JSON lines."""
    in_order = sorted(purchases, key=lambda each: (each[1], each[0], each[2].transaction_id))
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(json.dumps(_describe(*each), ensure_ascii=False) + "\n" for each in in_order)


def read_purchases(path: Path) -> Iterator[BoughtOrder]:
    """The orders of a file that `write_purchases` wrote."""
    with path.open(encoding="utf-8", newline="\n") as stream:
        for line in stream:
            each = json.loads(line)
            yield BoughtOrder(
                each["client_id"],
                each["transaction_id"],
                datetime.fromisoformat(each["at"]),
                Decimal(each["revenue"]),
                tuple(Bought(*bought) for bought in each["lines"]),
            )


def _describe(client_id: str, at: int, purchase: Purchase) -> dict[str, Any]:
    return {
        "client_id": client_id,
        "transaction_id": purchase.transaction_id,
        "at": format_time(at),
        "revenue": format_money(purchase.cents),
        "lines": purchase.lines,
    }


def read_messages(path: Path) -> Iterator[str]:
    """The message bodies of a file of `messages`, in sending order, each the exact text."""
    with path.open(encoding="utf-8", newline="\n") as stream:
        for line in stream:
            body: str = json.loads(line)["body"]
            yield body


def read_documents(path: Path) -> Iterator[str]:
    """The documents of a file of `web_logs`, in order, each as canonical Extended JSON."""
    with path.open(encoding="utf-8", newline="\n") as stream:
        for line in stream:
            yield line.rstrip("\n")
