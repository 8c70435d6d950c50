"""Counting log documents, to become the truth about them."""

from collections.abc import Container
from dataclasses import asdict

from analytics_platform.demo.simulator.feed import Packed
from analytics_platform.demo.simulator.population import client_of
from analytics_platform.demo.simulator.tally import RowTally, UserTally
from analytics_platform.demo.simulator.truth import LogTotals
from analytics_platform.demo.simulator.web_logs.event import LogEvent


class LogTally:
    """A running count of documents and of what each user did; `total` may be asked at any time."""

    def __init__(self, together: UserTally) -> None:
        """Start from nothing; `together` also counts what the same users do elsewhere."""
        self._rows = RowTally()
        self._own = UserTally()
        self._together = together
        self._users: set[int] = set()

    def add_file(self, packed: Packed[LogEvent]) -> None:
        """Count one file: its new documents, its copies, its broken ones."""
        self._rows.add(packed.duplicates, packed.reasons)
        for event in packed.events:
            viewed = [event.item_name] if event.action == "view_item" and event.item_name else ()
            self._own.add(event, None, viewed)
            self._together.add(event, None, viewed)
            self._users.add(event.user_id)

    def total(self, customers: Container[str]) -> LogTotals:
        """Everything counted so far, if the customers are those with these ids."""
        activity = self._own.activity
        users = {str(user_id): client_of(user_id) for user_id in sorted(self._users)}
        orphans = {user: len(activity.times(client)) for user, client in users.items() if user not in customers}
        return LogTotals(
            **asdict(activity.total()),
            **self._rows.total(activity.events),
            orphans=sum(orphans.values()),
            orphans_by_user=orphans,
            customers={user: self._own.describe(client) for user, client in users.items() if user in customers},
        )
