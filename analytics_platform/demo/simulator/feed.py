"""Which file of a feed of JSON lines carries which event: on time, late, again, and broken ones between."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta
from fractions import Fraction
from itertools import cycle
from pathlib import Path, PurePosixPath
from random import Random
from typing import Generic, NamedTuple, Protocol, TypeVar

from analytics_platform.demo.simulator.agenda import Timed
from analytics_platform.demo.simulator.breakage import count_broken
from analytics_platform.demo.simulator.event import HOUR, MINUTE

EventT = TypeVar("EventT", bound=Timed)
WrittenT = TypeVar("WrittenT", bound=Timed, contravariant=True)
FormT = TypeVar("FormT")

_LATE_SHARE = 0.01


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
            is_late = self._rng.random() < _LATE_SHARE and event not in self._punctual
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
