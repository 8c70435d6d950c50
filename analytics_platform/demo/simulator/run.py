"""The simulation from end to end: traffic into files, and what is true of them into `truth.json`."""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from pathlib import Path

from analytics_platform.demo.simulator.delivery import PURCHASES, FeedFiles, plan_feed, plan_files, write_purchases
from analytics_platform.demo.simulator.events import Scope, client_of, plan_population
from analytics_platform.demo.simulator.sources import Clickstream, make_logs, make_messages
from analytics_platform.demo.simulator.tally import LogTally, MessageTally, UserTally, merge
from analytics_platform.demo.simulator.truth import AllTotals, CustomerTotals, Sources, Stages, Truth
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


class _Simulation:
    """One run over all sources: first the days of each, then what is late."""

    def __init__(self, scope: Scope, out: Path, progress: Progress | None) -> None:
        """Nothing is written yet; raises FolderInUseError if it could not be."""
        self._out = out
        self._progress = progress
        self._done = 0
        plans = plan_files(scope.first_day, scope.days)
        queue, logs = (
            [out / path for path in plan_feed(name, scope.first_day, scope.days)] for name in ("messages", "web_logs")
        )
        paths = [*(out / plan.path for plan in plans), *queue, *logs]
        refuse_foreign_files(paths)
        self._files = len(paths) + 3  # and both answers of the users API, and the orders
        population = plan_population(scope.visitors)
        self._answers = UserAnswers(scope, population)
        self._together = UserTally()
        self._message_tally = MessageTally(self._together)
        self._log_tally = LogTally(self._together)
        self._clickstream = Clickstream(scope, out, plans, self._report)
        self._messages = FeedFiles(queue, make_messages(scope, population), self._message_tally.add_file, self._report)
        self._logs = FeedFiles(logs, make_logs(scope, population), self._log_tally.add_file, self._report)

    def run(self) -> Truth:
        """Write every file and tell what is true of them."""
        for source in (self._clickstream, self._messages, self._logs):
            source.write_days()
        before_late = self._answer("users.json", self._answers.first)
        for source in (self._clickstream, self._messages, self._logs):
            source.write_late()
        total = self._answer("late/users.json", self._answers.later)
        write_purchases(
            self._out / PURCHASES, chain(self._clickstream.purchases(), self._together.activity.purchases())
        )
        self._report()
        return Truth(
            **asdict(total.clickstream),
            before_late=before_late.clickstream,
            sources=Stages(before_late=before_late, total=total),
        )

    def _answer(self, name: str, users: Iterable[User]) -> Sources:
        """Write an answer of the users API; what is true of everything written so far."""
        write_answer(self._out / name, users)
        self._report()
        counted = count_users(users)
        clickstream = self._clickstream.total()
        activity = merge(clickstream, self._together.activity.total())
        return Sources(
            clickstream=clickstream,
            ecommerce_events=self._message_tally.total(),
            web_logs=self._log_tally.total(counted.people),
            users=counted,
            all_sources=AllTotals(**asdict(activity), customers=self._describe_customers(counted.people)),
        )

    def _describe_customers(self, people: Iterable[str]) -> dict[str, CustomerTotals]:
        """What each of the customers did, for those who did anything."""
        active = set(self._together.activity.clients)
        clients = {user_id: client_of(user_id) for user_id in people}
        return {
            user_id: self._together.describe_customer(client) for user_id, client in clients.items() if client in active
        }

    def _report(self) -> None:
        """One more file is written."""
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._files)
