"""The simulation from end to end: traffic into files, and what is true of them into `truth.json`."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from typing import Generic

from analytics_platform.demo.simulator.delivery import EventT, Packed, plan_feed, plan_files
from analytics_platform.demo.simulator.events import Scope, client_of, plan_population
from analytics_platform.demo.simulator.files import PURCHASES, write_purchases
from analytics_platform.demo.simulator.sources import make_clickstream, make_logs, make_messages
from analytics_platform.demo.simulator.tally import ClickTally, LogTally, MessageTally, SourceTally, UserTally, merge
from analytics_platform.demo.simulator.truth import AllTotals, Sources, Stages, Truth
from analytics_platform.demo.simulator.users import User, UserAnswers, count_users, write_answer
from analytics_platform.errors import UserError

MOST_BROKEN = 0.4
"""The highest `error_share`: above it broken rows could not all stand apart from each other."""

Progress = Callable[[int, int], None]
"""Told after each file how many are written, and how many there will be."""


class FolderInUseError(UserError):
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
    UTC. `error_share` is the share of broken rows in each clickstream file, rounded down; messages and logs have
    two thirds of it. Files of the days go to `out/clickstream`, `out/messages` and `out/web_logs`, what arrives later
    to the same folders below `out/late`; the users API answers `out/users.json`, later `out/late/users.json`.
    Every order of them all stands once in `out/purchases.jsonl`.
    """
    if days < 1 or visitors < 1 or not 0 <= error_share <= MOST_BROKEN:
        raise ValueError(f"days and visitors must be at least 1, error_share between 0 and {MOST_BROKEN}")
    first_day = start or datetime.now(UTC).date() - timedelta(days=days)
    truth = _Simulation(Scope(seed, first_day, days, visitors, error_share), out, progress).run()
    (out / "truth.json").write_text(truth.to_json(), encoding="utf-8", newline="\n")
    return truth


def refuse_foreign_files(paths: Iterable[Path]) -> None:
    """Raise if the folders to be written hold files that this simulation does not write itself."""
    ours = set(paths)
    for folder in sorted({path.parent for path in ours}):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path not in ours:
                raise FolderInUseError(f"{path} is not of this simulation: choose an empty folder, or empty this one")


class _Files(Generic[EventT]):
    """The files of a source, written one after the other and counted."""

    def __init__(
        self,
        paths: Iterable[Path],
        packed: Iterator[Packed[EventT]],
        tally: SourceTally[EventT],
        report: Callable[[], None],
    ) -> None:
        self._files = zip(paths, packed, strict=True)
        self._tally = tally
        self._report = report

    def write(self, count: int | None = None) -> None:
        """Write the next files, at most the given number."""
        for path, packed in islice(self._files, count):
            packed.write(path)
            self._tally.add_file(packed)
            self._report()


class _Simulation:
    """One run over all sources: first the days of each, then what is late."""

    def __init__(self, scope: Scope, out: Path, progress: Progress | None) -> None:
        """Nothing is written yet; raises FolderInUseError if it could not be."""
        self._scope = scope
        self._out = out
        self._progress = progress
        self._done = 0
        plans = plan_files(scope.first_day, scope.days)
        clicks = [out / plan.path for plan in plans]
        queue, logs = (
            [out / path for path in plan_feed(name, scope.first_day, scope.days)] for name in ("messages", "web_logs")
        )
        refuse_foreign_files([*clicks, *queue, *logs])
        self._count = len(clicks) + len(queue) + len(logs) + 3  # and both answers of the users API, and the orders
        population = plan_population(scope.visitors)
        self._answers = UserAnswers(scope, population)
        self._together = UserTally()
        self._clicks, self._messages, self._logs = ClickTally(), MessageTally(self._together), LogTally(self._together)
        self._sources = (
            _Files(clicks, make_clickstream(scope, plans), self._clicks, self._report),
            _Files(queue, make_messages(scope, population), self._messages, self._report),
            _Files(logs, make_logs(scope, population), self._logs, self._report),
        )

    def run(self) -> Truth:
        """Write every file and tell what is true of them."""
        for source in self._sources:
            source.write(self._scope.days)
        before_late = self._answer("users.json", self._answers.first)
        for source in self._sources:
            source.write()
        total = self._answer("late/users.json", self._answers.later)
        purchases = chain(self._clicks.activity.purchases(), self._together.activity.purchases())
        write_purchases(self._out / PURCHASES, purchases)
        self._report()
        stages = Stages(before_late=before_late, total=total)
        return Truth(**asdict(total.clickstream), before_late=before_late.clickstream, sources=stages)

    def _answer(self, name: str, users: Sequence[User]) -> Sources:
        """Write an answer of the users API; what is true of everything written so far."""
        write_answer(self._out / name, users)
        self._report()
        counted = count_users(users)
        clickstream = self._clicks.total()
        activity = merge(clickstream, self._together.activity.total())
        clients = {user_id: client_of(user_id) for user_id in counted.people}
        active = set(self._together.activity.clients)
        customers = {
            user_id: self._together.describe_customer(client) for user_id, client in clients.items() if client in active
        }
        return Sources(
            clickstream=clickstream,
            ecommerce_events=self._messages.total(),
            web_logs=self._logs.total(counted.people),
            users=counted,
            all_sources=AllTotals(**asdict(activity), customers=customers),
        )

    def _report(self) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._count)
