"""Which file carries which event: on time, late, again, and broken ones between."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from functools import partial
from itertools import cycle
from pathlib import Path, PurePosixPath
from random import Random
from typing import Generic, NamedTuple, TypeVar

from analytics_platform.demo.simulator.breakage import Breaker, Broken, count_broken
from analytics_platform.demo.simulator.events import HOUR, MINUTE, Event, Timed, day_of
from analytics_platform.demo.simulator.files import write_lines, write_rows
from analytics_platform.demo.simulator.rows import DAY_STYLES, LATE_STYLES, FileStyle

EventT = TypeVar("EventT", bound=Timed)
FormT = TypeVar("FormT")

_LATE_SHARE = 0.004
_FEED_LATE_SHARE = 0.01
_COPY_SHARE = 0.01


class FilePlan(NamedTuple):
    """A file to be written: where (below the output folder), how, and the day it arrives after or on."""

    path: PurePosixPath
    style: FileStyle
    arrives_on: date
    is_late: bool


class Packed(NamedTuple, Generic[EventT]):
    """A file: how to write it, and what is in it: events that no file carried before, copies, broken records."""

    write: Callable[[Path], None]
    events: Sequence[EventT]
    duplicates: int
    reasons: Counter[str]


def plan_files(start: date, days: int) -> tuple[FilePlan, ...]:
    """Plan one file a day, then the late files: of the last day, if it has a day before, and of the next day."""
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

    def __init__(self, rng: Random, plans: Sequence[FilePlan], breaker: Breaker) -> None:
        self._rng = rng
        self._plans = plans
        self._breaker = breaker
        self._held: defaultdict[int, list[Event]] = defaultdict(list)
        self._copies: defaultdict[int, list[Event]] = defaultdict(list)

    def hold(self, event: Event) -> None:
        """Keep an event back for a late file that arrives after the event's day."""
        day = day_of(event.at)
        late = [number for number, plan in enumerate(self._plans) if plan.is_late and plan.arrives_on > day]
        self._held[self._rng.choice(late)].append(event)

    def pack_day(self, number: int, events: list[Event]) -> Packed[Event]:
        """Pack the daily file of that number, from the events of its day."""
        on_time = []
        for event in events:
            if self._rng.random() < _LATE_SHARE:
                self.hold(event)
            else:
                on_time.append(event)
        return self._pack(number, on_time)

    def pack_late(self, number: int) -> Packed[Event]:
        """Pack the late file of that number, in no order."""
        events = self._held.pop(number, [])
        self._rng.shuffle(events)
        return self._pack(number, events)

    def _pack(self, number: int, events: list[Event]) -> Packed[Event]:
        """Put copies of some of the events, and of earlier ones, among them."""
        rng = self._rng
        for event in events:
            if rng.random() < _COPY_SHARE:
                self._copies[self._draw_target(number)].append(event)
        rows = scatter(rng, events, self._copies.pop(number, []))
        broken = self._breaker.plan(rows)
        reasons = Counter(kind.reason for kind in broken.values())
        write = partial(write_rows, style=self._plans[number].style, rows=rows, broken=broken, rng=self._breaker.rng)
        return Packed(write, events, len(rows) - len(events), reasons)

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
    """Return rows in their order, with the extra ones at places drawn by chance."""
    places = sorted(rng.randrange(len(rows) + 1) for _ in extra)
    mixed: list[Event] = []
    previous = 0
    for place, event in zip(places, extra, strict=True):
        mixed += rows[previous:place]
        mixed.append(event)
        previous = place
    return mixed + rows[previous:]


@dataclass(frozen=True, slots=True)
class Writer(Generic[EventT, FormT]):
    """How a source writes its events, as lines without their ends.

    `copy_share` of the events is sent again; `copy_targets` says how often, against each other, a copy stands in the
    same file, the next, the late one. No two broken records are equal.
    """

    copy_share: float
    copy_targets: tuple[int, int, int]
    draw_form: Callable[[Random, EventT], FormT]
    draw_copy_form: Callable[[Random, FormT], FormT]
    write: Callable[[EventT, FormT], str]
    broken: Sequence[Broken[Callable[[Random, EventT], str]]]


class Feed(Generic[EventT, FormT]):
    """Packs the file of one day after the other, then the late one; late events and copies wait for theirs."""

    def __init__(self, rng: Random, writer: Writer[EventT, FormT], days: int, broken_share: Fraction) -> None:
        """A feed of daily files, each with at most `share` of broken records."""
        self._rng = rng
        self._writer = writer
        self._late = days
        self._broken_share = broken_share
        self._held: list[EventT] = []
        self._punctual: set[EventT] = set()
        self._copies: defaultdict[int, list[tuple[EventT, str]]] = defaultdict(list)
        self._kinds = cycle(writer.broken)

    def hold(self, events: Iterable[EventT]) -> None:
        """Keep events back for the late file."""
        self._held += events

    def hurry(self, events: Iterable[EventT]) -> None:
        """Let these events arrive with their day, whatever chance says."""
        self._punctual.update(events)

    def pack_day(self, number: int, events: Iterable[EventT]) -> Packed[EventT]:
        """Pack the file of the day of that number, from the events of the day."""
        on_time: list[EventT] = []
        for event in events:
            is_late = self._rng.random() < _FEED_LATE_SHARE and event not in self._punctual
            (self._held if is_late else on_time).append(event)
        return self._pack(number, on_time)

    def pack_late(self) -> Packed[EventT]:
        """Pack the late file, to be asked for last."""
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
                again = self._writer.write(event, self._writer.draw_copy_form(rng, form))
                targets = (number, min(number + 1, self._late), self._late)
                self._copies[rng.choices(targets, self._writer.copy_targets)[0]].append((event, again))
        copies = self._copies.pop(number, [])
        for event, line in copies:
            near = rng.choice(events) if events else event
            placed.append((max(near.at, event.at) + rng.expovariate(1 / HOUR), event, line))
        placed.sort(key=lambda each: each[0])
        lines, reasons = self._insert_broken([(event, line) for _, event, line in placed])
        return Packed(partial(write_lines, lines=lines), events, len(copies), reasons)

    def _insert_broken(self, sound: Sequence[tuple[EventT, str]]) -> tuple[list[str], Counter[str]]:
        """All lines, with broken ones spread evenly, so that no stretch holds many; each is like its next."""
        count = count_broken(len(sound), self._broken_share)
        places = {len(sound) * n // count + self._rng.randrange(len(sound) // count) for n in range(count)}
        lines: list[str] = []
        reasons: Counter[str] = Counter()
        for place, (event, line) in enumerate(sound):
            if place in places:
                kind = next(self._kinds)
                lines.append(kind.make(self._rng, event))
                reasons[kind.reason] += 1
            lines.append(line)
        return lines, reasons


def plan_feed(name: str, start: date, days: int) -> tuple[PurePosixPath, ...]:
    """Plan one file a day, then the late one."""
    daily = (PurePosixPath(f"{name}/{start + timedelta(days=number)}.jsonl") for number in range(days))
    return (*daily, PurePosixPath(f"late/{name}/late.jsonl"))
