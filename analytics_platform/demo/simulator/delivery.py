"""Which file carries which event: on time, late, and sometimes again."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import PurePosixPath
from random import Random
from typing import NamedTuple

from analytics_platform.demo.simulator.drift import DAY_STYLES, LATE_STYLES, FileStyle
from analytics_platform.demo.simulator.event import Event, day_of

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
