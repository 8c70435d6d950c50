"""The clickstream's files, and the count of them."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from analytics_platform.demo.simulator.breakage import Breaker
from analytics_platform.demo.simulator.delivery import Delivery, FilePlan, Parcel
from analytics_platform.demo.simulator.event import Purchase
from analytics_platform.demo.simulator.scope import Scope
from analytics_platform.demo.simulator.staged import stage_events
from analytics_platform.demo.simulator.tally import Tally
from analytics_platform.demo.simulator.traffic import Traffic
from analytics_platform.demo.simulator.truth import Totals
from analytics_platform.demo.simulator.write import write_file


class Clickstream:
    """One run: its streams of chance, each for one matter, and the count of what was written."""

    def __init__(self, scope: Scope, out: Path, plans: Sequence[FilePlan], report: Callable[[], None]) -> None:
        """Files below `out`; `report` is called after each."""
        self._scope = scope
        self._out = out
        self._plans = plans
        self._report = report
        self._delivery = Delivery(scope.random("delivery"), plans)
        self._breaker = Breaker(scope.random("breakage"), scope.error_share)
        self._tally = Tally()

    def write_days(self) -> None:
        """Write the file of each day."""
        scope = self._scope
        staged = stage_events(scope.start)
        for event in staged.late:
            if event.at < scope.end:
                self._delivery.hold(event)
        traffic = Traffic(scope.random("traffic"), scope.start, scope.days, scope.visitors)
        for number, events in enumerate(traffic.generate_days(staged.on_time)):
            self._write(number, self._delivery.pack_day(number, events))

    def write_late(self) -> None:
        """Write the late files."""
        for number, plan in enumerate(self._plans):
            if plan.is_late:
                self._write(number, self._delivery.pack_late(number))

    def total(self) -> Totals:
        """What is true of the files written so far."""
        return self._tally.total()

    def purchases(self) -> Iterator[tuple[str, int, Purchase]]:
        """The orders in the files written so far: client, time (milliseconds since 1970) and content."""
        return self._tally.purchases()

    def _write(self, number: int, parcel: Parcel) -> None:
        """Write one file and count it."""
        plan = self._plans[number]
        broken = self._breaker.plan(parcel.rows)
        write_file(self._out / plan.path, plan.style, parcel.rows, broken, self._breaker.rng)
        reasons = Counter(breakage.reason for breakage in broken.values())
        self._tally.add_file(parcel.events, len(parcel.rows) - len(parcel.events), reasons)
        self._report()
