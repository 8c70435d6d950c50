"""The simulation from end to end: traffic into files, and what is true of them into `truth.json`."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

from analytics_platform.simulator.breakage import Breaker
from analytics_platform.simulator.delivery import Delivery, FilePlan, Parcel, plan_files
from analytics_platform.simulator.event import DAY, midnight_of
from analytics_platform.simulator.staged import stage_events
from analytics_platform.simulator.tally import Tally
from analytics_platform.simulator.traffic import Traffic
from analytics_platform.simulator.truth import Truth
from analytics_platform.simulator.write import write_file

MOST_BROKEN = 0.4
"""The highest `error_share`: above it broken rows could not all stand apart from each other."""

Progress = Callable[[int, int], None]
"""Told after each file how many are written, and how many there will be."""


class FolderInUseError(ValueError):
    """The output folder holds traffic of another simulation, which would be mixed with this one."""


def simulate(
    days: int,
    visitors: int,
    seed: int,
    out: Path,
    start: date | None = None,
    error_share: float = 0.03,
    progress: Progress | None = None,
) -> Truth:
    """Write shop traffic below `out` and `out/truth.json`; the same arguments give the same bytes.

    `visitors` is the rough number of distinct visitors a day. Without a `start` the last day is yesterday in
    UTC. `error_share` is the share of broken rows in each file, rounded down. Files of the days go to
    `out/clickstream`, files that arrive later to `out/late/clickstream`.
    """
    if days < 1 or visitors < 1 or not 0 <= error_share <= MOST_BROKEN:
        raise ValueError(f"days and visitors must be at least 1, error_share between 0 and {MOST_BROKEN}")
    first_day = start or datetime.now(UTC).date() - timedelta(days=days)
    plans = plan_files(first_day, days)
    refuse_foreign_files(out, plans)
    simulation = _Simulation(seed, out, plans, error_share, progress)
    truth = simulation.run(midnight_of(first_day), days, visitors)
    (out / "truth.json").write_text(truth.to_json(), encoding="utf-8", newline="\n")
    return truth


def refuse_foreign_files(out: Path, plans: Iterable[FilePlan]) -> None:
    """Raise if the folders to be written hold files that this simulation does not write itself."""
    ours = {out / plan.path for plan in plans}
    for folder in sorted({path.parent for path in ours}):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path not in ours:
                raise FolderInUseError(f"{path} is not of this simulation: choose an empty folder, or empty this one")


class _Simulation:
    """One run: its streams of chance, each for one matter, and the count of what was written."""

    def __init__(
        self, seed: int, out: Path, plans: tuple[FilePlan, ...], error_share: float, progress: Progress | None
    ) -> None:
        self._out = out
        self._plans = plans
        self._progress = progress
        self._traffic_rng = Random(f"{seed}: traffic")
        self._delivery = Delivery(Random(f"{seed}: delivery"), plans)
        self._breaker = Breaker(Random(f"{seed}: breakage"), error_share)
        self._tally = Tally()

    def run(self, start: int, days: int, visitors: int) -> Truth:
        """Write every file, those of the days first."""
        staged = stage_events(start)
        for event in staged.late:
            if event.at < start + days * DAY:
                self._delivery.hold(event)
        traffic = Traffic(self._traffic_rng, start, days, visitors)
        for number, events in enumerate(traffic.generate_days(staged.on_time)):
            self._write(number, self._delivery.pack_day(number, events))
        before_late = self._tally.total()
        for number in range(days, len(self._plans)):
            self._write(number, self._delivery.pack_late(number))
        return Truth(before_late=before_late, **asdict(self._tally.total()))

    def _write(self, number: int, parcel: Parcel) -> None:
        """Write one file and count it."""
        plan = self._plans[number]
        broken = self._breaker.plan(parcel.rows)
        write_file(self._out / plan.path, plan.style, parcel.rows, broken, self._breaker.rng)
        reasons = Counter(breakage.reason for breakage in broken.values())
        self._tally.add_file(parcel.events, len(parcel.rows) - len(parcel.events), reasons)
        if self._progress is not None:
            self._progress(number + 1, len(self._plans))
