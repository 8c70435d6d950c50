"""The files of the three sources of events: which file has which event, on time, late or again, and broken records."""

import gzip
from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from itertools import cycle, groupby
from operator import attrgetter
from pathlib import Path
from random import Random
from typing import ClassVar, NamedTuple

from analytics_platform.demo.simulator import forms, visits
from analytics_platform.demo.simulator.breakage import BROKEN_DOCUMENTS, BROKEN_MESSAGES, BROKEN_ROWS, Broken
from analytics_platform.demo.simulator.catalogue import draw_time_of_day
from analytics_platform.demo.simulator.events import DAY, HOUR, LOGIN, MINUTE, SECOND, Event, Scope, instant_of
from analytics_platform.demo.simulator.staged import Staged, stage_clicks, stage_logs, stage_messages

_WEEKDAY_FACTORS = (1.0, 0.95, 0.95, 1.0, 0.9, 1.05, 1.2)
"""Visitors of a day, Monday first, as a share of the average."""


_by_time = attrgetter("at", "client_id")


def write_lines(path: Path, lines: Iterable[str], newline: str = "\n", has_final_newline: bool = True) -> None:
    """Write lines as UTF-8, below a temporary name until they are complete; `.gz` is compressed."""
    text = "".join(f"{line}{newline}" for line in lines)
    # lone surrogates are bytes that are not UTF-8
    data = (text if has_final_newline else text.removesuffix(newline)).encode(errors="surrogateescape")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    part.replace(path)


class Packed(NamedTuple):
    """A file: its lines, the events that no file had before, how many copies, and broken records by reason."""

    lines: list[str]
    events: list[Event]
    copies: int
    reasons: Counter[str]


class Feed(ABC):
    """Packs the events of one source into files: one a day, then the late ones.

    Late events and copies wait for their file. Broken records are at most `broken_percent` of each file.
    """

    name: ClassVar[str]
    late_share: ClassVar[float]
    broken_percent: ClassVar[int]
    broken: ClassVar[Sequence[Broken]]
    kept: ClassVar[slice]
    """Which of a client's events in one millisecond stay."""

    def __init__(self, scope: Scope, traffic: Random, rng: Random, paths: list[Path], staged: Staged) -> None:
        """Draw visits from `traffic`, and their delivery from `rng`."""
        self.paths = paths
        self._scope = scope
        self._traffic = traffic
        self._rng = rng
        self._staged = staged
        self._punctual: set[Event] = set()
        self._held: defaultdict[int, list[Event]] = defaultdict(list)
        self._kinds = cycle(self.broken)

    def pack(self) -> Iterator[Packed]:
        """Pack one file after the other, in the order of `paths`."""
        for event in self._staged.late:
            if event.at < self._scope.end:
                self._hold(event)
        for number, events in enumerate(self._make_days()):
            on_time = []
            for event in events:
                if self._rng.random() < self.late_share and event not in self._punctual:
                    self._hold(event)
                else:
                    on_time.append(event)
            yield self._pack(number, on_time)
        for number in range(len(self._scope.midnights), len(self.paths)):
            yield self._pack(number, self._held.pop(number, []))

    def write(self, path: Path, packed: Packed) -> None:
        """Write a packed file."""
        write_lines(path, packed.lines)

    def _make_days(self) -> Iterator[list[Event]]:
        """Yield the events of each day by time, those made by hand included; events after the last day are left out."""
        days: defaultdict[int, list[Event]] = defaultdict(list)
        for event in self._staged.on_time:
            days[event.at // DAY].append(event)
        for midnight in self._scope.midnights:
            for event in self._make_day(midnight):
                days[event.at // DAY].append(event)
            events = sorted(days.pop(midnight // DAY, []), key=_by_time)
            yield [event for _, same in groupby(events, _by_time) for event in [*same][self.kept]]

    @abstractmethod
    def _make_day(self, midnight: int) -> Iterator[Event]:
        """Make the visits that begin in the day that starts at `midnight`."""

    @abstractmethod
    def _pack(self, number: int, events: list[Event]) -> Packed: ...

    def _hold(self, event: Event) -> None:
        """Keep an event for the late file."""
        self._held[len(self.paths) - 1].append(event)

    def _count_broken(self, sound: int) -> int:
        return sound * self.broken_percent // (100 - self.broken_percent)

    def _insert_broken(
        self,
        events: list[Event],
        rows: Sequence[tuple[Event, str]],
        places: Container[int],
        rng: Random,
        *style: object,
    ) -> Packed:
        """Put a broken record, modelled on the next row, before each of these places."""
        lines: list[str] = []
        reasons: Counter[str] = Counter()
        for place, (event, line) in enumerate(rows):
            if place in places:
                kind = next(self._kinds)
                lines.append(kind.make(rng, event, *style))
                reasons[kind.reason] += 1
            lines.append(line)
        return Packed(lines, events, len(rows) - len(events), reasons)


class ClickFeed(Feed):
    """CSV files in several styles; the first late file arrives on the last day, the other one day later."""

    name, late_share, broken_percent, broken = "clickstream", 0.004, 3, BROKEN_ROWS
    kept = slice(1)
    copy_share: ClassVar[float] = 0.01

    def __init__(self, scope: Scope, out: Path) -> None:
        self._plans: list[tuple[forms.FileStyle, int]] = []
        paths = []
        for number, midnight in enumerate(scope.midnights):
            style = forms.DAY_STYLES[number % len(forms.DAY_STYLES)]
            suffix = ".csv.gz" if style.is_gzipped else ".csv"
            paths.append(out / f"clickstream/events_{instant_of(midnight).date()}{suffix}")
            self._plans.append((style, midnight))
        for midnight, style in zip((scope.end - DAY, scope.end), forms.LATE_STYLES, strict=True):
            if midnight > scope.midnights[0]:  # no event is late on the first day
                paths.append(out / f"late/clickstream/late_{instant_of(midnight).date()}.csv")
                self._plans.append((style, midnight))
        traffic, (on_time, late) = scope.random("traffic"), stage_clicks(scope.start)
        staged = Staged((*on_time, *visits.crawl_without_pause(traffic, scope)), late)
        super().__init__(scope, traffic, scope.random("delivery"), paths, staged)
        self.logins: list[Event] = []
        self._known: list[visits.Visitor] = []
        self._copies: defaultdict[int, list[Event]] = defaultdict(list)
        self._breakage = scope.random("breakage")

    def write(self, path: Path, packed: Packed) -> None:
        """Write a packed file in its style."""
        style, _ = self._plans[self.paths.index(path)]
        write_lines(path, [style.header, *packed.lines], style.newline, style.has_final_newline)

    def _make_day(self, midnight: int) -> Iterator[Event]:
        rng = self._traffic
        visitors = self._scope.visitors_of(midnight)
        yield from visits.crawl_day(rng, midnight, visitors)
        factor = _WEEKDAY_FACTORS[(midnight // DAY + 3) % 7] * rng.uniform(0.95, 1.05)
        for _ in range(max(1, round(visitors * factor))):
            visitor = visits.draw_visitor(rng, self._known, self._scope.population.web_users)
            yield from self._visit(visitor, midnight)
            while rng.random() < 0.25:
                yield from self._visit(visitor, midnight)

    def _visit(self, visitor: visits.Visitor, midnight: int) -> list[Event]:
        rng, at = self._traffic, midnight + draw_time_of_day(self._traffic)
        if user := rng.choice(visitor.users) if visitor.users and rng.random() < 0.6 else 0:
            self.logins.append(Event(visitor.client_id, at + SECOND // 2, LOGIN, user=user))
        return visits.visit_shop(rng, visitor, at, user)

    def _hold(self, event: Event) -> None:
        """Keep an event for a late file that arrives after the event's day."""
        late = range(len(self._scope.midnights), len(self.paths))
        self._held[self._rng.choice([n for n in late if self._plans[n][1] > event.at])].append(event)

    def _pack(self, number: int, events: list[Event]) -> Packed:
        """Put copies of some of the events, and of earlier ones, among them; late events have no order."""
        rng, style = self._rng, self._plans[number][0]
        if "referrer" not in style.order:
            events = [event._replace(referrer="", referred="") for event in events]
        if number >= len(self._scope.midnights):
            rng.shuffle(events)
        for event in events:
            if rng.random() < self.copy_share:
                self._copies[self._draw_target(number)].append(event)
        rows = list(events)
        for event in self._copies.pop(number, []):
            rows.insert(rng.randrange(len(rows) + 1), event)
        # a broken row beside one over several lines would become part of its record
        bulky = {place for place, row in enumerate(rows) if "\n" in row.data or len(row.data) > 10_000}
        places = [place for place in range(len(rows)) if place not in bulky and place - 1 not in bulky]
        chosen = {*self._breakage.sample(places, min(self._count_broken(len(rows)), len(places)))}
        written = [(row, forms.write_row(row, style)) for row in rows]
        return self._insert_broken(events, written, chosen, self._breakage, style)

    def _draw_target(self, number: int) -> int:
        """Draw the file that repeats a row of this one: itself, the next, or a late one.

        A row goes to another file only where both have the same columns, else it would be another event.
        """
        fate = self._rng.random()
        last = len(self.paths) - 1
        target = number if fate < 0.6 else min(number + 1, last) if fate < 0.9 else last
        same_columns = self._plans[number][0].is_complete and self._plans[target][0].is_complete
        return target if same_columns else number


class LineFeed(Feed):
    """Files of one JSON object a line; `copy_weights`: how often a copy is in the same file, the next, the late one."""

    late_share, broken_percent = 0.01, 2
    copy_share: ClassVar[float]
    copy_weights: ClassVar[tuple[int, int, int]]
    visits_per_visitor: ClassVar[float]
    """Visits a day, as a share of the visitors of the web shop."""

    def __init__(self, scope: Scope, out: Path, traffic: str, delivery: str, staged: Staged) -> None:
        daily = [out / f"{self.name}/{instant_of(midnight).date()}.jsonl" for midnight in scope.midnights]
        paths = [*daily, out / f"late/{self.name}/late.jsonl"]
        super().__init__(scope, scope.random(traffic), scope.random(delivery), paths, staged)
        self._punctual = {*staged.on_time}
        self._copies: defaultdict[int, list[tuple[Event, str]]] = defaultdict(list)

    def _make_day(self, midnight: int) -> Iterator[Event]:
        count = round(self._scope.visitors_of(midnight) * self.visits_per_visitor)
        for _ in range(max(1, round(count * self._traffic.uniform(0.85, 1.15)))):
            yield from self._visit(midnight + draw_time_of_day(self._traffic))

    @abstractmethod
    def _visit(self, at: int) -> list[Event]:
        """Make one visit of a user that begins at `at`, milliseconds since 1970."""

    @abstractmethod
    def _write(self, event: Event) -> tuple[str, Callable[[], str]]:
        """Write an event in a form drawn by chance; also returns a function that writes a copy of it."""

    def _pack(self, number: int, events: list[Event]) -> Packed:
        """Write events, mostly in their order, and the copies that are due."""
        rng, late = self._rng, len(self.paths) - 1
        placed: list[tuple[float, Event, str]] = []
        for event in events:
            line, write_copy = self._write(event)
            placed.append((event.at + rng.expovariate(1 / MINUTE), event, line))
            if rng.random() < self.copy_share:
                again = write_copy()
                target = rng.choices((number, min(number + 1, late), late), self.copy_weights)[0]
                self._copies[target].append((event, again))
        for event, line in self._copies.pop(number, []):
            near = rng.choice(events) if events else event
            placed.append((max(near.at, event.at) + rng.expovariate(1 / HOUR), event, line))
        placed.sort(key=lambda each: each[0])
        # broken records are spread evenly, so that no stretch has many
        sound, count = len(placed), self._count_broken(len(placed))
        places = {sound * n // count + rng.randrange(sound // count) for n in range(count)}
        return self._insert_broken(events, [(event, line) for _, event, line in placed], places, rng)


class MessageFeed(LineFeed):
    """The queue's messages: one in ten is sent twice, some of those in another form."""

    name, copy_share, copy_weights, broken = "messages", 0.1, (7, 2, 1), BROKEN_MESSAGES
    kept, visits_per_visitor = slice(-1, None), 0.52  # messages are about a third of the clickstream's events

    def __init__(self, scope: Scope, out: Path, logins: list[Event]) -> None:
        """Make the feed; `logins` are those of the web shop, all there before the first day is made."""
        super().__init__(scope, out, "messages", "queue", stage_messages(scope.start))
        self._logins = logins

    def _make_day(self, midnight: int) -> Iterator[Event]:
        # The shop's database has all orders from the start, and so who ordered: their logins must not come later.
        self._punctual.update(self._logins)
        while self._logins:
            yield self._logins.pop()
        yield from super()._make_day(midnight)

    def _visit(self, at: int) -> list[Event]:
        return visits.visit_app(self._traffic, self._traffic.choice(self._scope.population.app_users), at)

    def _write(self, event: Event) -> tuple[str, Callable[[], str]]:
        form = forms.draw_message_form(self._rng, event)
        return forms.write_message(event, form), lambda: forms.write_message(
            event, forms.draw_copy_form(self._rng, form)
        )


class LogFeed(LineFeed):
    """The exported documents of the web shop's logs: the late file repeats a few unchanged."""

    name, copy_share, copy_weights, broken = "web_logs", 0.01, (0, 0, 1), BROKEN_DOCUMENTS
    kept, visits_per_visitor = slice(None), 0.3

    def __init__(self, scope: Scope, out: Path) -> None:
        super().__init__(scope, out, "logs", "collection", stage_logs(scope.start, scope.population))

    def _visit(self, at: int) -> list[Event]:
        """Make a visit of a customer, or rarely of a user that the users API does not have."""
        rng, population = self._traffic, self._scope.population
        users = population.strangers if rng.random() < 0.008 else population.web_users
        return visits.visit_signed_in(rng, rng.choice(users), at)

    def _write(self, event: Event) -> tuple[str, Callable[[], str]]:
        line = forms.write_document(forms.draw_document(self._rng, event))
        return line, lambda: line
